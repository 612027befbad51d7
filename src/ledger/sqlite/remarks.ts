/** Writes the entries that are no charges: openings and adjustments. */
import type { DatabaseSync } from 'node:sqlite'
import { LARGEST_TOTAL } from '../../core/credits.ts'
import type { AdjustmentEntry, OpeningEntry } from '../../core/entries.ts'
import { TotalTooLargeError } from '../ledger.ts'
import { type Hash, remarkHash } from '../receipts.ts'
import { SEALED_OF_SERIES } from '../seriesRows.ts'
import { createDays } from './days.ts'
import type { SeriesStore } from './seriesStore.ts'

export type Remark = AdjustmentEntry | OpeningEntry

/** Writes entries of a group, each id once; the caller has begun a transaction. Returns how many were new. */
export type RemarkWriter = (group: string, entries: readonly Remark[]) => number

/** What the seal of a series without an open entry covers. */
const SEALED_WITHOUT_OPEN = SEALED_OF_SERIES.replace(/\bopen_\w+/g, 'NULL')

export function createRemarkWriter(db: DatabaseSync, store: Pick<SeriesStore, 'drop'>): RemarkWriter {
  const isKnown = db.prepare('SELECT 1 FROM entries WHERE id = ?')
  const selectHead = db.prepare('SELECT head FROM groups WHERE name = ?')
  const selectSeries = db.prepare('SELECT series_id FROM entries WHERE number = ?')
  const insert = db.prepare(`INSERT INTO entries
    (id, kind, group_name, site, at, amount, recorded_at, reason, actor, corrects, corrects_to, series_id, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const addToGroup = db.prepare(`UPDATE groups SET used = used + ?1, opened = max(opened, ?2), head = ?3
    WHERE name = ?4 AND used + ?1 BETWEEN ${-LARGEST_TOTAL} AND ${LARGEST_TOTAL}`)
  const addToAccount = db.prepare(`UPDATE accounts SET charged = charged + ?1 WHERE group_name = ?2 AND site = ?3
    AND charged + ?1 BETWEEN ${-LARGEST_TOTAL} AND ${LARGEST_TOTAL}`)
  const closeEntries = db.prepare(`UPDATE series
    SET open_number = NULL, open_window = NULL, open_price = NULL, open_base = NULL, seal = seal(${SEALED_WITHOUT_OPEN})
    WHERE project_name = ? AND open_number IS NOT NULL RETURNING id`)

  const days = createDays(db)

  function write(group: string, entry: Remark, previous: Hash): Hash {
    const { id, kind, site, recordedAt, amount, reason } = entry
    const hash = remarkHash(previous, entry)
    const { actor, corrects } = entry.kind === 'adjustment' ? entry : { actor: null, corrects: undefined }
    const seriesId = corrects === undefined ? null : seriesOfEntry(corrects.last)
    const corrected = [corrects?.first ?? null, corrects?.last ?? null]
    const place = [id, kind, group, site ?? null, recordedAt]
    const { lastInsertRowid } = insert.run(...place, amount, recordedAt, reason, actor, ...corrected, seriesId, hash)
    days.add([Number(lastInsertRowid)])
    const isAdded = addToGroup.run(amount, kind === 'opening' ? 1 : 0, hash, group).changes !== 0
    if (!isAdded) throw new TotalTooLargeError([group])
    // What a charge was corrected by belongs to its site, as the charge does.
    if (seriesId === null || site === undefined) return hash
    if (addToAccount.run(amount, group, site).changes === 0) throw new TotalTooLargeError([group])
    return hash
  }

  function seriesOfEntry(number: number): number | null {
    return selectSeries.get(number)!.series_id as number | null
  }

  return (group, entries) => {
    let head = selectHead.get(group)!.head as Hash
    let written = 0
    for (const entry of entries) {
      if (isKnown.get(entry.id) !== undefined) continue
      head = write(group, entry, head)
      written += 1
    }
    // What comes after an adjustment is an entry of its own, so that the history shows each total that there was.
    if (written > 0) {
      days.addOpen(group)
      for (const { id } of closeEntries.all(group)) store.drop(Number(id))
    }
    return written
  }
}
