/** What publishing writes of a group. */
import { type Drift, type Intention, OvertakenError, type Settlement } from '../ledger.ts'
import { releaseHolds, saveHolds } from './holdRows.ts'
import type { LineWatch } from './lineWatch.ts'
import type { Numbers } from './numbers.ts'
import { writeRemarks } from './remarks.ts'
import { one, type Sql } from './sql.ts'

/** Writes a settlement; the caller holds the group. */
export type SettlementWriter = (sql: Sql, settlement: Settlement) => Promise<void>

export function createSettlementWriter(numbers: Numbers, lines: LineWatch): SettlementWriter {
  return async (sql, settlement) => {
    const { group, at, entries, published } = settlement
    if (entries !== undefined) await writeRemarks(sql, numbers, group, entries)
    for (const { site, contact, retryAt } of settlement.contacts ?? []) {
      await sql.run(SET_CONTACT, contact, retryAt, group, site)
    }
    for (const drift of settlement.drifts ?? []) await writeDrift(sql, group, drift, at)
    if (settlement.holds !== undefined) {
      await saveHolds(sql, settlement.holds, at)
      // What is on hold is tried again, also if nothing grew.
      await sql.run('UPDATE groups SET dirty = 1 WHERE name = $1', group)
    }
    for (const { key, reason } of settlement.released ?? []) await releaseHolds(sql, [key], at, reason)
    const grant = settlement.granted === undefined ? undefined : await writeGrant(sql, group, settlement.granted)
    if (published !== undefined) await writePublished(sql, group, published, at)
    await forget(sql, settlement)
    for (const intention of settlement.intended ?? []) await begin(sql, group, intention, at)
    if (settlement.dealtWith !== undefined) {
      await sql.run('UPDATE groups SET dirty = 0 WHERE name = $1 AND used = $2', group, settlement.dealtWith)
    }
    await lookAtLines(sql, lines, settlement, grant)
  }
}

const SET_CONTACT = 'UPDATE accounts SET contact = $1, retry_at = $2 WHERE group_name = $3 AND site = $4'

/** Returns the grant as it was, if this is another one. */
async function writeGrant(sql: Sql, group: string, granted: string): Promise<{ text: string | undefined } | undefined> {
  const row = await one<{ granted: string | null }>(sql.all('SELECT granted FROM groups WHERE name = $1', group))
  const text = row?.granted ?? undefined
  if (text === granted) return undefined
  await sql.run('UPDATE groups SET granted = $1 WHERE name = $2', granted, group)
  return { text }
}

async function writePublished(
  sql: Sql,
  group: string,
  { used, sites }: NonNullable<Settlement['published']>,
  at: number,
): Promise<void> {
  await sql.run('UPDATE groups SET published = $1, published_at = $2 WHERE name = $3', used, at, group)
  for (const { site, upTo } of sites) {
    await sql.run('UPDATE accounts SET published_up_to = $1 WHERE group_name = $2 AND site = $3', upTo, group, site)
  }
}

/** What was answered overtakes the writes before it. */
async function forget(sql: Sql, { group, answered = [], resolved = [] }: Settlement): Promise<void> {
  if (answered.length > 0) {
    const overtake = 'UPDATE intentions SET overtaken = 1 WHERE group_name = $1 AND number < $2 AND overtaken = 0'
    await sql.run(overtake, group, Math.max(...answered))
  }
  const over = [...answered, ...resolved]
  if (over.length === 0) return
  await sql.run('DELETE FROM intentions WHERE group_name = $1 AND number = ANY($2::bigint[])', group, over)
}

async function begin(sql: Sql, group: string, { number, site, used, upTo }: Intention, at: number): Promise<void> {
  const advance = 'UPDATE groups SET newest_intention = $1, dirty = 1 WHERE name = $2 AND newest_intention = $1 - 1'
  if ((await sql.run(advance, number, group)) === 0)
    throw new OvertakenError(`Write ${number} of ${group} is not the next one: another publish of it has begun`)
  const intend = 'INSERT INTO intentions (group_name, number, site, used, up_to, at) VALUES ($1, $2, $3, $4, $5, $6)'
  await sql.run(intend, group, number, site, used, upTo, at)
}

async function writeDrift(sql: Sql, group: string, drift: Drift, at: number): Promise<void> {
  const { site, expected, shown, modifiedAt, modifiedBy, entryId } = drift
  await sql.run(
    `INSERT INTO drifts (group_name, site, seen_at, expected, shown, modified_at, modified_by, entry_id)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    ...[group, site, at, expected, shown, modifiedAt, modifiedBy, entryId],
  )
}

/** What was used before a group is opened was told by whoever charged it before. */
async function lookAtLines(
  sql: Sql,
  lines: LineWatch,
  { group, at, entries, contacts }: Settlement,
  grant: { text: string | undefined } | undefined,
): Promise<void> {
  const isOpened = entries?.some(({ kind }) => kind === 'opening') ?? false
  if (isOpened) await lines.look(sql, group, { at, grantBefore: { text: undefined } })
  else if (grant !== undefined) await lines.look(sql, group, { at, grantBefore: grant })
  else if (entries !== undefined || contacts !== undefined) await lines.look(sql, group, { at })
}
