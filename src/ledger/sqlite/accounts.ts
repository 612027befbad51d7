/** What publishing reads and writes of a group. */
import type { DatabaseSync } from 'node:sqlite'
import {
  type Contact,
  type Drift,
  type GroupAccount,
  type Intention,
  type OpenIntention,
  OvertakenError,
  type Settlement,
  type ShownGroup,
  type SiteAccount,
} from '../ledger.ts'
import { withoutResult } from '../outdated.ts'
import { createMeasuredReader } from './measured.ts'
import type { LineWatch } from './notices.ts'
import { createHoldWriter, RELEASE_HOLD } from './recorder.ts'
import { createRemarkWriter } from './remarks.ts'
import type { SeriesStore } from './seriesStore.ts'

export interface Accounts {
  dirty(): string[]
  doubtful(): string[]
  newestIntention(group: string): number
  shown(): ShownGroup[]
  account(group: string): GroupAccount | undefined
  /** Writes a settlement; the caller has begun a transaction. */
  settle(settlement: Settlement): void
}

interface GroupColumns {
  readonly used: bigint
  readonly opened: bigint
  readonly published: bigint | null
  readonly newest_intention: bigint
  readonly has_intentions: bigint
  readonly has_holds: bigint
}

interface IntentionColumns {
  readonly number: bigint
  readonly site: string
  readonly used: bigint
  readonly up_to: bigint
  readonly at: bigint
  readonly overtaken: bigint
}

interface AccountColumns {
  readonly site: string
  readonly contact: Contact
  readonly charged: bigint
  readonly retry_at: bigint | null
  readonly published_up_to: bigint | null
}

interface ShownColumns {
  readonly name: string
  readonly published: bigint
  readonly granted: string | null
  readonly sites: string
}

