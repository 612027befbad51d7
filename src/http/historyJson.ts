/** The history of a group as JSON and as CSV: the same numbers, exact, as decimal strings. */
import { formatInZone, type Zone } from '../core/buckets.ts'
import { type Credits, formatCredits } from '../core/credits.ts'
import { add, type Decimal, formatDecimal } from '../core/decimals.ts'
import type { Meters } from '../core/meters.ts'
import type { Instant } from '../core/time.ts'
import type { Consumption, ConsumptionPart } from '../ledger/history.ts'
import { csv } from './csv.ts'

export const divisions = ['meter', 'site'] as const
/** What the credits of a bucket are divided by, beside the kind of their entries. */
export type Division = (typeof divisions)[number]

export interface HistoryShape {
  readonly by: Division
  readonly zone: Zone
  readonly meters: Meters
}

export interface Bucket {
  readonly start: string
  readonly end: string
  readonly credits: string
  /** The group's total at its end. */
  readonly used: string
  readonly consumption: readonly { meter: string | null; metric: string; unit: string | null; quantity: string }[]
  readonly parts: readonly Part[]
}

interface Part {
  readonly kind: ConsumptionPart['kind']
  readonly meter?: string | null
  readonly metric?: string | null
  readonly site?: string | null
  readonly credits: string
}

/** @param bounds Where the buckets begin and end: one more than there are buckets. */
export function bucketsJson({ before, buckets }: Consumption, bounds: readonly Instant[], shape: HistoryShape) {
  const times = bounds.map((at) => formatInZone(at, shape.zone))
  let used = before
  return buckets.map((parts, index): Bucket => {
    const credits = sumOf(parts)
    used += credits
    return {
      start: times[index]!,
      end: times[index + 1]!,
      credits: formatCredits(credits),
      used: formatCredits(used),
      consumption: consumptionJson(parts, shape.meters),
      parts: partsJson(parts, shape),
    }
  })
}

/** A line for each part of a bucket, and one without a kind for a bucket in which nothing happened. */
export function bucketsCsv(buckets: readonly Bucket[], by: Division): string {
  const columns = by === 'meter' ? ['meter', 'unit', 'consumption'] : ['site']
  const nothing = ['', ...columns.map(() => ''), '0']
  const lines = buckets.flatMap((bucket) => {
    const told = bucket.parts.map((part) => [part.kind, ...cellsOf(part, bucket, by), part.credits])
    return (told.length === 0 ? [nothing] : told).map((cells) => [bucket.start, bucket.end, ...cells, bucket.used])
  })
  return csv([['start', 'end', 'kind', ...columns, 'credits', 'used'], ...lines])
}

function cellsOf({ kind, meter, metric, site }: Part, { consumption }: Bucket, by: Division): string[] {
  if (by === 'site') return [site ?? '']
  const own = kind === 'charge' ? consumption.find((each) => each.metric === metric) : undefined
  return [meter ?? metric ?? '', own?.unit ?? '', own?.quantity ?? '']
}

/** Of charges only, by meter. */
function consumptionJson(parts: readonly ConsumptionPart[], meters: Meters): Bucket['consumption'] {
  const sums = new Map<string, Decimal>()
  for (const { kind, metric, consumption } of parts) {
    if (kind !== 'charge' || metric === undefined) continue
    const sum = sums.get(metric)
    sums.set(metric, sum === undefined ? consumption : add(sum, consumption))
  }
  return [...sums].sort(inOrderOf(meters)).map(([metric, quantity]) => {
    const meter = meters.get(metric)
    return { meter: meter?.name ?? null, metric, unit: meter?.unit ?? null, quantity: formatDecimal(quantity) }
  })
}

function partsJson(parts: readonly ConsumptionPart[], { by, meters }: HistoryShape): Part[] {
  const nameOf = ({ metric, site }: ConsumptionPart) => (by === 'meter' ? metric : site) ?? ''
  const byKind = (kind: ConsumptionPart['kind']): Part[] => {
    const groups = Map.groupBy(
      parts.filter((part) => part.kind === kind),
      nameOf,
    )
    return [...groups].sort(inOrderOf(meters)).map(([name, own]) => {
      const credits = formatCredits(sumOf(own))
      if (by === 'site') return { kind, site: name || null, credits }
      return { kind, meter: meters.get(name)?.name ?? null, metric: name || null, credits }
    })
  }
  return [...byKind('charge'), ...byKind('adjustment'), ...byKind('opening')]
}

/** The meters as they are charged, then other names. */
function inOrderOf(meters: Meters): (a: readonly [string, unknown], b: readonly [string, unknown]) => number {
  const order = [...meters.keys()]
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
  return ([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1)
}

function sumOf(parts: readonly ConsumptionPart[]): Credits {
  return parts.reduce((sum, { amount }) => sum + amount, 0n)
}
