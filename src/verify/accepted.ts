/** Growth that was held and that a person accepted: charged exactly as it was held, once. */
import type { DatabaseSync } from 'node:sqlite'
import { rows } from './books.ts'
import { difference, type Fixed, readFixed, sum, writeFixed } from './fixed.ts'
import type { Problems } from './problems.ts'

interface Reading {
  readonly at: bigint
  readonly value: Fixed
}

export interface AcceptedGrowths {
  /** Takes a charge for the growth that it is a part of. Returns false if there is none. */
  take(series: bigint, from: Reading, to: Reading): boolean
  /** Finds growth that was charged in part or twice. */
  compare(problems: Problems): void
}

interface GrowthRow {
  readonly hold_id: bigint
  readonly series_id: bigint
  readonly from_at: bigint
  readonly from_value: string
  readonly to_at: bigint
  readonly to_value: string
  readonly withdrawn: bigint
}

interface Growth {
  readonly row: GrowthRow
  charged: Fixed
}

const nothing: Fixed = { units: 0n, places: 0 }

export function readAccepted(db: DatabaseSync): AcceptedGrowths {
  const bySeries = new Map<bigint, Growth[]>()
  const accepted = `SELECT hold_id, series_id, from_at, from_value, to_at, to_value, withdrawn
    FROM held_growths JOIN holds ON holds.id = hold_id WHERE closed_why LIKE 'Accepted by %'`
  for (const row of rows<GrowthRow>(db, accepted)) {
    const growths = bySeries.get(row.series_id) ?? []
    growths.push({ row, charged: nothing })
    bySeries.set(row.series_id, growths)
  }
  return {
    take(series, from, to) {
      const growth = bySeries.get(series)?.find(({ row }) => holds(row, from, to))
      if (growth !== undefined) growth.charged = sum(growth.charged, difference(to.value, from.value))
      return growth !== undefined
    },
    compare(problems) {
      for (const growth of [...bySeries.values()].flat()) compareGrowth(growth, problems)
    },
  }
}

/** By its values too: a clock that is set right lets a series pass the same instants twice. */
function holds(row: GrowthRow, from: Reading, to: Reading): boolean {
  const [first, last] = [readFixed(row.from_value), readFixed(row.to_value)]
  if (first === undefined || last === undefined || row.from_at > from.at || to.at > row.to_at) return false
  return difference(from.value, first).units >= 0n && difference(last, to.value).units >= 0n
}

function compareGrowth({ row, charged }: Growth, problems: Problems): void {
  const [from, to] = [readFixed(row.from_value), readFixed(row.to_value)]
  const key = `${row.hold_id}, ${row.series_id}, ${row.to_at}`
  if (from === undefined || to === undefined) {
    problems.add('held_growths', key, 'its readings', 'plain decimals', `${row.from_value} and ${row.to_value}`)
    return
  }
  // It was withdrawn before the hold was accepted, and not charged, or afterwards.
  if (row.withdrawn !== 0n && charged.units === 0n) return
  const what = 'what is charged of it since it was accepted'
  problems.compare('held_growths', key, what, writeFixed(difference(to, from)), writeFixed(charged))
}
