import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import { suite, test } from 'vitest'
import { decimal, formatDecimal } from '#src/core/decimals.ts'
import { differenceOf } from '#src/core/repricing.ts'
import { HOUR } from '#src/core/time.ts'

const charge = (from: number, to: number, fromValue: string, toValue: string, perUnit = '1') => ({
  from: { at: from * HOUR, value: decimal(fromValue) },
  to: { at: to * HOUR, value: decimal(toValue) },
  perUnit: decimal(perUnit),
})
const day = { from: 0, to: 24 * HOUR }
const asTold = ({ consumption, amount }: ReturnType<typeof differenceOf>) => [formatDecimal(consumption), amount]

suite('another price for a past period', () => {
  test('costs the consumption in it times what the price is more', () => {
    const charges = [charge(1, 2, '10', '12'), charge(2, 3, '12', '15', '1.5')]
    // 2 × (2 − 1) + 3 × (2 − 1.5) = 3.5
    deepEqual(asTold(differenceOf(charges, day, decimal('2'))), ['5', 3_500_000n])
    // 2 × (0.5 − 1) + 3 × (0.5 − 1.5) = −4
    deepEqual(asTold(differenceOf(charges, day, decimal('0.5'))), ['5', -4_000_000n])
  })

  test('changes nothing where the price was right', () => {
    deepEqual(asTold(differenceOf([charge(1, 2, '10', '12')], day, decimal('1.0'))), ['2', 0n])
  })

  test('counts a charge that crosses its border in proportion to time', () => {
    // A quarter of 8 is in the period: 2 × (3 − 1) = 4
    deepEqual(asTold(differenceOf([charge(-3, 1, '0', '8')], day, decimal('3'))), ['2', 4_000_000n])
    deepEqual(asTold(differenceOf([charge(24, 30, '0', '8')], day, decimal('3'))), ['0', 0n])
  })

  test('is rounded once for all charges of a series, half to even', () => {
    const tiny = (at: number) => charge(at, at + 1, `${at * 0.5}`, `${(at + 1) * 0.5}`)
    // 3 × 0.5 × 0.000001 = 0.0000015 credits
    const three = [tiny(0), tiny(1), tiny(2)]
    deepEqual(asTold(differenceOf(three, day, decimal('1.000001'))), ['1.5', 2n])
    deepEqual(asTold(differenceOf([tiny(0)], day, decimal('1.000001'))), ['0.5', 0n])
  })

  test('is the same however often the series was charged in between', () => {
    const price = fc.integer({ min: 0, max: 5_000 }).map((number) => decimal(`${number}e-3`))
    const values = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 3, maxLength: 20 })
    fc.assert(
      fc.property(values, price, (given, perUnit) => {
        const sorted = given.toSorted((a, b) => a - b)
        const many = sorted.slice(1).map((to, index) => charge(index, index + 1, `${sorted[index]}e-5`, `${to}e-5`))
        const one = charge(0, sorted.length - 1, `${sorted[0]}e-5`, `${sorted.at(-1)}e-5`)
        const period = { from: 0, to: 100 * HOUR }
        equal(differenceOf(many, period, perUnit).amount, differenceOf([one], period, perUnit).amount)
      }),
    )
  })
})
