/** The planner: which grant to ask for, and how long credits last. */
import { add, type Decimal, formatDecimal, multiply, round, subtract } from '../../core/decimals.ts'
import { type Meter, type Meters, priceAt } from '../../core/meters.ts'
import { costPerDay, costPerHour, howLong, type Lasting, type Machines, wholeGrant } from '../../core/plan.ts'
import { formatInstant, type Instant } from '../../core/time.ts'
import { exactNumber, readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { type PlanRequest, readPlanRequest } from '../planRequest.ts'
import type { Route } from '../route.ts'
import { plan, planRequest } from '../schemas/plans.ts'

/** `POST /api/plan`. */
export function planRoute({ meters, clock }: Pick<HttpParts, 'meters' | 'clock'>): Route {
  return {
    method: 'post',
    path: '/api/plan',
    who: 'all',
    summary: 'Which grant machines need, or how long credits last, at the prices of today',
    tag: 'prices',
    body: planRequest,
    answers: { 200: { description: 'What it costs', json: plan }, 400: 'Not such a plan' },
    async handle(ctx) {
      ctx.body = planJson(await readJson(ctx), { meters, now: clock.now() })
    },
  }
}

export type PlanJson = ReturnType<typeof planJson>

/**
 * What a plan costs.
 *
 * @throws {BadRequestError} if the body is no plan.
 */
export function planJson(body: unknown, { meters, now }: { readonly meters: Meters; readonly now: Instant }) {
  const request = readPlanRequest(body, meters, now)
  return {
    per_hour: exact(costPerHour(request.machines)),
    per_day: exact(costPerDay(request.machines)),
    ...spending(request),
    ...lasting(request),
    prices: Object.fromEntries(request.meters.map((meter) => [meter.name, priceJson(meter, now)])),
  }
}

/** What the days cost, and which grant they need beside what is granted already. */
function spending({ machines, days, project }: PlanRequest) {
  if (days === undefined) return {}
  const credits = multiply(costPerDay(machines), days)
  if (project === undefined) return { credits: exact(credits), grant: String(wholeGrant(credits)) }
  const grant = wholeGrant(add(project.granted, credits))
  return {
    credits: exact(credits),
    grant: String(grant),
    /** What the grant has to grow by. */
    more: exact(subtract({ digits: grant, scale: 0 }, project.granted)),
    /** What is left after these days if the grant stays as it is. */
    left_after: exact(subtract(leftOf(project), credits)),
  }
}

function lasting({ machines, credits, project }: PlanRequest) {
  if (project !== undefined) {
    const left = leftOf(project)
    return { left: exact(left), ...(areRunning(machines) && { lasts: lastsJson(howLong(machines, left)) }) }
  }
  return credits === undefined ? {} : { lasts: lastsJson(howLong(machines, credits)) }
}

function leftOf({ granted, used }: NonNullable<PlanRequest['project']>): Decimal {
  return subtract(granted, used)
}

function areRunning(machines: readonly Machines[]): boolean {
  return machines.every(({ count }) => count > 0n)
}

/** `null` is for ever. */
function lastsJson(lasts: Lasting | undefined) {
  return lasts === undefined
    ? null
    : { days: exactNumber(String(lasts.days)), hours: exactNumber(formatDecimal(lasts.hours)) }
}

function priceJson(meter: Meter, now: Instant) {
  const { perUnit, version } = priceAt(meter, now)
  const next = meter.prices.find(({ from }) => from > now)
  return {
    price: formatDecimal(perUnit),
    price_version: version,
    /** Another price holds from then on: what is planned beyond it will cost something else. */
    until: next === undefined ? null : formatInstant(next.from),
  }
}

/** To a micro-credit. */
function exact(credits: Decimal): string {
  return formatDecimal(round(credits, 6))
}
