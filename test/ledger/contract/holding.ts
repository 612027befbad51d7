/** The ledger contract: growth that is held back. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import { MINUTE } from '#src/core/time.ts'
import type { HeldGrowth, Hold, Ledger, Recording, StoredHold } from '#src/ledger/ledger.ts'
import { cpu, ram, reading, T0 } from '../../helpers/billing.ts'
import { follow } from '../../helpers/ledger.ts'

const nothing: Recording = {
  at: T0,
  changes: [],
  notes: [],
  holds: [],
  released: [],
  withdrawn: [],
  heldGrowths: [],
}
const hold: Hold = { key: 'unit', kind: 'unit switched', site: '8676', reason: 'Another unit.' }
const { series } = reading({ project: 'alpha', at: T0, value: '0' })
const point = (minute: number, value: string) => ({ at: T0 + minute * MINUTE, value: decimal(value) })
const growth = (from: readonly [number, string], to: readonly [number, string]): HeldGrowth => ({
  holdKey: 'unit',
  series,
  from: point(...from),
  to: point(...to),
})

export function holdingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
    await follow(ledger, 'alpha', [[0, '100']])
  })
  afterEach(() => ledger.close())

  const record = (changes: Partial<Recording>) => ledger.record([], () => ({ ...nothing, ...changes }))
  /** What the hold holds back; closes it. */
  const held = async () => {
    let growths: readonly HeldGrowth[] = []
    const [first] = await ledger.holds({ limit: 1 })
    await ledger.closeHold(first!.id, 'Looked at.', (back) => {
      growths = back.growths
      return nothing
    })
    return growths.map(({ from, to }) => [from, to])
  }

  suite('held growth', () => {
    test('that goes on is one with what was held before, also after the same value was read again', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [1, '200'])] })
      await record({ holds: [hold], heldGrowths: [growth([5, '200'], [6, '300'])] })
      await record({ holds: [hold], heldGrowths: [growth([6, '300'], [7, '350.5'])] })
      expect(await held()).toEqual([[point(0, '100'), point(7, '350.5')]])
    })

    test('is kept also when it ends at an instant that a wrong clock had passed before', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [9, '200'])] })
      await record({ holds: [hold], heldGrowths: [growth([1, '200'], [9, '260'])] })
      expect(await held()).toEqual([
        [point(0, '100'), point(9, '200')],
        [point(1, '200'), point(9, '260')],
      ])
    })

    test('is another one after something else happened', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [1, '200'])] })
      await record({ holds: [hold], heldGrowths: [growth([3, '150'], [4, '160'])] })
      expect(await held()).toEqual([
        [point(0, '100'), point(1, '200')],
        [point(3, '150'), point(4, '160')],
      ])
    })

    test('ends where the series came back to, if that is within it', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [1, '200'])] })
      await record({ holds: [hold], heldGrowths: [growth([1, '200'], [2, '300'])] })
      await record({ withdrawn: [{ series, from: point(1, '200'), until: T0 + 5 * MINUTE }] })
      expect(await held()).toEqual([[point(0, '100'), point(1, '200')]])
    })

    test('is gone with its hold when the series is back where it began', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [1, '200'])] })
      await record({ withdrawn: [{ series, from: point(0, '100'), until: T0 + 5 * MINUTE }] })
      expect(await ledger.holds({ limit: 9 })).toEqual([])
    })

    test('stays as it was decided when the series comes back later', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [1, '200'])] })
      await record({ holds: [hold], heldGrowths: [growth([1, '200'], [2, '300'])] })
      const [{ id }] = (await ledger.holds({ limit: 1 })) as [StoredHold]
      const decided = await held()
      await record({ withdrawn: [{ series, from: point(1, '200'), until: T0 + 5 * MINUTE }] })
      expect((await ledger.heldGrowths(id, 9)).map(({ from, to }) => [from, to])).toEqual(decided)
    })

    test('of the same reading that brought the series back is not withdrawn with the rest', async () => {
      await record({ holds: [hold], heldGrowths: [growth([0, '100'], [1, '200'])] })
      const back = { series, from: point(0, '100'), until: T0 + 2 * MINUTE }
      await record({ holds: [hold], heldGrowths: [growth([1, '110'], [2, '120'])], withdrawn: [back] })
      expect(await held()).toEqual([[point(1, '110'), point(2, '120')]])
    })
  })

  test('tells which holds are open', async () => {
    await record({ holds: [hold] })
    expect(await ledger.openHolds(['unit', 'other'])).toEqual(new Set(['unit']))
    await held()
    expect(await ledger.openHolds(['unit', 'other'])).toEqual(new Set())
  })

  test('tells the latest jump of a site that was held, whether or not it is decided', async () => {
    expect(await ledger.latestJump('8676')).toBeUndefined()
    const jump: Hold = { key: 'unit', kind: 'site jump', site: '8676', reason: 'Jumped.' }
    await record({ holds: [jump], heldGrowths: [growth([0, '100'], [1, '200'])] })
    await record({ holds: [jump], heldGrowths: [growth([3, '250'], [4, '300'])] })
    const latest = { key: 'unit', reason: 'Jumped.', at: T0 + MINUTE }
    expect(await ledger.latestJump('8676')).toEqual(latest)
    expect(await ledger.latestJump('1')).toBeUndefined()
    await held()
    expect(await ledger.latestJump('8676')).toEqual(latest)
    await record({ holds: [jump], heldGrowths: [growth([6, '300'], [7, '400'])] })
    expect(await ledger.latestJump('8676')).toMatchObject({ at: T0 + 7 * MINUTE })
  })

  test('tells all series of the metric of a site', async () => {
    await follow(ledger, 'beta', [[0, '5']])
    await follow(ledger, 'gamma', [[0, '5']], { site: '1' })
    await follow(ledger, 'delta', [[0, '5']], { metric: ram.metric })
    const found = await ledger.seriesOf('8676', cpu.metric)
    expect(found.map((each) => each.series.projectName).toSorted()).toEqual(['alpha', 'beta'])
    expect(found.map(({ state }) => state.watermark.at)).toEqual([T0, T0])
  })
}
