/** How the used credits of a project grew, as columns for a chart. */
import { boundaries, UTC } from '../../core/buckets.ts'
import { formatRounded } from '../../core/credits.ts'
import { formatPerunTimestamp, type Instant, parseInstant } from '../../core/time.ts'
import type { HistoryPoint } from '../../ledger/history.ts'
import { BadRequestError, NotFoundError } from '../errors.ts'
import { exactNumber } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { ledgerTrouble, queryText, type Route, type RouteContext } from '../route.ts'
import { groupName } from '../schemas/common.ts'
import { columns, givenInstant } from '../schemas/history.ts'

/**
 * `GET /api/credits_history/:project`: the columns of the old service, newest first. A row is an entry; in a period of more
 * than 10,000 entries it is what a meter used in a day, in UTC.
 */
export function creditsHistoryRoute({
  ledger,
  meters,
  precision,
}: Pick<HttpParts, 'ledger' | 'meters' | 'precision'>): Route {
  return {
    method: 'get',
    path: '/api/credits_history/:project',
    who: 'reader',
    summary: 'How the used credits of a project grew',
    tag: 'groups',
    params: { project: groupName },
    query: {
      start_date: givenInstant('Not earlier than this; in UTC if it has no zone', '2026-01-01 00:00:00'),
      end_date: givenInstant('Not later than this; later than start_date', '2026-12-31'),
    },
    answers: {
      200: { description: 'Columns, newest first', json: columns },
      204: 'Nothing in this time',
      400: 'No such time',
      404: 'Nothing at all',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const project = ctx.params.project!
      const points = await pointsOf(project, readPeriod(ctx))
      if (points === undefined || points.length === 0) {
        await requireEntries(project)
        ctx.status = 204
        return
      }
      ctx.body = {
        timestamps: points.map(({ at }) => formatPerunTimestamp(at).slice(0, SECONDS)),
        credits: points.map(({ used }) => exactNumber(formatRounded(used, precision))),
        metrics: points.map(({ metric }) => meters.get(metric)?.name ?? metric),
      }
    },
  }

  async function pointsOf(project: string, period: Period): Promise<readonly HistoryPoint[] | undefined> {
    const points = await ledger.history(project, { ...period, limit: MOST_POINTS + 1 })
    return points === undefined || points.length <= MOST_POINTS ? points : pointsByDay(project, period)
  }

  /** As if the entries of a day and a metric were one, at its end. */
  async function pointsByDay(project: string, period: Period): Promise<HistoryPoint[]> {
    const { first, last } = (await ledger.extent(project))!
    const [from, to] = [Math.max(period.from - 1, first! - 1), Math.min(period.to, last!)]
    const bounds = boundaries({ from, to }, { step: 'day', zone: UTC, limit: Number.POSITIVE_INFINITY })
    const { before, buckets } = (await ledger.consumption(project, bounds))!
    let used = before
    const points = buckets.flatMap((parts, index) =>
      parts.map(({ metric, kind, amount }): HistoryPoint => {
        used += amount
        return { at: bounds[index + 1]!, metric: metric ?? kind, used }
      }),
    )
    return points.reverse()
  }

  async function requireEntries(project: string): Promise<void> {
    const entries = await ledger.entries(project, { limit: 1 })
    if (entries.length === 0) throw new NotFoundError(`Project ${JSON.stringify(project)} has no history.`)
  }
}

/** How many entries are told one by one: a chart has no more dots, and a browser waits. */
const MOST_POINTS = 10_000

/** Characters of `2026-01-01 00:00:00`. */
const SECONDS = 19

interface Period {
  readonly from: Instant
  readonly to: Instant
}

function readPeriod(ctx: RouteContext): Period {
  const from = readInstant(ctx, 'start_date') ?? Number.MIN_SAFE_INTEGER
  const to = readInstant(ctx, 'end_date') ?? Number.MAX_SAFE_INTEGER
  if (to <= from) throw new BadRequestError('end_date: expected a time after start_date.')
  return { from, to }
}

function readInstant(ctx: RouteContext, name: string): Instant | undefined {
  const given = queryText(ctx, name)
  const at = given === undefined ? undefined : parseInstant(given)
  if (given === undefined || at !== undefined) return at
  throw new BadRequestError(`${name}: expected a time such as 2026-01-01 12:00:00, got ${JSON.stringify(given)}.`)
}
