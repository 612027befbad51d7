/** The ledger contract: what people correct. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import type { Repricing, RepricingLine, StoredCharge } from '#src/ledger/corrections.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { cpu, T0 } from '../../helpers/billing.ts'
import { chargesOf, follow } from '../../helpers/ledger.ts'
import { audit } from './audit.ts'
import { adjustment } from './settling.ts'

export function correctingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
    await follow(ledger, 'alpha', [
      [0, '100'],
      [60, '101'],
      [120, '103'],
    ])
    await follow(ledger, 'beta', [
      [0, '10'],
      [60, '15'],
    ])
  })
  afterEach(() => ledger.close())
  const used = async (group: string) => (await ledger.account(group))?.used

  suite('correcting', () => {
    test('adds entries once for each id, and says whose total changed', async () => {
      const [fee, gift] = [adjustment('fee', 5n), adjustment('gift', -3n, 'beta')]
      await ledger.settle({ group: 'alpha', at: T0, dealtWith: 3_000_000n })
      expect(await ledger.correct(() => ({ entries: [fee, gift] }))).toEqual(['alpha', 'beta'])
      expect(await ledger.correct(() => ({ entries: [fee, adjustment('more', 1n, 'beta')] }))).toEqual(['beta'])
      expect([await used('alpha'), await used('beta')]).toEqual([3_000_005n, 4_999_998n])
      expect(await ledger.dirtyGroups()).toContain('alpha')
      expect(await ledger.entryNamed('gift')).toMatchObject({ group: 'beta', amount: -3n, number: 5 })
      expect(await ledger.entryNamed('none')).toBeUndefined()
      await audit(ledger)
    })

    test('leaves everything as it is when the decision throws', async () => {
      const refused = ledger.correct(() => {
        throw new Error('no')
      })
      await expect(refused).rejects.toThrow('no')
      expect(await used('alpha')).toBe(3_000_000n)
    })

    test('gives the decision what it may look at', async () => {
      const [first] = await chargesOf(ledger, 'alpha')
      await ledger.correct((facts) => {
        expect(facts.used('alpha')).toBe(3_000_000n)
        expect(facts.used('gamma')).toBeUndefined()
        expect(facts.entry(first!.number)).toEqual(first)
        expect(facts.entry(99)).toBeUndefined()
        expect(facts.entryNamed(first!.id)).toEqual(first)
        return { entries: [] }
      })
    })

    test('begins a new entry after it, so that the history shows each total', async () => {
      await ledger.correct(() => ({ entries: [adjustment('fee', 5n)] }))
      await follow(ledger, 'alpha', [[120.5, '104']])
      expect((await ledger.entries('alpha', { limit: 9 })).map(({ kind }) => kind)).toEqual([
        ...['charge', 'adjustment', 'charge', 'charge'],
      ])
      await audit(ledger)
    })

    test('counts what corrects a charge to the site of that charge', async () => {
      const [first] = await chargesOf(ledger, 'alpha')
      const corrects = { first: first!.number, last: first!.number }
      const entry = { ...adjustment('gift', -1_000_000n), site: '8676', corrects }
      await ledger.correct(() => ({ entries: [entry] }))
      expect((await ledger.account('alpha'))!.sites).toMatchObject([{ site: '8676', charged: 2_000_000n }])
      expect(await ledger.entries('alpha', { limit: 1 })).toMatchObject([{ id: 'gift', corrects }])
    })
  })

  suite('the charges of a metric', () => {
    const charges = async (from: number, to: number) => {
      const found: [string, StoredCharge[]][] = []
      const period = { from: T0 + from * MINUTE, to: T0 + to * MINUTE }
      await ledger.charges(cpu.metric, period, (series, _number, own) => found.push([series.projectName, [...own]]))
      return found.map(([name, own]) => [name, own.map(({ amount }) => amount)])
    }

    test('are those that overlap the period, by series', async () => {
      expect(await charges(0, 120)).toEqual([
        ['alpha', [1_000_000n, 2_000_000n]],
        ['beta', [5_000_000n]],
      ])
      expect(await charges(60, 61)).toEqual([['alpha', [2_000_000n]]])
      expect(await charges(59, 60)).toEqual([
        ['alpha', [1_000_000n]],
        ['beta', [5_000_000n]],
      ])
      expect(await charges(120, 500)).toEqual([])
    })
  })

  suite('a re-pricing', () => {
    const repricing: Repricing = {
      id: 'r1',
      metric: cpu.metric,
      period: { from: T0, to: T0 + HOUR },
      perUnit: decimal('1.5'),
      reason: 'because',
      actor: 'erika',
      previewedAt: T0 + 3 * HOUR,
      seenEntry: 3,
    }
    const line = async (group: string, amount: bigint): Promise<RepricingLine> => {
      const [{ series, number, hash }] = (await chargesOf(ledger, group)) as [StoredCharge]
      const [stored] = await ledger.stored([series])
      const place = { series, seriesNumber: stored!.number, first: number, last: number, lastHash: hash }
      return { ...place, consumption: decimal('1.25'), amount }
    }

    test('is kept as it was previewed, and with what became of it', async () => {
      const lines = [await line('alpha', 500_000n), await line('beta', 2_500_000n)]
      await ledger.savePreview(repricing, lines)
      expect(await ledger.repricings()).toEqual([repricing])
      expect(await ledger.repricing('r1')).toEqual(repricing)
      expect(await ledger.repricing('r2')).toBeUndefined()
      expect(await ledger.repricingSummary('r1')).toEqual({
        ...{ groups: 2, series: 2, amount: 3_000_000n, negative: { applying: 0, undoing: 0 } },
      })
      const beta = { group: 'beta', used: 5_000_000n, amount: 2_500_000n }
      expect(await ledger.repricingGroups('r1', { limit: 9 })).toMatchObject([{ group: 'alpha' }, beta])
      expect(await ledger.repricingGroups('r1', { after: 'alpha', limit: 9 })).toEqual([beta])
      const applied = { ...repricing, applied: { at: T0 + 4 * HOUR, actor: 'max' } }
      await ledger.correct((facts) => {
        expect([...facts.lines('r1')]).toEqual(lines)
        return { entries: [], repricing: applied }
      })
      expect(await ledger.repricing('r1')).toEqual(applied)
      const undone = { ...applied, undone: { at: T0 + 5 * HOUR, actor: 'max', reason: 'wrong' } }
      await ledger.correct(() => ({ entries: [], repricing: undone }))
      expect(await ledger.repricing('r1')).toEqual(undone)
    })

    test('of any size is summed up exactly', async () => {
      await ledger.savePreview(repricing, [await line('alpha', 2n ** 63n - 1n), await line('beta', 2n ** 63n - 3n)])
      expect(await ledger.repricingSummary('r1')).toMatchObject({
        ...{ amount: 2n ** 64n - 4n, negative: { applying: 0, undoing: 2 } },
      })
      await ledger.savePreview({ ...repricing, id: 'r2' }, [await line('alpha', -3_000_001n), await line('beta', -7n)])
      expect(await ledger.repricingSummary('r2')).toMatchObject({
        ...{ amount: -3_000_008n, negative: { applying: 1, undoing: 0 } },
      })
      expect(await ledger.repricingGroups('r2', { limit: 1 })).toMatchObject([{ group: 'alpha', amount: -3_000_001n }])
    })

    test('is told what was charged in its period after the preview', async () => {
      const { entries: seenEntry } = await ledger.summary()
      const since = (to = HOUR) =>
        ledger.chargedAfterPreview({ ...repricing, period: { from: T0, to: T0 + to }, seenEntry })
      expect(await since()).toEqual({ entries: 0, amount: 0n })
      await follow(ledger, 'alpha', [[180, '104']])
      expect(await since()).toEqual({ entries: 0, amount: 0n })
      await follow(ledger, 'gamma', [
        [30, '1'],
        [45, '2'],
        [200, '4'],
        [300, '8'],
      ])
      // One within the hour, one that crosses its end.
      expect(await since()).toEqual({ entries: 2, amount: 3_000_000n })
      expect(await since(50 * MINUTE)).toEqual({ entries: 2, amount: 3_000_000n })
      expect(await since(40 * MINUTE)).toEqual({ entries: 1, amount: 1_000_000n })
    })

    test('knows whether the entries of its preview are still all there are', async () => {
      await ledger.savePreview(repricing, [await line('alpha', 1n), await line('beta', 1n)])
      const hasMoved = async () => {
        let moved: boolean | undefined
        await ledger.correct((facts) => {
          moved = facts.hasMoved(repricing)
          return { entries: [] }
        })
        return moved
      }
      expect(await hasMoved()).toBe(false)
      await follow(ledger, 'alpha', [[180, '104']])
      expect(await hasMoved()).toBe(false)
      await follow(ledger, 'gamma', [
        [30, '1'],
        [45, '2'],
      ])
      expect(await hasMoved()).toBe(true)
    })
  })

  suite('what a total is made of', () => {
    test('is summed up by series and price', async () => {
      const readings = [
        [0, '7'],
        [60, '8.5'],
      ] as const
      await follow(ledger, 'alpha', readings, { site: '9999' })
      await ledger.correct(() => ({ entries: [adjustment('fee', 5n), adjustment('gift', -7n)] }))
      const breakdown = (await ledger.breakdown('alpha'))!
      expect(breakdown).toMatchObject({ used: 4_499_998n, adjustments: { amount: -2n, entries: 2 } })
      expect(breakdown.openings).toEqual({ amount: 0n, entries: 0 })
      const parts = breakdown.parts.map(({ series, amount, entries }) => [series.site, amount, entries])
      expect(parts.sort()).toEqual([
        ['8676', 3_000_000n, 2],
        ['9999', 1_500_000n, 1],
      ])
      expect(await ledger.breakdown('gamma')).toBeUndefined()
    })
  })
}
