/** Which lines of its grant a group reached, as the ledger has both. */
import { type Credits, LARGEST_AMOUNT } from '../core/credits.ts'
import { type Decimal, formatDecimal, parseDecimal } from '../core/decimals.ts'
import { nextLine, reached } from '../core/thresholds.ts'

interface Standing {
  readonly used: Credits
  /** Perun's text, which may be no number; `null` if it is not known, or the group is not opened. */
  readonly granted: string | null
  /** The grant as it was, if that may have changed; no text if the group is only now opened. */
  readonly grantBefore?: { readonly text: string | undefined } | undefined
  /** Parts of a grant at which people are told, rising. */
  readonly percents: readonly number[]
}

interface LineView {
  /** The grant as a decimal, without superfluous zeros. */
  readonly granted: string
  /** The lines that are reached; people are told of the highest, unless it was passed before. */
  readonly reached: readonly { readonly line: number; readonly isTold: boolean }[]
  /** The used credits that reach the next line, if there is one that a ledger can hold. */
  readonly next: Credits | null
}

const NO_LINES: LineView = { granted: '', reached: [], next: null }

export function lookAtLines({ used, granted: text, grantBefore, percents }: Standing): LineView {
  const granted = parseGrant(text)
  if (granted === undefined) return NO_LINES
  const isPassed = grantBefore === undefined ? () => false : passedBefore(used, grantBefore.text, percents)
  const lines = reached(used, granted, percents)
  const next = nextLine(used, granted, percents)
  return {
    granted: formatDecimal(granted),
    reached: lines.map((line) => ({ line, isTold: line === lines.at(-1) && !isPassed(line) })),
    next: next === undefined || next > LARGEST_AMOUNT ? null : next,
  }
}

/** Whether a line was reached already with the grant of before; of a group that is only now opened, all of them were. */
function passedBefore(used: Credits, text: string | undefined, percents: readonly number[]): (line: number) => boolean {
  const before = parseGrant(text ?? null)
  const lines = before === undefined ? percents : reached(used, before, percents)
  return (line) => lines.includes(line)
}

/** Perun's text may be no number; then no line is known. */
function parseGrant(text: string | null): Decimal | undefined {
  return text === null ? undefined : parseDecimal(text)
}

/** What a ledger notes of the lines that its groups were looked at for. */
export function watchedLines(percents: readonly number[]): string {
  // The 0 is the line of a grant of nothing, which older versions did not watch.
  return [0, ...percents].join()
}
