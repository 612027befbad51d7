/** Answers questions about the ledger. */
import type { DatabaseSync } from 'node:sqlite'
import type { Credits } from '../../core/credits.ts'
import { decimal } from '../../core/decimals.ts'
import type {
  Contact,
  GroupCredits,
  HeldGrowth,
  HoldKind,
  LedgerReader,
  Note,
  SeriesRow,
  StoredDrift,
  StoredHold,
} from '../ledger.ts'
import { createBreakdown } from './breakdown.ts'
import { SELECT_ENTRIES, toEntry } from './entryRows.ts'
import { GROUP_COLUMNS, type Row, toGroupRow } from './groupRows.ts'
import { createGroupTable } from './groupTable.ts'
import { createHistory } from './history.ts'
import { toSeriesState } from './recorder.ts'
import { type SeriesColumns, seriesOf } from './registry.ts'
import type { Watch } from './trouble.ts'

/** Before and after all instants there are. */
const [EARLIEST, LATEST] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

/** Rows for `toGrowth`, of a hold and at most so many. */
export const SELECT_GROWTHS = `SELECT holds.key AS hold_key, from_at, from_value, to_at, to_value,
    series.site, metric, project_id, project_name FROM held_growths
    JOIN holds ON holds.id = hold_id JOIN series ON series.id = series_id
    WHERE hold_id = ? AND withdrawn = 0 ORDER BY series_id, to_at LIMIT ?`

export function createReader(db: DatabaseSync, watch: Watch): LedgerReader {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return (...parameters: (string | number | bigint | null)[]) =>
      watch.read(() => statement.all(...parameters) as Row[])
  }
  const listGroups = prepare(`SELECT ${GROUP_COLUMNS} FROM groups
    WHERE (?1 IS NULL OR instr(lower(name), lower(?1)) > 0) AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3`)
  const countGroups = prepare(
    'SELECT count(*) AS count FROM groups WHERE ?1 IS NULL OR instr(lower(name), lower(?1)) > 0',
  )
  const listCredits = prepare('SELECT name, used, granted FROM groups ORDER BY name LIMIT ?')
  const oneGroup = prepare(`SELECT ${GROUP_COLUMNS} FROM groups WHERE name = ?`)
  const groupSeries = prepare('SELECT * FROM series WHERE project_name = ? ORDER BY site, metric, project_id')
  const listEntries = prepare(`${SELECT_ENTRIES}
    WHERE group_name = ?1 AND (?2 IS NULL OR number < ?2) ORDER BY number DESC LIMIT ?3`)
  const listEntriesOf = prepare(`${SELECT_ENTRIES} WHERE group_name = ?1 AND (?2 IS NULL OR number < ?2)
    AND entries.at > ?4 AND entries.at <= ?5 ORDER BY number DESC LIMIT ?3`)
  const listNotes = prepare(`SELECT notes.kind, notes.at, notes.text, site, metric, project_id, project_name
    FROM notes JOIN series ON series.id = series_id WHERE project_name = ? ORDER BY notes.id DESC LIMIT ?`)
  const listHolds = prepare(`SELECT * FROM holds WHERE (?1 IS NULL OR group_name = ?1) AND (?2 IS NULL OR id < ?2)
    AND (?3 = 'all' OR (closed_at IS NULL) = (?3 = 'open')) ORDER BY id DESC LIMIT ?4`)
  const oneHold = prepare('SELECT * FROM holds WHERE id = ?')
  const listGrowths = prepare(SELECT_GROWTHS)
  const listDrifts = prepare(`SELECT * FROM drifts
    WHERE (?1 IS NULL OR group_name = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3`)
  const counts =
    prepare(`SELECT (SELECT count(*) FROM groups) AS groups, (SELECT count(*) FROM groups WHERE dirty = 1) AS dirty,
    (SELECT count(*) FROM series) AS series, (SELECT coalesce(max(number), 0) FROM entries) AS entries,
    (SELECT coalesce(max(id), 0) FROM drifts) AS drifts,
    (SELECT sum(used / 1000000) FROM groups) AS used_credits, (SELECT sum(used % 1000000) FROM groups) AS used_micros`)
  const holdCounts = prepare('SELECT kind AS name, count(*) AS count FROM holds WHERE closed_at IS NULL GROUP BY kind')
  const contactCounts = prepare('SELECT contact AS name, count(*) AS count FROM accounts GROUP BY contact')

  return {
    async groups({ search, after, limit }) {
      const rows = listGroups(search ?? null, after ?? null, limit).map(toGroupRow)
      return { rows, total: Number(countGroups(search ?? null)[0]!.count) }
    },
    async credits(limit) {
      const rows = listCredits(limit).map(toGroupCredits)
      return { rows, total: Number(countGroups(null)[0]!.count) }
    },
    groupTable: createGroupTable(db, watch),
    async group(name) {
      const row = oneGroup(name)[0]
      return row === undefined ? undefined : { ...toGroupRow(row), series: groupSeries(name).map(toSeriesRow) }
    },
    async entries(group, { before, after, upTo, limit }) {
      const rows =
        after === undefined && upTo === undefined
          ? listEntries(group, before ?? null, limit)
          : listEntriesOf(group, before ?? null, limit, after ?? EARLIEST, upTo ?? LATEST)
      return rows.map(toEntry)
    },
    breakdown: createBreakdown(db),
    ...createHistory(db),
    async notes(group, limit) {
      return listNotes(group, limit).map(toNote)
    },
    async holds({ group, filter = 'open', before, limit }) {
      return listHolds(group ?? null, before ?? null, filter, limit).map(toHold)
    },
    async hold(id) {
      const [row] = oneHold(id)
      return row === undefined ? undefined : toHold(row)
    },
    async heldGrowths(id, limit) {
      return listGrowths(id, limit).map(toGrowth)
    },
    async drifts({ group, before, limit }) {
      return listDrifts(group ?? null, before ?? null, limit).map(toDrift)
    },
    async summary() {
      const [total] = counts()
      return {
        groups: Number(total!.groups),
        dirty: Number(total!.dirty),
        series: Number(total!.series),
        entries: Number(total!.entries),
        drifts: Number(total!.drifts),
        // In two parts: the sum of many large totals is more than SQLite can count.
        used:
          ((total!.used_credits as bigint | null) ?? 0n) * 1_000_000n + ((total!.used_micros as bigint | null) ?? 0n),
        holds: toCounts<HoldKind>(holdCounts()),
        contacts: toCounts<Contact>(contactCounts()),
      }
    },
  }
}

