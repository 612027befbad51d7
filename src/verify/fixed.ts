/**
 * The arithmetic of the check: decimal texts as whole numbers of some power of ten.
 *
 * It is written anew on purpose. A mistake in the arithmetic of the worker that was repeated here would go unnoticed.
 */

/** `units ÷ 10^places`. */
export interface Fixed {
  readonly units: bigint
  readonly places: number
}

const plain = /^(-?)(0|[1-9]\d*)(?:\.(\d*[1-9]))?$/

/**
 * Reads a decimal in the one way the ledger writes it: no exponent, no superfluous zeros.
 *
 * @returns `undefined` for everything else, other notations of the same number too: the ledger never has them.
 */
export function readFixed(text: unknown): Fixed | undefined {
  const match = typeof text === 'string' ? plain.exec(text) : null
  if (match === null || text === '-0') return undefined
  const fraction = match[3] ?? ''
  const units = BigInt(match[2]! + fraction)
  return { units: match[1] === '-' ? -units : units, places: fraction.length }
}

const tens: bigint[] = []

function ten(exponent: number): bigint {
  tens[exponent] ??= 10n ** BigInt(exponent)
  return tens[exponent]
}

function unitsAt({ units, places }: Fixed, finer: number): bigint {
  return units * ten(finer - places)
}

export function difference(a: Fixed, b: Fixed): Fixed {
  const places = Math.max(a.places, b.places)
  return { units: unitsAt(a, places) - unitsAt(b, places), places }
}

export function sum(a: Fixed, b: Fixed): Fixed {
  const places = Math.max(a.places, b.places)
  return { units: unitsAt(a, places) + unitsAt(b, places), places }
}

/** Micro-credits of a consumption at a price, not rounded. */
export function microsOf(consumption: Fixed, perUnit: Fixed): Fixed {
  return { units: consumption.units * perUnit.units * 1_000_000n, places: consumption.places + perUnit.places }
}

/** Splits into whole units and the rest, which is from 0 up to, not including, 1. */
export function wholeAndRest({ units, places }: Fixed): { whole: bigint; rest: Fixed } {
  const one = ten(places)
  const rest = ((units % one) + one) % one
  return { whole: (units - rest) / one, rest: { units: rest, places } }
}

/** As the ledger writes it. */
export function writeFixed({ units, places }: Fixed): string {
  const digits = String(units < 0n ? -units : units).padStart(places + 1, '0')
  const cut = digits.length - places
  const fraction = digits.slice(cut).replace(/0+$/, '')
  return `${units < 0n ? '-' : ''}${digits.slice(0, cut)}${fraction === '' ? '' : `.${fraction}`}`
}

/** An amount of micro-credits rounded half to even to `precision` decimals of a credit (0 to 6). */
export function roundAmount(amount: bigint, precision: number): bigint {
  const unit = ten(6 - precision)
  const below = amount - (((amount % unit) + unit) % unit)
  const twice = (amount - below) * 2n
  const up = twice > unit || (twice === unit && (below / unit) % 2n !== 0n)
  return up ? below + unit : below
}

/** Credits as people read them, exactly: `726.4`. */
export function writeAmount(amount: bigint): string {
  return writeFixed({ units: amount, places: 6 })
}

/** Credits as Perun shows them: `726.40`. */
export function writeRounded(amount: bigint, precision: number): string {
  const rounded = roundAmount(amount, precision)
  const digits = String(rounded < 0n ? -rounded : rounded).padStart(7, '0')
  const cut = digits.length - 6
  const fraction = digits.slice(cut, cut + precision)
  return `${rounded < 0n ? '-' : ''}${digits.slice(0, cut)}${precision === 0 ? '' : `.${fraction}`}`
}
