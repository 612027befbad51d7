/**
 * The readings of a push in parts that hold each series once, the earliest readings first.
 *
 * A scrape shows each series once, and what is found by comparing the series of a delivery with each other counts on that. A
 * sender that could not send for a while pushes many readings of a few series: taken for one look at a site, a project that
 * started a machine would look like many that did.
 */
import { type Reading, seriesKey } from '../core/series.ts'

/** More would be as many transactions; what is left comes with the last one. */
export const MOST_WAVES = 1_000

/** @returns At least one part, so that what was rejected is recorded, too. */
export function inWaves(readings: readonly Reading[], most = MOST_WAVES): Reading[][] {
  const waves: Reading[][] = [[]]
  const seen = new Map<string, number>()
  for (const reading of readings.toSorted((a, b) => a.at - b.at)) {
    const key = seriesKey(reading.series)
    const earlier = seen.get(key) ?? 0
    seen.set(key, earlier + 1)
    const index = Math.min(earlier, most - 1)
    waves[index] ??= []
    waves[index].push(reading)
  }
  return waves
}
