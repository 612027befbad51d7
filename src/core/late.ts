/**
 * Readings that come when a later one of their series was charged already: through a Prometheus that was away, from a second
 * one that is behind, or because somebody delivers again what is old.
 *
 * Totals are cumulative: what had been used at an instant is part of every later total. So a late reading is folded in by
 * having been charged already, and nothing that was recorded changes. What is left to do is to tell whether it fits.
 */
import { type Decision, isSummationNoise, type Point, type SeriesState } from './decide.ts'
import { compare, type Decimal } from './decimals.ts'
import { WINDOW } from './entries.ts'
import { lastChange, UPDATE_ALLOWANCE } from './lines.ts'
import type { Reading } from './series.ts'

/**
 * How long before the watermark a reading may be to be folded in: as long as a charge may still grow. What is older was never
 * meant to come now, so it is told of.
 */
export const LATE_WINDOW = WINDOW

/**
 * What to make of a reading that is not later than the watermark.
 *
 * @param chargedFrom Where the open entry of the series begins.
 */
export function notLater(state: SeriesState, reading: Reading, chargedFrom: Point | undefined): Decision {
  const { watermark } = state
  if (reading.at === watermark.at) return { kind: 'stale', conflict: compare(reading.value, watermark.value) !== 0 }
  // Our own clock was set back: the reading is of now, and its date is wrong.
  if (reading.isOfNow === true) return { kind: 'stale', conflict: false }
  if (reading.at < watermark.at - LATE_WINDOW) return { kind: 'outdated' }
  return { kind: 'late', conflict: !fits(state, reading, chargedFrom) }
}

/**
 * Whether the value lies between the readings that are known before and after it. Another exporter may say what was true up to
 * ten minutes before or after. Where the series left its line in between, nothing can be said.
 */
function fits(state: SeriesState, to: Reading, chargedFrom: Point | undefined): boolean {
  const { watermark, formerLines = [] } = state
  const known = [
    ...formerLines,
    ...(chargedFrom === undefined ? [] : [chargedFrom]),
    { at: lastChange(state), value: watermark.value },
    watermark,
  ].toSorted((a, b) => a.at - b.at)
  const slack = to.origin === watermark.origin ? 0 : UPDATE_ALLOWANCE
  const before = known.findLast(({ at }) => at <= to.at - slack)
  const after = known.find(({ at }) => at >= to.at + slack)
  const isLeft = formerLines.some(({ at }) => at >= (before?.at ?? 0) && (after === undefined || at < after.at))
  if (isLeft) return true
  return (before === undefined || isAtLeast(to.value, before.value)) && (!after || isAtLeast(after.value, to.value))
}

function isAtLeast(value: Decimal, bound: Decimal): boolean {
  return compare(value, bound) >= 0 || isSummationNoise(bound, value)
}
