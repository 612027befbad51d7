/** The ledger contract: what people are to be told. Half, 80 % and all of a grant are watched. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import type { Ledger, Settlement } from '#src/ledger/ledger.ts'
import { T0 } from '../../helpers/billing.ts'
import { chargesOf, follow } from '../../helpers/ledger.ts'
import { adjustment } from './settling.ts'

export function noticingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())
  const settle = (changes: Partial<Settlement>) => ledger.settle({ group: 'alpha', at: T0 + HOUR, ...changes })
  const told = async () => (await ledger.waitingNotices()).map(({ line, granted }) => `${line} % of ${granted}`)
  const states = async () =>
    (await ledger.notices({ limit: 99 })).map(({ line, granted, state }) => `${line} % of ${granted}: ${state}`).sort()

  /** Alpha is known to Perun with a grant, and used some credits before. */
  async function meet(granted = '100', before = 0n) {
    await follow(ledger, 'alpha', [[0, '1000']])
    const opening = { group: 'alpha', site: '8676', recordedAt: T0, reason: 'First contact' }
    await settle({
      granted,
      contacts: [{ site: '8676', contact: 'active' }],
      entries: [{ ...opening, kind: 'opening', id: 'opening/alpha', amount: before }],
    })
  }

  suite('a line of the grant', () => {
    test('is told once, by the transaction of the entry that crossed it', async () => {
      await meet()
      await follow(ledger, 'alpha', [[30, '1049.999999']])
      expect(await told()).toEqual([])
      await follow(ledger, 'alpha', [[40, '1050']])
      const [charge] = await chargesOf(ledger, 'alpha')
      expect(await ledger.waitingNotices()).toEqual([
        {
          ...{ id: 1, group: 'alpha', kind: 'threshold', line: 50, granted: '100', used: 50_000_000n },
          ...{ at: T0 + 40 * 60_000, entry: charge!.number, state: 'waiting' },
        },
      ])
      await follow(ledger, 'alpha', [[50, '1060']])
      expect(await told()).toEqual(['50 % of 100'])
    })

    test('that is crossed together with a higher one is not told', async () => {
      await meet()
      await follow(ledger, 'alpha', [[30, '1120']])
      expect(await told()).toEqual(['100 % of 100'])
      expect(await states()).toEqual(['100 % of 100: waiting', '50 % of 100: passed', '80 % of 100: passed'])
    })

    test('that was passed before first contact is not told', async () => {
      await meet('100', 85_000_000n)
      expect(await told()).toEqual([])
      await follow(ledger, 'alpha', [[30, '1016']])
      expect(await told()).toEqual(['100 % of 100'])
    })

    test('is armed again by a larger grant, without telling what was told', async () => {
      await meet()
      await follow(ledger, 'alpha', [[30, '1081']])
      await settle({ granted: '150' })
      // 81 of 150 are more than half, which was told.
      expect(await told()).toEqual(['80 % of 100'])
      await follow(ledger, 'alpha', [[40, '1120']])
      expect(await told()).toEqual(['80 % of 100', '80 % of 150'])
    })

    test('is told when the grant shrinks below what is used', async () => {
      await meet()
      await follow(ledger, 'alpha', [[30, '1040']])
      await settle({ granted: '40' })
      expect(await told()).toEqual(['100 % of 40'])
      expect((await ledger.waitingNotices())[0]).not.toHaveProperty('entry')
    })

    test('is told once for a grant, whatever it is written like and whatever came in between', async () => {
      await meet()
      await follow(ledger, 'alpha', [[30, '1055']])
      await settle({ granted: '100.0' })
      await settle({ entries: [adjustment('gift', -20_000_000n)] })
      await follow(ledger, 'alpha', [[40, '1075']])
      await settle({ granted: '200' })
      await settle({ granted: '100' })
      expect(await told()).toEqual(['50 % of 100'])
    })

    test('counts only what Perun shows', async () => {
      await meet()
      const there = { site: '9999' }
      await follow(
        ledger,
        'alpha',
        [
          [0, '0'],
          [30, '60'],
        ] as const,
        there,
      )
      expect(await told()).toEqual([])
      await settle({ contacts: [{ site: '9999', contact: 'active' }] })
      expect(await told()).toEqual(['50 % of 100'])
    })

    test('is crossed by corrections, too', async () => {
      await meet()
      await ledger.correct(() => ({ entries: [adjustment('fee', 80_000_000n)] }))
      expect(await told()).toEqual(['80 % of 100'])
    })

    test('of a grant of nothing is crossed by whatever is used, once', async () => {
      await meet('0')
      expect(await states()).toEqual([])
      await follow(ledger, 'alpha', [[30, '1003']])
      await follow(ledger, 'alpha', [[40, '1004']])
      await settle({ granted: '100' })
      await settle({ granted: '0.00' })
      expect(await told()).toEqual(['100 % of 0'])
      expect((await ledger.waitingNotices())[0]).toMatchObject({ used: 3_000_000n, at: T0 + 30 * 60_000 })
    })

    test('is none without a grant that is a number', async () => {
      await meet('plenty')
      await follow(ledger, 'alpha', [[30, '2000']])
      expect(await states()).toEqual([])
    })
  })

  suite('a notice', () => {
    const notice = { group: 'alpha', kind: 'runs out', line: 14, granted: '100', used: 5n, at: T0 } as const
    beforeEach(() => meet())

    test('is recorded once for its group, kind, line and grant', async () => {
      expect(await ledger.notice(notice)).toBe(true)
      expect(await ledger.notice({ ...notice, used: 7n })).toBe(false)
      expect(await ledger.notice({ ...notice, granted: '200' })).toBe(true)
      expect(await ledger.notices({ group: 'alpha', limit: 1 })).toMatchObject([{ id: 2, granted: '200' }])
      expect(await ledger.notices({ before: 2, limit: 9 })).toMatchObject([{ id: 1, used: 5n }])
    })

    test('waits until it is settled, for good', async () => {
      await ledger.notice(notice)
      await ledger.settleNotices([1], 'sent')
      await ledger.settleNotices([1], 'no recipient')
      expect(await ledger.waitingNotices()).toEqual([])
      expect(await states()).toEqual(['14 % of 100: sent'])
    })

    test('of a muted group is told to nobody', async () => {
      const mute = { group: 'alpha', at: T0, actor: 'erika', reason: 'On holiday' }
      expect(await ledger.mute({ ...mute, reason: 'first' })).toBe(true)
      expect(await ledger.mute(mute)).toBe(true)
      expect(await ledger.muted('alpha')).toEqual(mute)
      expect(await ledger.notice(notice)).toBe(false)
      await follow(ledger, 'alpha', [[30, '1055']])
      expect(await states()).toEqual(['14 % of 100: muted', '50 % of 100: muted'])
      expect(await ledger.unmute('alpha')).toBe(true)
      expect(await ledger.muted('alpha')).toBeUndefined()
      await follow(ledger, 'alpha', [[40, '1085']])
      expect(await told()).toEqual(['80 % of 100'])
    })

    test('cannot be muted for a group that does not exist', async () => {
      expect(await ledger.mute({ group: 'beta', at: T0, actor: 'erika', reason: 'x' })).toBe(false)
      expect(await ledger.unmute('beta')).toBe(false)
    })
  })
}
