/** Writes the entries that are no charges, openings and adjustments, of many groups at once. */
import { type Credits, LARGEST_TOTAL } from '../../core/credits.ts'
import type { AdjustmentEntry, OpeningEntry } from '../../core/entries.ts'
import { TotalTooLargeError } from '../ledger.ts'
import { type Hash, remarkHash, sealOf } from '../receipts.ts'
import { identityOf, MUTABLE, type SeriesColumns, seriesOf } from '../seriesRows.ts'
import { addToDays } from './days.ts'
import type { Numbers } from './numbers.ts'
import type { Sql, Value } from './sql.ts'

export type Remark = AdjustmentEntry | OpeningEntry

/** Writes entries, each id once; the caller holds their groups. Returns the groups that got new ones. */
export async function writeRemarks(sql: Sql, numbers: Numbers, entries: readonly Remark[]): Promise<string[]> {
  if (entries.length === 0) return []
  // Nobody may take one of the ids from here on.
  await numbers.freeze(sql)
  const ids = await takenOf(sql, entries)
  const fresh = entries.filter(({ id }) => ids.size !== ids.add(id).size)
  if (fresh.length === 0) return []
  const groups = [...new Set(fresh.map(({ group }) => group))]
  const heads = await headsOf(sql, groups)
  const first = await numbers.take(sql, fresh.length)
  const rows = fresh.map((entry, index) => {
    const hash = remarkHash(heads.get(entry.group)!, entry)
    heads.set(entry.group, hash)
    return { entry, number: first + index, hash }
  })
  const corrected = await insert(sql, rows)
  await addToGroups(sql, fresh, heads)
  await addToAccounts(sql, fresh, corrected)
  // What comes after an adjustment is an entry of its own, so that the history shows each total that there was.
  const closed = await closeOpen(sql, groups)
  await addToDays(sql, [...rows.map(({ number }) => number), ...closed])
  return groups
}

async function takenOf(sql: Sql, entries: readonly Remark[]): Promise<Set<string>> {
  const ids = entries.map(({ id }) => id)
  const rows = await sql.all<{ id: string }>('SELECT id FROM entries WHERE id = ANY($1::text[])', ids)
  return new Set(rows.map(({ id }) => id))
}

async function headsOf(sql: Sql, groups: readonly string[]): Promise<Map<string, Hash>> {
  const select = 'SELECT name, head FROM groups WHERE name = ANY($1::text[])'
  const heads = new Map(
    (await sql.all<{ name: string; head: Hash }>(select, groups)).map((row) => [row.name, row.head]),
  )
  const unknown = groups.find((group) => !heads.has(group))
  if (unknown !== undefined) throw new RangeError(`There is no group ${unknown}`)
  return heads
}

const INSERT = `INSERT INTO entries (number, id, kind, group_name, site, at, amount, recorded_at, reason, actor, corrects,
    corrects_to, hash, series_id)
  SELECT wanted.*, corrected.series_id
  FROM (SELECT number, id, kind, group_name, site, at, amount, at AS recorded_at, reason, actor, corrects, corrects_to, hash
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
      $10::bigint[], $11::bigint[], $12::text[])
      AS row (number, id, kind, group_name, site, at, amount, reason, actor, corrects, corrects_to, hash)) AS wanted
  LEFT JOIN entries AS corrected ON corrected.number = wanted.corrects_to
  RETURNING id, series_id`

