/** What publishing reads and writes of a group. */
import type { DatabaseSync } from 'node:sqlite'
import { type Credits, LARGEST_TOTAL } from '../../core/credits.ts'
import {
  type Contact,
  type GroupAccount,
  INTENTION_MEMORY,
  type Settlement,
  type SiteAccount,
  TotalTooLargeError,
} from '../ledger.ts'
import { createHoldWriter, RELEASE_HOLD } from './recorder.ts'

export interface Accounts {
  dirty(): string[]
  account(group: string): GroupAccount | undefined
  /** Writes a settlement; the caller has begun a transaction. */
  settle(settlement: Settlement): void
}

interface GroupColumns {
  readonly used: bigint
  readonly opened: bigint
  readonly published: bigint | null
  readonly has_intentions: bigint
  readonly has_holds: bigint
}

interface AccountColumns {
  readonly site: string
  readonly contact: Contact
  readonly charged: bigint
  readonly retry_at: bigint | null
  readonly published_up_to: bigint | null
}

export function createAccounts(db: DatabaseSync): Accounts {
  const selectDirty = db.prepare('SELECT name FROM groups WHERE dirty = 1 ORDER BY published_at NULLS FIRST, name')
  const selectGroup = db.prepare(`SELECT used, opened, published,
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
  const selectFirstCharge = db.prepare(
    "SELECT min(from_at) AS at FROM entries WHERE group_name = ? AND site = ? AND kind = 'charge'",
  )
  const insertEntry =
    db.prepare(`INSERT OR IGNORE INTO entries (id, kind, group_name, site, at, amount, recorded_at, reason, actor)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const addToGroup = db.prepare('UPDATE groups SET used = used + ?, opened = max(opened, ?) WHERE name = ?')
  const closeEntries = db.prepare(
    'UPDATE series SET open_number = NULL, open_window = NULL, open_price = NULL WHERE project_name = ?',
  )
  const setContact = db.prepare('UPDATE accounts SET contact = ?, retry_at = ? WHERE group_name = ? AND site = ?')
  const setGranted = db.prepare('UPDATE groups SET granted = ? WHERE name = ?')
  const selectIntentions = db.prepare('SELECT used, at FROM intentions WHERE group_name = ? ORDER BY at')
  selectIntentions.setReadBigInts(true)
  const intend = db.prepare(`INSERT INTO intentions (group_name, used, at) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET at = excluded.at, doubtful = 1`)
  const answer = db.prepare('DELETE FROM intentions WHERE group_name = ? AND (at < ? OR (used = ? AND doubtful = 0))')
  const setPublished = db.prepare('UPDATE groups SET published = ?, published_at = ? WHERE name = ?')
  const setPublishedUpTo = db.prepare('UPDATE accounts SET published_up_to = ? WHERE group_name = ? AND site = ?')
  const setClean = db.prepare('UPDATE groups SET dirty = 0 WHERE name = ? AND used = ?')
  const releaseHold = db.prepare(RELEASE_HOLD)
  const saveHold = createHoldWriter(db)

  function account(group: string): GroupAccount | undefined {
    const row = selectGroup.get(group) as unknown as GroupColumns | undefined
    if (row === undefined) return undefined
    return {
      group,
      used: row.used,
      opened: row.opened !== 0n,
      sites: siteAccounts(group, row.opened === 0n),
      intended: row.has_intentions === 0n ? [] : intentionsOf(group),
      holds: row.has_holds === 0n ? [] : holdsOf(group),
      ...(row.published !== null && { published: row.published }),
    }
  }

  function intentionsOf(group: string): GroupAccount['intended'] {
    return (selectIntentions.all(group) as unknown as { used: bigint; at: bigint }[]).map(toIntention)
  }

  function holdsOf(group: string): string[] {
    return (selectHolds.all(group) as unknown as { key: string }[]).map(({ key }) => key)
  }

  function siteAccounts(group: string, isNew: boolean): SiteAccount[] {
    const watermarks: Record<string, Record<string, number>> = {}
    for (const row of selectWatermarks.all(group) as unknown as { site: string; metric: string; at: number }[]) {
      watermarks[row.site] = { ...watermarks[row.site], [row.metric]: row.at }
    }
    return (selectAccounts.all(group) as unknown as AccountColumns[]).map((row) => ({
      site: row.site,
      contact: row.contact,
      charged: row.charged,
      watermarks: watermarks[row.site] ?? {},
      ...(isNew && row.charged !== 0n && { chargedSince: Number(selectFirstCharge.get(group, row.site)!.at) }),
      ...(row.retry_at !== null && { retryAt: Number(row.retry_at) }),
      ...(row.published_up_to !== null && { publishedAt: Number(row.published_up_to) }),
    }))
  }

  function settle(settlement: Settlement): void {
    const { group, at } = settlement
    for (const entry of settlement.entries ?? []) {
      const actor = entry.kind === 'adjustment' ? entry.actor : null
      const { changes } = insertEntry.run(
        entry.id,
        entry.kind,
        group,
        entry.site ?? null,
        entry.recordedAt,
        entry.amount,
        entry.recordedAt,
        entry.reason,
        actor,
      )
      if (changes === 0) continue
      checkRoom(group, entry.amount)
      addToGroup.run(entry.amount, entry.kind === 'opening' ? 1 : 0, group)
    }
    // What comes after an adjustment is an entry of its own, so that the history shows each total that there was.
    if (settlement.entries !== undefined) closeEntries.run(group)
    for (const { site, contact, retryAt } of settlement.contacts ?? [])
      setContact.run(contact, retryAt ?? null, group, site)
    for (const hold of settlement.holds ?? []) saveHold(hold, at)
    for (const { key, reason } of settlement.released ?? []) releaseHold.run(at, reason, key)
    if (settlement.granted !== undefined) setGranted.run(settlement.granted, group)
    if (settlement.published !== undefined) {
      setPublished.run(settlement.published.used, at, group)
      for (const { site, upTo } of settlement.published.sites) setPublishedUpTo.run(upTo, group, site)
    }
    if (settlement.intended !== undefined) intend.run(group, settlement.intended, at)
    if (settlement.answered !== undefined) answer.run(group, at - INTENTION_MEMORY, settlement.answered)
    if (settlement.dealtWith !== undefined) setClean.run(group, settlement.dealtWith)
  }

  function checkRoom(group: string, amount: Credits): void {
    const { used } = selectGroup.get(group) as unknown as GroupColumns
    const total = used + amount
    if (total > LARGEST_TOTAL || total < -LARGEST_TOTAL) throw new TotalTooLargeError([group])
  }

  return {
    dirty: () => (selectDirty.all() as unknown as { name: string }[]).map(({ name }) => name),
    account,
    settle,
  }
}

function toIntention({ used, at }: { readonly used: bigint; readonly at: bigint }) {
  return { used, at: Number(at) }
}
