/** What a group's total is made of, computed from its entries as of one moment. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  createBreakdownSum,
  SELECT_SUMMED_SERIES,
  SUMMED_COLUMNS,
  type SummedRow,
  type SummedSeries,
} from '../breakdowns.ts'
import type { Breakdown } from '../ledger.ts'
import type { Database } from './database.ts'
import { isKnown } from './history.ts'

/** Entries read at a time. */
const PAGE = 2_000

const SELECT_PAGE = `SELECT ${SUMMED_COLUMNS} FROM entries WHERE group_name = $1 AND (at, number) > ($2, $3)
  ORDER BY at, number LIMIT ${PAGE}`

/** Returns `undefined` if there is no such group. */
export function breakdownOf(database: Database, group: string): Promise<Breakdown | undefined> {
  return database.transact(async (sql) => {
    if (!(await isKnown(sql, group))) return undefined
    const sum = createBreakdownSum()
    let [at, number] = [BigInt(Number.MIN_SAFE_INTEGER), 0n]
    for (;;) {
      const rows = (await sql.all(SELECT_PAGE, group, at, number)).map(
        (row) => Object.values(row) as unknown as SummedRow,
      )
      for (const row of rows) sum.add(row)
      if (rows.length < PAGE) return sum.result(await sql.all<SummedSeries>(`${SELECT_SUMMED_SERIES} $1`, group))
      ;[at, number] = rows.at(-1)!
      await nextTurn()
    }
  }, 'snapshot')
}
