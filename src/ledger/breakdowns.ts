/** Adds entries up to what the total of a group is made of. */
import { add, subtract } from '../core/decimals.ts'
import { seriesKey } from '../core/series.ts'
import type { Breakdown, BreakdownPart, StoredEntry } from './ledger.ts'

export interface BreakdownSum {
  add(entry: StoredEntry): void
  result(): Breakdown
}

export function createBreakdownSum(): BreakdownSum {
  const parts = new Map<string, BreakdownPart>()
  const others = { adjustment: { amount: 0n, entries: 0 }, opening: { amount: 0n, entries: 0 } }
  let used = 0n
  return {
    add(entry) {
      used += entry.amount
      if (entry.kind === 'charge') {
        const key = `${entry.priceVersion} ${entry.perUnit.digits}/${entry.perUnit.scale} ${seriesKey(entry.series)}`
        parts.set(key, withCharge(parts.get(key), entry))
      } else {
        others[entry.kind].amount += entry.amount
        others[entry.kind].entries += 1
      }
    },
    result: () => ({ used, parts: [...parts.values()], adjustments: others.adjustment, openings: others.opening }),
  }
}

function withCharge(part: BreakdownPart | undefined, entry: Extract<StoredEntry, { kind: 'charge' }>): BreakdownPart {
  const { series, priceVersion, perUnit, from, to, amount, number } = entry
  const consumption = subtract(to.value, from.value)
  if (part === undefined) {
    const place = { from: from.at, to: to.at, first: number, last: number }
    return { series, priceVersion, perUnit, consumption, amount, entries: 1, ...place }
  }
  return {
    ...part,
    consumption: add(part.consumption, consumption),
    amount: part.amount + amount,
    entries: part.entries + 1,
    from: Math.min(part.from, from.at),
    to: Math.max(part.to, to.at),
    first: Math.min(part.first, number),
    last: Math.max(part.last, number),
  }
}
