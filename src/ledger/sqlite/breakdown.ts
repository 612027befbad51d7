/** What a group's total is made of, computed from its entries. */
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createBreakdownSum } from '../breakdowns.ts'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import type { Breakdown } from '../ledger.ts'

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
    const sum = createBreakdownSum()
    let [at, number] = [Number.MIN_SAFE_INTEGER, 0]
    for (;;) {
      const rows = selectPage.all(group, at, number)
      for (const row of rows) {
        const entry = toEntry(row)
        ;[at, number] = [entry.at, entry.number]
        sum.add(entry)
      }
      if (rows.length < PAGE) return sum.result()
      await nextTurn()
    }
  }
}
