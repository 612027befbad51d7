/** What is held back, and what people decide about it. */
import { BadRequestError, ConflictError, NotFoundError } from '../errors.ts'
import { holdJson } from '../groupJson.ts'
import { describe, objectOf, readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { limitSummary, queryLimit, queryText, type Route } from '../route.ts'

/** A reason is for people to read, not for a novel. */
const LONGEST_REASON = 1_000

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
      const decision = { verdict, ...readDecision(await readJson(ctx)) }
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

function readDecision(body: unknown): { actor: string; reason: string } {
  const { reason, actor = 'operator', ...rest } = objectOf(body, 'The body')
  const unknown = Object.keys(rest)
  if (unknown.length > 0)
    throw new BadRequestError(`Expected only reason and actor, got ${unknown.join(', ').slice(0, 80)}.`)
  return { reason: readText('reason', reason), actor: readText('actor', actor) }
}

function readText(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value.trim() : ''
  if (text !== '' && text.length <= LONGEST_REASON) return text
  throw new BadRequestError(`${name}: expected a text of 1 to ${LONGEST_REASON} characters, got ${describe(value)}.`)
}
