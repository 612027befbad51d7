/** What programs have in common that work on a ledger by themselves: what was typed, what goes wrong, how far they are. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { ConfigError } from '../config/settings.ts'
import { LedgerError } from '../ledger/ledger.ts'
import { ArchiveError } from '../sources/archive.ts'

export const EXIT_PROBLEMS = 1
export const EXIT_USAGE = 64
export const EXIT_NO_INPUT = 66
export const EXIT_UNAVAILABLE = 69
export const EXIT_RESOURCE = 74
export const EXIT_SETTINGS = 78
/** As a shell has it for a program that Ctrl-C ended. */
export const EXIT_INTERRUPTED = 130

/** Said as it is. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Where a program writes. */
export interface Paper {
  out(text: string): void
  /** What is said beside the answer. */
  err(text: string): void
  /** Columns of the answer; infinite where no person looks at it. */
  readonly width: number
  readonly hasColours: boolean
  /** Whether what is said beside it goes to a terminal. */
  readonly isTerminal: boolean
}

type Options = NonNullable<ParseArgsConfig['options']>

/** @throws {ToolError} for an option that there is not, or without its value. */
export function readWords<const T extends Options>(words: readonly string[], options: T) {
  try {
    return parseArgs({ args: joined(words), allowPositionals: true, options })
  } catch (error) {
    throw new ToolError(EXIT_USAGE, `${messageOf(error)}. --help tells how to call it.`)
  }
}

/** `--from -2d` as `--from=-2d`: else the value would be taken for an option. */
function joined(words: readonly string[]): string[] {
  const all: string[] = []
  for (const word of words) {
    const before = all.at(-1)
    if (/^-\d/.test(word) && before !== undefined && /^--[a-z-]+$/.test(before))
      all[all.length - 1] = `${before}=${word}`
    else all.push(word)
  }
  return all
}

/** Runs a program and turns what is expected to go wrong into a sentence and an exit code. */
export async function runTool(paper: Paper, work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    const code = exitCodeOf(error)
    if (code === undefined) throw error
    paper.err(`${messageOf(error)}\n`)
    return code
  }
}

function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof ToolError) return error.exitCode
  if (error instanceof ConfigError) return EXIT_SETTINGS
  if (error instanceof LedgerError) return EXIT_RESOURCE
  return error instanceof ArchiveError ? EXIT_UNAVAILABLE : undefined
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const CLEAR_LINE = '\r\u001b[K'
const WIDTH = 24

/** A bar on one line of a terminal; anywhere else nothing. */
export function createBar({ isTerminal, err }: Pick<Paper, 'isTerminal' | 'err'>) {
  return {
    /** @param part From 0 to 1. */
    show(part: number, text: string): void {
      const done = Math.round(Math.min(1, Math.max(0, part)) * WIDTH)
      const percent = String(Math.floor(100 * part)).padStart(3)
      if (isTerminal) err(`${CLEAR_LINE}[${'='.repeat(done)}${' '.repeat(WIDTH - done)}] ${percent} %  ${text}`)
    },
    clear(): void {
      if (isTerminal) err(CLEAR_LINE)
    },
  }
}
