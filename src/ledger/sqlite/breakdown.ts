/** What a group's total is made of, computed from its entries as of one moment. */
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  createBreakdownSum,
  SELECT_SUMMED_SERIES,
  SUMMED_COLUMNS,
  type SummedRow,
  type SummedSeries,
} from '../breakdowns.ts'
import type { Breakdown } from '../ledger.ts'

/** Entries summed up without letting others work. */
const PAGE = 2_000

/** Its place in a `SummedRow`. */
const NUMBER = 1

/** Returns `undefined` if there is no such group. */
export function createBreakdown(db: DatabaseSync): (group: string) => Promise<Breakdown | undefined> {
  const selectUsed = db.prepare('SELECT used FROM groups WHERE name = ?')
  const selectSeries = db.prepare(`${SELECT_SUMMED_SERIES} ?`)
  const selectPage = db.prepare(`SELECT ${SUMMED_COLUMNS} FROM entries WHERE group_name = ?1
    AND (at, number) > (?2, ?3) AND number <= ?4 ORDER BY at, number LIMIT ${PAGE}`)
  const selectNewest = db.prepare('SELECT coalesce(max(number), 0) FROM entries')
  const selectOpen = db.prepare(`SELECT ${SUMMED_COLUMNS} FROM entries WHERE number IN
    (SELECT open_number FROM series WHERE project_name = ? AND open_number IS NOT NULL)`)
  for (const statement of [selectUsed, selectSeries, selectPage, selectNewest, selectOpen]) {
    statement.setReadBigInts(true)
    // Half the time of objects with a name for each column.
    if (statement !== selectSeries) statement.setReturnArrays(true)
  }

  return async (group) => {
    if (selectUsed.get(group) === undefined) return undefined
    const sum = createBreakdownSum()
    // Others have their turn between two pages, and all that they may do is to let open entries grow or end, and add new ones.
    const open = new Map((selectOpen.all(group) as unknown as SummedRow[]).map((row) => [row[NUMBER], row]))
    const [newest] = selectNewest.get() as unknown as [bigint]
    let [at, number] = [BigInt(Number.MIN_SAFE_INTEGER), 0n]
    for (;;) {
      const rows = selectPage.all(group, at, number, newest) as unknown as SummedRow[]
      for (const row of rows) if (!open.has(row[NUMBER])) sum.add(row)
      if (rows.length < PAGE) break
      ;[at, number] = rows.at(-1)!
      await nextTurn()
    }
    for (const row of open.values()) sum.add(row)
    return sum.result(selectSeries.all(group) as unknown as SummedSeries[])
  }
}
