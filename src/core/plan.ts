/**
 * What machines will cost, and how long credits will last: exact, at the prices it is given.
 *
 * A plan is arithmetic about a wish. It knows nothing of what a group really uses; that is what forecasts are for.
 */
import { add, compare, type Decimal, floor, isNegative, multiply, powerOfTen, subtract, zero } from './decimals.ts'

/** Machines of one kind that run for the same time each day. */
export interface Machines {
  /** How many; below zero for machines that a running project gives up. */
  readonly count: bigint
  /** What one of them costs in an hour, in credits. */
  readonly perHour: Decimal
  /** 0 to 24, with at most six decimals. */
  readonly hoursPerDay: Decimal
}

/** How much a machine has of a meter. */
export interface Size {
  readonly amount: Decimal
  /** What the exporter multiplies the amount with before it is priced: 1 for ordinary machines. */
  readonly weight: Decimal
  /** Credits per unit. */
  readonly perUnit: Decimal
}

/** How long credits last: whole days, and then hours of the day after them, rounded down to hundredths. */
export interface Lasting {
  readonly days: bigint
  readonly hours: Decimal
}

/** Decimals of hours: those that are shown, and those that may be given. */
const SHOWN = 2
const PARTS = 6

/** What one machine of these sizes costs in an hour. */
export function machinePerHour(sizes: readonly Size[]): Decimal {
  return sum(sizes.map(({ amount, weight, perUnit }) => multiply(multiply(amount, weight), perUnit)))
}

/** What all machines cost in an hour in which all of them run. */
export function costPerHour(machines: readonly Machines[]): Decimal {
  return sum(machines.map(allOf))
}

/** What all machines cost on a day. */
export function costPerDay(machines: readonly Machines[]): Decimal {
  return sum(machines.map((each) => multiply(allOf(each), each.hoursPerDay)))
}

/** The smallest whole number of credits that is enough: what to ask for, as grants are whole. Never below zero. */
export function wholeGrant(credits: Decimal): bigint {
  return isNegative(credits) ? 0n : -floor(subtract(zero, credits))
}

/**
 * How long machines can run on these credits. On the day on which the credits end, all machines start together and each
 * stops after its hours.
 *
 * @returns `undefined` if the machines cost nothing: for ever.
 * @throws {RangeError} if machines are given up: nothing lasts longer by itself.
 */
export function howLong(machines: readonly Machines[], credits: Decimal): Lasting | undefined {
  if (machines.some(({ count }) => count < 0n)) throw new RangeError('Expected machines that run, got some given up')
  const perDay = costPerDay(machines)
  if (compare(perDay, zero) <= 0) return undefined
  if (isNegative(credits)) return { days: 0n, hours: zero }
  const days = floor(quotient(credits, perDay, 0))
  const rest = subtract(credits, multiply(perDay, { digits: days, scale: 0 }))
  return { days, hours: hoursOf(machines, rest) }
}

/** How many hours into a day less than what the day costs is used. */
function hoursOf(machines: readonly Machines[], credits: Decimal): Decimal {
  const ends = machines.map(({ hoursPerDay }) => hoursPerDay).sort(compare)
  let [from, rest] = [zero, credits]
  for (const to of ends) {
    const perHour = costPerHour(machines.filter(({ hoursPerDay }) => compare(hoursPerDay, from) > 0))
    const part = multiply(perHour, subtract(to, from))
    if (compare(rest, part) < 0) return roundDown(add(from, quotient(rest, perHour, PARTS)), SHOWN)
    ;[from, rest] = [to, subtract(rest, part)]
  }
  return roundDown(from, SHOWN)
}

function roundDown(number: Decimal, decimals: number): Decimal {
  return { digits: floor(multiply(number, { digits: powerOfTen(decimals), scale: 0 })), scale: decimals }
}

function allOf({ count, perHour }: Machines): Decimal {
  return multiply({ digits: count, scale: 0 }, perHour)
}

/** `a ÷ b`, rounded down to so many decimals; `a` is not negative and `b` is positive. */
function quotient(a: Decimal, b: Decimal, decimals: number): Decimal {
  return { digits: (a.digits * powerOfTen(b.scale + decimals)) / (b.digits * powerOfTen(a.scale)), scale: decimals }
}

function sum(numbers: readonly Decimal[]): Decimal {
  return numbers.reduce(add, zero)
}
