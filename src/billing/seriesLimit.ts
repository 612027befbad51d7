/**
 * How many series a target may open.
 *
 * A series is kept for ever. An exporter that is broken, or worse, can show other names at each scrape, and would fill the
 * ledger and the memory with them. What is beyond the limit is not opened, and an operator is told; series that were opened
 * before go on being charged.
 */
import { type Reading, seriesKey } from '../core/series.ts'
import type { Hold, StoredSeries } from '../ledger/ledger.ts'

export interface SeriesLimit {
  /** The readings of series that are known or may still be opened. All readings of a delivery, sorted by group, come by. */
  admit(readings: readonly Reading[], stored: readonly (StoredSeries | undefined)[]): Reading[]
  /** What is to be recorded about it, and how many readings were left out. */
  outcome(): { readonly surplus: number; readonly holds: readonly Hold[]; readonly released: readonly string[] }
}

/**
 * @param source Names the target.
 * @param most How many series it may open.
 * @param opened How many it has opened so far.
 */
export function createSeriesLimit(source: string, most: number, opened: number): SeriesLimit {
  const room = Math.max(0, most - opened)
  const opening = new Set<string>()
  /** Of the group that comes by just now: all of them together may be as many as an answer has lines. */
  let beyond = new Set<string>()
  let group: string | undefined
  let [surplus, surplusSeries, site] = [0, 0, '']

  function mayOpen({ series }: Reading): boolean {
    const key = seriesKey(series)
    if (opening.has(key)) return true
    if (opening.size < room) {
      opening.add(key)
      return true
    }
    if (series.projectName !== group) {
      group = series.projectName
      beyond = new Set()
    }
    if (surplus === 0) site = series.site
    if (!beyond.has(key)) surplusSeries += 1
    beyond.add(key)
    surplus += 1
    return false
  }

  return {
    admit: (readings, stored) => readings.filter((reading, index) => stored[index] !== undefined || mayOpen(reading)),
    outcome() {
      const key = `too many series/${source}`
      if (surplus === 0) return { surplus, holds: [], released: [key] }
      const has = opened + opening.size
      const reason = `${source} shows ${surplusSeries} series more than it may open: it has opened ${has} of ${most} (OS_CREDITS_MAX_SERIES). They are not charged, those that it opened are. Find out why it shows so many projects; if all of them are real, raise the setting.`
      return { surplus, holds: [{ key, kind: 'too many series', site, reason }], released: [] }
    },
  }
}
