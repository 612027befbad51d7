/** Growth that was held and that a person accepted: charged exactly as it was held, once. */
import type { DatabaseSync } from 'node:sqlite'
import { rows } from './books.ts'
import { difference, type Fixed, readFixed, sum, writeFixed } from './fixed.ts'
import type { Problems } from './problems.ts'

export interface AcceptedGrowths {
  /** Takes a charge for the growth that it is a part of. Returns false if there is none. */
  take(series: bigint, from: bigint, to: bigint, consumption: Fixed): boolean
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
    take(series, from, to, consumption) {
      const growth = bySeries.get(series)?.find(({ row }) => row.from_at <= from && to <= row.to_at)
      if (growth !== undefined) growth.charged = sum(growth.charged, consumption)
      return growth !== undefined
    },
    compare(problems) {
      for (const growth of [...bySeries.values()].flat()) compareGrowth(growth, problems)
    },
  }
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
