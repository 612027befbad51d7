/** Answers questions about the ledger. */
import type { DatabaseSync } from 'node:sqlite'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import type { Contact, HoldKind, LedgerReader } from '../ledger.ts'
import {
  type Row,
  toCounts,
  toDrift,
  toGroupCredits,
  toGroupRow,
  toGrowth,
  toHold,
  toNote,
  toSeriesRow,
} from '../rows.ts'
import { createBreakdown } from './breakdown.ts'
import { GROUP_COLUMNS } from './groupRows.ts'
import { createGroupTable } from './groupTable.ts'
import { createHistory } from './history.ts'
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
  // Which ones is found in the index alone: else all that a group has would be read and sorted for a page.
  const newest = (where: string) => `${SELECT_ENTRIES} WHERE number IN (SELECT number FROM entries
    WHERE group_name = ?1 AND (?2 IS NULL OR number < ?2) ${where} ORDER BY number DESC LIMIT ?3) ORDER BY number DESC`
  const listEntries = prepare(newest(''))
  const listEntriesOf = prepare(newest('AND at > ?4 AND at <= ?5'))
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
