import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import {
  formatCredits,
  formatRounded,
  LARGEST_AMOUNT,
  parseCredits,
  roundCredits,
  wholeMicros,
} from '#src/core/credits.ts'
import { add, compare, decimal, multiply, zero } from '#src/core/decimals.ts'

const micro = decimal('1e-6')

suite('wholeMicros', () => {
  test('charges whole micro-credits and carries the rest', () => {
    expect(wholeMicros(decimal('0.0000015'), zero)).toMatchObject({ amount: 1n })
    expect(compare(wholeMicros(decimal('0.0000015'), zero).carry, decimal('0.5'))).toBe(0)
    expect(wholeMicros(decimal('0.0000015'), decimal('0.5'))).toMatchObject({ amount: 2n, carry: { digits: 0n } })
  })

  // Nothing is lost and nothing invented, however small the parts.
  test('keeps the sum of amounts and carry exact', () => {
    const parts = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 20 })), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(parts, (list) => {
        let [total, carry, exact] = [0n, zero, zero]
        for (const [digits, scale] of list) {
          const credits = { digits: BigInt(digits), scale }
          const step = wholeMicros(credits, carry)
          ;[total, carry, exact] = [total + step.amount, step.carry, add(exact, credits)]
          expect(compare(carry, zero)).toBeGreaterThanOrEqual(0)
          expect(compare(carry, decimal('1'))).toBeLessThan(0)
        }
        expect(compare(multiply(add({ digits: total, scale: 0 }, carry), micro), exact)).toBe(0)
      }),
    )
  })
})

suite('parseCredits', () => {
  test.each([
    ['5.50', 5_500_000n],
    ['0', 0n],
    ['-0.000001', -1n],
    ['1e3', 1_000_000_000n],
    ['1.0000000', 1_000_000n],
    ['12.5e-1', 1_250_000n],
    ['9223372036854.775807', LARGEST_AMOUNT],
    ['-9223372036854.775807', -LARGEST_AMOUNT],
  ])('reads %s', (text, micros) => {
    expect(parseCredits(text)).toBe(micros)
  })

  test.each([
    '',
    'abc',
    '1,5',
    'NaN',
    '0.0000001',
    '1.00000050',
    '9223372036854.775808',
    '-9223372036854.775808',
    '1e1000',
  ])('refuses %j', (text) => {
    expect(() => parseCredits(text)).toThrow(RangeError)
  })

  test('does not repeat a text of any length in its complaint', () => {
    expect(() => parseCredits(`1${'0'.repeat(1_000)}`)).toThrow(/^.{1,200}$/)
  })

  test('reads back every amount that was written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -LARGEST_AMOUNT, max: LARGEST_AMOUNT }), (amount) => {
        expect(parseCredits(formatCredits(amount))).toBe(amount)
        expect(parseCredits(formatRounded(amount, 6))).toBe(amount)
      }),
    )
  })
})

suite('a published amount', () => {
  test.each([
    [726_400_000n, 2, '726.40'],
    [1_005_000n, 2, '1.00'],
    [1_015_000n, 2, '1.02'],
    [1_005_001n, 2, '1.01'],
    [-1_005_000n, 2, '-1.00'],
    [-1_015_000n, 2, '-1.02'],
    [-4_999n, 2, '0.00'],
    [999_999n, 0, '1'],
    [500_000n, 0, '0'],
    [1n, 6, '0.000001'],
  ])('of %s micro-credits with %s decimals is %s', (amount, precision, text) => {
    expect(formatRounded(amount, precision)).toBe(text)
  })

  test('is written as the amount it is compared with', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
        fc.integer({ min: 0, max: 6 }),
        (amount, precision) => {
          expect(parseCredits(formatRounded(amount, precision))).toBe(roundCredits(amount, precision))
          expect(roundCredits(roundCredits(amount, precision), precision)).toBe(roundCredits(amount, precision))
        },
      ),
    )
  })
})
