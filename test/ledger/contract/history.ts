/** The ledger contract: what a group used in each hour, day or month. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import { DAY, HOUR, type Instant, MINUTE } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { cpu, T0 } from '../../helpers/billing.ts'
import { addedUp, happenings, live, someBounds, told } from '../../helpers/history.ts'
import { chargesOf, follow } from '../../helpers/ledger.ts'
import { adjustment } from './settling.ts'

export function historyContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())

  const amounts = async (...bounds: Instant[]) => {
    const { before, buckets } = (await ledger.consumption('alpha', bounds))!
    return [before, ...buckets.map((parts) => parts.reduce((sum, { amount }) => sum + amount, 0n))]
  }

  test('an entry belongs to the bucket of its end reading; at a boundary, to the one that ends there', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [23 * 60, '1'],
      [24 * 60, '3'],
      [24 * 60 + 1, '7'],
    ])
    const midnight = T0 + DAY
    expect(await amounts(T0, midnight, midnight + DAY)).toEqual([0n, 3_000_000n, 4_000_000n])
    expect(await amounts(midnight - MINUTE, midnight, midnight + 1)).toEqual([1_000_000n, 2_000_000n, 0n])
    expect(await amounts(midnight, midnight + 1, midnight + MINUTE)).toEqual([3_000_000n, 0n, 4_000_000n])
  })

  test('an open entry counts where it ends by now', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [10, '1'],
    ])
    expect(await amounts(T0, T0 + 10 * MINUTE, T0 + 20 * MINUTE)).toEqual([0n, 1_000_000n, 0n])
    await follow(ledger, 'alpha', [[20, '3']])
    expect(await amounts(T0, T0 + 10 * MINUTE, T0 + 20 * MINUTE)).toEqual([0n, 0n, 3_000_000n])
  })

  test('parts are told by kind, site and metric; a correction has those of its charge', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [60, '1.5'],
    ])
    const [charge] = await chargesOf(ledger, 'alpha')
    const corrects = { first: charge!.number, last: charge!.number }
    const opening = {
      kind: 'opening',
      id: 'o',
      group: 'alpha',
      site: '8676',
      amount: 9n,
      recordedAt: T0,
      reason: '',
    } as const
    await ledger.settle({
      group: 'alpha',
      at: T0,
      entries: [opening, adjustment('gift', -5n), { ...adjustment('fix', -7n), site: '8676', corrects }],
    })
    const { before, buckets } = (await ledger.consumption('alpha', [T0 - 1, T0 + HOUR]))!
    expect([before, buckets.length]).toEqual([0n, 1])
    const place = { site: '8676', metric: cpu.metric }
    expect(buckets[0]).toHaveLength(4)
    expect(buckets[0]).toEqual(
      expect.arrayContaining([
        { kind: 'charge', ...place, entries: 1, amount: 1_500_000n, consumption: decimal('1.5') },
        { kind: 'adjustment', ...place, entries: 1, amount: -7n, consumption: decimal('0') },
        { kind: 'adjustment', entries: 1, amount: -5n, consumption: decimal('0') },
        { kind: 'opening', site: '8676', entries: 1, amount: 9n, consumption: decimal('0') },
      ]),
    )
  })

  test('says how far the entries of a group reach', async () => {
    await follow(ledger, 'alpha', [[0, '0']])
    expect(await ledger.extent('alpha')).toEqual({ used: 0n })
    await follow(ledger, 'alpha', [
      [30, '1'],
      [90, '3'],
    ])
    await ledger.settle({ group: 'alpha', at: T0, granted: '50' })
    const [first, last] = [T0 + 30 * MINUTE, T0 + 90 * MINUTE]
    expect(await ledger.extent('alpha')).toEqual({ used: 3_000_000n, granted: '50', first, last })
    expect(await ledger.extent('nobody')).toBeUndefined()
    expect(await ledger.consumption('nobody', [T0, T0 + 1])).toBeUndefined()
  })

  test('tells the newest totals of a period, as many as are wanted', async () => {
    const points = Array.from({ length: 60 }, (_, hour) => [hour * 60, String(hour)] as const)
    await follow(ledger, 'alpha', points)
    const used = async (to: number, limit: number) => {
      const newest = await ledger.history('alpha', { from: T0, to: T0 + to * HOUR, limit })
      return newest!.map((point) => point.used / 1_000_000n)
    }
    expect(await used(99, 2)).toEqual([59n, 58n])
    expect(await used(49.5, 3)).toEqual([49n, 48n, 47n])
    expect(await used(10, 99)).toHaveLength(10)
  })

  test('says where the first growth begins that was charged in a time', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [30, '1'],
      // Nothing grew until here: what is charged next began now.
      [24 * 60, '1'],
      [50 * 60, '3'],
    ])
    const times = [0, DAY, 2 * DAY].map((start) => [T0 + start, T0 + start + DAY] as const)
    expect(await ledger.chargedSince('alpha', times)).toEqual([T0, undefined, T0 + DAY])
    expect(await ledger.chargedSince('nobody', times)).toEqual([undefined, undefined, undefined])
  })

  suite('whatever happened,', () => {
    test('each period adds up to its entries, in hours, days and months of every zone', async () => {
      let run = 0
      await fc.assert(
        fc.asyncProperty(happenings, fc.array(someBounds, { minLength: 3, maxLength: 6 }), async (story, periods) => {
          const group = `group ${run++}`
          await live(ledger, group, [
            { minutes: 0, what: 'reading', site: '1', metric: cpu.metric, growth: 0 },
            ...story,
          ])
          const entries = await ledger.entries(group, { limit: 10_000 })
          for (const bounds of periods) {
            const expected = addedUp(entries, bounds)
            const { before, buckets } = (await ledger.consumption(group, bounds))!
            expect(before).toBe(expected.before)
            expect(buckets.map(told)).toEqual(expected.buckets.map(told))
          }
        }),
        { numRuns: 60 },
      )
    })
  })
}
