/**
 * Lines in a grant: parts of it, in percent, at which people are to be told.
 *
 * A line is reached when used credits are at least that part of the grant, exactly: no rounding decides about it. A grant of
 * nothing has one line, the highest: whatever is used is beyond it. Less than nothing is no grant.
 */
import type { Credits } from './credits.ts'
import { type Decimal, powerOfTen } from './decimals.ts'

/** Decimals of a micro-credit. */
const MICRO = 6

/** The fewest micro-credits that reach a part of a grant. */
export function lineOf(granted: Decimal, percent: number): Credits {
  const numerator = granted.digits * powerOfTen(MICRO) * BigInt(percent)
  const denominator = 100n * powerOfTen(granted.scale)
  const floor = numerator / denominator
  return floor * denominator < numerator ? floor + 1n : floor
}

/** The parts of a grant that `used` has reached, rising. */
export function reached(used: Credits, granted: Decimal, percents: readonly number[]): number[] {
  const lines = linesOf(granted, percents).filter(({ line }) => used >= line)
  return lines.map(({ percent }) => percent).sort((a, b) => a - b)
}

/** The next line above `used`, if there is one. */
export function nextLine(used: Credits, granted: Decimal, percents: readonly number[]): Credits | undefined {
  const above = linesOf(granted, percents).filter(({ line }) => line > used)
  return above.length === 0 ? undefined : above.map(({ line }) => line).reduce((a, b) => (b < a ? b : a))
}

function linesOf(granted: Decimal, percents: readonly number[]): { percent: number; line: Credits }[] {
  if (granted.digits < 0n) return []
  if (granted.digits > 0n) return percents.map((percent) => ({ percent, line: lineOf(granted, percent) }))
  return percents.length === 0 ? [] : [{ percent: Math.max(...percents), line: 1n }]
}

/** The parts of a grant that a change of used credits reaches or falls below, rising. */
export function crossings(
  { before, after, granted }: { before: Credits; after: Credits; granted: Decimal },
  percents: readonly number[],
): number[] {
  const [was, is] = [reached(before, granted, percents), reached(after, granted, percents)]
  return percents.filter((percent) => was.includes(percent) !== is.includes(percent)).sort((a, b) => a - b)
}
