/** Answers questions about the ledger. */
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
import { breakdownOf } from './breakdown.ts'
import type { Database } from './database.ts'
import { GROUP_COLUMNS, IS_SEARCHED } from './groupRows.ts'
import { groupTable } from './groupTable.ts'
import { createHistory } from './history.ts'
import { one, type Sql } from './sql.ts'

/** Before and after all instants there are. */
const [EARLIEST, LATEST] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

/** Rows for `toGrowth`, of a hold and at most so many; all of them if it is NULL. */
export const SELECT_GROWTHS = `SELECT holds.key AS hold_key, from_at, from_value, to_at, to_value,
    series.site, metric, project_id, project_name FROM held_growths
    JOIN holds ON holds.id = hold_id JOIN series ON series.id = series_id
    WHERE hold_id = $1 AND withdrawn = 0 ORDER BY series_id, to_at LIMIT $2`

export function createReader(database: Database): LedgerReader {
  const { sql } = database
  return {
    async groups({ search, after, limit }) {
      const rows = await sql.all(LIST_GROUPS, search, after, limit)
      return { rows: rows.map(toGroupRow), total: await countGroups(sql, search) }
    },
    async credits(limit) {
      const rows = await sql.all('SELECT name, used, granted FROM groups ORDER BY name LIMIT $1', limit)
      return { rows: rows.map(toGroupCredits), total: await countGroups(sql) }
    },
    groupTable: (query) => groupTable(sql, query),
    async group(name) {
      const row = await one(sql.all(`SELECT ${GROUP_COLUMNS} FROM groups WHERE name = $1`, name))
      if (row === undefined) return undefined
      const series = await sql.all(
        'SELECT * FROM series WHERE project_name = $1 ORDER BY site, metric, project_id',
        name,
      )
      return { ...toGroupRow(row), series: series.map(toSeriesRow) }
    },
    async entries(group, { before = LATEST, after, upTo, limit }) {
      const isAll = after === undefined && upTo === undefined
      const rows = isAll
        ? await sql.all(LIST_ENTRIES, group, before, limit)
        : await sql.all(LIST_ENTRIES_OF, group, before, limit, after ?? EARLIEST, upTo ?? LATEST)
      return rows.map(toEntry)
    },
    breakdown: (group) => breakdownOf(database, group),
    ...createHistory(database),
    async notes(group, limit) {
      return (await sql.all(LIST_NOTES, group, limit)).map(toNote)
    },
    async holds({ group, filter = 'open', before = LATEST, limit }) {
      return (await sql.all(LIST_HOLDS, group, before, filter, limit)).map(toHold)
    },
    async hold(id) {
      const row = await one(sql.all('SELECT * FROM holds WHERE id = $1', id))
      return row === undefined ? undefined : toHold(row)
    },
    async heldGrowths(id, limit) {
      return (await sql.all(SELECT_GROWTHS, id, limit)).map(toGrowth)
    },
    async drifts({ group, before = LATEST, limit }) {
      return (await sql.all(LIST_DRIFTS, group, before, limit)).map(toDrift)
    },
    async summary() {
      const row = (await one(sql.all(SELECT_SUMMARY)))!
      return {
        groups: Number(row.groups),
        dirty: Number(row.dirty),
        series: Number(row.series),
        entries: Number(row.entries),
        drifts: Number(row.drifts),
        used: row.used as bigint,
        holds: toCounts<HoldKind>(JSON.parse(row.holds as string) as Row[]),
        contacts: toCounts<Contact>(JSON.parse(row.contacts as string) as Row[]),
      }
    },
  }
}

async function countGroups(sql: Sql, search?: string): Promise<number> {
  const row = await one<{ count: bigint }>(sql.all(`SELECT count(*) AS count FROM groups WHERE ${IS_SEARCHED}`, search))
  return Number(row!.count)
}

const LIST_GROUPS = `SELECT ${GROUP_COLUMNS} FROM groups
  WHERE ${IS_SEARCHED} AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3`

const LIST_ENTRIES = `${SELECT_ENTRIES} WHERE group_name = $1 AND number < $2 ORDER BY number DESC LIMIT $3`

const LIST_ENTRIES_OF = `${SELECT_ENTRIES} WHERE group_name = $1 AND number < $2
  AND entries.at > $4 AND entries.at <= $5 ORDER BY number DESC LIMIT $3`

const LIST_NOTES = `SELECT notes.kind, notes.at, notes.text, site, metric, project_id, project_name
  FROM notes JOIN series ON series.id = series_id WHERE project_name = $1 ORDER BY notes.id DESC LIMIT $2`

const LIST_HOLDS = `SELECT * FROM holds WHERE ($1::text IS NULL OR group_name = $1) AND id < $2
  AND ($3::text = 'all' OR (closed_at IS NULL) = ($3::text = 'open')) ORDER BY id DESC LIMIT $4`

const LIST_DRIFTS = `SELECT * FROM drifts WHERE ($1::text IS NULL OR group_name = $1) AND id < $2 ORDER BY id DESC LIMIT $3`

/** All of it in one statement, so that it is as of one moment. */
const SELECT_SUMMARY = `SELECT (SELECT count(*) FROM groups) AS groups, (SELECT count(*) FROM groups WHERE dirty = 1) AS dirty,
  (SELECT count(*) FROM series) AS series, (SELECT value FROM counters WHERE name = 'entries') AS entries,
  (SELECT count(*) FROM drifts) AS drifts, (SELECT coalesce(sum(used), 0) FROM groups) AS used,
  (SELECT coalesce(json_agg(each), '[]') FROM
    (SELECT kind AS name, count(*) AS count FROM holds WHERE closed_at IS NULL GROUP BY kind) AS each) AS holds,
  (SELECT coalesce(json_agg(each), '[]') FROM
    (SELECT contact AS name, count(*) AS count FROM accounts GROUP BY contact) AS each) AS contacts`
