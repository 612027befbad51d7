/**
 * Reads the past of a group from the sums of its days (`days.ts`) and from as few entries as possible: those that are
 * open, and those between a boundary and the midnight next to it. So a year by day is fast in every time zone.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Credits } from '../../core/credits.ts'
import { add, type Decimal, decimal, subtract, zero } from '../../core/decimals.ts'
import { DAY, type Instant } from '../../core/time.ts'
import type { ConsumptionPart, Extent, HistoryPoint, HistoryReader } from '../history.ts'

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
  const selectEntries = prepare(`SELECT ${ENTRY_COLUMNS} ${JOIN_SERIES}
    WHERE group_name = ? AND entries.at > ? AND entries.at <= ? ORDER BY entries.at`)
  const selectNewest = prepare(`SELECT entries.at, amount, coalesce(metric, kind) AS metric ${JOIN_SERIES}
    WHERE group_name = ? AND entries.at BETWEEN ? AND ? ORDER BY entries.at DESC, number DESC LIMIT ?`)

  function groupOf(name: string): Extent | undefined {
    const row = selectGroup(name)[0]
    return row === undefined ? undefined : toExtent(row as GroupRow)
  }

  /** Entries of a group that are open, and those of a time that are not. */
  function entriesOf(group: string) {
    const open = selectOpen(group) as EntryRow[]
    const numbers = new Set(open.map(({ number }) => number))
    const closed = (after: Instant, upTo: Instant) => {
      const rows = after < upTo ? (selectEntries(group, after, upTo) as EntryRow[]) : []
      return rows.filter(({ number }) => !numbers.has(number))
    }
    return { open, closed }
  }

  function sumUpTo(group: string, at: Instant): Credits {
    const midnight = midnightNear(at)
    const { open, closed } = entriesOf(group)
    const [sum] = sumDays(group, midnight) as [{ amount: Credits }]
    const missing = [...closed(midnight, at), ...open.filter((entry) => Number(entry.at) <= at)]
    return sum.amount + total(missing) - total(closed(at, midnight))
  }

  /** Adds the days to their buckets, as if all boundaries were midnights, then puts right what lies in between. */
  function addDays(group: string, bounds: readonly Instant[], tally: Tally): void {
    const midnights = bounds.map(midnightNear)
    const { closed } = entriesOf(group)
    let index = 0
    for (const row of selectDays(group, midnights[0]!, midnights.at(-1)!) as DayRow[]) {
      while (midnights[index + 1]! <= row.day) index += 1
      tally.add(index, row.entries, row)
    }
    for (const [bucket, at] of bounds.entries()) {
      const midnight = midnights[bucket]!
      for (const entry of closed(at, midnight)) {
        tally.add(bucket - 1, -1n, entry)
        tally.add(bucket, 1n, entry)
      }
      for (const entry of closed(midnight, at)) {
        tally.add(bucket, -1n, entry)
        tally.add(bucket - 1, 1n, entry)
      }
    }
  }

  return {
    async extent(group) {
      return groupOf(group)
    },
    async consumption(group, bounds) {
      if (groupOf(group) === undefined) return undefined
      const tally = createTally(bounds.length - 1)
      const { open, closed } = entriesOf(group)
      const rest = isNearMidnights(bounds) ? open : [...closed(bounds[0]!, bounds.at(-1)!), ...open]
      if (rest === open) addDays(group, bounds, tally)
      for (const entry of rest) tally.add(bucketOf(Number(entry.at), bounds), 1n, entry)
      return { before: sumUpTo(group, bounds[0]!), buckets: tally.parts() }
    },
    async history(group, { from, to, limit }) {
      if (groupOf(group) === undefined) return undefined
      let used = sumUpTo(group, to)
      return (selectNewest(group, from, to, limit) as PointRow[]).map(({ at, metric, amount }): HistoryPoint => {
        const point = { at: Number(at), metric, used }
        used -= amount
        return point
      })
    },
  }
}

interface GroupRow {
  readonly used: Credits
  readonly granted: string | null
  readonly first: bigint | null
  readonly last: bigint | null
}

interface PointRow {
  readonly at: bigint
  readonly metric: string
  readonly amount: Credits
}

interface Summable {
  readonly kind: ConsumptionPart['kind']
  readonly site: string | null
  readonly metric: string | null
  readonly amount: Credits
}

interface DayRow extends Summable {
  readonly day: bigint
  readonly entries: bigint
  readonly consumption: string
}

interface EntryRow extends Summable {
  readonly number: bigint
  readonly at: bigint
  readonly from_value: string | null
  readonly to_value: string | null
}

function toExtent({ used, granted, first, last }: GroupRow): Extent {
  return {
    used,
    ...(granted !== null && { granted }),
    ...(first !== null && { first: Number(first) }),
    ...(last !== null && { last: Number(last) }),
  }
}

function total(entries: readonly EntryRow[]): Credits {
  return entries.reduce((sum, { amount }) => sum + amount, 0n)
}

function midnightNear(at: Instant): Instant {
  return Math.round(at / DAY) * DAY
}

/** Whether fewer entries lie between the boundaries and midnights than between the boundaries: hours are not days. */
function isNearMidnights(bounds: readonly Instant[]): boolean {
  const apart = bounds.reduce((sum, at) => sum + Math.abs(at - midnightNear(at)), 0)
  return apart < bounds.at(-1)! - bounds[0]!
}

/** The bucket of an instant; -1 before the first one, and as many as there are after the last one. */
function bucketOf(at: Instant, bounds: readonly Instant[]): number {
  let [low, high] = [0, bounds.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (bounds[middle]! < at) low = middle + 1
    else high = middle
  }
  return low - 1
}

interface Tally {
  /** Adds rows to a bucket, or takes them away with a count below zero. What is in no bucket is left out. */
  add(bucket: number, count: bigint, row: DayRow | EntryRow): void
  parts(): ConsumptionPart[][]
}

type Sum = { -readonly [Key in keyof ConsumptionPart]: ConsumptionPart[Key] }

function createTally(buckets: number): Tally {
  const sums = Array.from({ length: buckets }, () => new Map<string, Sum>())
  return {
    add(bucket, count, row) {
      const own = sums[bucket]
      if (own === undefined) return
      const { kind, site, metric } = row
      const key = `${kind} ${site ?? ''} ${metric ?? ''}`
      const sum = own.get(key) ?? emptySum(row)
      own.set(key, sum)
      sum.entries += Number(count)
      sum.amount += count < 0n ? -row.amount : row.amount
      sum.consumption = (count < 0n ? subtract : add)(sum.consumption, consumptionOf(row))
    },
    parts: () => sums.map((own) => [...own.values()].filter(({ entries }) => entries !== 0)),
  }
}

function emptySum({ kind, site, metric }: Summable): Sum {
  return { kind, ...(site && { site }), ...(metric && { metric }), entries: 0, amount: 0n, consumption: zero }
}

function consumptionOf(row: DayRow | EntryRow): Decimal {
  if ('consumption' in row) return decimal(row.consumption)
  if (row.from_value === null || row.to_value === null) return zero
  return subtract(decimal(row.to_value), decimal(row.from_value))
}
