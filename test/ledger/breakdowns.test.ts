import fc from 'fast-check'
import { expect, it } from 'vitest'
import { add, compare, type Decimal, decimal, subtract, zero } from '#src/core/decimals.ts'
import { createBreakdownSum, type SummedRow } from '#src/ledger/breakdowns.ts'

const series = [1n, 2n].map((id) => ({
  id,
  site: '8676',
  metric: `metric-${id}`,
  project_id: 'id',
  project_name: 'BioVis',
}))

const value = fc.integer({ min: 0, max: 10_000_000 }).map((digits) => `${digits / 1_000}`)

/** A charge that begins where the one of its series before it ended, as a rule, or anywhere. */
const charge = fc.record({
  series: fc.constantFrom(1n, 2n),
  price: fc.constantFrom(
    ['cpu@always', '1'] as const,
    ['cpu@2026-01-01', '1'] as const,
    ['cpu@always', '1.5'] as const,
  ),
  amount: fc.bigInt({ min: 0n, max: 10n ** 15n }),
  follows: fc.boolean(),
  from: value,
  to: value,
})

it('adds up charges exactly, whether each begins where the one before it ended or not', () => {
  fc.assert(
    fc.property(fc.array(charge), (charges) => {
      const sum = createBreakdownSum()
      const ends = new Map<bigint, string>()
      const expected = new Map<string, { consumption: Decimal; amount: bigint; entries: number; first: number }>()
      for (const [index, each] of charges.entries()) {
        const from = (each.follows && ends.get(each.series)) || each.from
        ends.set(each.series, each.to)
        const [version, perUnit] = each.price
        const at = BigInt(1_000 + index)
        sum.add([at, at, 'charge', each.amount, each.series, version, perUnit, at - 1n, from, each.to])
        const key = `metric-${each.series} ${version} ${perUnit}`
        const before = expected.get(key) ?? { consumption: zero, amount: 0n, entries: 0, first: Number(at) }
        expected.set(key, {
          consumption: add(before.consumption, subtract(decimal(each.to), decimal(from))),
          amount: before.amount + each.amount,
          entries: before.entries + 1,
          first: before.first,
        })
      }
      const { used, parts } = sum.result(series)
      expect(used).toBe(charges.reduce((total, { amount }) => total + amount, 0n))
      expect(parts).toHaveLength(expected.size)
      for (const part of parts) {
        const key = `${part.series.metric} ${part.priceVersion} ${part.perUnit.scale === 0 ? '1' : '1.5'}`
        const { consumption, ...rest } = expected.get(key)!
        expect(part).toMatchObject(rest)
        expect(compare(part.consumption, consumption)).toBe(0)
      }
    }),
  )
})

it('says from when to when and between which numbers the charges of a part lie, in whatever order they come', () => {
  const sum = createBreakdownSum()
  const rows: SummedRow[] = [
    [200n, 7n, 'charge', 1n, 1n, 'cpu@always', '1', 150n, '5', '6'],
    [200n, 3n, 'charge', 2n, 1n, 'cpu@always', '1', 100n, '4', '5'],
    [300n, 4n, 'charge', 4n, 1n, 'cpu@always', '1', 200n, '6', '9'],
  ]
  for (const row of rows) sum.add(row)
  expect(sum.result(series).parts).toMatchObject([
    { from: 100, to: 300, first: 3, last: 7, entries: 3, amount: 7n, consumption: decimal('5') },
  ])
})

it('keeps adjustments and openings apart from charges', () => {
  const sum = createBreakdownSum()
  const nothing = [null, null, null, null, null, null] as unknown as [bigint, string, string, bigint, string, string]
  sum.add([1n, 1n, 'opening', 100n, ...nothing])
  sum.add([2n, 2n, 'adjustment', -30n, ...nothing])
  sum.add([3n, 3n, 'adjustment', 5n, ...nothing])
  expect(sum.result(series)).toEqual({
    used: 75n,
    parts: [],
    adjustments: { amount: -25n, entries: 2 },
    openings: { amount: 100n, entries: 1 },
  })
})
