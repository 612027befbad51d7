/** What a group's total is made of, computed from its entries. */
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Credits } from '../../core/credits.ts'
import { add, subtract } from '../../core/decimals.ts'
import { seriesKey } from '../../core/series.ts'
import type { Breakdown, BreakdownPart } from '../ledger.ts'
import { SELECT_ENTRIES, toEntry } from './entryRows.ts'

/** Entries summed up without letting others work. */
const PAGE = 2_000

/** Returns `undefined` if there is no such group. */
export function createBreakdown(db: DatabaseSync): (group: string) => Promise<Breakdown | undefined> {
  const selectUsed = db.prepare('SELECT used FROM groups WHERE name = ?')
  const selectPage = db.prepare(`${SELECT_ENTRIES} WHERE group_name = ?1
    AND (entries.at, number) > (?2, ?3) ORDER BY entries.at, number LIMIT ${PAGE}`)
  for (const statement of [selectUsed, selectPage]) statement.setReadBigInts(true)

  return async (group) => {
    if (selectUsed.get(group) === undefined) return undefined
    const parts = new Map<string, BreakdownPart>()
    const others = { adjustment: { amount: 0n, entries: 0 }, opening: { amount: 0n, entries: 0 } }
    let [at, number] = [Number.MIN_SAFE_INTEGER, 0]
    let used: Credits = 0n
    for (;;) {
      const rows = selectPage.all(group, at, number)
      for (const row of rows) {
        const entry = toEntry(row)
        ;[at, number] = [entry.at, entry.number]
        used += entry.amount
        if (entry.kind === 'charge') {
          const key = `${entry.priceVersion} ${entry.perUnit.digits}/${entry.perUnit.scale} ${seriesKey(entry.series)}`
          parts.set(key, withCharge(parts.get(key), entry))
        } else {
          others[entry.kind].amount += entry.amount
          others[entry.kind].entries += 1
        }
      }
      if (rows.length < PAGE) break
      await nextTurn()
    }
    return { used, parts: [...parts.values()], adjustments: others.adjustment, openings: others.opening }
  }
}

function withCharge(
  part: BreakdownPart | undefined,
  entry: Extract<ReturnType<typeof toEntry>, { kind: 'charge' }>,
): BreakdownPart {
  const { series, priceVersion, perUnit, from, to, amount, number } = entry
  const consumption = subtract(to.value, from.value)
  if (part === undefined) {
    const place = { from: from.at, to: to.at, first: number, last: number }
    return { series, priceVersion, perUnit, consumption, amount, entries: 1, ...place }
  }
  return {
    ...part,
    consumption: add(part.consumption, consumption),
    amount: part.amount + amount,
    entries: part.entries + 1,
    from: Math.min(part.from, from.at),
    to: Math.max(part.to, to.at),
    first: Math.min(part.first, number),
    last: Math.max(part.last, number),
  }
}
