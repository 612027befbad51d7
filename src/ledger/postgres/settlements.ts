/** What publishing writes, of many groups at once. */
import { type Intention, OvertakenError, type Settlement } from '../ledger.ts'
import { withoutResult } from '../outdated.ts'
import { releaseHolds, saveHolds } from './holdRows.ts'
import type { LineWatch } from './lineWatch.ts'
import type { Numbers } from './numbers.ts'
import { writeRemarks } from './remarks.ts'
import type { Sql } from './sql.ts'

/** Writes settlements of different groups; the caller holds these. */
export type SettlementWriter = (sql: Sql, settlements: readonly Settlement[]) => Promise<void>

export function createSettlementWriter(numbers: Numbers, lines: LineWatch): SettlementWriter {
  return async (sql, settlements) => {
    await writeContacts(sql, settlements)
    await writeDrifts(sql, settlements)
    await writeHolds(sql, settlements)
    await writeRemarks(
      sql,
      numbers,
      settlements.flatMap(({ entries = [] }) => entries),
    )
    const grants = await writeGrants(sql, settlements)
    const outdated = await forget(sql, settlements)
    const results = settlements.map((each) => (outdated.has(each.group) ? withoutResult(each) : each))
    await writePublished(sql, results)
    await intend(sql, settlements)
    await setClean(sql, results)
    await lookAtLines(sql, lines, settlements, grants)
  }
}

type Many = readonly Settlement[]

async function writeContacts(sql: Sql, settlements: Many): Promise<void> {
  const all = settlements.flatMap(({ group, contacts = [] }) => contacts.map((contact) => ({ group, ...contact })))
  if (all.length === 0) return
  await sql.run(
    `UPDATE accounts SET contact = wanted.contact, retry_at = wanted.retry_at
      FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS wanted (name, site, contact, retry_at)
      WHERE group_name = wanted.name COLLATE "C" AND accounts.site = wanted.site COLLATE "C"`,
    all.map(({ group }) => group),
    all.map(({ site }) => site),
    all.map(({ contact }) => contact),
    all.map(({ retryAt }) => retryAt),
  )
}

async function writeDrifts(sql: Sql, settlements: Many): Promise<void> {
  const all = settlements.flatMap(({ group, at, drifts = [] }) => drifts.map((drift) => ({ group, at, ...drift })))
  if (all.length === 0) return
  await sql.run(
    `INSERT INTO drifts (group_name, site, seen_at, expected, shown, modified_at, modified_by, entry_id)
      SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[])`,
    all.map(({ group }) => group),
    all.map(({ site }) => site),
    all.map(({ at }) => at),
    all.map(({ expected }) => expected),
    all.map(({ shown }) => shown),
    all.map(({ modifiedAt }) => modifiedAt),
    all.map(({ modifiedBy }) => modifiedBy),
    all.map(({ entryId }) => entryId),
  )
}

/** What is on hold is tried again, also if nothing grew. */
async function writeHolds(sql: Sql, settlements: Many): Promise<void> {
  const holding = settlements.filter(({ holds }) => holds !== undefined)
  await saveHolds(
    sql,
    holding.flatMap(({ at, holds = [] }) => holds.map((hold) => ({ ...hold, at }))),
  )
  const groups = holding.map(({ group }) => group)
  if (groups.length > 0) await sql.run('UPDATE groups SET dirty = 1 WHERE name = ANY($1::text[])', groups)
  await releaseHolds(
    sql,
    settlements.flatMap(({ at, released = [] }) => released.map(({ key, reason }) => ({ key, at, why: reason }))),
  )
}

type GrantsBefore = ReadonlyMap<string, { readonly text: string | undefined }>

/** Returns the grants as they were, of groups that have another one now. */
async function writeGrants(sql: Sql, settlements: Many): Promise<GrantsBefore> {
  const all = settlements.filter(({ granted }) => granted !== undefined)
  if (all.length === 0) return new Map()
  const rows = await sql.all<{ name: string; before: string | null }>(
    `UPDATE groups SET granted = wanted.granted
      FROM unnest($1::text[], $2::text[]) AS wanted (name, granted)
      JOIN groups AS before ON before.name = wanted.name COLLATE "C"
      WHERE groups.name = before.name AND before.granted IS DISTINCT FROM wanted.granted
      RETURNING groups.name, before.granted AS before`,
    ...[all.map(({ group }) => group), all.map(({ granted }) => granted)],
  )
  return new Map(rows.map(({ name, before }) => [name, { text: before ?? undefined }]))
}

async function writePublished(sql: Sql, settlements: Many): Promise<void> {
  const all = settlements.filter(({ published }) => published !== undefined)
  if (all.length === 0) return
  await sql.run(
    `UPDATE groups SET published = wanted.used, published_at = wanted.at, settled_at = clock_timestamp()
      FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (name, used, at) WHERE groups.name = wanted.name COLLATE "C"`,
    ...[all.map(({ group }) => group), all.map(({ published }) => published!.used), all.map(({ at }) => at)],
  )
  const sites = all.flatMap(({ group, published }) => published!.sites.map((site) => ({ group, ...site })))
  if (sites.length === 0) return
  await sql.run(
    `UPDATE accounts SET published_up_to = wanted.up_to
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS wanted (name, site, up_to)
      WHERE group_name = wanted.name COLLATE "C" AND accounts.site = wanted.site COLLATE "C"`,
    ...[sites.map(({ group }) => group), sites.map(({ site }) => site), sites.map(({ upTo }) => upTo)],
  )
}

