/** What is held back, and what people decide about it. */
import { readAsking } from '../asking.ts'
import { ConflictError, NotFoundError } from '../errors.ts'
import { holdJson } from '../groupJson.ts'
import { readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { limitSummary, queryLimit, queryText, type Route } from '../route.ts'

/** `GET /api/holds`, newest first. */
export function holdsRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/holds',
    who: 'operator',
    summary: 'What is not charged or published until it is resolved, newest first',
    query: { group: 'Only those of this group', limit: limitSummary },
    answers: { 200: 'The open holds', 400: 'No such page' },
    async handle(ctx) {
      const [group, limit] = [queryText(ctx, 'group'), queryLimit(ctx)]
      const holds = await ledger.holds({ limit, ...(group !== undefined && { group }) })
      ctx.body = { holds: holds.map(holdJson) }
    },
  }
}

/** `POST /api/holds/:id/accept` charges what was held; `POST /api/holds/:id/dismiss` does not. */
export function decideHoldRoute(verdict: 'accept' | 'dismiss', { decideHold }: Pick<HttpParts, 'decideHold'>): Route {
  return {
    method: 'post',
    path: `/api/holds/:id/${verdict}`,
    who: 'operator',
    summary: verdict === 'accept' ? 'Charges exactly what was held, once' : 'Charges nothing of what was held, ever',
    body: '{"reason": "…", "actor": "who decides; operator if not given"}',
    answers: {
      200: 'The hold, now closed',
      400: 'No reason is given',
      404: 'No open hold has this number',
      409: 'This hold ends by itself, or cannot be accepted',
      413: 'Too long',
      415: 'No JSON',
    },
    async handle(ctx) {
      const id = /^\d{1,15}$/.test(ctx.params.id!) ? Number(ctx.params.id) : undefined
      const decision = { verdict, ...readAsking(await readJson(ctx)) }
      const resolved = id === undefined ? ({ kind: 'unknown' } as const) : await decideHold(id, decision)
      if (resolved.kind === 'unknown') {
        throw new NotFoundError(
          `No open hold has the number ${JSON.stringify(ctx.params.id)}: GET /api/holds lists them.`,
        )
      }
      if (resolved.kind === 'refused') throw new ConflictError(resolved.why)
      ctx.body = { verdict, ...holdJson(resolved.hold) }
    },
  }
}
