/**
 * Exact decimal numbers of any size.
 *
 * The exporter writes a double as the shortest decimal that reads back the same (`1.0047221891027555e+06`); the digits as
 * written are what we charge for. A JavaScript number would round them again with every subtraction, so a number here is a
 * whole number of digits and the place of the point. Adding, subtracting and multiplying are exact; dividing only rounds.
 */

/** `digits × 10^-scale`; `scale` is zero or positive. Two decimals with the same value may differ in scale. */
export interface Decimal {
  readonly digits: bigint
  readonly scale: number
}

export const zero: Decimal = { digits: 0n, scale: 0 }

/** Beyond this a number is a mistake or an attack: doubles end at 1.8e308 and their smallest has 1,074 decimals. */
const LONGEST_TEXT = 1_200
const LARGEST_EXPONENT = 1_100

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/

/**
 * Reads a decimal as programs write it: `12`, `-0.5`, `.5`, `1.0047221891027555e+06`.
 *
 * @returns `undefined` for anything else: no digits, blanks, `NaN`, `Inf`, hexadecimal, an exponent beyond ±1,100.
 */
export function parseDecimal(text: string): Decimal | undefined {
  return parseUsual(text) ?? parseAny(text)
}

function parseAny(text: string): Decimal | undefined {
  if (text.length > LONGEST_TEXT) return undefined
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = '', exponent] = match
  if (whole === '' && fraction === '') return undefined
  const shift = exponent === undefined ? 0 : Number(exponent)
  if (Math.abs(shift) > LARGEST_EXPONENT) return undefined
  const unsigned = BigInt(whole + fraction)
  const digits = sign === '-' ? -unsigned : unsigned
  const scale = fraction.length - shift
  return scale >= 0 ? { digits, scale } : { digits: digits * powerOfTen(-scale), scale: 0 }
}

/** Digits that are read in two halves, each of which a double holds exactly. */
const HALF = 9
const MOST_USUAL = 2 * HALF
/** A sign and as many digits as doubles have in their exponent. */
const LONGEST_EXPONENT = 4

const [ZERO, NINE, PLUS, MINUS, POINT, SMALL_E] = [48, 57, 43, 45, 46, 101]

/**
 * The same as `parseAny` for what doubles are written like, `12`, `0.5` or `1.0047221891027555e+06`, several times as fast:
 * without a pattern and without a text between the digits and their number.
 *
 * @returns `undefined` for anything else.
 */
function parseUsual(text: string): Decimal | undefined {
  let [high, low, count, at, point] = [0, 0, 0, 0, -1]
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code >= ZERO && code <= NINE) {
      if (count < HALF) high = high * 10 + code - ZERO
      else low = low * 10 + code - ZERO
      count += 1
    } else if (code === POINT && point === -1) point = count
    else break
  }
  if (count === 0 || count > MOST_USUAL) return undefined
  const exponent = at === text.length ? 0 : usualExponent(text, at)
  if (exponent === undefined) return undefined
  const digits = count <= HALF ? BigInt(high) : joined(high, low, count - HALF)
  const scale = (point === -1 ? 0 : count - point) - exponent
  return scale >= 0 ? { digits, scale } : { digits: digits * powerOfTen(-scale), scale: 0 }
}

/** `e+06` at the end of a text. */
function usualExponent(text: string, at: number): number | undefined {
  if (text.charCodeAt(at) !== SMALL_E) return undefined
  const sign = text.charCodeAt(at + 1)
  const isSigned = sign === PLUS || sign === MINUS
  const from = isSigned ? at + 2 : at + 1
  if (from === text.length || text.length - at > 1 + LONGEST_EXPONENT) return undefined
  let exponent = 0
  for (let place = from; place < text.length; place += 1) {
    const code = text.charCodeAt(place)
    if (code < ZERO || code > NINE) return undefined
    exponent = exponent * 10 + code - ZERO
  }
  return exponent <= LARGEST_EXPONENT ? (sign === MINUS ? -exponent : exponent) : undefined
}

