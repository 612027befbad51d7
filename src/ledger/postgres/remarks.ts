/** Writes the entries that are no charges: openings and adjustments. */
import { LARGEST_TOTAL } from '../../core/credits.ts'
import type { AdjustmentEntry, OpeningEntry } from '../../core/entries.ts'
import { TotalTooLargeError } from '../ledger.ts'
import { type Hash, remarkHash, sealOf } from '../receipts.ts'
import { identityOf, MUTABLE, type SeriesColumns, seriesOf } from '../seriesRows.ts'
import { addOpenToDays, addToDays } from './days.ts'
import type { Numbers } from './numbers.ts'
import { one, type Sql, type Value } from './sql.ts'

export type Remark = AdjustmentEntry | OpeningEntry

/** Writes entries of a group, each id once; the caller holds the group. Returns how many were new. */
export async function writeRemarks(
  sql: Sql,
  numbers: Numbers,
  group: string,
  entries: readonly Remark[],
): Promise<number> {
  // Nobody may take one of the ids from here on.
  await numbers.freeze(sql)
  const known = await sql.all<{ id: string }>(
    'SELECT id FROM entries WHERE id = ANY($1::text[])',
    entries.map(({ id }) => id),
  )
  const ids = new Set(known.map(({ id }) => id))
  const fresh = entries.filter(({ id }) => ids.size !== ids.add(id).size)
  if (fresh.length === 0) return 0
  const row = await one<{ head: Hash }>(sql.all('SELECT head FROM groups WHERE name = $1', group))
  if (row === undefined) throw new RangeError(`There is no group ${group}`)
  const first = await numbers.take(sql, fresh.length)
  let { head } = row
  for (const [index, entry] of fresh.entries()) {
    head = remarkHash(head, entry)
    await writeRemark(sql, entry, first + index, head)
  }
  await addToDays(
    sql,
    fresh.map((_, index) => first + index),
  )
  // What comes after an adjustment is an entry of its own, so that the history shows each total that there was.
  await addOpenToDays(sql, [group])
  await closeOpen(sql, group)
  return fresh.length
}

async function writeRemark(sql: Sql, entry: Remark, number: number, hash: Hash): Promise<void> {
  const { id, kind, group, site, recordedAt, amount, reason } = entry
  const { actor, corrects } = entry.kind === 'adjustment' ? entry : { actor: null, corrects: undefined }
  const row = await one<{ series_id: bigint | null }>(
    sql.all(
      `INSERT INTO entries (number, id, kind, group_name, site, at, amount, recorded_at, reason, actor, corrects, corrects_to, hash, series_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $8, $9, $10, $11, $12, (SELECT series_id FROM entries WHERE number = $11))
        RETURNING series_id`,
      ...[number, id, kind, group, site, recordedAt, amount, reason, actor, corrects?.first, corrects?.last, hash],
    ),
  )
  const opened = kind === 'opening' ? 1 : 0
  const isAdded = await sql.run(ADD_TO_GROUP, amount, opened, hash, group, LARGEST_TOTAL)
  if (isAdded === 0) throw new TotalTooLargeError([group])
  // What a charge was corrected by belongs to its site, as the charge does.
  if (row!.series_id === null || site === undefined) return
  if ((await sql.run(ADD_TO_ACCOUNT, amount, group, site, LARGEST_TOTAL)) === 0) throw new TotalTooLargeError([group])
}

const ADD_TO_GROUP = `UPDATE groups SET used = used + $1, opened = greatest(opened, $2), head = $3
  WHERE name = $4 AND used::numeric + $1 BETWEEN -$5::numeric AND $5::numeric`

const ADD_TO_ACCOUNT = `UPDATE accounts SET charged = charged + $1
  WHERE group_name = $2 AND site = $3 AND charged::numeric + $1 BETWEEN -$4::numeric AND $4::numeric`

/** Closes the open entries of a group. */
async function closeOpen(sql: Sql, group: string): Promise<void> {
  const rows = await sql.all<Record<string, Value>>(
    `SELECT id, site, metric, project_id, project_name, opened_by, ${MUTABLE.join(', ')} FROM series
      WHERE project_name = $1 AND open_number IS NOT NULL`,
    group,
  )
  if (rows.length === 0) return
  const seals = rows.map((row) => {
    const columns = MUTABLE.map((name) => (name.startsWith('open_') ? null : (row[name] as string | bigint | null)))
    return sealOf([
      ...identityOf(seriesOf(row as unknown as SeriesColumns)),
      row.opened_by as string | null,
      ...columns,
    ])
  })
  await sql.run(
    `UPDATE series SET open_number = NULL, open_window = NULL, open_price = NULL, open_base = NULL, seal = wanted.seal
      FROM unnest($1::bigint[], $2::text[]) AS wanted (id, seal) WHERE series.id = wanted.id`,
    ...[rows.map(({ id }) => id), seals],
  )
}
