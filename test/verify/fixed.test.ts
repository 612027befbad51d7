import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { formatCredits, formatRounded, roundCredits, wholeMicros } from '#src/core/credits.ts'
import { decimal, formatDecimal, multiply, subtract } from '#src/core/decimals.ts'
import {
  difference,
  microsOf,
  readFixed,
  roundAmount,
  sum,
  wholeAndRest,
  writeAmount,
  writeFixed,
  writeRounded,
} from '#src/verify/fixed.ts'

const numbers = fc
  .tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.nat(20))
  .map(([digits, scale]) => formatDecimal({ digits, scale }))
const amounts = fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n })
const fixed = (text: string) => readFixed(text)!

suite('the arithmetic of the check', () => {
  test.each(['1e3', '+1', '01', '1.50', '.5', '1.', '-0', '', ' 1', '1\n', 'NaN', '0x1', '٣'])(
    'does not read %j',
    (text) => {
      expect(readFixed(text)).toBeUndefined()
    },
  )

  test('reads no bytes and no number of SQLite', () => {
    for (const value of [1, 1n, null, new Uint8Array(1)]) expect(readFixed(value)).toBeUndefined()
  })

  test('writes what it reads', () => {
    fc.assert(
      fc.property(numbers, (text) => {
        expect(writeFixed(fixed(text))).toBe(text)
      }),
    )
  })

  // Written twice, by two people: they agree.
  test('charges what the worker charges', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, numbers, (from, to, price, carry) => {
        const theirs = wholeMicros(multiply(subtract(decimal(to), decimal(from)), decimal(price)), decimal(carry))
        const ours = wholeAndRest(sum(microsOf(difference(fixed(to), fixed(from)), fixed(price)), fixed(carry)))
        expect([ours.whole, writeFixed(ours.rest)]).toEqual([theirs.amount, formatDecimal(theirs.carry)])
      }),
    )
  })

  test('rounds and writes amounts as the worker does', () => {
    fc.assert(
      fc.property(amounts, fc.nat(6), (amount, precision) => {
        expect(roundAmount(amount, precision)).toBe(roundCredits(amount, precision))
        expect(writeRounded(amount, precision)).toBe(formatRounded(amount, precision))
        expect(writeAmount(amount)).toBe(formatCredits(amount))
      }),
    )
  })

  test.each([
    [5_000n, 2, '0.00'],
    [15_000n, 2, '0.02'],
    [25_000n, 2, '0.02'],
    [-5_000n, 2, '0.00'],
    [-15_000n, 2, '-0.02'],
    [2_500_000n, 0, '2'],
    [1_234_567n, 6, '1.234567'],
  ])('rounds %s micro-credits to %s decimals: %s', (amount, precision, text) => {
    expect(writeRounded(amount, precision)).toBe(text)
  })
})
