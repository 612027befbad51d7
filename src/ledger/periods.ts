/**
 * How the past of a group is added up: from the sums of its days (in UTC) and from as few entries as possible, which are
 * those that are open and those between a boundary and the midnight next to it. So a year by day is fast in every zone.
 *
 * A plan says what has to be read; an adapter reads it, at one moment, and has it added up.
 */
import type { Credits } from '../core/credits.ts'
import { add, type Decimal, decimal, subtract, zero } from '../core/decimals.ts'
import { DAY, type Instant } from '../core/time.ts'
import type { Consumption, ConsumptionPart, Extent, HistoryPoint } from './history.ts'

/** After one instant, up to and including another. */
export type Time = readonly [after: Instant, upTo: Instant]

interface Summable {
  readonly kind: ConsumptionPart['kind']
  readonly site: string | null
  readonly metric: string | null
  readonly amount: Credits
}

export interface DayRow extends Summable {
  readonly day: bigint
  readonly entries: bigint
  readonly consumption: string
}

export interface EntryRow extends Summable {
  readonly number: bigint
  readonly at: bigint
  readonly from_value: string | null
  readonly to_value: string | null
}

export interface TimedRow extends EntryRow {
  /** Which of the times it lies in. */
  readonly time: bigint
}

/** What has to be read to tell the total of a group at an instant. */
export interface TotalPlan {
  readonly at: Instant
  /** All days before this one count. */
  readonly midnight: Instant
  /** Entries that lie in the first are missing then, those in the second were counted too early. */
  readonly times: readonly [Time, Time]
}

export interface TotalFacts {
  /** The sum of the days before midnight. */
  readonly days: Credits
  /** The entries in the times, open ones too. */
  readonly entries: readonly TimedRow[]
  /** The open entries of the group. */
  readonly open: readonly EntryRow[]
}

export function planTotal(at: Instant): TotalPlan {
  const midnight = midnightNear(at)
  return {
    at,
    midnight,
    times: [
      [midnight, at],
      [at, midnight],
    ],
  }
}

export function totalOf({ at }: TotalPlan, { days, entries, open }: TotalFacts): Credits {
  const own = total(open.filter((entry) => Number(entry.at) <= at))
  const closed = withoutOpen(entries, open)
  return days + own + total(closed.filter(({ time }) => time === 0n)) - total(closed.filter(({ time }) => time === 1n))
}

/** What has to be read to tell what a group used between boundaries. */
export interface ConsumptionPlan {
  readonly bounds: readonly Instant[]
  /** Days from the first midnight up to the second one, exclusive; none if the entries are fewer. */
  readonly days: readonly [from: Instant, before: Instant] | undefined
  readonly times: readonly Time[]
}

export interface ConsumptionFacts {
  readonly days: readonly DayRow[]
  readonly entries: readonly TimedRow[]
  readonly open: readonly EntryRow[]
}

export function planConsumption(bounds: readonly Instant[]): ConsumptionPlan {
  if (!isNearMidnights(bounds)) return { bounds, days: undefined, times: [[bounds[0]!, bounds.at(-1)!]] }
  const midnights = bounds.map(midnightNear)
  const times = bounds.map((at, bucket): Time => [Math.min(at, midnights[bucket]!), Math.max(at, midnights[bucket]!)])
  return { bounds, days: [midnights[0]!, midnights.at(-1)!], times }
}

export function bucketsOf({ bounds, days }: ConsumptionPlan, facts: ConsumptionFacts): Consumption['buckets'] {
  const tally = createTally(bounds.length - 1)
  const closed = withoutOpen(facts.entries, facts.open)
  if (days === undefined) for (const entry of closed) tally.addEntry(entry, bounds)
  else addDays(facts.days, closed, bounds, tally)
  for (const entry of facts.open) tally.addEntry(entry, bounds)
  return tally.parts()
}

/** Adds the days to their buckets, as if all boundaries were midnights, then moves what lies in between. */
function addDays(days: readonly DayRow[], closed: readonly TimedRow[], bounds: readonly Instant[], tally: Tally): void {
  const midnights = bounds.map(midnightNear)
  let index = 0
  for (const row of days) {
    while (midnights[index + 1]! <= row.day) index += 1
    tally.add(index, row, Number(row.entries), decimal(row.consumption))
  }
  for (const entry of closed) {
    const consumption = consumptionOf(entry)
    const bucket = Number(entry.time)
    const isLate = bounds[bucket]! < midnights[bucket]!
    const [from, to] = isLate ? [bucket - 1, bucket] : [bucket, bucket - 1]
    tally.take(from, entry, consumption)
    tally.add(to, entry, 1, consumption)
  }
}

export interface ExtentRow {
  readonly used: Credits
  readonly granted: string | null
  readonly first: bigint | null
  readonly last: bigint | null
}

export function toExtent({ used, granted, first, last }: ExtentRow): Extent {
  return {
    used,
    ...(granted !== null && { granted }),
    ...(first !== null && { first: Number(first) }),
    ...(last !== null && { last: Number(last) }),
  }
}

/** Where the first growth begins that was charged in one of some times. */
export interface BeginRow {
  readonly time: bigint
  readonly since: bigint
}

/** An entry as a point of the history, newest first. */
export interface PointRow {
  readonly at: bigint
  readonly metric: string
  readonly amount: Credits
}

/** @param used The total after the first, which is the newest. */
export function pointsOf(used: Credits, rows: readonly PointRow[]): HistoryPoint[] {
  let after = used
  return rows.map(({ at, metric, amount }) => {
    const point = { at: Number(at), metric, used: after }
    after -= amount
    return point
  })
}

function withoutOpen(entries: readonly TimedRow[], open: readonly EntryRow[]): TimedRow[] {
  const numbers = new Set(open.map(({ number }) => number))
  return entries.filter(({ number }) => !numbers.has(number))
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
