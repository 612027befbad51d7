/** Names of new charges. */
import type { SeriesChange } from '../ledger.ts'
import { appendsOf } from './changes.ts'
import type { IdOf } from './growths.ts'
import type { Sql } from './sql.ts'

/**
 * A charge is named by where it begins, which no other charge of its series does; only a wrong clock that was set right makes
 * a series pass an instant again. Anything else that begins twice is a mistake, and refused.
 *
 * @returns Names a new charge of a series. Each name is given away once.
 */
export async function freeNames(
  sql: Sql,
  changes: readonly SeriesChange[],
  idOf: IdOf,
): Promise<(name: string, series: number) => string> {
  const entries = appendsOf(changes)
  const taken = await takenOf(
    sql,
    entries.map(({ id }) => id),
  )
  const seen = new Set(taken)
  const again = entries.filter(({ id }) => seen.size === seen.add(id).size)
  const times =
    again.length === 0
      ? new Map<number, number>()
      : await redated(
          sql,
          again.map(({ series }) => idOf(series)!),
        )
  const others = again.flatMap(({ id, series }) => alternatives(id, times.get(idOf(series)!) ?? 0))
  for (const name of await takenOf(sql, others)) taken.add(name)
  return (name, series) => {
    const names = [name, ...alternatives(name, times.get(series) ?? 0)]
    const free = names.find((each) => !taken.has(each))
    if (free === undefined) throw new Error(`There is an entry ${name} already`)
    taken.add(free)
    return free
  }
}

function alternatives(name: string, times: number): string[] {
  return Array.from({ length: times }, (_, index) => `${name}/${index + 1}`)
}

async function takenOf(sql: Sql, names: readonly string[]): Promise<Set<string>> {
  if (names.length === 0) return new Set()
  const rows = await sql.all<{ id: string }>('SELECT id FROM entries WHERE id = ANY($1::text[])', names)
  return new Set(rows.map(({ id }) => id))
}

/** How often the clock of series was set right. */
async function redated(sql: Sql, series: readonly number[]): Promise<Map<number, number>> {
  const rows = await sql.all<{ series_id: bigint; times: bigint }>(
    `SELECT series_id, count(*) AS times FROM notes WHERE series_id = ANY($1::bigint[]) AND kind = 'redated' GROUP BY series_id`,
    series,
  )
  return new Map(rows.map(({ series_id, times }) => [Number(series_id), Number(times)]))
}
