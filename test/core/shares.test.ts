import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { freeTargets, type Sharer, shareOf } from '#src/core/shares.ts'

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `t${from + index}`)
/** Replicas that have so many targets, as the one at `self` sees them. */
const sharers = (held: readonly number[], self: number): Sharer[] =>
  held.map((count, index) => ({
    isSelf: index === self,
    claims: names(
      count,
      held.slice(0, index).reduce((sum, each) => sum + each, 0),
    ),
  }))

suite('a share', () => {
  test.each([
    { targets: 4, held: [4], shares: [4] },
    { targets: 4, held: [4, 0], shares: [2, 2] },
    { targets: 5, held: [5, 0], shares: [3, 2] },
    { targets: 5, held: [2, 3], shares: [2, 3] },
    { targets: 4, held: [2, 2, 0], shares: [2, 1, 1] },
    { targets: 2, held: [0, 0, 0], shares: [1, 1, 0] },
    { targets: 0, held: [0, 0], shares: [0, 0] },
  ])('of $targets targets, where $held are had, is $shares', ({ targets, held, shares }) => {
    expect(held.map((_, self) => shareOf(targets, sharers(held, self)))).toEqual(shares)
  })

  test('is none for somebody who is not one of them', () => {
    expect(shareOf(3, sharers([1, 2], 2))).toBe(0)
  })

  test('differs by one at most, and all of them together are all targets', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 6 }), fc.nat({ max: 5 }), (held, free) => {
        const targets = held.reduce((sum, each) => sum + each, free)
        const shares = held.map((_, self) => shareOf(targets, sharers(held, self)))
        expect(shares.reduce((sum, each) => sum + each, 0)).toBe(targets)
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

suite('free targets', () => {
  test('are those that nobody has claimed, each replica beginning at another one', () => {
    const all = names(7)
    expect(freeTargets(all, sharers([1, 0], 0))).toEqual(['t1', 't2', 't3', 't4', 't5', 't6'])
    expect(freeTargets(all, sharers([1, 0], 1))).toEqual(['t4', 't5', 't6', 't1', 't2', 't3'])
    expect(freeTargets(all, sharers([4, 3], 1))).toEqual([])
    expect(freeTargets(all, [])).toEqual(all)
  })
})
