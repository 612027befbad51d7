/** What a transaction of readings adds to the totals of groups. */
import type { Credits } from '../core/credits.ts'
import type { Series } from '../core/series.ts'

export interface Total {
  readonly group: string
  readonly site: string
  readonly amount: Credits
  readonly entry: number
}

export interface Totals {
  readonly groups: Set<string>
  /** @param entry The number of the entry that the amount went to. */
  add(series: Series, amount: Credits, entry: number): void
  all(): Total[]
}

/** Sums the amounts of a transaction by group and site, so that each is updated once; keeps the last entry of each. */
export function createTotals(): Totals {
  const bySite = new Map<string, Map<string, { amount: Credits; entry: number }>>()
  const groups = new Set<string>()
  return {
    groups,
    add({ site, projectName }, amount, entry) {
      const sums = bySite.get(site) ?? new Map<string, { amount: Credits; entry: number }>()
      bySite.set(site, sums)
      const sum = sums.get(projectName)
      if (sum === undefined) sums.set(projectName, { amount, entry })
      else {
        sum.amount += amount
        sum.entry = entry
      }
      groups.add(projectName)
    },
    all: () => [...bySite].flatMap(([site, sums]) => [...sums].map(([group, sum]) => ({ group, site, ...sum }))),
  }
}
