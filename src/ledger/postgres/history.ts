/** Reads the past of a group, as `../periods.ts` plans it, from the sums of its days and from entries: all at one moment. */
import type { Credits } from '../../core/credits.ts'
import type { Instant } from '../../core/time.ts'
import type { HistoryReader } from '../history.ts'
import {
  type BeginRow,
  bucketsOf,
  type DayRow,
  type EntryRow,
  type ExtentRow,
  type PointRow,
  planConsumption,
  planTotal,
  pointsOf,
  type Time,
  type TimedRow,
  toExtent,
  totalOf,
} from '../periods.ts'
import type { Database } from './database.ts'
import { one, type Sql } from './sql.ts'

const ENTRY_COLUMNS = 'number, entries.at, kind, entries.site, metric, amount, from_value, to_value'

export function createHistory(database: Database): HistoryReader {
  return {
    async extent(group) {
      const row = await one<ExtentRow>(database.sql.all(SELECT_EXTENT, group))
      return row === undefined ? undefined : toExtent(row)
    },
    consumption: (group, bounds) =>
      database.transact(async (sql) => {
        if (!(await isKnown(sql, group))) return undefined
        const plan = planConsumption(bounds)
        const open = await openEntries(sql, group)
        const days = plan.days === undefined ? [] : await sql.all<DayRow>(SELECT_DAYS, group, ...plan.days)
        const buckets = bucketsOf(plan, { days, entries: await entriesIn(sql, group, plan.times), open })
        return { before: await sumUpTo(sql, group, bounds[0]!, open), buckets }
      }, 'snapshot'),
    async chargedSince(group, times) {
      const begins: (Instant | undefined)[] = times.map(() => undefined)
      for (const { time, since } of await database.sql.all<BeginRow>(SELECT_BEGINS, group, ...columnsOf(times)))
        begins[Number(time)] = Number(since)
      return begins
    },
    history: (group, { from, to, limit }) =>
      database.transact(async (sql) => {
        if (!(await isKnown(sql, group))) return undefined
        const used = await sumUpTo(sql, group, to, await openEntries(sql, group))
        return pointsOf(used, await sql.all<PointRow>(SELECT_NEWEST, group, from, to, limit))
      }, 'snapshot'),
  }
}

export async function isKnown(sql: Sql, group: string): Promise<boolean> {
  return (await sql.all('SELECT 1 FROM groups WHERE name = $1', group)).length > 0
}

async function sumUpTo(sql: Sql, group: string, at: Instant, open: readonly EntryRow[]): Promise<Credits> {
  const plan = planTotal(at)
  const days = await one<{ amount: Credits }>(
    sql.all(
      'SELECT coalesce(sum(amount), 0) AS amount FROM days WHERE group_name = $1 AND day < $2',
      group,
      plan.midnight,
    ),
  )
  return totalOf(plan, { days: days!.amount, entries: await entriesIn(sql, group, plan.times), open })
}

function openEntries(sql: Sql, group: string): Promise<EntryRow[]> {
  return sql.all(
    `SELECT ${ENTRY_COLUMNS} FROM series JOIN entries ON number = open_number WHERE project_name = $1`,
    group,
  )
}

/** Those that lie in some times, each after its beginning and up to its end. */
async function entriesIn(sql: Sql, group: string, times: readonly Time[]): Promise<TimedRow[]> {
  const rows = await sql.all<TimedRow>(SELECT_ENTRIES_IN, group, ...columnsOf(times))
  return rows
}

function columnsOf(times: readonly Time[]): number[][] {
  return [times.map(([after]) => after), times.map(([, upTo]) => upTo)]
}

/** LATERAL keeps the order: for each of the times, its entries by their index. */
const TIMES = `FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS times (after, up_to, place)
  CROSS JOIN LATERAL (SELECT * FROM entries
    WHERE group_name = $1 AND entries.at > times.after AND entries.at <= times.up_to) AS entries`

const SELECT_ENTRIES_IN = `SELECT place - 1 AS time, ${ENTRY_COLUMNS} ${TIMES} LEFT JOIN series ON series.id = series_id`

const SELECT_BEGINS = `SELECT place - 1 AS time, min(from_at) AS since ${TIMES} WHERE kind = 'charge' GROUP BY place`

const SELECT_EXTENT = `SELECT used, granted, (SELECT min(at) FROM entries WHERE group_name = name) AS first,
  (SELECT max(at) FROM entries WHERE group_name = name) AS last FROM groups WHERE name = $1`

const SELECT_DAYS = `SELECT day, kind, site, metric, entries, amount, consumption FROM days
  WHERE group_name = $1 AND day >= $2 AND day < $3 ORDER BY day`

const SELECT_NEWEST = `SELECT entries.at, amount, coalesce(metric, kind) AS metric
  FROM entries LEFT JOIN series ON series.id = series_id
  WHERE group_name = $1 AND entries.at BETWEEN $2 AND $3 ORDER BY entries.at DESC, number DESC LIMIT $4`
