/**
 * Credits are whole micro-credits (10⁻⁶ credit) in a bigint; outside the program they are decimal strings.
 *
 * Rounding happens in one place, `roundCredits`, and only where an amount is shown or published.
 */
import {
  add,
  type Decimal,
  decimal,
  divideHalfEven,
  floor,
  formatDecimal,
  formatFixed,
  powerOfTen,
} from './decimals.ts'

/** Micro-credits. */
export type Credits = bigint

const SCALE = 6
const microsPerCredit: Decimal = decimal('1000000')

/** What a ledger column holds (a signed 64-bit integer): about nine trillion credits. */
export const LARGEST_AMOUNT: Credits = 2n ** 63n - 1n

/**
 * The largest total of a group, some 92 billion credits. Beyond it there are only mistakes, and it leaves room for what is
 * added on the way: roundings, differences, sums over sites.
 */
export const LARGEST_TOTAL: Credits = LARGEST_AMOUNT / 100n

/**
 * Whole micro-credits and what is left over of one.
 *
 * @param credits An exact number of credits.
 * @param carry What was left over before: from 0 up to, not including, one micro-credit.
 */
export function wholeMicros(credits: Decimal, carry: Decimal): { amount: Credits; carry: Decimal } {
  const micros = add({ digits: credits.digits * microsPerCredit.digits, scale: credits.scale }, carry)
  const amount = floor(micros)
  return { amount, carry: { digits: micros.digits - amount * powerOfTen(micros.scale), scale: micros.scale } }
}

/**
 * Reads an amount of credits such as `5.50`.
 *
 * @throws {RangeError} if `text` is no decimal number, has a part smaller than a micro-credit or does not fit a ledger.
 */
export function parseCredits(text: string): Credits {
  const { digits, scale } = decimal(text)
  const unit = scale > SCALE ? powerOfTen(scale - SCALE) : 1n
  const micros = scale > SCALE ? digits / unit : digits * powerOfTen(SCALE - scale)
  if (micros * unit !== (scale > SCALE ? digits : micros)) {
    throw new RangeError(`Expected at most ${SCALE} decimals of a credit, got "${text.slice(0, 80)}"`)
  }
  if (micros > LARGEST_AMOUNT || micros < -LARGEST_AMOUNT)
    throw new RangeError(`${text.slice(0, 80)} credits are too many`)
  return micros
}

/** The exact amount as a decimal string without superfluous zeros: `726.4`. */
export function formatCredits(amount: Credits): string {
  return formatDecimal({ digits: amount, scale: SCALE })
}

/**
 * The amount as it is published: rounded half to even to `precision` decimals (0 to 6), all of them written: `726.40`.
 */
export function formatRounded(amount: Credits, precision: number): string {
  return formatFixed({ digits: divideHalfEven(amount, powerOfTen(SCALE - precision)), scale: precision })
}

/**
 * An amount as somebody was shown it who was told with `precision` decimals: all of them are written. More only if the amount
 * has more: it was published when more were set.
 */
export function formatShown(amount: Credits, precision: number): string {
  return roundCredits(amount, precision) === amount ? formatRounded(amount, precision) : formatCredits(amount)
}

/** The rounded amount itself, in micro-credits, to compare with what is published. */
export function roundCredits(amount: Credits, precision: number): Credits {
  const unit = powerOfTen(SCALE - precision)
  return divideHalfEven(amount, unit) * unit
}
