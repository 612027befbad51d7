/** What we charge for, and at what price. */
import { type Decimal, isNegative, powerOfTen } from './decimals.ts'
import type { Instant } from './time.ts'

/** Credits per unit, valid from an instant until the next price begins. */
export interface Price {
  /** Names this price in every entry made with it: meter, beginning and price, such as `cpu@2026-01-01=1.1`. */
  readonly version: string
  /** The first price of a meter begins at -Infinity: no reading is without a price. */
  readonly from: Instant
  readonly perUnit: Decimal
}

/** Something we charge for. */
export interface Meter {
  /** The friendly name: `cpu`. */
  readonly name: string
  /** The exporter's name: `project_vcpu_usage`. */
  readonly metric: string
  /** The unit of consumption: `vCPU·h`. */
  readonly unit: string
  readonly description: string
  /** Growth of one series in units per hour beyond which a reading is held instead of charged. */
  readonly maxGrowthPerHour: Decimal
  /** In order of `from`; at least one. */
  readonly prices: readonly Price[]
}

/** The meters of a worker, by the exporter's name. */
export type Meters = ReadonlyMap<string, Meter>

/** The price at an instant. */
export function priceAt(meter: Meter, at: Instant): Price {
  return meter.prices.findLast((price) => price.from <= at) ?? meter.prices[0]!
}

/** Prices and limits beyond this are mistakes; what is smaller than this many decimals too. */
const MOST_DIGITS = 15
const MOST_DECIMALS = 12

/** What `isSensible` takes, in words. */
export const sensibleRange = `a number of zero or more with at most ${MOST_DIGITS} digits and ${MOST_DECIMALS} decimals`

/** Whether a number that a person writes can be a price or a limit. */
export function isSensible(number: Decimal): boolean {
  if (isNegative(number) || number.scale > MOST_DECIMALS) return false
  return number.digits < powerOfTen(MOST_DIGITS + number.scale)
}
