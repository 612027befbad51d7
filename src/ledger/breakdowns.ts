/** Adds entries up to what the total of a group is made of. */
import { add, type Decimal, decimal, subtract, zero } from '../core/decimals.ts'
import type { Breakdown, BreakdownPart, StoredEntry } from './ledger.ts'
import { type SeriesColumns, seriesOf } from './seriesRows.ts'

/** Of a `SummedRow`, in its order. */
export const SUMMED_COLUMNS =
  'at, number, kind, amount, series_id, price_version, per_unit, from_at, from_value, to_value'

/** What is added up of an entry; the last six are null unless it is a charge. Rows, because a group has ten thousands of them. */
export type SummedRow = readonly [
  at: bigint,
  number: bigint,
  kind: StoredEntry['kind'],
  amount: bigint,
  series: bigint | null,
  priceVersion: string,
  perUnit: string,
  fromAt: bigint,
  fromValue: string,
  toValue: string,
]

/** For `result`: whose entries were added up. */
export const SELECT_SUMMED_SERIES = 'SELECT id, site, metric, project_id, project_name FROM series WHERE project_name ='

export interface SummedSeries extends SeriesColumns {
  readonly id: bigint
}

export interface BreakdownSum {
  /** Takes entries in any order; that of their time is the fastest. */
  add(row: SummedRow): void
  /** @param series All series of the group. */
  result(series: readonly SummedSeries[]): Breakdown
}

/** The charges of a series at a price, so far. */
interface Part {
  readonly series: bigint
  readonly priceVersion: string
  readonly perUnit: string
  /** Of the charges before `start`. */
  consumption: Decimal
  /** As a rule a charge begins where the one before it ended; so values are read only where that is not so. */
  start: string
  end: string
  amount: bigint
  entries: number
  from: bigint
  to: bigint
  first: bigint
  last: bigint
}

export function createBreakdownSum(): BreakdownSum {
  const parts = new Map<string, Part>()
  const others = { adjustment: { amount: 0n, entries: 0 }, opening: { amount: 0n, entries: 0 } }
  let used = 0n
  return {
    add(row) {
      const [, , kind, amount] = row
      used += amount
      if (kind === 'charge') addCharge(parts, row)
      else {
        others[kind].amount += amount
        others[kind].entries += 1
      }
    },
    result(series) {
      const known = new Map(series.map((each) => [each.id, seriesOf(each)]))
      const toPart = (part: Part): BreakdownPart => ({
        series: known.get(part.series)!,
        priceVersion: part.priceVersion,
        perUnit: decimal(part.perUnit),
        consumption: consumptionOf(part),
        amount: part.amount,
        entries: part.entries,
        from: Number(part.from),
        to: Number(part.to),
        first: Number(part.first),
        last: Number(part.last),
      })
      return {
        used,
        parts: [...parts.values()].map(toPart),
        adjustments: others.adjustment,
        openings: others.opening,
      }
    },
  }
}

function addCharge(parts: Map<string, Part>, row: SummedRow): void {
  const [at, number, , amount, series, priceVersion, perUnit, fromAt, fromValue, toValue] = row
  const key = `${series} ${perUnit} ${priceVersion}`
  const part = parts.get(key)
  if (part === undefined) {
    const values = { consumption: zero, start: fromValue, end: toValue, amount, entries: 1 }
    const place = { from: fromAt, to: at, first: number, last: number }
    parts.set(key, { series: series!, priceVersion, perUnit, ...values, ...place })
    return
  }
  if (part.end !== fromValue) {
    part.consumption = consumptionOf(part)
    part.start = fromValue
  }
  part.end = toValue
  part.amount += amount
  part.entries += 1
  if (fromAt < part.from) part.from = fromAt
  if (at > part.to) part.to = at
  if (number < part.first) part.first = number
  if (number > part.last) part.last = number
}

function consumptionOf({ consumption, start, end }: Part): Decimal {
  return add(consumption, subtract(decimal(end), decimal(start)))
}
