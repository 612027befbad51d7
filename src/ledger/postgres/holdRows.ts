/** Writes holds: at most one of a key is open. */
import type { Hold } from '../ledger.ts'
import type { Sql } from './sql.ts'

/** A hold with the instant at which it is seen. */
export type SeenHold = Hold & { readonly at: number }

/** Writes holds, or notes that open ones with their keys are still seen. Returns those that are new. */
export async function saveHolds(sql: Sql, holds: readonly SeenHold[]): Promise<Hold[]> {
  if (holds.length === 0) return []
  const byKey = new Map<string, SeenHold>()
  // One that is told twice is the first, with the reason of the last.
  for (const hold of holds) {
    const { reason, at } = hold
    byKey.set(hold.key, { ...(byKey.get(hold.key) ?? hold), reason, at })
  }
  const all = [...byKey.values()]
  await lockHolds(sql, [...byKey.keys()])
  const touched = await sql.all<{ key: string }>(
    `UPDATE holds SET seen_at = wanted.at, reason = wanted.reason
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS wanted (key, reason, at)
      WHERE holds.key = wanted.key COLLATE "C" AND closed_at IS NULL RETURNING holds.key`,
    ...[all.map(({ key }) => key), all.map(({ reason }) => reason), all.map(({ at }) => at)],
  )
  const known = new Set(touched.map(({ key }) => key))
  const fresh = all.filter(({ key }) => !known.has(key))
  if (fresh.length > 0) await insertHolds(sql, fresh)
  return fresh.map(({ at: _, ...hold }) => ({ ...hold, reason: holds.find(({ key }) => key === hold.key)!.reason }))
}

/** Another transaction may have opened one meanwhile: then it is the same one. */
async function insertHolds(sql: Sql, holds: readonly SeenHold[]): Promise<void> {
  const sorted = holds.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  await sql.run(
    `INSERT INTO holds (key, kind, site, group_name, reason, opened_at, seen_at)
      SELECT key, kind, site, group_name, reason, at, at
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        AS wanted (key, kind, site, group_name, reason, at)
      ORDER BY key COLLATE "C"
      ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE SET seen_at = excluded.seen_at, reason = excluded.reason`,
    sorted.map(({ key }) => key),
    sorted.map(({ kind }) => kind),
    sorted.map(({ site }) => site),
    sorted.map(({ group }) => group),
    sorted.map(({ reason }) => reason),
    sorted.map(({ at }) => at),
  )
}

export interface Release {
  readonly key: string
  readonly at: number
  readonly why: string
}

export async function releaseHolds(sql: Sql, releases: readonly Release[]): Promise<void> {
  if (releases.length === 0) return
  const keys = releases.map(({ key }) => key)
  await lockHolds(sql, keys)
  await sql.run(
    `UPDATE holds SET closed_at = wanted.at, closed_why = wanted.why
      FROM unnest($1::text[], $2::bigint[], $3::text[]) AS wanted (key, at, why)
      WHERE holds.key = wanted.key COLLATE "C" AND closed_at IS NULL`,
    ...[keys, releases.map(({ at }) => at), releases.map(({ why }) => why)],
  )
}

/** Locks open holds, in the order of their keys. */
export async function lockHolds(sql: Sql, keys: readonly string[]): Promise<void> {
  await sql.all('SELECT 1 FROM holds WHERE key = ANY($1::text[]) AND closed_at IS NULL ORDER BY key FOR UPDATE', keys)
}
