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
  // CROSS JOIN keeps the order: for each of the times, its entries by their index.
  const selectEntries = prepare(`SELECT times.key AS time, ${ENTRY_COLUMNS} FROM json_each(?2) AS times
    CROSS JOIN entries ON group_name = ?1 AND entries.at > times.value ->> 0 AND entries.at <= times.value ->> 1
    LEFT JOIN series ON series.id = series_id`)
  const selectBegins = prepare(`SELECT times.key AS time, min(from_at) AS since FROM json_each(?2) AS times
    CROSS JOIN entries ON group_name = ?1 AND entries.at > times.value ->> 0 AND entries.at <= times.value ->> 1
    WHERE kind = 'charge' GROUP BY times.key`)
  const selectNewest = prepare(`SELECT entries.at, amount, coalesce(metric, kind) AS metric ${JOIN_SERIES}
    WHERE group_name = ? AND entries.at BETWEEN ? AND ? ORDER BY entries.at DESC, number DESC LIMIT ?`)

  function groupOf(name: string): Extent | undefined {
    const row = selectGroup(name)[0]
    return row === undefined ? undefined : toExtent(row as GroupRow)
  }

  function openEntries(group: string): EntryRow[] {
    return selectOpen(group) as EntryRow[]
  }

  /** The closed entries that lie in some times, each after its beginning and up to its end. */
  function closedEntries(group: string, times: readonly Time[], open: readonly EntryRow[]): TimedRow[] {
    const numbers = new Set(open.map(({ number }) => number))
    const rows = selectEntries(group, JSON.stringify(times)) as TimedRow[]
    return rows.filter(({ number }) => !numbers.has(number))
  }

  function sumUpTo(group: string, at: Instant, open: readonly EntryRow[]): Credits {
    const midnight = midnightNear(at)
    const [{ amount }] = sumDays(group, midnight) as [{ amount: Credits }]
    const own = open.filter((entry) => Number(entry.at) <= at)
    const missing = closedEntries(group, [[midnight, at]], open)
    const early = closedEntries(group, [[at, midnight]], open)
    return amount + total(own) + total(missing) - total(early)
  }

  /** Adds the days to their buckets, as if all boundaries were midnights, then moves what lies in between. */
  function addDays(group: string, bounds: readonly Instant[], open: readonly EntryRow[], tally: Tally): void {
    const midnights = bounds.map(midnightNear)
    let index = 0
    for (const row of selectDays(group, midnights[0]!, midnights.at(-1)!) as DayRow[]) {
      while (midnights[index + 1]! <= row.day) index += 1
      tally.add(index, row, Number(row.entries), decimal(row.consumption))
    }
    const times = bounds.map((at, bucket): Time => [Math.min(at, midnights[bucket]!), Math.max(at, midnights[bucket]!)])
    for (const entry of closedEntries(group, times, open)) {
      const consumption = consumptionOf(entry)
      const bucket = Number(entry.time)
      const isLate = bounds[bucket]! < midnights[bucket]!
      const [from, to] = isLate ? [bucket - 1, bucket] : [bucket, bucket - 1]
      tally.take(from, entry, consumption)
      tally.add(to, entry, 1, consumption)
    }
  }

  return {
    async extent(group) {
      return groupOf(group)
    },
    async consumption(group, bounds) {
      if (groupOf(group) === undefined) return undefined
      const tally = createTally(bounds.length - 1)
      const open = openEntries(group)
      const whole: Time = [bounds[0]!, bounds.at(-1)!]
      if (isNearMidnights(bounds)) addDays(group, bounds, open, tally)
      else for (const entry of closedEntries(group, [whole], open)) tally.addEntry(entry, bounds)
      for (const entry of open) tally.addEntry(entry, bounds)
      return { before: sumUpTo(group, bounds[0]!, open), buckets: tally.parts() }
    },
    async chargedSince(group, times) {
      const begins: (Instant | undefined)[] = times.map(() => undefined)
      for (const { time, since } of selectBegins(group, JSON.stringify(times)) as BeginRow[])
        begins[Number(time)] = Number(since)
      return begins
    },
    async history(group, { from, to, limit }) {
      if (groupOf(group) === undefined) return undefined
      let used = sumUpTo(group, to, openEntries(group))
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

interface BeginRow {
  readonly time: bigint
  readonly since: bigint
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

/** After one instant, up to and including another. */
type Time = readonly [after: Instant, upTo: Instant]

interface EntryRow extends Summable {
  readonly number: bigint
  readonly at: bigint
  readonly from_value: string | null
  readonly to_value: string | null
}

interface TimedRow extends EntryRow {
  /** Which of the times it lies in. */
  readonly time: bigint
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

/** Sums of each bucket. What is in no bucket is left out. */
interface Tally {
  add(bucket: number, row: Summable, entries: number, consumption: Decimal): void
  /** Takes away an entry that was added, or will be. */
  take(bucket: number, entry: Summable, consumption: Decimal): void
  addEntry(entry: EntryRow, bounds: readonly Instant[]): void
  parts(): ConsumptionPart[][]
}

type Sum = { -readonly [Key in keyof ConsumptionPart]: ConsumptionPart[Key] }

function createTally(buckets: number): Tally {
  const sums = Array.from({ length: buckets }, () => new Map<string, Sum>())

  function sumOf(bucket: number, row: Summable): Sum | undefined {
    const own = sums[bucket]
    if (own === undefined) return undefined
    const key = `${row.kind} ${row.site ?? ''} ${row.metric ?? ''}`
    const sum = own.get(key) ?? emptySum(row)
    own.set(key, sum)
    return sum
  }

  function put(bucket: number, row: Summable, entries: number, consumption: Decimal): void {
    const sum = sumOf(bucket, row)
    if (sum === undefined) return
    sum.entries += entries
    sum.amount += row.amount
    sum.consumption = add(sum.consumption, consumption)
  }

  return {
    add: put,
    take(bucket, entry, consumption) {
      const sum = sumOf(bucket, entry)
      if (sum === undefined) return
      sum.entries -= 1
      sum.amount -= entry.amount
      sum.consumption = subtract(sum.consumption, consumption)
    },
    addEntry: (entry, bounds) => put(bucketOf(Number(entry.at), bounds), entry, 1, consumptionOf(entry)),
    parts: () => sums.map((own) => [...own.values()].filter(({ entries }) => entries !== 0)),
  }
}

function emptySum({ kind, site, metric }: Summable): Sum {
  return { kind, ...(site && { site }), ...(metric && { metric }), entries: 0, amount: 0n, consumption: zero }
}

function consumptionOf({ from_value, to_value }: EntryRow): Decimal {
  if (from_value === null || to_value === null) return zero
  return subtract(decimal(to_value), decimal(from_value))
}