/**
 * What was answered or arrived overtakes the writes before it. Returns the groups where it is too late to say what Perun shows.
 */
async function forget(sql: Sql, settlements: Many): Promise<ReadonlySet<string>> {
  const over = settlements.flatMap(({ group, answered = [], arrived = [], resolved = [] }) =>
    [...answered, ...arrived, ...resolved].map((number) => ({ group, number })),
  )
  if (over.length === 0) return new Set()
  const forgotten = await sql.all<{ name: string; number: bigint; overtaken: bigint }>(
    `DELETE FROM intentions USING unnest($1::text[], $2::bigint[]) AS wanted (name, number)
      WHERE group_name = wanted.name COLLATE "C" AND intentions.number = wanted.number
      RETURNING group_name AS name, intentions.number, overtaken`,
    ...[over.map(({ group }) => group), over.map(({ number }) => number)],
  )
  const done = settlements
    .map(({ group, answered = [], arrived = [] }) => ({ group, numbers: [...answered, ...arrived] }))
    .filter(({ numbers }) => numbers.length > 0)
  if (done.length === 0) return new Set()
  await sql.run(
    `UPDATE intentions SET overtaken = 1 FROM unnest($1::text[], $2::bigint[]) AS wanted (name, number)
      WHERE group_name = wanted.name COLLATE "C" AND intentions.number < wanted.number AND overtaken = 0`,
    ...[done.map(({ group }) => group), done.map(({ numbers }) => Math.max(...numbers))],
  )
  const isCurrent = ({ group, answered = [] }: Settlement) =>
    answered.every((number) =>
      forgotten.some((each) => each.name === group && Number(each.number) === number && each.overtaken === 0n),
    )
  return new Set(settlements.filter((each) => !isCurrent(each)).map(({ group }) => group))
}

/** @throws {OvertakenError} if they are not numbered on from the newest write of their group. */
async function intend(sql: Sql, settlements: Many): Promise<void> {
  const all = settlements.filter(({ intended = [] }) => intended.length > 0)
  if (all.length === 0) return
  const groups = all.map(({ group }) => group)
  const select = 'SELECT name, newest_intention AS newest FROM groups WHERE name = ANY($1::text[])'
  const rows = await sql.all<{ name: string; newest: bigint }>(select, groups)
  const newest = new Map(rows.map((row) => [row.name, Number(row.newest)]))
  for (const { group, intended } of all) expectNext(group, intended!, newest.get(group))
  await sql.run(
    `UPDATE groups SET newest_intention = wanted.number, dirty = 1
      FROM unnest($1::text[], $2::bigint[]) AS wanted (name, number) WHERE groups.name = wanted.name COLLATE "C"`,
    ...[groups, all.map(({ intended }) => intended!.at(-1)!.number)],
  )
  const intentions = all.flatMap(({ group, at, intended }) => intended!.map((each) => ({ group, at, ...each })))
  await sql.run(
    `INSERT INTO intentions (group_name, number, site, used, up_to, at)
      SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])`,
    intentions.map(({ group }) => group),
    intentions.map(({ number }) => number),
    intentions.map(({ site }) => site),
    intentions.map(({ used }) => used),
    intentions.map(({ upTo }) => upTo),
    intentions.map(({ at }) => at),
  )
}

function expectNext(group: string, intended: readonly Intention[], newest: number | undefined): void {
  for (const [index, { number }] of intended.entries()) {
    if (newest === undefined || number !== newest + 1 + index)
      throw new OvertakenError(`Write ${number} of ${group} is not the next one: another publish of it has begun`)
  }
}

async function setClean(sql: Sql, settlements: Many): Promise<void> {
  const all = settlements.filter(({ dealtWith }) => dealtWith !== undefined)
  if (all.length === 0) return
  await sql.run(
    `UPDATE groups SET dirty = 0 FROM unnest($1::text[], $2::bigint[]) AS wanted (name, used)
      WHERE groups.name = wanted.name COLLATE "C" AND groups.used = wanted.used`,
    ...[all.map(({ group }) => group), all.map(({ dealtWith }) => dealtWith)],
  )
}

/** What was used before a group is opened was told by whoever charged it before. */
async function lookAtLines(sql: Sql, lines: LineWatch, settlements: Many, grants: GrantsBefore): Promise<void> {
  const looks = settlements.flatMap(({ group, at, entries, contacts }) => {
    const isOpened = entries?.some(({ kind }) => kind === 'opening') ?? false
    const grantBefore = isOpened ? { text: undefined } : grants.get(group)
    const isMoved = grantBefore !== undefined || entries !== undefined || contacts !== undefined
    return isMoved ? [{ group, at, grantBefore }] : []
  })
  await lines.look(sql, looks)
}
