/** What the planner is asked: the body of `POST /api/plan`. */
import { compare, type Decimal, decimal, round, zero } from '../core/decimals.ts'
import { type Meter, type Meters, priceAt } from '../core/meters.ts'
import { type Machines, machinePerHour } from '../core/plan.ts'
import type { Instant } from '../core/time.ts'
import { BadRequestError } from './errors.ts'
import { describe, numberOf, objectOf } from './json.ts'

export interface PlanRequest {
  readonly machines: readonly Machines[]
  /** The meters that the machines have. */
  readonly meters: readonly Meter[]
  /** How long the machines are to run. */
  readonly days: Decimal | undefined
  /** For how long these are enough. */
  readonly credits: Decimal | undefined
  /** Of a running project. */
  readonly project: { readonly granted: Decimal; readonly used: Decimal } | undefined
}

type Fields = Readonly<Record<string, unknown>>

const LARGEST = decimal('1e12')
const MOST_DECIMALS = 6
const MOST_KINDS = 1_000
const MOST_MACHINES = decimal('1000000')
const HOURS = decimal('24')
/** A hundred years. */
const MOST_DAYS = decimal('36525')
const one = decimal('1')

/**
 * @param at Prices are those of this instant.
 * @throws {BadRequestError} if it is no such request, with the field, what was expected and what was found.
 */
export function readPlanRequest(body: unknown, known: Meters, at: Instant): PlanRequest {
  const fields = objectOf(body, 'The body')
  only(['machines', 'hours_per_day', 'days', 'credits', 'granted', 'used'], fields, '')
  const granted = amount(fields, 'granted')
  const used = amount(fields, 'used')
  const days = amount(fields, 'days', MOST_DAYS)
  const credits = amount(fields, 'credits')
  if (used !== undefined && granted === undefined)
    missing('granted', 'the grant of the project that used these credits')
  if (credits !== undefined && granted !== undefined) surplus('credits', 'granted, whose rest is looked at')
  if (credits !== undefined && days !== undefined) surplus('credits', 'days, for which credits are computed')
  if (credits === undefined && days === undefined && granted === undefined)
    missing('days', 'a number of days, or credits, or the granted and used credits of a project')
  const hoursPerDay = amount(fields, 'hours_per_day', HOURS) ?? HOURS
  const isChange = granted !== undefined && days !== undefined
  const kinds = listOf(fields.machines).map((each, index) =>
    readMachines(each, `machines[${index}].`, { known, at, hoursPerDay, isChange }),
  )
  return {
    machines: kinds.map(({ machines }) => machines),
    meters: [...new Set(kinds.flatMap(({ meters }) => meters))],
    days,
    credits,
    project: granted === undefined ? undefined : { granted, used: used ?? zero },
  }
}

interface Rules {
  readonly known: Meters
  readonly at: Instant
  /** Of machines that do not say it. */
  readonly hoursPerDay: Decimal
  /** Whether machines of a running project may be given up. */
  readonly isChange: boolean
}

function readMachines(value: unknown, place: string, rules: Rules): { machines: Machines; meters: Meter[] } {
  const fields = objectOf(value, place.slice(0, -1))
  only(['count', 'sizes', 'weights', 'hours_per_day'], fields, place)
  const sizes = objectOf(fields.sizes, `${place}sizes`)
  const weights = fields.weights === undefined ? {} : objectOf(fields.weights, `${place}weights`)
  const names = Object.keys(sizes)
  if (names.length === 0) throw new BadRequestError(`${place}sizes: expected at least one meter, got {}.`)
  const stray = Object.keys(weights).find((name) => !Object.hasOwn(sizes, name))
  if (stray !== undefined) {
    throw new BadRequestError(`${place}weights: expected meters that sizes has, got ${describe(stray)}.`)
  }
  const parts = names.map((name) => ({
    meter: meterOf(name, rules.known, `${place}sizes`),
    amount: amount(sizes, name, LARGEST, `${place}sizes.`)!,
    weight: amount(weights, name, LARGEST, `${place}weights.`) ?? one,
  }))
  const priced = parts.map(({ meter, ...size }) => ({ ...size, perUnit: priceAt(meter, rules.at).perUnit }))
  return {
    machines: {
      count: readCount(fields.count ?? '1', `${place}count`, rules.isChange),
      perHour: machinePerHour(priced),
      hoursPerDay: amount(fields, 'hours_per_day', HOURS, place) ?? rules.hoursPerDay,
    },
    meters: parts.map(({ meter }) => meter),
  }
}

function readCount(value: unknown, what: string, isChange: boolean): bigint {
  const text = typeof value === 'string' && /^-?\d{1,7}$/.test(value) ? value : undefined
  const count = BigInt(text ?? 0)
  if (count !== 0n && compare({ digits: count < 0n ? -count : count, scale: 0 }, MOST_MACHINES) <= 0) {
    if (count > 0n || isChange) return count
    throw new BadRequestError(
      `${what}: machines are given up only where granted and days are said, got ${describe(value)}.`,
    )
  }
  throw new BadRequestError(`${what}: expected a whole number up to 1000000 and not 0, got ${describe(value)}.`)
}

/** A number from 0 on; `undefined` if it is not given. */
function amount(fields: Fields, name: string, max = LARGEST, place = ''): Decimal | undefined {
  if (!Object.hasOwn(fields, name)) return undefined
  const number = numberOf(fields[name], `${place}${name}`, { min: zero, max })
  if (compare(round(number, MOST_DECIMALS), number) === 0) return number
  const found = describe(fields[name])
  throw new BadRequestError(`${place}${name}: expected at most ${MOST_DECIMALS} decimals, got ${found}.`)
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= MOST_KINDS) return value
  const found = Array.isArray(value) ? `${value.length} of them` : describe(value)
  throw new BadRequestError(`machines: expected a list of 1 to ${MOST_KINDS} kinds of machines, got ${found}.`)
}

function meterOf(name: string, known: Meters, what: string): Meter {
  const all = [...known.values()]
  const meter = all.find((each) => each.name === name)
  if (meter !== undefined) return meter
  const names = all.map((each) => each.name).join(', ')
  throw new BadRequestError(`${what}: expected meters of ${names}, got ${describe(name)}.`)
}

function only(names: readonly string[], fields: Fields, place: string): void {
  const other = Object.keys(fields).find((name) => !names.includes(name))
  if (other === undefined) return
  throw new BadRequestError(
    `${place === '' ? 'The body' : place.slice(0, -1)}: expected ${names.join(', ')}, got ${describe(other)}.`,
  )
}

function missing(name: string, expected: string): never {
  throw new BadRequestError(`${name}: expected ${expected}, got nothing.`)
}

function surplus(name: string, other: string): never {
  throw new BadRequestError(`${name}: expected nothing beside ${other}.`)
}