function joined(high: number, low: number, lowDigits: number): bigint {
  const whole = high * 10 ** lowDigits + low
  return Number.isSafeInteger(whole) ? BigInt(whole) : BigInt(high) * powerOfTen(lowDigits) + BigInt(low)
}

/**
 * The decimal that `text` writes, for texts of our own: constants, stored numbers, tests.
 *
 * @throws {RangeError} if `text` is not a decimal number.
 */
export function decimal(text: string): Decimal {
  const parsed = parseDecimal(text)
  if (parsed === undefined) throw new RangeError(`Expected a decimal number, got "${text.slice(0, 80)}"`)
  return parsed
}

const powers: bigint[] = []

/** 10^exponent for a whole exponent of zero or more. */
export function powerOfTen(exponent: number): bigint {
  powers[exponent] ??= 10n ** BigInt(exponent)
  return powers[exponent]
}

/** The digits of `number` at a scale that is at least its own. */
function digitsAt(number: Decimal, scale: number): bigint {
  return number.scale === scale ? number.digits : number.digits * powerOfTen(scale - number.scale)
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return { digits: digitsAt(a, scale) + digitsAt(b, scale), scale }
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return { digits: digitsAt(a, scale) - digitsAt(b, scale), scale }
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale }
}

/** Negative when `a` is less than `b`, zero when they are the same number, positive when `a` is more. */
export function compare(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale)
  const [left, right] = [digitsAt(a, scale), digitsAt(b, scale)]
  return left < right ? -1 : left > right ? 1 : 0
}

export function isZero(number: Decimal): boolean {
  return number.digits === 0n
}

export function isNegative(number: Decimal): boolean {
  return number.digits < 0n
}

/** The largest whole number that is not above `number`. */
export function floor(number: Decimal): bigint {
  const unit = powerOfTen(number.scale)
  const quotient = number.digits / unit
  return number.digits < 0n && quotient * unit !== number.digits ? quotient - 1n : quotient
}

/** `numerator ÷ denominator` to the nearest whole number, a tie to the even one. `denominator` is positive. */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const rest = numerator - quotient * denominator
  const twice = (rest < 0n ? -rest : rest) * 2n
  if (twice < denominator || (twice === denominator && quotient % 2n === 0n)) return quotient
  return quotient + (numerator < 0n ? -1n : 1n)
}

/** `number` with at most `places` digits after the point, half to even. */
export function round(number: Decimal, places: number): Decimal {
  if (number.scale <= places) return number
  return { digits: divideHalfEven(number.digits, powerOfTen(number.scale - places)), scale: places }
}

/** Plain notation without exponent, superfluous zeros or a minus before zero: `1004722.1891027555`, `0.5`, `-3`, `0`. */
export function formatDecimal(number: Decimal): string {
  const plain = formatFixed(number)
  if (number.scale === 0) return plain
  let end = plain.length
  while (plain.charCodeAt(end - 1) === ZERO) end -= 1
  if (plain.charCodeAt(end - 1) === POINT) end -= 1
  return end === plain.length ? plain : plain.slice(0, end)
}

/** Plain notation with all `scale` digits after the point: `1.50`. */
export function formatFixed({ digits, scale }: Decimal): string {
  if (scale === 0) return String(digits)
  const unsigned = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
  return `${digits < 0n ? '-' : ''}${unsigned.slice(0, -scale)}.${unsigned.slice(-scale)}`
}

/** A JavaScript number close to it (some 15 digits): for charts, metrics and rules of thumb, never for money. */
export function approximate({ digits, scale }: Decimal): number {
  const whole = Number(digits)
  // The short way is ten times as fast; it ends where doubles end.
  return Number.isFinite(whole) && scale <= 300 ? whole / 10 ** scale : Number(`${digits}e-${scale}`)
}
