/** Closes holds that a person decided about, and answers what is held. */
import type { SeriesState } from '../../core/decide.ts'
import type { HeldJump } from '../../core/interrupted.ts'
import type { Series } from '../../core/series.ts'
import type { HeldBack, HeldGrowth, Recording, StoredHold } from '../ledger.ts'
import { toGrowth, toHold } from '../rows.ts'
import { type SeriesColumns, type StateColumns, seriesOf, toSeriesState } from '../seriesRows.ts'
import { lockGroups } from './groupLocks.ts'
import { SELECT_GROWTHS } from './reader.ts'
import type { Recorder } from './recorder.ts'
import { one, type Sql } from './sql.ts'
import { inTheWay } from './trouble.ts'

/** Closes a hold and writes what was decided. */
export async function closeHold(
  sql: Sql,
  recorder: Recorder,
  { id, why, decide }: { id: number; why: string; decide: (held: HeldBack) => Recording },
): Promise<{ hold: StoredHold; groups: readonly string[] } | undefined> {
  // Groups first: whoever records growth of this hold holds them, too.
  const groups = [...new Set((await growthsOf(sql, id)).map(({ series }) => series.projectName))]
  await lockGroups(sql, groups)
  const row = await one(sql.all('SELECT * FROM holds WHERE id = $1 AND closed_at IS NULL FOR UPDATE', id))
  if (row === undefined) return undefined
  const hold = toHold(row)
  const growths = await growthsOf(sql, id)
  const isAnothers = growths.some(({ series }) => !groups.includes(series.projectName))
  if (isAnothers) throw inTheWay('Growth of other groups is held than a moment ago')
  const stored = await recorder.load(
    sql,
    growths.map(({ series }) => series),
  )
  const recording = decide({ hold, growths, stored })
  await sql.run('UPDATE holds SET closed_at = $1, closed_why = $2 WHERE id = $3', recording.at, why, id)
  return { hold, groups: (await recorder.write(sql, recording)).groups }
}

async function growthsOf(sql: Sql, id: number): Promise<HeldGrowth[]> {
  return (await sql.all(SELECT_GROWTHS, id, null)).map(toGrowth)
}

export async function openHolds(sql: Sql, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await sql.all<{ key: string }>(
    'SELECT key FROM holds WHERE key = ANY($1::text[]) AND closed_at IS NULL',
    keys,
  )
  return new Set(rows.map(({ key }) => key))
}

export async function latestJump(sql: Sql, site: string): Promise<HeldJump | undefined> {
  const row = await one<{ key: string; reason: string; at: bigint }>(
    sql.all(
      `SELECT key, reason, min(to_at) AS at FROM held_growths JOIN holds ON holds.id = hold_id
        WHERE hold_id = (SELECT max(id) FROM holds WHERE kind = 'site jump' AND site = $1) GROUP BY key, reason`,
      site,
    ),
  )
  return row === undefined ? undefined : { ...row, at: Number(row.at) }
}

export async function seriesOfSite(
  sql: Sql,
  site: string,
  metric: string,
): Promise<{ series: Series; state: SeriesState }[]> {
  const rows = await sql.all<SeriesColumns & StateColumns>(
    // Word for word as in the index `series_of_metric`.
    "SELECT * FROM series WHERE metric || ' ' || site = $2 || ' ' || $1 ORDER BY id",
    ...[site, metric],
  )
  return rows.map((row) => ({ series: seriesOf(row), state: toSeriesState(row) }))
}
