import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import { suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import { crossings, lineOf, nextLine, reached } from '#src/core/thresholds.ts'

suite('crossings', () => {
  const cross = (before: bigint, after: bigint, granted = '100') =>
    crossings({ before: before * 1_000_000n, after: after * 1_000_000n, granted: decimal(granted) }, [50, 80, 100])

  test('names each part of the grant that is reached or fallen below', () => {
    deepEqual(cross(49n, 50n), [50])
    deepEqual(cross(40n, 120n), [50, 80, 100])
    deepEqual(cross(100n, 79n), [80, 100])
    deepEqual(cross(50n, 79n), [])
  })

  test('takes a grant as it is written', () => {
    deepEqual(cross(12n, 13n, '25.0'), [50])
    deepEqual(cross(12n, 13n, '0.5e2'), [])
    deepEqual(cross(0n, 3n, '0'), [100])
  })
})

suite('a line in a grant', () => {
  test('is reached by the first micro-credit that makes the part', () => {
    // A third of a grant of 1 is 0.33: 330,000 micro-credits; of 0.000001 it is a part of a micro-credit.
    equal(lineOf(decimal('1'), 33), 330_000n)
    equal(lineOf(decimal('0.000001'), 50), 1n)
    equal(lineOf(decimal('1000.5'), 100), 1_000_500_000n)
  })

  test('is the highest one in a grant of nothing, as soon as anything is used', () => {
    deepEqual(reached(1n, decimal('0.00'), [50, 100]), [100])
    deepEqual(reached(0n, decimal('0'), [50, 100]), [])
    deepEqual(reached(5n, decimal('0'), []), [])
    equal(nextLine(-5n, decimal('0'), [50, 100]), 1n)
    equal(nextLine(1n, decimal('0'), [50, 100]), undefined)
  })

  test('is none in less than nothing', () => {
    deepEqual(reached(5n, decimal('-3'), [50]), [])
    equal(nextLine(5n, decimal('-3'), [50]), undefined)
  })

  test('that comes next lies above what is used, and reaching it reaches a part', () => {
    const grants = fc.integer({ min: 1, max: 10_000_000 }).map((digits) => decimal(`${digits}e-4`))
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2_000_000_000n }), grants, (used, granted) => {
        const percents = [50, 80, 100]
        const next = nextLine(used, granted, percents)
        if (next === undefined) return deepEqual(reached(used, granted, percents), percents)
        const before = reached(next - 1n, granted, percents).length
        equal(next > used, true)
        equal(reached(used, granted, percents).length, before)
        equal(reached(next, granted, percents).length > before, true)
      }),
    )
  })
})
