/** Reads the past of a group, as `../periods.ts` plans it, from the sums of its days (`days.ts`) and from entries. */
import type { DatabaseSync } from 'node:sqlite'
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

const ENTRY_COLUMNS = 'number, entries.at, kind, entries.site, metric, amount, from_value, to_value'
const JOIN_SERIES = 'FROM entries LEFT JOIN series ON series.id = series_id'

export function createHistory(db: DatabaseSync): HistoryReader {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return (...parameters: (string | number)[]) => statement.all(...parameters) as unknown[]
  }
  const selectGroup = prepare(`SELECT used, granted, (SELECT min(at) FROM entries WHERE group_name = name) AS first,
    (SELECT max(at) FROM entries WHERE group_name = name) AS last FROM groups WHERE name = ?`)
  const sumDays = prepare('SELECT coalesce(sum(amount), 0) AS amount FROM days WHERE group_name = ? AND day < ?')
  const selectDays = prepare(`SELECT day, kind, site, metric, entries, amount, consumption FROM days
    WHERE group_name = ? AND day >= ? AND day < ? ORDER BY day`)
  const selectOpen = prepare(`SELECT ${ENTRY_COLUMNS} FROM series JOIN entries ON number = open_number
    WHERE project_name = ?`)
  // CROSS JOIN keeps the order: for each of the times, its entries by their index.
  const selectEntries = prepare(`SELECT times.key AS time, ${ENTRY_COLUMNS} FROM json_each(?2) AS times
    CROSS JOIN entries ON group_name = ?1 AND entries.at > times.value ->> 0 AND entries.at <= times.value ->> 1
    LEFT JOIN series ON series.id = series_id`)
  const selectBegins = prepare(`SELECT times.key AS time, min(from_at) AS since FROM json_each(?2) AS times
    CROSS JOIN entries ON group_name = ?1 AND entries.at > times.value ->> 0 AND entries.at <= times.value ->> 1
    WHERE kind = 'charge' GROUP BY times.key`)
  const selectNewest = prepare(`SELECT entries.at, amount, coalesce(metric, kind) AS metric ${JOIN_SERIES}
    WHERE group_name = ? AND entries.at BETWEEN ? AND ? ORDER BY entries.at DESC, number DESC LIMIT ?`)

  const sumUpTo = (group: string, at: Instant, open: readonly EntryRow[]): Credits => {
    const plan = planTotal(at)
    const [{ amount }] = sumDays(group, plan.midnight) as [{ amount: Credits }]
    return totalOf(plan, { days: amount, entries: entriesIn(group, plan.times), open })
  }
  const groupOf = (name: string) => selectGroup(name)[0] as ExtentRow | undefined
  const openEntries = (group: string) => selectOpen(group) as EntryRow[]
  const entriesIn = (group: string, times: readonly Time[]) => selectEntries(group, JSON.stringify(times)) as TimedRow[]

  return {
    async extent(group) {
      const row = groupOf(group)
      return row === undefined ? undefined : toExtent(row)
    },
    async consumption(group, bounds) {
      if (groupOf(group) === undefined) return undefined
      const plan = planConsumption(bounds)
      const open = openEntries(group)
      const days = plan.days === undefined ? [] : (selectDays(group, ...plan.days) as DayRow[])
      const buckets = bucketsOf(plan, { days, entries: entriesIn(group, plan.times), open })
      return { before: sumUpTo(group, bounds[0]!, open), buckets }
    },
    async chargedSince(group, times) {
      const begins: (Instant | undefined)[] = times.map(() => undefined)
      for (const { time, since } of selectBegins(group, JSON.stringify(times)) as BeginRow[])
        begins[Number(time)] = Number(since)
      return begins
    },
    async history(group, { from, to, limit }) {
      if (groupOf(group) === undefined) return undefined
      const used = sumUpTo(group, to, openEntries(group))
      return pointsOf(used, selectNewest(group, from, to, limit) as PointRow[])
    },
  }
}
