import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { editDistance, nearest } from '#src/core/nearest.ts'

suite('The nearest name', () => {
  const known = ['OS_CREDITS_WORKERS', 'OS_CREDITS_PRECISION', 'USAGE_EXPORTER_URLS']

  test.each([
    ['OS_CREDITS_WORKER', 'OS_CREDITS_WORKERS'],
    ['OS_CREDITS_PERCISION', 'OS_CREDITS_PRECISION'],
    ['USAGE_EXPORTER_URL', 'USAGE_EXPORTER_URLS'],
    ['OS_CREDITS_SOMETHING_ELSE', undefined],
  ])('to %s is %s', (name, meant) => {
    expect(nearest(name, known)).toBe(meant)
  })

  test('is found by counting edits: one for a letter more, less, other or swapped', () => {
    expect(['abc', 'abcd', 'bcd', 'abxd', 'abdc', ''].map((text) => editDistance(text, 'abcd'))).toEqual([
      1, 0, 1, 1, 1, 4,
    ])
  })

  test('is as far from here to there as back, and no farther than the longer text is long', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b)
        expect(distance).toBe(editDistance(b, a))
        expect(distance === 0).toBe(a === b)
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})
