import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { decimal } from '../../src/core/decimals.ts'
import { inPortions, portioning } from '../../src/core/portions.ts'
import type { Reading } from '../../src/core/series.ts'
import { atOnce, sorting } from '../../src/core/sorting.ts'

const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key

/** How often others have their turn. */
function pausesOf(steps: Generator<void, unknown>): number {
  let count = 0
  while (steps.next().done !== true) count += 1
  return count
}

suite('sorting in steps', () => {
  test('is the same as sorting at once, also of what is equal', () => {
    const lists = fc
      .array(fc.nat(50), { minLength: 0, maxLength: 40 })
      .chain((seeds) =>
        fc
          .nat(300)
          .map((times) => seeds.flatMap((seed) => Array.from({ length: times }, (_, i) => (seed * (i + 1)) % 97))),
      )
    const property = fc.property(lists, (keys) => {
      const list = keys.map((key, place) => ({ key, place }))
      expect(atOnce(sorting(list, byKey))).toEqual(list.toSorted(byKey))
    })
    fc.assert(property)
  })

  test('lets others have their turn in what is long, however it was ordered, and not in what is short', () => {
    const list = (length: number, key: (index: number) => number) => Array.from({ length }, (_, i) => ({ key: key(i) }))
    expect(pausesOf(sorting(list(2_000, Math.sin), byKey))).toBe(0)
    expect(
      pausesOf(
        sorting(
          list(100_000, (index) => index),
          byKey,
        ),
      ),
    ).toBeGreaterThanOrEqual(50)
    expect(pausesOf(sorting(list(100_000, Math.sin), byKey))).toBeGreaterThan(200)
  })
})

test('portions are made in steps of some thousand readings', () => {
  const reading = (index: number): Reading => ({
    series: { site: '1', metric: 'm', projectId: '', projectName: `p${index % 3_000}` },
    at: index,
    value: decimal('1'),
  })
  const readings = Array.from({ length: 10_000 }, (_, index) => reading(index))
  expect(pausesOf(portioning(readings))).toBeGreaterThanOrEqual(9)
  expect(inPortions(readings).map((each) => each.length)).toEqual([3_000, 3_000, 3_000, 1_000])
})
