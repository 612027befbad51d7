/** What somebody wants to see of a group: a period, how it is divided, and by which clocks. All of it is in the address. */
import { boundaries, bucketEnd, bucketStart, type Step, steps, type Zone } from '../../../core/buckets.ts'
import { DAY, formatInstant, HOUR, type Instant } from '../../../core/time.ts'
import type { Extent } from '../../../ledger/history.ts'
import { BadRequestError } from '../../errors.ts'
import { queryInstant, queryZone } from '../../period.ts'
import { type Asked, queryChoice, queryText } from '../../route.ts'

export const spans = ['30 days', '90 days', 'year', 'all'] as const
export type Span = (typeof spans)[number]

const lengths: Readonly<Record<Span, number>> = {
  '30 days': 30 * DAY,
  '90 days': 90 * DAY,
  year: 365 * DAY,
  all: Number.POSITIVE_INFINITY,
}

/** So many points and bars can still be told apart; of more, the next longer step is shown. */
const MOST_BUCKETS = 750
/** As many months, nearly. */
const LONGEST = 60 * 365.25 * DAY

export interface Question {
  /** `undefined` if `from` or `to` is given. */
  readonly span: Span | undefined
  readonly step: Step
  /** Whether what was asked for would be too many buckets. */
  readonly isCoarser: boolean
  readonly zone: Zone
  /** The ends of the buckets: one more than there are buckets. */
  readonly bounds: readonly Instant[]
}

/** @throws {BadRequestError} if it is no such question. */
export function readQuestion(ctx: Asked, extent: Extent, now: Instant): Question {
  const given = filledIn(ctx)
  const zone = queryZone(given)
  const [asked, until] = [queryInstant(given, 'from', zone), queryInstant(given, 'to', zone)]
  const span = queryChoice(given, 'span', spans) ?? '30 days'
  const wanted = queryChoice(given, 'step', steps)
  const last = until ?? Math.max(now, extent.last ?? now)
  // Nothing is shown of the time before there was something.
  const first = asked ?? Math.max(last - lengths[span], Math.min(extent.first ?? last, last))
  if (first > last || (until !== undefined && first === last)) {
    throw new BadRequestError(`from: expected a time before ${formatInstant(last)}, got ${formatInstant(first)}.`)
  }
  if (last - first > LONGEST) throw new BadRequestError('from, to: expected a period of 60 years at most.')
  const step = fitting(wanted ?? (last - first <= 3 * DAY ? 'hour' : 'day'), last - first)
  const from = asked ?? bucketStart(first, step, zone)
  const to = until ?? bucketEnd(last, step, zone)
  return {
    span: asked === undefined && until === undefined ? span : undefined,
    step,
    isCoarser: wanted !== undefined && step !== wanted,
    zone,
    bounds: boundaries({ from, to }, { step, zone, limit: MOST_BUCKETS + 2 }),
  }
}

/** Forms send fields that were left empty. */
export function filledIn({ query }: Asked): Asked {
  return { query: Object.fromEntries(Object.entries(query).filter(([, value]) => value !== '')) }
}

function fitting(step: Step, length: number): Step {
  if (step === 'hour' && length / HOUR > MOST_BUCKETS) return fitting('day', length)
  return step === 'day' && length / DAY > MOST_BUCKETS ? 'month' : step
}

/** An address on the same page: the present question with something else in it. */
export function otherwise(ctx: Asked, changes: Readonly<Record<string, string | undefined>>): string {
  const kept = ['span', 'from', 'to', 'step', 'tz'].map((name) => [name, queryText(ctx, name) || undefined] as const)
  const query = Object.entries({ ...Object.fromEntries(kept), ...changes }).filter(([, value]) => value !== undefined)
  return `?${new URLSearchParams(query as [string, string][])}`
}
