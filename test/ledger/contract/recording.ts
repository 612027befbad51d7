/** The ledger contract: what deliveries write. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { bill } from '#src/billing/biller.ts'
import { decimal } from '#src/core/decimals.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import type { Ledger, Recording } from '#src/ledger/ledger.ts'
import { cpu, meters, ram, reading, T0 } from '../../helpers/billing.ts'
import { chargesOf, deliver, follow } from '../../helpers/ledger.ts'
import { audit } from './audit.ts'

export function recordingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())
  const used = async (group: string) => (await ledger.account(group))?.used

  suite('recording', () => {
    test('starts with nothing', async () => {
      expect(await ledger.stored([reading({ project: 'alpha', at: T0, value: '1' }).series])).toEqual([undefined])
      expect(await ledger.account('alpha')).toBeUndefined()
      expect(await ledger.group('alpha')).toBeUndefined()
      expect(await ledger.history('alpha', { from: 0, to: T0, limit: 9 })).toBeUndefined()
      expect(await ledger.dirtyGroups()).toEqual([])
      expect(await ledger.summary()).toEqual({
        groups: 0,
        dirty: 0,
        series: 0,
        entries: 0,
        holds: {},
        contacts: {},
        drifts: 0,
        used: 0n,
      })
      expect(await ledger.check()).toBeUndefined()
    })

    test('keeps what is stored of a series, exactly', async () => {
      await follow(ledger, 'alpha', [
        [0, '100.000000000000001'],
        [30, '101.0000000000000012'],
      ])
      const [stored] = await ledger.stored([reading({ project: 'alpha', at: T0, value: '1' }).series])
      expect(stored).toEqual({
        number: 1,
        state: {
          watermark: { at: T0 + 30 * MINUTE, value: decimal('101.0000000000000012') },
          pace: expect.closeTo(2, 6),
        },
        carry: decimal('0.0000000002'),
        open: { number: 1, window: T0, priceVersion: 'cpu@always' },
        chain: { head: expect.stringMatching(/^[\w-]{43}$/), openBase: expect.stringMatching(/^[\w-]{43}$/) },
      })
      expect(stored?.open?.from).toEqual({ at: T0, value: decimal('100.000000000000001') })
    })

    test('keeps the lines that a series left', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [60, '110'],
        [61, '60'],
        [121, '65.5'],
        [122, '20'],
      ])
      const [stored] = await ledger.stored([reading({ project: 'alpha', at: T0, value: '1' }).series])
      expect(stored?.state.formerLines).toMatchObject([
        { at: T0 + 60 * MINUTE, value: decimal('110'), pace: 10, charged: decimal('5.5') },
        { at: T0 + 121 * MINUTE, value: decimal('65.5'), charged: decimal('0') },
      ])
      expect(stored).not.toHaveProperty('open')
    })

    test('tells decide of each series in the order asked for, also of one that is asked for twice', async () => {
      await follow(ledger, 'alpha', [[0, '100']])
      const [known, unknown] = ['alpha', 'beta'].map((project) => reading({ project, at: T0, value: '1' }).series)
      let told: unknown[] = []
      await ledger.record([known!, unknown!, known!], (stored) => {
        told = stored.map((each) => each?.state.watermark.value.digits)
        return { at: T0, changes: [], notes: [], holds: [], released: [], withdrawn: [], heldGrowths: [] }
      })
      expect(told).toEqual([100n, undefined, 100n])
    })

    test('names the groups that changed', async () => {
      const at = T0 + HOUR
      expect(
        await deliver(ledger, { project: 'alpha', at: T0, value: '1' }, { project: 'beta', at: T0, value: '1' }),
      ).toEqual({ groups: ['alpha', 'beta'], opened: [] })
      expect(await deliver(ledger, { project: 'alpha', at, value: '2' }, { project: 'beta', at, value: '1' })).toEqual({
        groups: ['alpha'],
        opened: [],
      })
    })

    test('leaves nothing of a recording whose decision fails', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [60, '101'],
      ])
      const before = [await ledger.group('alpha'), await ledger.entries('alpha', { limit: 9 })]
      const series = ['alpha', 'beta'].map((project) => reading({ project, at: T0, value: '1' }).series)
      await expect(
        ledger.record(series, () => {
          throw new Error('cannot decide')
        }),
      ).rejects.toThrow('cannot decide')
      expect([await ledger.group('alpha'), await ledger.entries('alpha', { limit: 9 })]).toEqual(before)
      await follow(ledger, 'beta', [
        [0, '5'],
        [60, '7'],
      ])
      expect(await used('beta')).toBe(2_000_000n)
    })

    test('leaves nothing of a recording that cannot be written to its end', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [60, '101'],
      ])
      const [entry] = await chargesOf(ledger, 'alpha')
      const fresh = reading({ project: 'beta', at: T0, value: '1' })
      const broken = (recording: Recording): Recording => ({
        ...recording,
        // The entry is in the ledger already, so that the second change cannot be written.
        changes: [...recording.changes, { ...recording.changes[0]!, postings: [{ kind: 'append', entry: entry! }] }],
      })
      const recorded = ledger.record([fresh.series], (stored) =>
        broken(bill([fresh], stored, { meters, verdicts: () => undefined, now: T0 }).recording),
      )
      await expect(recorded).rejects.toThrow()
      expect(await ledger.account('beta')).toBeUndefined()
      expect(await ledger.stored([fresh.series])).toEqual([undefined])
      await follow(ledger, 'beta', [
        [0, '5'],
        [60, '7'],
      ])
      expect(await used('beta')).toBe(2_000_000n)
      await audit(ledger)
    })

    test('names a charge anew that begins where one did before the clock was set right', async () => {
      const record = (at: number, value: string, isOfNow = false) => {
        const each = { ...reading({ project: 'alpha', at, value }), isOfNow }
        return ledger.record(
          [each.series],
          (stored) => bill([each], stored, { meters, verdicts: () => undefined, now: at }).recording,
        )
      }
      await record(T0, '100')
      await record(T0 + HOUR, '101')
      await record(T0, '101', true)
      await record(T0 + 30 * MINUTE, '103')
      const charges = await chargesOf(ledger, 'alpha')
      const [name] = charges.map(({ id }) => id)
      expect(charges.map(({ id, amount }) => [id, amount])).toEqual([
        [name, 1_000_000n],
        [`${name}/1`, 2_000_000n],
      ])
      expect(await used('alpha')).toBe(3_000_000n)
    })

    test('tells of a series what it told before a recording that could not be written', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [60, '101'],
      ])
      const later = reading({ project: 'alpha', at: T0 + 70 * MINUTE, value: '102' })
      const before = await ledger.stored([later.series])
      const [entry] = await chargesOf(ledger, 'alpha')
      const recorded = ledger.record([later.series], (stored) => {
        const { recording } = bill([later], stored, { meters, verdicts: () => undefined, now: later.at })
        // The entry is in the ledger already, so that the second change cannot be written.
        const again = { ...recording.changes[0]!, postings: [{ kind: 'append' as const, entry: entry! }] }
        return { ...recording, changes: [...recording.changes, again] }
      })
      await expect(recorded).rejects.toThrow()
      expect(await ledger.stored([later.series])).toEqual(before)
      await follow(ledger, 'alpha', [[70, '102']])
      expect(await used('alpha')).toBe(2_000_000n)
      await audit(ledger)
    })

    test('changes nothing when the same readings come again', async () => {
      const points = [
        [0, '100'],
        [20, '100.5'],
        [60, '101'],
        [90, '90'],
        [120, '90.5'],
      ] as const
      await follow(ledger, 'alpha', points)
      const before = [
        await ledger.group('alpha'),
        await ledger.entries('alpha', { limit: 99 }),
        await ledger.notes('alpha', 99),
      ]
      await follow(ledger, 'alpha', points)
      await follow(ledger, 'alpha', points.toReversed().slice(1))
      expect([
        await ledger.group('alpha'),
        await ledger.entries('alpha', { limit: 99 }),
        (await ledger.notes('alpha', 99)).filter(({ kind }) => kind !== 'conflict'),
      ]).toEqual(before)
    })
  })

  suite('a conflict', () => {
    test('of a series is noted once an hour, however often it is told of', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [120, '102'],
      ])
      for (const minute of [110, 111, 110, 61, 175]) {
        await follow(ledger, 'alpha', [[Math.max(minute, 120), '102']])
        await follow(ledger, 'alpha', [[minute, '999']])
      }
      const conflicts = (await ledger.notes('alpha', 99)).filter(({ kind }) => kind === 'conflict')
      expect(conflicts.map(({ at }) => (at - T0) / MINUTE)).toEqual([175, 110])
    })
  })

  suite('an open entry', () => {
    test('grows within its window and not beyond it', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [15, '100.25'],
        [30, '100.5'],
        [60, '101'],
        [61, '101.5'],
        [120, '102'],
      ])
      expect(await chargesOf(ledger, 'alpha')).toMatchObject([
        {
          from: { at: T0, value: decimal('100') },
          to: { at: T0 + HOUR, value: decimal('101') },
          amount: 1_000_000n,
          at: T0 + HOUR,
        },
        {
          from: { at: T0 + HOUR, value: decimal('101') },
          to: { at: T0 + 2 * HOUR, value: decimal('102') },
          amount: 1_000_000n,
        },
      ])
      await audit(ledger)
    })

    test('does not grow when readings of many windows come at once', async () => {
      const measured = Array.from({ length: 7 }, (_, index) => ({
        project: 'alpha',
        at: T0 + index * 30 * MINUTE,
        value: String(100 + index),
      }))
      await deliver(ledger, ...measured)
      expect((await chargesOf(ledger, 'alpha')).map(({ amount }) => amount)).toEqual([
        2_000_000n,
        2_000_000n,
        2_000_000n,
      ])
      await audit(ledger)
    })

    test('of an earlier delivery grows by all readings of the next', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [5, '101'],
      ])
      await deliver(
        ledger,
        ...[
          [10, '103'],
          [15, '107'],
          [20, '115'],
        ].map(([minute, value]) => ({ project: 'alpha', at: T0 + Number(minute) * MINUTE, value: String(value) })),
      )
      expect(await chargesOf(ledger, 'alpha')).toMatchObject([{ to: { value: decimal('115') }, amount: 15_000_000n }])
      await audit(ledger)
    })

    test('is closed by a fall, and what follows is an entry of its own', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [10, '101'],
        [20, '50'],
        [30, '51'],
        [40, '52'],
      ])
      expect(await chargesOf(ledger, 'alpha')).toMatchObject([
        { from: { value: decimal('100') }, to: { value: decimal('101') } },
        { from: { value: decimal('50') }, to: { value: decimal('52') }, amount: 2_000_000n },
      ])
    })

    test('of another series of the group stays as it is', async () => {
      await deliver(
        ledger,
        { project: 'alpha', at: T0, value: '1' },
        { project: 'alpha', at: T0, value: '10', metric: ram.metric },
      )
      await deliver(
        ledger,
        { project: 'alpha', at: T0 + 9, value: '2' },
        { project: 'alpha', at: T0 + 9, value: '20', metric: ram.metric },
      )
      await deliver(ledger, { project: 'alpha', at: T0 + 19, value: '3' })
      expect((await chargesOf(ledger, 'alpha')).map(({ series, amount }) => [series.metric, amount])).toEqual([
        [cpu.metric, 2_000_000n],
        [ram.metric, 3_000_000n],
      ])
      expect(await used('alpha')).toBe(5_000_000n)
    })

    test('carries what was left of a micro-credit into the next', async () => {
      await follow(ledger, 'alpha', [
        [0, '0'],
        [60, '0.0000015'],
        [120, '0.000003'],
      ])
      expect((await chargesOf(ledger, 'alpha')).map(({ amount }) => amount)).toEqual([1n, 2n])
      await audit(ledger)
    })
  })

  suite('held growth', () => {
    test('is kept with its hold and in no total', async () => {
      await follow(ledger, 'alpha', [
        [0, '0'],
        [60, '9e9'],
        [120, '9000000001'],
      ])
      expect(await used('alpha')).toBe(1_000_000n)
      expect(await ledger.holds({ limit: 9 })).toMatchObject([
        { kind: 'implausible growth', group: 'alpha', openedAt: T0 + HOUR },
      ])
      expect(await ledger.summary()).toMatchObject({ holds: { 'implausible growth': 1 } })
    })
  })
}