export function createAccounts(db: DatabaseSync, lines: LineWatch, store: Pick<SeriesStore, 'drop'>): Accounts {
  const selectDirty = db.prepare('SELECT name FROM groups WHERE dirty = 1 ORDER BY published_at NULLS FIRST, name')
  const selectGroup = db.prepare(`SELECT used, opened, published, newest_intention,
    EXISTS (SELECT 1 FROM intentions WHERE group_name = name) AS has_intentions,
    EXISTS (SELECT 1 FROM holds WHERE group_name = name AND closed_at IS NULL) AS has_holds
    FROM groups WHERE name = ?`)
  selectGroup.setReadBigInts(true)
  const selectAccounts = db.prepare(
    'SELECT site, contact, charged, retry_at, published_up_to FROM accounts WHERE group_name = ? ORDER BY site',
  )
  selectAccounts.setReadBigInts(true)
  const selectWatermarks = db.prepare(
    'SELECT site, metric, max(at) AS at FROM series WHERE project_name = ? GROUP BY site, metric ORDER BY metric',
  )
  const selectHolds = db.prepare('SELECT key FROM holds WHERE group_name = ? AND closed_at IS NULL')
  const measuredOf = createMeasuredReader(db)
  const selectShown = db.prepare(`SELECT name, published, granted, json_group_array(site) AS sites
    FROM groups JOIN accounts ON group_name = name
    WHERE published IS NOT NULL AND contact = 'active' AND published_up_to IS NOT NULL GROUP BY name`)
  selectShown.setReadBigInts(true)
  const setContact = db.prepare('UPDATE accounts SET contact = ?, retry_at = ? WHERE group_name = ? AND site = ?')
  const selectGranted = db.prepare('SELECT granted FROM groups WHERE name = ?')
  const setGranted = db.prepare('UPDATE groups SET granted = ? WHERE name = ?')
  const selectIntentions = db.prepare(
    'SELECT number, site, used, up_to, at, overtaken FROM intentions WHERE group_name = ? ORDER BY number',
  )
  selectIntentions.setReadBigInts(true)
  const selectDoubtful = db.prepare('SELECT DISTINCT group_name FROM intentions ORDER BY group_name')
  const selectNewest = db.prepare('SELECT newest_intention FROM groups WHERE name = ?')
  const advance = db.prepare(
    'UPDATE groups SET newest_intention = ?, dirty = 1 WHERE name = ? AND newest_intention = ? - 1',
  )
  const intend = db.prepare(
    'INSERT INTO intentions (group_name, number, site, used, up_to, at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const overtake = db.prepare('UPDATE intentions SET overtaken = 1 WHERE group_name = ? AND number < ?')
  const selectOpen = db.prepare('SELECT 1 FROM intentions WHERE group_name = ? AND number = ? AND overtaken = 0')
  const forget = db.prepare('DELETE FROM intentions WHERE group_name = ? AND number = ?')
  const setDirty = db.prepare('UPDATE groups SET dirty = 1 WHERE name = ?')
  const setPublished = db.prepare('UPDATE groups SET published = ?, published_at = ? WHERE name = ?')
  const setPublishedUpTo = db.prepare('UPDATE accounts SET published_up_to = ? WHERE group_name = ? AND site = ?')
  const setClean = db.prepare('UPDATE groups SET dirty = 0 WHERE name = ? AND used = ?')
  const releaseHold = db.prepare(RELEASE_HOLD)
  const insertDrift = db.prepare(`INSERT INTO drifts
    (group_name, site, seen_at, expected, shown, modified_at, modified_by, entry_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  const saveHold = createHoldWriter(db)
  const writeRemarks = createRemarkWriter(db, store)

  function shown(): ShownGroup[] {
    return (selectShown.all() as unknown as ShownColumns[]).map(({ name, published, granted, sites }) => ({
      group: name,
      published,
      ...(granted !== null && { granted }),
      sites: JSON.parse(sites) as string[],
    }))
  }

  function account(group: string): GroupAccount | undefined {
    const row = selectGroup.get(group) as unknown as GroupColumns | undefined
    if (row === undefined) return undefined
    return {
      group,
      used: row.used,
      opened: row.opened !== 0n,
      sites: siteAccounts(group, row.opened === 0n),
      intended: row.has_intentions === 0n ? [] : intentionsOf(group),
      newestIntention: Number(row.newest_intention),
      holds: row.has_holds === 0n ? [] : holdsOf(group),
      ...(row.published !== null && { published: row.published }),
    }
  }

  function intentionsOf(group: string): GroupAccount['intended'] {
    return (selectIntentions.all(group) as unknown as IntentionColumns[]).map(toIntention)
  }

  function holdsOf(group: string): string[] {
    return (selectHolds.all(group) as unknown as { key: string }[]).map(({ key }) => key)
  }

  function siteAccounts(group: string, isNew: boolean): SiteAccount[] {
    const watermarks: Record<string, Record<string, number>> = {}
    for (const row of selectWatermarks.all(group) as unknown as { site: string; metric: string; at: number }[]) {
      watermarks[row.site] = { ...watermarks[row.site], [row.metric]: row.at }
    }
    const measured = isNew ? measuredOf(group) : {}
    return (selectAccounts.all(group) as unknown as AccountColumns[]).map((row) => ({
      site: row.site,
      contact: row.contact,
      charged: row.charged,
      watermarks: watermarks[row.site] ?? {},
      ...(measured[row.site] !== undefined && { measured: measured[row.site]! }),
      ...(row.retry_at !== null && { retryAt: Number(row.retry_at) }),
      ...(row.published_up_to !== null && { publishedAt: Number(row.published_up_to) }),
    }))
  }

  function settle(given: Settlement): void {
    const settlement = isOutdated(given) ? withoutResult(given) : given
    const { group, at } = settlement
    if (settlement.entries !== undefined) writeRemarks(group, settlement.entries)
    for (const { site, contact, retryAt } of settlement.contacts ?? [])
      setContact.run(contact, retryAt ?? null, group, site)
    for (const drift of settlement.drifts ?? []) writeDrift(group, drift, at)
    for (const hold of settlement.holds ?? []) saveHold(hold, at)
    // What is on hold is tried again, also if nothing grew.
    if (settlement.holds !== undefined) setDirty.run(group)
    for (const { key, reason } of settlement.released ?? []) releaseHold.run(at, reason, key)
    const grant = settlement.granted === undefined ? undefined : writeGrant(group, settlement.granted)
    if (settlement.published !== undefined) {
      setPublished.run(settlement.published.used, at, group)
      for (const { site, upTo } of settlement.published.sites) setPublishedUpTo.run(upTo, group, site)
    }
    const { answered = [], arrived = [], resolved = [] } = settlement
    for (const number of [...answered, ...arrived]) overtake.run(group, number)
    for (const number of [...answered, ...arrived, ...resolved]) forget.run(group, number)
    for (const intention of settlement.intended ?? []) begin(group, intention, at)
    if (settlement.dealtWith !== undefined) setClean.run(group, settlement.dealtWith)
    lookAtLines(settlement, grant)
  }

  function isOutdated({ group, answered = [] }: Settlement): boolean {
    return answered.some((number) => selectOpen.get(group, number) === undefined)
  }

  /** Returns the grant as it was, if this is another one. */
  function writeGrant(group: string, granted: string): { text: string | undefined } | undefined {
    const text = (selectGranted.get(group)?.granted as string | null | undefined) ?? undefined
    if (text === granted) return undefined
    setGranted.run(granted, group)
    return { text }
  }

  /** What was used before a group is opened was told by whoever charged it before. */
  function lookAtLines(
    { group, at, entries, contacts }: Settlement,
    grant: { text: string | undefined } | undefined,
  ): void {
    const isOpened = entries?.some(({ kind }) => kind === 'opening') ?? false
    if (isOpened) lines.look(group, { at, grantBefore: { text: undefined } })
    else if (grant !== undefined) lines.look(group, { at, grantBefore: grant })
    else if (entries !== undefined || contacts !== undefined) lines.look(group, { at })
  }

  function writeDrift(group: string, drift: Drift, at: number): void {
    const { site, expected = null, shown = null, modifiedAt = null, modifiedBy = null, entryId = null } = drift
    insertDrift.run(group, site, at, expected, shown, modifiedAt, modifiedBy, entryId)
  }

  function begin(group: string, { number, site, used, upTo }: Intention, at: number): void {
    if (advance.run(number, group, number).changes === 0)
      throw new OvertakenError(`Write ${number} of ${group} is not the next one: another publish of it has begun`)
    intend.run(group, number, site, used, upTo, at)
  }

  return {
    doubtful: () => (selectDoubtful.all() as unknown as { group_name: string }[]).map((row) => row.group_name),
    newestIntention: (group) => Number(selectNewest.get(group)?.newest_intention ?? 0),
    shown,
    dirty: () => (selectDirty.all() as unknown as { name: string }[]).map(({ name }) => name),
    account,
    settle,
  }
}

function toIntention({ number, site, used, up_to, at, overtaken }: IntentionColumns): OpenIntention {
  return { number: Number(number), site, used, upTo: Number(up_to), at: Number(at), overtaken: overtaken !== 0n }
}
