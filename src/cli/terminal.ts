/** Where a command writes and whom it may ask. */
import { styleText } from 'node:util'

export interface Terminal {
  /** What the command is for: answers. */
  out(text: string): void
  /** What is said beside it: errors, questions, what is about to happen. */
  err(text: string): void
  /** Columns; infinite where nothing is cut because no person looks at it. */
  readonly width: number
  /** Whether a terminal takes the answers. */
  readonly isTerminal: boolean
  readonly hasColours: boolean
  /** Whether somebody is there who can answer a question. */
  readonly canAsk: boolean
  /** The answer of a person, without the end of the line; `undefined` if there is none. */
  ask(question: string): Promise<string | undefined>
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

/** The text in this style, where there are colours. */
export function styled(text: string, style: Style | undefined, { hasColours }: Pick<Terminal, 'hasColours'>): string {
  return style === undefined || !hasColours ? text : styleText(style, text, { validateStream: false })
}
