/** Writes what readings made of their series: watermarks, entries, totals, notes and holds, in one transaction. */
import type { DatabaseSync } from 'node:sqlite'
import { LARGEST_TOTAL } from '../../core/credits.ts'
import type { SeriesState } from '../../core/decide.ts'
import { formatDecimal } from '../../core/decimals.ts'
import { type ChargeEntry, type OpenEntry, windowOf } from '../../core/entries.ts'
import type { HeldJump } from '../../core/interrupted.ts'
import type { Series } from '../../core/series.ts'
import { CONFLICTS_APART } from '../conflicts.ts'
import {
  type HeldGrowth,
  type Hold,
  type Note,
  type Posting,
  type Recorded,
  type Recording,
  type SeriesChange,
  type StoredSeries,
  TotalTooLargeError,
} from '../ledger.ts'
import { chargeBase, chargeHash, type Hash, NO_HASH } from '../receipts.ts'
import { type SeriesColumns, type SeriesStateRow, seriesOf, toSeriesState } from '../seriesRows.ts'
import { createTotals, type Total, type Totals } from '../totals.ts'
import { createDays } from './days.ts'
import type { LineWatch } from './notices.ts'
import type { Registry } from './registry.ts'
import type { SeriesStore } from './seriesStore.ts'
import { isTaken } from './trouble.ts'

export interface Recorder {
  /** What is stored of each series, in their order. */
  load(series: readonly Series[]): (StoredSeries | undefined)[]
  seriesOf(site: string, metric: string): { series: Series; state: SeriesState }[]
  openHolds(keys: readonly string[]): ReadonlySet<string>
  latestJump(site: string): HeldJump | undefined
  /** Writes it all; the caller has begun a transaction. */
  write(recording: Recording): Recorded
}

/** What changes of series lead to, collected until all of them are written. */
interface Consequences {
  readonly totals: Totals
  /** Numbers of entries that will not change any more. */
  readonly closed: number[]
}

/** A new entry, and how its chain ends with it. */
interface Appended {
  readonly open: OpenEntry
  readonly base: Hash
  readonly hash: Hash
}

