/** What is charged for, and what a machine would cost. */
import { add, type Decimal, decimal, formatDecimal, multiply, round, zero } from '../../core/decimals.ts'
import { type Meter, priceAt } from '../../core/meters.ts'
import type { Instant } from '../../core/time.ts'
import { NotFoundError } from '../errors.ts'
import { describe, exactNumber, numberOf, objectOf, readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { costs, meters as metersSchema, sizes as sizesSchema } from '../schemas/plans.ts'

/** `GET /api/metrics`: the keys of the old service, and the price. */
export function metersRoute({ meters, clock }: Pick<HttpParts, 'meters' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/api/metrics',
    who: 'all',
    summary: 'What is charged for, at which price',
    tag: 'prices',
    answers: { 200: { description: 'The meters by their friendly name', json: metersSchema } },
    handle(ctx) {
      const now = clock.now()
      ctx.body = Object.fromEntries([...meters.values()].map((meter) => [meter.name, meterJson(meter, now)]))
    },
  }
}

function meterJson(meter: Meter, now: Instant) {
  const price = priceAt(meter, now)
  return {
    type: 'str',
    description: meter.description,
    name: meter.metric,
    metric_name: meter.metric,
    friendly_name: meter.name,
    unit: meter.unit,
    /** Credits per unit. */
    price: formatDecimal(price.perUnit),
    price_version: price.version,
  }
}

/** `POST /api/costs_per_hour`: the answer is a number and nothing else, as of the old service. */
export function costsRoute({ meters, precision, clock }: Pick<HttpParts, 'meters' | 'precision' | 'clock'>): Route {
  return {
    method: 'post',
    path: '/api/costs_per_hour',
    who: 'all',
    summary: 'What machines of this size cost in an hour, at the price of today',
    tag: 'prices',
    body: sizesSchema,
    answers: {
      200: { description: 'A number, rounded', json: costs },
      400: 'Not such sizes',
      404: 'There is no such meter',
    },
    async handle(ctx) {
      const sizes = Object.entries(objectOf(await readJson(ctx), 'The body'))
      const now = clock.now()
      const costs = sizes.map(([name, size]) => multiply(readSize(name, size), priceAt(find(name), now).perUnit))
      ctx.body = exactNumber(formatDecimal(round(costs.reduce(add, zero), precision)))
    },
  }

  function find(name: string): Meter {
    const all = [...meters.values()]
    const meter = all.find((each) => each.name === name)
    if (meter !== undefined) return meter
    const known = all.map((each) => each.name).join(', ')
    throw new NotFoundError(`There is no meter ${describe(name)}; there are ${known}.`)
  }
}

function readSize(name: string, given: unknown): Decimal {
  return numberOf(given, name, { min: zero, max: LARGEST_SIZE })
}

/** Beyond this a size is a mistake. */
const LARGEST_SIZE = decimal('1e12')
