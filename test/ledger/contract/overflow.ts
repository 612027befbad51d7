/** The ledger contract: totals that are more than a ledger can hold. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { createHoldDesk } from '#src/billing/holds.ts'
import { type Credits, LARGEST_TOTAL } from '#src/core/credits.ts'
import type { AdjustmentEntry } from '#src/core/entries.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { type Ledger, TotalTooLargeError } from '#src/ledger/ledger.ts'
import { meters, recorder, silent, T0, testClock } from '../../helpers/billing.ts'
import { audit } from './audit.ts'

export function overflowContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())

  const clock = testClock(T0 + 10 * HOUR)
  const used = async (group: string) => (await ledger.account(group))?.used

  function adjustment(group: string, amount: Credits, at = T0): AdjustmentEntry {
    return {
      kind: 'adjustment',
      id: `${group}/${amount}/${at}`,
      group,
      amount,
      recordedAt: at,
      reason: 'x',
      actor: 'y',
    }
  }
  const adjust = (group: string, amount: Credits, at = T0) =>
    ledger.settle({ group, at, entries: [adjustment(group, amount, at)] })

  test('Groups whose totals together are more than a ledger can hold are added up nevertheless', async () => {
    const groups = Array.from({ length: 120 }, (_, index) => `group-${index}`)
    const deliver = recorder(ledger, clock)
    await deliver(...groups.map((project) => ({ project, at: T0, value: '1' })))
    for (const group of groups) await adjust(group, LARGEST_TOTAL)
    expect((await ledger.summary()).used).toBe(120n * LARGEST_TOTAL)
  })

  suite('a total that is too large', () => {
    // A year of charges of one group must not keep a thousand others from being charged.
    test('holds the growth of its group, and everybody else is charged', async () => {
      const changed: string[] = []
      const deliver = recorder(ledger, clock, (groups) => changed.push(...groups))
      const at = (minute: number, value: string) =>
        ['a', 'full', 'z'].map((project) => ({ project, at: T0 + minute * MINUTE, value }))
      await deliver(...at(0, '100'))
      await adjust('full', LARGEST_TOTAL - 1_000_000n)
      changed.length = 0
      await deliver(...at(60, '102'))
      expect([await used('a'), await used('z')]).toEqual([2_000_000n, 2_000_000n])
      expect(await used('full')).toBe(LARGEST_TOTAL - 1_000_000n)
      expect(await ledger.holds({ limit: 9 })).toMatchObject([
        { kind: 'implausible growth', group: 'full', reason: expect.stringContaining('grew by 2 ') },
      ])
      expect(changed).toEqual(expect.arrayContaining(['a', 'z']))
      // What still fits is charged.
      await deliver(...at(120, '103'))
      expect(await used('full')).toBe(LARGEST_TOTAL)
      await audit(ledger)
    })

    test('keeps a person from accepting what does not fit, until it does', async () => {
      const deliver = recorder(ledger, clock)
      await deliver({ project: 'full', at: T0, value: '100' })
      await adjust('full', LARGEST_TOTAL)
      await deliver({ project: 'full', at: T0 + HOUR, value: '102' })
      const decide = createHoldDesk({ ledger, meters, clock, logger: silent, onChanged: () => {} })
      const accepted = { verdict: 'accept', actor: 'ann', reason: 'It is real' } as const
      const [hold] = await ledger.holds({ limit: 1 })
      expect(await decide(hold!.id, accepted)).toEqual({ kind: 'refused', why: expect.stringContaining('full') })
      await adjust('full', -5_000_000n)
      expect(await decide(hold!.id, accepted)).toMatchObject({ kind: 'closed' })
      expect(await used('full')).toBe(LARGEST_TOTAL - 3_000_000n)
      await audit(ledger)
    })

    test.each([1n, -1n])('refuses an adjustment beyond it, with the sign of %s, and keeps all others', async (sign) => {
      await recorder(ledger, clock)({ project: 'a', at: T0, value: '1' }, { project: 'b', at: T0, value: '1' })
      await adjust('a', sign * LARGEST_TOTAL)
      const outcomes = await Promise.allSettled([adjust('a', sign, T0 + 1), adjust('b', 5n), adjust('b', 2n ** 62n, 7)])
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
      expect(outcomes[0]).toMatchObject({ reason: expect.any(TotalTooLargeError) })
      expect(outcomes[2]).toMatchObject({ reason: expect.any(TotalTooLargeError) })
      expect([await used('a'), await used('b')]).toEqual([sign * LARGEST_TOTAL, 5n])
      await audit(ledger)
    })

    // In the order of their instants they add up to more than the total ever was.
    test('never comes of adding entries up in another order', async () => {
      await recorder(ledger, clock)({ project: 'a', at: T0, value: '1' })
      for (let count = 0; count < 120; count += 1) {
        await adjust('a', LARGEST_TOTAL, T0 + count)
        await adjust('a', -LARGEST_TOTAL, T0 + HOUR + count)
      }
      const history = await ledger.history('a', { from: T0, to: T0 + 2 * HOUR, limit: 1_000 })
      expect(history).toHaveLength(240)
      expect(history![0]).toMatchObject({ used: 0n })
      expect(history![120]).toMatchObject({ used: 120n * LARGEST_TOTAL })
    })
  })
}
