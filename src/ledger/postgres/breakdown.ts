/** What a group's total is made of, computed from its entries as of one moment. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createBreakdownSum } from '../breakdowns.ts'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import type { Breakdown } from '../ledger.ts'
import type { Database } from './database.ts'
import { isKnown } from './history.ts'

/** Entries read at a time. */
const PAGE = 2_000

const SELECT_PAGE = `${SELECT_ENTRIES} WHERE group_name = $1 AND (entries.at, number) > ($2, $3)
  ORDER BY entries.at, number LIMIT ${PAGE}`

/** Returns `undefined` if there is no such group. */
export function breakdownOf(database: Database, group: string): Promise<Breakdown | undefined> {
  return database.transact(async (sql) => {
    if (!(await isKnown(sql, group))) return undefined
    const sum = createBreakdownSum()
    let [at, number] = [Number.MIN_SAFE_INTEGER, 0]
    for (;;) {
      const rows = await sql.all(SELECT_PAGE, group, at, number)
      for (const row of rows) {
        const entry = toEntry(row)
        ;[at, number] = [entry.at, entry.number]
        sum.add(entry)
      }
      if (rows.length < PAGE) return sum.result()
      await nextTurn()
    }
  }, 'snapshot')
}
