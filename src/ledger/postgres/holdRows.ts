/** Writes holds: at most one of a key is open. */
import type { Hold } from '../ledger.ts'
import type { Sql } from './sql.ts'

/** Writes holds, or notes that open ones with their keys are still seen. Returns those that are new. */
export async function saveHolds(sql: Sql, holds: readonly Hold[], at: number): Promise<Hold[]> {
  if (holds.length === 0) return []
  const byKey = new Map<string, Hold>()
  // One that is told twice is the first, with the reason of the last.
  for (const hold of holds) byKey.set(hold.key, { ...(byKey.get(hold.key) ?? hold), reason: hold.reason })
  const all = [...byKey.values()]
  await lockHolds(sql, [...byKey.keys()])
  const touched = await sql.all<{ key: string }>(
    `UPDATE holds SET seen_at = $1, reason = wanted.reason FROM unnest($2::text[], $3::text[]) AS wanted (key, reason)
      WHERE holds.key = wanted.key COLLATE "C" AND closed_at IS NULL RETURNING holds.key`,
    ...[at, all.map(({ key }) => key), all.map(({ reason }) => reason)],
  )
  const known = new Set(touched.map(({ key }) => key))
  const fresh = all.filter(({ key }) => !known.has(key))
  if (fresh.length > 0) await insertHolds(sql, fresh, at)
  return fresh.map(({ key }) => holds.find((hold) => hold.key === key)!)
}

/** Another transaction may have opened one meanwhile: then it is the same one. */
async function insertHolds(sql: Sql, holds: readonly Hold[], at: number): Promise<void> {
  const sorted = holds.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  const columns = [
    sorted.map(({ key }) => key),
    sorted.map(({ kind }) => kind),
    sorted.map(({ site }) => site),
    sorted.map(({ group }) => group),
    sorted.map(({ reason }) => reason),
  ]
  await sql.run(
    `INSERT INTO holds (key, kind, site, group_name, reason, opened_at, seen_at)
      SELECT key, kind, site, group_name, reason, $1, $1
      FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS wanted (key, kind, site, group_name, reason)
      ORDER BY key COLLATE "C"
      ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE SET seen_at = excluded.seen_at, reason = excluded.reason`,
    at,
    ...columns,
  )
}

export async function releaseHolds(sql: Sql, keys: readonly string[], at: number, why: string): Promise<void> {
  if (keys.length === 0) return
  await lockHolds(sql, keys)
  await sql.run(
    'UPDATE holds SET closed_at = $1, closed_why = $2 WHERE key = ANY($3::text[]) AND closed_at IS NULL',
    ...[at, why, keys],
  )
}

/** Locks open holds, in the order of their keys. */
export async function lockHolds(sql: Sql, keys: readonly string[]): Promise<void> {
  await sql.all('SELECT 1 FROM holds WHERE key = ANY($1::text[]) AND closed_at IS NULL ORDER BY key FOR UPDATE', keys)
}
