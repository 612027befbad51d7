import { expect, suite, test } from 'vitest'
import { decimal, zero } from '#src/core/decimals.ts'
import { continues, type ReadCharge, WINDOW, windowOf } from '#src/core/entries.ts'

const T = Date.UTC(2026, 0, 1)

function charge(to: number, version = 'cpu@a'): ReadCharge {
  const price = { version, from: Number.NEGATIVE_INFINITY, perUnit: decimal('1') }
  return {
    from: T,
    to,
    consumption: zero,
    price,
    amount: 0n,
    carryIn: zero,
    carryOut: zero,
    fromValue: zero,
    toValue: zero,
  }
}

suite('the window of a charge entry', () => {
  test.each([
    [T + 1, T],
    [T + WINDOW - 1, T],
    [T + WINDOW, T],
    [T + WINDOW + 1, T + WINDOW],
    [T, T - WINDOW],
  ])('of %s begins at %s: a reading at the full hour ends the hour before', (at, window) => {
    expect(windowOf(at)).toBe(window)
  })

  test('is left open for growth within it and under the same price, and for nothing else', () => {
    const open = { window: T, priceVersion: 'cpu@a' }
    expect(continues(open, charge(T + WINDOW))).toBe(true)
    expect(continues(open, charge(T + WINDOW + 1))).toBe(false)
    expect(continues(open, charge(T + 1, 'cpu@b'))).toBe(false)
    expect(continues(undefined, charge(T + 1))).toBe(false)
  })
})
