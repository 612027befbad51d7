/** What is held back, and what people decide about it. */
import type { HoldFilter } from '../../ledger/ledger.ts'
import { readAsking } from '../asking.ts'
import { BadRequestError, ConflictError, NotFoundError } from '../errors.ts'
import { heldGrowthJson, holdJson } from '../groupJson.ts'
import { readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import {
  beforeSummary,
  cutPage,
  ledgerTrouble,
  limitSummary,
  link,
  queryLimit,
  queryNumber,
  queryText,
  type Route,
  type RouteContext,
} from '../route.ts'
import { word } from '../schema.ts'
import { asking, ofGroup } from '../schemas/common.ts'
import { decidedHold, holdParameter, holdsPage, holdWithGrowths } from '../schemas/groups.ts'

/** `GET /api/holds`, newest first. */
export function holdsRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/holds',
    who: 'operator',
    summary: 'What is not charged or published until it is resolved, newest first',
    query: {
      group: ofGroup,
      state: word('Which ones', ['open', 'closed', 'all'], { default: 'open' }),
      before: beforeSummary,
      limit: limitSummary,
    },
    answers: { 200: { description: 'A page of holds', json: holdsPage }, 400: 'No such page', 503: ledgerTrouble },
    async handle(ctx) {
      const [group, state, limit] = [queryText(ctx, 'group'), readState(ctx), queryLimit(ctx)]
      const before = queryNumber(ctx, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER })
      const wanted = { ...(group !== undefined && { group }), ...(before !== undefined && { before }) }
      const { page, last } = cutPage(await ledger.holds({ ...wanted, filter: state, limit: limit + 1 }), limit)
      const next = last === undefined ? null : link('/api/holds', { group, state, before: last.id, limit })
      ctx.body = { holds: page.map(holdJson), next }
    },
  }
}

function readState(ctx: RouteContext): HoldFilter {
  const state = queryText(ctx, 'state') ?? 'open'
  if (state === 'open' || state === 'closed' || state === 'all') return state
  throw new BadRequestError(`state: expected open, closed or all, got ${JSON.stringify(state)}.`)
}

/** `GET /api/holds/:id`: a hold with the growth that it keeps back. */
export function holdRoute({ ledger, meters }: Pick<HttpParts, 'ledger' | 'meters'>): Route {
  return {
    method: 'get',
    path: '/api/holds/:id',
    who: 'operator',
    summary: 'A hold with the growth that it keeps back: what accepting it charges',
    params: holdParameter,
    query: { limit: limitSummary },
    answers: {
      200: { description: 'The hold', json: holdWithGrowths },
      400: 'No such page',
      404: 'No hold has this number',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const limit = queryLimit(ctx)
      const id = idOf(ctx)
      const hold = id === undefined ? undefined : await ledger.hold(id)
      if (hold === undefined) throw unknownHold(ctx)
      const growths = await ledger.heldGrowths(hold.id, limit + 1)
      const { page, last } = cutPage(growths, limit)
      ctx.body = {
        ...holdJson(hold),
        growths: page.map((each) => heldGrowthJson(each, meters)),
        more: last !== undefined,
      }
    },
  }
}

function idOf({ params }: RouteContext): number | undefined {
  return /^\d{1,15}$/.test(params.id!) ? Number(params.id) : undefined
}

function unknownHold({ params }: RouteContext): NotFoundError {
  return new NotFoundError(`No hold has the number ${JSON.stringify(params.id)}: GET /api/holds lists them.`)
}

/** `POST /api/holds/:id/accept` charges what was held; `POST /api/holds/:id/dismiss` does not. */
export function decideHoldRoute(verdict: 'accept' | 'dismiss', { decideHold }: Pick<HttpParts, 'decideHold'>): Route {
  return {
    method: 'post',
    path: `/api/holds/:id/${verdict}`,
    who: 'operator',
    summary: verdict === 'accept' ? 'Charges exactly what was held, once' : 'Charges nothing of what was held, ever',
    params: holdParameter,
    body: asking,
    answers: {
      200: { description: 'The hold, now closed', json: decidedHold(verdict) },
      400: 'No reason is given',
      404: 'No hold has this number',
      409: 'This hold is closed, with how that came; or it ends by itself, or cannot be accepted',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const id = idOf(ctx)
      const decision = { verdict, ...readAsking(await readJson(ctx)) }
      const resolved = id === undefined ? ({ kind: 'unknown' } as const) : await decideHold(id, decision)
      if (resolved.kind === 'unknown') throw unknownHold(ctx)
      if (resolved.kind === 'refused') throw new ConflictError(resolved.why)
      ctx.body = { verdict, ...holdJson(resolved.hold) }
    },
  }
}