function toCounts<Name extends string>(rows: Row[]): Partial<Record<Name, number>> {
  return Object.fromEntries(rows.map(({ name, count }) => [name, Number(count)])) as Partial<Record<Name, number>>
}

function toGroupCredits({ name, used, granted }: Row): GroupCredits {
  return { group: name as string, used: used as Credits, ...(granted !== null && { granted: granted as string }) }
}

function toSeriesRow(row: Row): SeriesRow {
  const state = toSeriesState({
    at: Number(row.at),
    value: row.value as string,
    origin: row.origin as string | null,
    pace: row.pace as number,
    still_since: row.still_since === null ? null : Number(row.still_since),
    former_lines: row.former_lines as string | null,
  })
  return { ...seriesOf(row as unknown as SeriesColumns), state }
}

function toNote(row: Row): Note {
  return {
    kind: row.kind as Note['kind'],
    series: seriesOf(row as unknown as SeriesColumns),
    at: Number(row.at),
    text: row.text as string,
  }
}

function toDrift(row: Row): StoredDrift {
  return {
    id: Number(row.id),
    group: row.group_name as string,
    site: row.site as string,
    seenAt: Number(row.seen_at),
    ...(row.expected !== null && { expected: row.expected as Credits }),
    ...(row.shown !== null && { shown: row.shown as Credits }),
    ...(row.modified_at !== null && { modifiedAt: row.modified_at as string }),
    ...(row.modified_by !== null && { modifiedBy: row.modified_by as string }),
    ...(row.entry_id !== null && { entryId: row.entry_id as string }),
  }
}

export function toHold(row: Row): StoredHold {
  return {
    id: Number(row.id),
    key: row.key as string,
    kind: row.kind as HoldKind,
    site: row.site as string,
    reason: row.reason as string,
    openedAt: Number(row.opened_at),
    seenAt: Number(row.seen_at),
    ...(row.group_name !== null && { group: row.group_name as string }),
    ...(row.closed_at !== null && { closed: { at: Number(row.closed_at), why: row.closed_why as string } }),
  }
}

/** @param row Of `held_growths`, with the columns of its series and the key of its hold. */
export function toGrowth(row: Row): HeldGrowth {
  return {
    holdKey: row.hold_key as string,
    series: seriesOf(row as unknown as SeriesColumns),
    from: { at: Number(row.from_at), value: decimal(row.from_value as string) },
    to: { at: Number(row.to_at), value: decimal(row.to_value as string) },
  }
}
