/**
 * What another price for a past period would have made of its charges.
 *
 * Old entries never change, so a price that was wrong is put right by the difference: for each series, the consumption in the
 * period times what the price would have been more, exactly, and rounded once (half to even) to a whole micro-credit.
 */
import type { Credits } from './credits.ts'
import { add, type Decimal, divideHalfEven, multiply, powerOfTen, subtract, zero } from './decimals.ts'
import type { ChargeEntry } from './entries.ts'
import { proportion } from './rating.ts'
import type { Instant } from './time.ts'

/** From an instant up to, not including, another one. */
export interface Period {
  readonly from: Instant
  readonly to: Instant
}

export interface Difference {
  /** Consumption in the period, in the meter's unit. */
  readonly consumption: Decimal
  /** What the group is to be charged more; less than zero gives back. */
  readonly amount: Credits
}

/**
 * The difference for one series.
 *
 * @param charges Its charges; what lies outside of the period does not count. One that crosses a border of the period counts
 *   in proportion to time.
 * @param perUnit Credits per unit that should have been charged.
 */
export function differenceOf(
  charges: Iterable<Pick<ChargeEntry, 'from' | 'to' | 'perUnit'>>,
  period: Period,
  perUnit: Decimal,
): Difference {
  let consumption = zero
  let credits = zero
  for (const charge of charges) {
    const share = shareOf(charge, period)
    consumption = add(consumption, share)
    credits = add(credits, multiply(share, subtract(perUnit, charge.perUnit)))
  }
  const micros = credits.digits * powerOfTen(MICRO)
  return { consumption, amount: divideHalfEven(micros, powerOfTen(credits.scale)) }
}

const MICRO = 6

/** Whether a correction takes more back than was used; what charges more is fine even while the total is below zero. */
export function makesNegative(used: Credits, amount: Credits): boolean {
  return amount < 0n && used + amount < 0n
}

/** The part of a charge's consumption that lies in the period. */
function shareOf({ from, to }: Pick<ChargeEntry, 'from' | 'to'>, period: Period): Decimal {
  const whole = subtract(to.value, from.value)
  const [begin, end] = [Math.max(from.at, period.from), Math.min(to.at, period.to)]
  if (begin >= end) return zero
  return begin === from.at && end === to.at ? whole : proportion(whole, end - begin, to.at - from.at)
}
