/** What a group used in each hour, day or month. */

import {
  boundaries,
  bucketEnd,
  bucketStart,
  formatInZone,
  type Step,
  steps,
  UTC,
  type Zone,
} from '../../core/buckets.ts'
import { formatCredits } from '../../core/credits.ts'
import { inPath } from '../../core/groupPath.ts'
import { DAY, formatInstant, type Instant } from '../../core/time.ts'
import type { Extent } from '../../ledger/history.ts'
import { answerOnce } from '../conditional.ts'
import { BadRequestError } from '../errors.ts'
import { formatHeaders, formatSummary, linkNext, queryFormat } from '../format.ts'
import { bucketsCsv, bucketsJson, type Division, divisions } from '../historyJson.ts'
import type { HttpParts } from '../parts.ts'
import { queryInstant, queryZone } from '../period.ts'
import {
  ledgerTrouble,
  limitUpTo,
  link,
  queryChoice,
  queryNumber,
  queryText,
  type Route,
  type RouteContext,
} from '../route.ts'
import { text, word } from '../schema.ts'
import { groupParameter } from '../schemas/common.ts'
import { givenInstant, history, historyCsv } from '../schemas/history.ts'
import { unknownGroup } from './groups.ts'

const MOST_BUCKETS = 1_000

/** How far back a group without entries is shown. */
const NOTHING_YET = 30 * DAY

/**
 * `GET /api/groups/:name/history`, the oldest bucket first. A bucket is what lies after its start, up to and including its
 * end; the first and the last one are cut at `from` and `to`.
 */
export function historyRoute({ ledger, meters, clock }: Pick<HttpParts, 'ledger' | 'meters' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/api/groups/:name/history',
    who: 'reader',
    summary: 'What a group used in each hour, day or month: credits, exact, and consumption',
    params: groupParameter,
    query: {
      from: givenInstant('Later than this, in the zone of tz; where its first entry is if not given', '2026-01-01'),
      to: givenInstant('Not later than this; the end of the present bucket if not given', '2026-01-31T12:00:00Z'),
      step: word('How long a bucket is', steps, { default: 'day' }),
      by: word('What credits are divided by', divisions, { default: 'meter' }),
      tz: text('The IANA name of the zone whose hours, days and months these are', 'Europe/Berlin', { default: UTC }),
      format: formatSummary,
      limit: limitUpTo(MOST_BUCKETS, MOST_BUCKETS),
    },
    answers: {
      200: {
        description: 'A page of buckets, the oldest first',
        json: history,
        csv: historyCsv,
        headers: formatHeaders,
      },
      304: 'It is what If-None-Match names',
      400: 'No such period, step, division, zone, format or page',
      404: 'No such group',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const group = ctx.params.name!
      const question = readQuestion(ctx)
      const extent = await ledger.extent(group)
      if (extent === undefined) throw unknownGroup(group)
      const { step, by, zone, limit, format } = question
      const period = periodOf(question, extent, clock.now())
      const bounds = boundaries(period, { step, zone, limit })
      const consumption = (await ledger.consumption(group, bounds))!
      const buckets = bucketsJson(consumption, bounds, { by, zone, meters })
      const next = nextPage(ctx, group, period, bounds)
      linkNext(ctx, next)
      if (format === 'csv') return answerOnce(ctx, bucketsCsv(buckets, by), 'text/csv')
      const body = {
        group,
        step,
        by,
        tz: zone,
        from: formatInZone(period.from, zone),
        to: formatInZone(period.to, zone),
        granted: extent.granted ?? null,
        used: formatCredits(extent.used),
        used_before: formatCredits(consumption.before),
        buckets,
        next,
      }
      answerOnce(ctx, JSON.stringify(body), 'json')
    },
  }
}

interface Question {
  readonly step: Step
  readonly by: Division
  readonly zone: Zone
  readonly from: Instant | undefined
  readonly to: Instant | undefined
  readonly limit: number
  readonly format: 'json' | 'csv'
}

function readQuestion(ctx: RouteContext): Question {
  const zone = queryZone(ctx)
  return {
    step: queryChoice(ctx, 'step', steps) ?? 'day',
    by: queryChoice(ctx, 'by', divisions) ?? 'meter',
    zone,
    from: queryInstant(ctx, 'from', zone),
    to: queryInstant(ctx, 'to', zone),
    limit: queryNumber(ctx, 'limit', { min: 1, max: MOST_BUCKETS }) ?? MOST_BUCKETS,
    format: queryFormat(ctx),
  }
}

/** The ends that were asked for; else whole buckets from the first entry to now, or to the last entry if that is later. */
function periodOf({ from: asked, to: until, step, zone }: Question, extent: Extent, now: Instant) {
  const to = until ?? bucketEnd(Math.max(now, extent.last ?? now), step, zone)
  const from = asked ?? bucketStart(extent.first ?? to - NOTHING_YET, step, zone)
  if (from < to) return { from, to }
  const [name, other, wanted, got] =
    until === undefined ? (['from', to, 'before', from] as const) : (['to', from, 'after', until] as const)
  throw new BadRequestError(
    `${name}: expected a time ${wanted} ${formatInZone(other, zone)}, got ${formatInZone(got, zone)}.`,
  )
}

/** The same question from where the page ends, which is said in UTC: old offsets have seconds that no text shows. */
function nextPage(ctx: RouteContext, group: string, period: { readonly to: Instant }, bounds: readonly Instant[]) {
  const end = bounds.at(-1)!
  if (end >= period.to) return null
  const asked = ['to', 'step', 'by', 'tz', 'format', 'limit'].map((name) => [name, queryText(ctx, name)])
  const path = `/api/groups/${inPath(group)}/history`
  return link(path, { from: formatInstant(end), ...Object.fromEntries(asked) })
}