export function createRecorder(db: DatabaseSync, registry: Registry, store: SeriesStore, lines: LineWatch): Recorder {
  const insertSeries =
    db.prepare(`INSERT INTO series (site, metric, project_id, project_name, opened_by, at, value, carry, pace)
    VALUES (?, ?, ?, ?, ?, 0, '0', '0', 0)`)
  const insertGroup = db.prepare('INSERT OR IGNORE INTO groups (name) VALUES (?)')
  const insertAccount = db.prepare('INSERT OR IGNORE INTO accounts (group_name, site) VALUES (?, ?)')
  const addToAccount = db.prepare(
    'UPDATE accounts SET charged = charged + ? WHERE group_name = ? AND site = ? AND charged <= ?',
  )
  // What moves nothing but a total is by far the most frequent, and RETURNING takes ten times as long as this.
  const addToDirtyGroup = db.prepare(`UPDATE groups SET used = used + ?1 WHERE name = ?2 AND used <= ?3 AND dirty = 1
    AND (next_line IS NULL OR used + ?1 < next_line)`)
  const addToGroup = db.prepare(`UPDATE groups SET used = used + ?, dirty = 1 WHERE name = ? AND used <= ?
    RETURNING used >= next_line AS is_line_reached`)
  const insertCharge = db.prepare(`INSERT INTO entries (id, kind, group_name, site, at, amount, recorded_at,
    series_id, from_at, from_value, to_value, price_version, per_unit, carry_in, carry_out, actor, reason, hash)
    VALUES (?, 'charge', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const extendEntry = db.prepare(
    "UPDATE entries SET at = ?, to_value = ?, amount = amount + ?, carry_out = ?, hash = ? WHERE number = ? AND kind = 'charge'",
  )
  const selectEntry = db.prepare('SELECT 1 FROM entries WHERE id = ?')
  const countRedated = db.prepare("SELECT count(*) AS times FROM notes WHERE series_id = ? AND kind = 'redated'")
  const insertNote = db.prepare('INSERT INTO notes (kind, series_id, at, text) VALUES (?, ?, ?, ?)')
  const selectConflict = db.prepare(
    "SELECT 1 FROM notes WHERE series_id = ? AND kind = 'conflict' AND at BETWEEN ? AND ? LIMIT 1",
  )
  const insertGrowth = db.prepare(`INSERT OR IGNORE INTO held_growths
    (hold_id, series_id, from_at, from_value, to_at, to_value)
    SELECT id, ?, ?, ?, ?, ? FROM holds WHERE key = ? AND closed_at IS NULL`)
  const extendGrowth =
    db.prepare(`UPDATE held_growths SET to_at = ?1, to_value = ?2 WHERE series_id = ?3 AND withdrawn = 0
    AND to_value = ?4 AND to_at <= ?5 AND hold_id = (SELECT id FROM holds WHERE key = ?6 AND closed_at IS NULL)
    AND to_at = (SELECT max(to_at) FROM held_growths AS every WHERE every.series_id = ?3 AND every.hold_id = held_growths.hold_id)`)
  const withdrawGrowths = db.prepare(
    'UPDATE held_growths SET withdrawn = 1 WHERE series_id = ? AND from_at >= ? AND to_at < ?',
  )
  const cutGrowths = db.prepare(`UPDATE held_growths SET to_at = ?1, to_value = ?2
    WHERE series_id = ?3 AND withdrawn = 0 AND from_at < ?1 AND to_at > ?1 AND to_at < ?4
    AND hold_id IN (SELECT id FROM holds WHERE closed_at IS NULL)`)
  const closeEmptied = db.prepare(`UPDATE holds SET closed_at = ?, closed_why = 'The totals came back.'
    WHERE closed_at IS NULL AND id IN (SELECT hold_id FROM held_growths WHERE series_id = ?)
    AND NOT EXISTS (SELECT 1 FROM held_growths WHERE hold_id = holds.id AND withdrawn = 0)`)
  const selectOfSite = db.prepare('SELECT * FROM series WHERE site = ? AND metric = ?')
  const selectOpenHolds = db.prepare(
    'SELECT holds.key FROM json_each(?) AS wanted JOIN holds ON holds.key = wanted.value WHERE closed_at IS NULL',
  )
  const selectJump = db.prepare(`SELECT key, reason, min(to_at) AS at FROM held_growths JOIN holds ON holds.id = hold_id
    WHERE hold_id = (SELECT max(id) FROM holds WHERE kind = 'site jump' AND site = ?) GROUP BY hold_id`)
  const saveHold = createHoldWriter(db)
  const releaseHold = db.prepare(RELEASE_HOLD)
  const days = createDays(db)

  function write(recording: Recording): Recorded {
    const { at, changes, notes, holds, released, withdrawn, heldGrowths } = recording
    const totals = createTotals()
    const closed: number[] = []
    for (const change of changes) writeChange(change, recording.source, { totals, closed })
    days.add(closed)
    const tooLarge = totals.all().filter((total) => !add(total, at))
    if (tooLarge.length > 0) throw new TotalTooLargeError([...new Set(tooLarge.map(({ group }) => group))])
    const opened = holds.filter((hold) => saveHold(hold, at))
    for (const key of released) releaseHold.run(at, 'No longer so.', key)
    for (const growth of heldGrowths) writeGrowth(growth)
    for (const each of withdrawn) withdraw(each, at)
    for (const note of notes) writeNote(note)
    return { groups: [...totals.groups], opened }
  }

  /** Returns whether it fits. SQLite itself would make a total that is too large a number with a point. */
  function add({ group, site, amount, entry }: Total, at: number): boolean {
    const room = LARGEST_TOTAL - amount
    const isAdded = addToAccount.run(amount, group, site, room).changes !== 0
    if (addToDirtyGroup.run(amount, group, room).changes !== 0) return isAdded
    const total = addToGroup.get(amount, group, room)
    if (total?.is_line_reached === 1) lines.look(group, { at, entry })
    return total !== undefined && isAdded
  }

  function writeChange(change: SeriesChange, source: string | undefined, { totals, closed }: Consequences): void {
    const { series, before, postings, closes } = change
    const id = before?.number ?? registry.find(series) ?? addSeries(series, source, totals)
    const openedBy = before === undefined ? source : before.chain.openedBy
    let { head, openBase } = before?.chain ?? { head: NO_HASH }
    let open = before?.open
    for (const posting of postings) {
      if (posting.kind === 'append') {
        if (open !== undefined) closed.push(open.number)
        const appended = append(posting.entry, id, head)
        openBase = appended.base
        head = appended.hash
        open = appended.open
      } else {
        head = chargeHash(openBase!, posting.to, posting.carryOut)
        extend(posting, head)
      }
      totals.add(series, posting.kind === 'append' ? posting.entry.amount : posting.amount, open!.number)
    }
    if (closes && open !== undefined) closed.push(open.number)
    const end = { head, openedBy, ...(!closes && open !== undefined && { open, openBase }) }
    store.save(id, change, end)
  }

  function extend({ to, amount, carryOut, number }: Extract<Posting, { kind: 'extend' }>, hash: Hash): void {
    extendEntry.run(to.at, formatDecimal(to.value), amount, formatDecimal(carryOut), hash, number)
  }

  /** Writes an entry that continues the chain of its series. */
  function append(entry: ChargeEntry, seriesId: number, previous: Hash): Appended {
    try {
      return insert(entry, seriesId, previous)
    } catch (error) {
      const id = isTaken(error) ? freeId(entry.id, seriesId) : undefined
      if (id === undefined) throw error
      return insert({ ...entry, id }, seriesId, previous)
    }
  }

  /**
   * A charge is named by where it begins, which no other charge of its series does; only a wrong clock that was set right makes
   * a series pass an instant again. Anything else that begins twice is a mistake, and refused.
   */
  function freeId(id: string, seriesId: number): string | undefined {
    const { times } = countRedated.get(seriesId) as { times: number }
    const others = Array.from({ length: times }, (_, index) => `${id}/${index + 1}`)
    return others.find((each) => selectEntry.get(each) === undefined)
  }

  function insert(entry: ChargeEntry, seriesId: number, previous: Hash): Appended {
    const { from, to, priceVersion } = entry
    const base = chargeBase(previous, entry)
    const hash = chargeHash(base, to, entry.carryOut)
    const { lastInsertRowid } = insertCharge.run(
      entry.id,
      entry.group,
      entry.series.site,
      to.at,
      entry.amount,
      entry.recordedAt,
      seriesId,
      from.at,
      formatDecimal(from.value),
      formatDecimal(to.value),
      priceVersion,
      formatDecimal(entry.perUnit),
      formatDecimal(entry.carryIn),
      formatDecimal(entry.carryOut),
      entry.accepted?.actor ?? null,
      entry.accepted?.reason ?? null,
      hash,
    )
    return { base, hash, open: { number: Number(lastInsertRowid), window: windowOf(to.at), priceVersion } }
  }

  function addSeries(series: Series, source: string | undefined, totals: Totals): number {
    const { site, metric, projectId, projectName } = series
    const id = Number(insertSeries.run(site, metric, projectId, projectName, source ?? null).lastInsertRowid)
    insertGroup.run(projectName)
    insertAccount.run(projectName, site)
    registry.add(series, id, source)
    totals.add(series, 0n, 0)
    return id
  }

  function writeNote({ kind, series, at, text }: Note): void {
    const id = registry.find(series)
    if (id === undefined) return
    const isKnown =
      kind === 'conflict' && selectConflict.get(id, at - CONFLICTS_APART, at + CONFLICTS_APART) !== undefined
    if (!isKnown) insertNote.run(kind, id, at, text)
  }

  function writeGrowth({ holdKey, series, from, to }: HeldGrowth): void {
    const id = registry.find(series)
    if (id === undefined) return
    const [fromValue, toValue] = [formatDecimal(from.value), formatDecimal(to.value)]
    if (extendGrowth.run(to.at, toValue, id, fromValue, from.at, holdKey).changes !== 0) return
    insertGrowth.run(id, from.at, fromValue, to.at, toValue, holdKey)
  }

  function withdraw({ series, from, until }: Recording['withdrawn'][number], at: number): void {
    const id = registry.find(series)
    if (id === undefined) return
    cutGrowths.run(from.at, formatDecimal(from.value), id, until)
    if (withdrawGrowths.run(id, from.at, until).changes !== 0) closeEmptied.run(at, id)
  }

  function ofSite(site: string, metric: string): { series: Series; state: SeriesState }[] {
    const rows = selectOfSite.all(site, metric) as unknown as (SeriesStateRow & SeriesColumns)[]
    return rows.map((row) => ({ series: seriesOf(row), state: toSeriesState(row) }))
  }

  function openHolds(keys: readonly string[]): ReadonlySet<string> {
    return new Set((selectOpenHolds.all(JSON.stringify(keys)) as unknown as { key: string }[]).map(({ key }) => key))
  }

  return {
    load: store.load,
    seriesOf: ofSite,
    openHolds,
    latestJump: (site) => selectJump.get(site) as HeldJump | undefined,
    write,
  }
}

export const RELEASE_HOLD = 'UPDATE holds SET closed_at = ?, closed_why = ? WHERE key = ? AND closed_at IS NULL'

/** Writes a hold, or notes that an open one with its key is still seen. Returns whether it is a new one. */
export function createHoldWriter(db: DatabaseSync): (hold: Hold, at: number) => boolean {
  const touch = db.prepare('UPDATE holds SET seen_at = ?, reason = ? WHERE key = ? AND closed_at IS NULL')
  const insert = db.prepare(
    'INSERT INTO holds (key, kind, site, group_name, reason, opened_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  return ({ key, kind, site, group, reason }, at) => {
    if (touch.run(at, reason, key).changes !== 0) return false
    insert.run(key, kind, site, group ?? null, reason, at, at)
    return true
  }
}
