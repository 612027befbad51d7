/** Adds closed entries up by day, exactly, in the transaction that closes them: see `../periods.ts` for what that is for. */
import type { Sql } from './sql.ts'

/** Adds entries that will not change any more. */
export async function addToDays(sql: Sql, entries: readonly number[]): Promise<void> {
  if (entries.length > 0) await sql.run(`${ADD} WHERE number = ANY($1::bigint[]) ${MERGE}`, entries)
}

/** Where an entry without a site or a series has nothing, a day has an empty text: it is part of the key. */
const ADD = `INSERT INTO days (group_name, day, kind, site, metric, amount, entries, consumption)
  SELECT group_name, day_of(entries.at), kind, coalesce(entries.site, ''), coalesce(metric, ''), sum(amount), count(*),
    plain(sum(coalesce(to_value::numeric - from_value::numeric, 0)))
  FROM entries LEFT JOIN series ON series.id = series_id`

const MERGE = `GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
  ON CONFLICT (group_name, day, kind, site, metric) DO UPDATE SET entries = days.entries + excluded.entries,
    amount = days.amount + excluded.amount,
    consumption = plain(days.consumption::numeric + excluded.consumption::numeric)`