/** Returns the ids of those that correct a charge. */
async function insert(
  sql: Sql,
  rows: readonly { readonly entry: Remark; readonly number: number; readonly hash: Hash }[],
): Promise<ReadonlySet<string>> {
  const adjustments = rows.map(({ entry }) => (entry.kind === 'adjustment' ? entry : undefined))
  const inserted = await sql.all<{ id: string; series_id: bigint | null }>(
    INSERT,
    rows.map(({ number }) => number),
    rows.map(({ entry }) => entry.id),
    rows.map(({ entry }) => entry.kind),
    rows.map(({ entry }) => entry.group),
    rows.map(({ entry }) => entry.site),
    rows.map(({ entry }) => entry.recordedAt),
    rows.map(({ entry }) => entry.amount),
    rows.map(({ entry }) => entry.reason),
    adjustments.map((entry) => entry?.actor),
    adjustments.map((entry) => entry?.corrects?.first),
    adjustments.map((entry) => entry?.corrects?.last),
    rows.map(({ hash }) => hash),
  )
  return new Set(inserted.filter(({ series_id }) => series_id !== null).map(({ id }) => id))
}

const ADD_TO_GROUPS = `UPDATE groups SET used = used + wanted.amount, opened = greatest(groups.opened, wanted.opened), head = wanted.head
  FROM unnest($1::text[], $2::numeric[], $3::smallint[], $4::text[]) AS wanted (name, amount, opened, head)
  WHERE groups.name = wanted.name COLLATE "C" AND used + wanted.amount BETWEEN -$5::numeric AND $5::numeric
  RETURNING groups.name`

async function addToGroups(sql: Sql, entries: readonly Remark[], heads: ReadonlyMap<string, Hash>): Promise<void> {
  const byGroup = [...Map.groupBy(entries, ({ group }) => group)]
  const names = byGroup.map(([name]) => name)
  const added = await sql.all<{ name: string }>(
    ADD_TO_GROUPS,
    names,
    byGroup.map(([, own]) => sumOf(own)),
    byGroup.map(([, own]) => (own.some(({ kind }) => kind === 'opening') ? 1 : 0)),
    names.map((name) => heads.get(name)),
    LARGEST_TOTAL,
  )
  expectAll(names, added)
}

const ADD_TO_ACCOUNTS = `UPDATE accounts SET charged = charged + wanted.amount
  FROM unnest($1::text[], $2::text[], $3::numeric[]) AS wanted (name, site, amount)
  WHERE group_name = wanted.name COLLATE "C" AND accounts.site = wanted.site COLLATE "C"
    AND charged + wanted.amount BETWEEN -$4::numeric AND $4::numeric
  RETURNING group_name AS name`

/** What a charge was corrected by belongs to its site, as the charge does. */
async function addToAccounts(sql: Sql, entries: readonly Remark[], corrected: ReadonlySet<string>): Promise<void> {
  const own = entries.filter(({ id, site }) => corrected.has(id) && site !== undefined)
  if (own.length === 0) return
  const places = [...Map.groupBy(own, ({ group, site }) => JSON.stringify([group, site])).values()]
  const names = places.map(([first]) => first!.group)
  const added = await sql.all<{ name: string }>(
    ADD_TO_ACCOUNTS,
    names,
    places.map(([first]) => first!.site),
    places.map(sumOf),
    LARGEST_TOTAL,
  )
  if (added.length < places.length) throw new TotalTooLargeError([...new Set(names)])
}

function sumOf(entries: readonly Remark[]): Credits {
  return entries.reduce((sum, { amount }) => sum + amount, 0n)
}

function expectAll(names: readonly string[], added: readonly { readonly name: string }[]): void {
  if (added.length === names.length) return
  const known = new Set(added.map(({ name }) => name))
  throw new TotalTooLargeError(names.filter((name) => !known.has(name)))
}

/** Closes the open entries of groups. Returns their numbers. */
async function closeOpen(sql: Sql, groups: readonly string[]): Promise<number[]> {
  const rows = await sql.all<Record<string, Value>>(
    `SELECT id, site, metric, project_id, project_name, opened_by, ${MUTABLE.join(', ')} FROM series
      WHERE project_name = ANY($1::text[]) AND open_number IS NOT NULL`,
    groups,
  )
  if (rows.length === 0) return []
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
  return rows.map((row) => Number(row.open_number))
}
