/**
 * From consumption to credits.
 *
 * A charge is exact: consumption × price in decimals. The whole micro-credits of it are charged, what is left of one is
 * carried with the series into its next charge. So it makes no difference how often a series was read in between.
 */
import { type Credits, wholeMicros } from './credits.ts'
import { type Decimal, divideHalfEven, multiply, powerOfTen, subtract } from './decimals.ts'
import { type Meter, type Price, priceAt } from './meters.ts'
import type { Instant } from './time.ts'

/** A period with the consumption in it, in the meter's unit. `from` is before `to`. */
export interface Usage {
  readonly from: Instant
  readonly to: Instant
  readonly consumption: Decimal
}

/** What a period under one price costs. */
export interface Charge extends Usage {
  readonly price: Price
  readonly amount: Credits
  /** What was left of a micro-credit before and after: `amount + carryOut = consumption × price × 10⁶ + carryIn`. */
  readonly carryIn: Decimal
  readonly carryOut: Decimal
}

/** Consumption is split at a change of price to this many decimals; the parts always add up to the whole. */
const SPLIT_DECIMALS = 18

/** Splits a period at each change of price within it, the consumption in proportion to time. */
export function splitByPrice(meter: Meter, usage: Usage): { usage: Usage; price: Price }[] {
  const parts: { usage: Usage; price: Price }[] = []
  let { from, consumption } = usage
  for (const next of meter.prices) {
    if (next.from <= from || next.from >= usage.to) continue
    const share = proportion(consumption, next.from - from, usage.to - from)
    parts.push({ usage: { from, to: next.from, consumption: share }, price: priceAt(meter, from) })
    consumption = subtract(consumption, share)
    from = next.from
  }
  parts.push({ usage: { from, to: usage.to, consumption }, price: priceAt(meter, from) })
  return parts
}

/** The charges for a period: one, or one for each price that was valid in it. */
export function rate(meter: Meter, usage: Usage, carry: Decimal): Charge[] {
  let carryIn = carry
  return splitByPrice(meter, usage).map(({ usage: part, price }) => {
    const { amount, carry: carryOut } = wholeMicros(multiply(part.consumption, price.perUnit), carryIn)
    const charge = { ...part, price, amount, carryIn, carryOut }
    carryIn = carryOut
    return charge
  })
}

/** `number × part ÷ whole`, rounded to `SPLIT_DECIMALS`. */
export function proportion(number: Decimal, part: number, whole: number): Decimal {
  const scale = Math.max(number.scale, SPLIT_DECIMALS)
  const digits = number.digits * powerOfTen(scale - number.scale) * BigInt(part)
  return { digits: divideHalfEven(digits, BigInt(whole)), scale }
}
