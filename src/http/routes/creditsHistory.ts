/** How the used credits of a project grew, as columns for a chart. */
import { formatRounded } from '../../core/credits.ts'
import { formatPerunTimestamp, type Instant, parseInstant } from '../../core/time.ts'
import { BadRequestError, NotFoundError } from '../errors.ts'
import { exactNumber } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { queryText, type Route, type RouteContext } from '../route.ts'

/** `GET /api/credits_history/:project`: the columns of the old service, newest first. */
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
    query: {
      start_date: 'Not earlier than this: 2026-01-01, 2026-01-01 12:00:00 (UTC) or with a zone',
      end_date: 'Not later than this; later than start_date',
    },
    answers: { 200: 'Columns, newest first', 204: 'Nothing in this time', 400: 'No such time', 404: 'Nothing at all' },
    async handle(ctx) {
      const project = ctx.params.project!
      const points = await ledger.history(project, readPeriod(ctx))
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

  async function requireEntries(project: string): Promise<void> {
    const entries = await ledger.entries(project, { limit: 1 })
    if (entries.length === 0) throw new NotFoundError(`Project ${JSON.stringify(project)} has no history.`)
  }
}

/** Characters of `2026-01-01 00:00:00`. */
const SECONDS = 19

function readPeriod(ctx: RouteContext): { from: Instant; to: Instant } {
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
