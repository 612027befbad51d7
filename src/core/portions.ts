/**
 * The readings of a delivery in portions as scrapes would have brought them: in each one, a series occurs once.
 *
 * What is found by looking at all readings of a site together (it jumped, it was weighted anew) counts on that. A sender that
 * could not send for a while, and an archive, bring many readings of a few series: taken for one look at a site, a project
 * that started a machine would look like many that did.
 */
import { compare } from './decimals.ts'
import { type Reading, seriesKey } from './series.ts'

/** @returns At least one portion, the earliest readings first. What came twice, alike, is in it once. */
export function inPortions(readings: readonly Reading[]): readonly (readonly Reading[])[] {
  const portions: Reading[][] = [[]]
  let seen = new Map<string, Reading>()
  for (const reading of readings.toSorted((a, b) => a.at - b.at)) {
    const key = seriesKey(reading.series)
    const before = seen.get(key)
    if (before !== undefined && isSame(before, reading)) continue
    if (before !== undefined) {
      portions.push([])
      seen = new Map()
    }
    seen.set(key, reading)
    portions.at(-1)!.push(reading)
  }
  return portions
}

function isSame(a: Reading, b: Reading): boolean {
  return a.at === b.at && compare(a.value, b.value) === 0
}
