/** Another price for a past period: previewed, then applied as it was previewed, perhaps undone. */
import { formatCredits } from '../../core/credits.ts'
import { formatDecimal, parseDecimal } from '../../core/decimals.ts'
import { isSensible, type Meters, sensibleRange } from '../../core/meters.ts'
import { makesNegative } from '../../core/repricing.ts'
import { crossings } from '../../core/thresholds.ts'
import { formatInstant } from '../../core/time.ts'
import type { ChargedSince, Repricing, RepricingGroup } from '../../ledger/corrections.ts'
import { fieldsOf, readActor, readAsking, readDecimal, readInstant, readWhy } from '../asking.ts'
import { BadRequestError, NotFoundError } from '../errors.ts'
import { describe, readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import {
  afterSummary,
  cutPage,
  ledgerTrouble,
  limitSummary,
  link,
  queryLimit,
  queryText,
  type Route,
  type RouteContext,
} from '../route.ts'
import { asking } from '../schemas/common.ts'
import {
  applyRequest,
  repricingPage,
  repricingParameter,
  repricingRequest,
  repricing as repricingSchema,
  repricings as repricingsSchema,
} from '../schemas/repricings.ts'
import { asConflict } from './adjustments.ts'

type Parts = Pick<HttpParts, 'corrections' | 'ledger' | 'meters' | 'clock' | 'notifyAt'>

/** `GET /api/repricings`, newest first. */
export function repricingsRoute({ ledger, meters }: Pick<Parts, 'ledger' | 'meters'>): Route {
  return {
    method: 'get',
    path: '/api/repricings',
    who: 'operator',
    summary: 'The prices of past periods that were changed or are to be, newest first',
    answers: {
      200: { description: 'All previews, with what became of them', json: repricingsSchema },
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const repricings: unknown[] = []
      for (const each of await ledger.repricings()) repricings.push(await repricingJson(each, { ledger, meters }))
      ctx.body = { repricings }
    },
  }
}

/** `POST /api/repricings`: computes what another price would change, and changes nothing. */
export function previewRepricingRoute(parts: Parts): Route {
  return {
    method: 'post',
    path: '/api/repricings',
    who: 'operator',
    summary: 'What another price for a past period would change, group by group; nothing is changed yet',
    body: repricingRequest,
    query: { limit: limitSummary },
    answers: {
      201: { description: 'The preview with its id and a page of groups', json: repricingPage },
      400: 'No such period, price or meter',
      409: 'Nothing was charged in it, it overlaps with one that is applied, or differences are more than a ledger can hold',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const limit = queryLimit(ctx)
      const request = readRequest(await readJson(ctx), parts)
      const repricing = await parts.corrections.preview(request).catch(asConflict)
      ctx.status = 201
      ctx.body = await pageJson(repricing, parts, { limit })
    },
  }
}

/** `GET /api/repricings/:id`: a preview, or what was applied, group by group. */
export function repricingRoute(parts: Parts): Route {
  return {
    method: 'get',
    path: '/api/repricings/:id',
    who: 'operator',
    summary: 'A change of the price of a past period, with a page of the groups that it is about',
    params: repricingParameter,
    query: { after: afterSummary, limit: limitSummary },
    answers: {
      200: { description: 'The preview, or what became of it', json: repricingPage },
      400: 'No such page',
      404: 'There is no such preview',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const [after, limit] = [queryText(ctx, 'after'), queryLimit(ctx)]
      const repricing = await parts.ledger.repricing(ctx.params.id!)
      if (repricing === undefined) throw unknownRepricing(ctx)
      ctx.body = await pageJson(repricing, parts, { limit, ...(after !== undefined && { after }) })
    },
  }
}

/** `POST /api/repricings/:id/apply` writes what was previewed; `POST /api/repricings/:id/undo` the opposite of it. */
export function changeRepricingRoute(what: 'apply' | 'undo', parts: Parts): Route {
  const { corrections } = parts
  return {
    method: 'post',
    path: `/api/repricings/:id/${what}`,
    who: 'operator',
    summary: what === 'apply' ? 'Charges exactly what was previewed' : 'Takes it back by the opposite entries',
    params: repricingParameter,
    body: what === 'apply' ? applyRequest : asking,
    answers: {
      200: { description: 'What it is now', json: repricingSchema },
      400: what === 'apply' ? 'No JSON object' : 'No reason is given',
      404: 'There is no such preview',
      409: `${what === 'apply' ? 'It is applied, more was charged since' : 'It is not applied, undone already'}, or a total would become negative`,
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const body = await readJson(ctx)
      const id = ctx.params.id!
      const changed = await (what === 'apply'
        ? corrections.apply(id, { actor: readActor(fieldsOf(body, ['actor'])) })
        : corrections.undo(id, readAsking(body))
      ).catch(asConflict)
      if (changed === undefined) throw unknownRepricing(ctx)
      ctx.body = await repricingJson(changed, parts)
    },
  }
}

function readRequest(body: unknown, { meters, clock }: Pick<Parts, 'meters' | 'clock'>) {
  const given = fieldsOf(body, ['meter', 'from', 'to', 'price', 'reason', 'actor'])
  const meter = [...meters.values()].find(({ name }) => name === given.meter)
  if (meter === undefined) {
    const names = [...meters.values()].map(({ name }) => name).join(', ')
    throw new BadRequestError(`meter: expected one of ${names}, got ${describe(given.meter)}.`)
  }
  const period = { from: readInstant('from', given.from), to: readInstant('to', given.to) }
  if (period.to <= period.from) throw new BadRequestError('to: expected an instant after from.')
  if (period.to > clock.now()) throw new BadRequestError('to: expected an instant that has passed.')
  const perUnit = readDecimal('price', given.price)
  if (!isSensible(perUnit)) throw new BadRequestError(`price: expected ${sensibleRange}, got ${describe(given.price)}.`)
  return { meter, period, perUnit, ...readWhy(given) }
}

async function pageJson(
  repricing: Repricing,
  { ledger, meters, notifyAt }: Pick<Parts, 'ledger' | 'meters' | 'notifyAt'>,
  { after, limit }: { after?: string; limit: number },
) {
  const { id } = repricing
  const rows = await ledger.repricingGroups(id, { limit: limit + 1, ...(after !== undefined && { after }) })
  const { groups, series, amount, negative } = await ledger.repricingSummary(id)
  const state = stateOf(repricing)
  const { page, last } = cutPage(rows, limit)
  return {
    ...(await repricingJson(repricing, { ledger, meters })),
    number_of_groups: groups,
    number_below_zero: state === 'previewed' ? negative.applying : state === 'applied' ? negative.undoing : 0,
    number_of_series: series,
    difference: formatCredits(amount),
    groups: page.map((each) => groupJson(each, repricing, notifyAt)),
    next: last === undefined ? null : link(`/api/repricings/${id}`, { after: last.group, limit }),
  }
}

/** `used` is the total of now, so that of a preview it is the one before, of an applied one the one after. */
function groupJson(
  { group, used, granted, amount }: RepricingGroup,
  repricing: Repricing,
  notifyAt: readonly number[],
) {
  const state = stateOf(repricing)
  const [before, after] = state === 'applied' ? [used - amount, used] : [used, used + amount]
  const grant = granted === undefined ? undefined : parseDecimal(granted)
  return {
    group,
    used_before: formatCredits(before),
    difference: formatCredits(amount),
    used_after: formatCredits(after),
    /** Whether the next step, applying or undoing, is refused because of this group. */
    below_zero: state !== 'undone' && makesNegative(used, state === 'applied' ? -amount : amount),
    granted: granted ?? null,
    /** Parts of the grant, in percent, that this reaches or falls below. */
    crosses: grant === undefined ? [] : crossings({ before, after, granted: grant }, notifyAt),
  }
}

function stateOf({ applied, undone }: Repricing): 'previewed' | 'applied' | 'undone' {
  if (undone !== undefined) return 'undone'
  return applied === undefined ? 'previewed' : 'applied'
}

async function repricingJson(repricing: Repricing, { ledger, meters }: { ledger: Parts['ledger']; meters: Meters }) {
  const { id, metric, period, perUnit, reason, actor, previewedAt, applied, undone } = repricing
  return {
    id,
    state: stateOf(repricing),
    meter: meters.get(metric)?.name ?? null,
    metric,
    from: formatInstant(period.from),
    to: formatInstant(period.to),
    price: formatDecimal(perUnit),
    reason,
    actor,
    previewed_at: formatInstant(previewedAt),
    applied: applied === undefined ? null : { at: formatInstant(applied.at), actor: applied.actor },
    undone: undone === undefined ? null : { at: formatInstant(undone.at), actor: undone.actor, reason: undone.reason },
    charged_since: stateOf(repricing) === 'applied' ? sinceJson(await ledger.chargedAfterPreview(repricing)) : null,
  }
}

function sinceJson({ entries, amount }: ChargedSince) {
  return { entries, amount: formatCredits(amount) }
}

function unknownRepricing(ctx: RouteContext): NotFoundError {
  return new NotFoundError(`There is no re-pricing ${JSON.stringify(ctx.params.id)}: GET /api/repricings lists them.`)
}
