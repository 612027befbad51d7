import { expect, suite, test } from 'vitest'
import { bill } from '#src/billing/biller.ts'
import { SiteTotals } from '#src/billing/unitWarning.ts'
import { decimal, zero } from '#src/core/decimals.ts'
import type { Reading } from '#src/core/series.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import type { StoredSeries } from '#src/ledger/ledger.ts'
import { cpu, judged, type Measured, meter, ram, reading, T0 } from '../helpers/billing.ts'

let series = 0
const stored = (value: string, pace = 1): StoredSeries => ({
  number: ++series,
  state: { watermark: { at: T0, value: decimal(value) }, pace },
  carry: zero,
  chain: { head: '' },
})

/** What is recorded of readings an hour later, of series that stood at some values. */
async function billed(
  measured: readonly Omit<Measured, 'at'>[],
  before: readonly (StoredSeries | undefined)[],
  now = T0 + HOUR,
) {
  const readings = measured.map((each) => reading({ ...each, at: T0 + HOUR }))
  const meters = new Map([[cpu.metric, cpu]])
  return bill(readings, before, { meters, verdicts: await judged(readings, before), now })
}

suite('bill', () => {
  test('records nothing for what is late', () => {
    const late = reading({ project: 'alpha', at: T0, value: '100' })
    const context = { meters: new Map([[cpu.metric, cpu]]), verdicts: () => undefined, now: T0 }
    const { recording, outcomes } = bill([late], [stored('100')], context)
    expect(outcomes).toEqual({ stale: 1 })
    expect(recording).toEqual({
      at: T0,
      changes: [],
      notes: [],
      holds: [],
      released: [],
      withdrawn: [],
      heldGrowths: [],
    })
  })

  test('says in words what fell, and why it thinks so', async () => {
    const { recording } = await billed(
      [
        { project: 'alpha', value: '0' },
        { project: 'beta', value: '5.5' },
      ],
      [stored('100'), stored('5')],
    )
    expect(recording.notes).toMatchObject([
      {
        kind: 'rebased',
        text: 'Fell from 100 at 2026-01-01T00:00:00.000Z to 0 at 2026-01-01T01:00:00.000Z: subject removed (a machine dropped out of the sum: it was deleted and purged, or the cloud did not answer for it; the others go on). Nothing is charged for it.',
      },
    ])
  })

  test('makes one hold of a site that jumped, and keeps the growth of each series with it', async () => {
    const projects = ['alpha', 'beta', 'gamma']
    const { recording } = await billed(
      projects.map((project) => ({ project, value: '200' })),
      projects.map(() => stored('100')),
    )
    expect(recording.holds).toMatchObject([{ kind: 'site jump', site: '8676' }])
    expect(recording.holds[0]).not.toHaveProperty('group')
    const { key } = recording.holds[0]!
    expect(recording.heldGrowths.map(({ holdKey, series }) => [holdKey, series.projectName])).toEqual(
      projects.map((each) => [key, each]),
    )
    expect(recording.changes.flatMap(({ postings }) => postings)).toEqual([])
  })

  test('holds one reading from the future as one of the whole site and meter', async () => {
    const { recording, outcomes } = await billed(
      [
        { project: 'alpha', value: '200' },
        { project: 'beta', value: '1' },
      ],
      [stored('100'), undefined],
      T0,
    )
    expect(outcomes).toEqual({ held: 2 })
    expect(recording).toMatchObject({
      changes: [],
      released: [],
      withdrawn: [],
      heldGrowths: [],
      holds: [{ kind: 'clock ahead', key: `clock ahead/8676/${cpu.metric}` }],
    })
  })

  // However high the limit of the meter is set, one mistake must not fill the whole ledger.
  test('holds a charge that no ledger could sum up', () => {
    const boundless = meter('cpu', cpu.metric, 'vCPU·h', '1', '1e300')
    const grown = reading({ project: 'alpha', at: T0 + HOUR, value: '1e200' })
    const context = { meters: new Map([[cpu.metric, boundless]]), verdicts: () => undefined, now: T0 + HOUR }
    const { recording, outcomes } = bill([grown], [stored('100')], context)
    expect(outcomes).toEqual({ held: 1 })
    expect(recording.changes).toMatchObject([{ postings: [], state: { watermark: { value: decimal('1e200') } } }])
  })

  test('takes several readings of a series one after another, into one entry for each hour', () => {
    const readings = [0, 20, 40, 60, 80].map((minute) =>
      reading({ project: 'alpha', at: T0 + minute * MINUTE, value: String(minute) }),
    )
    const context = { meters: new Map([[cpu.metric, cpu]]), verdicts: () => undefined, now: T0 + 2 * HOUR }
    const { recording, outcomes } = bill(
      readings,
      readings.map(() => undefined),
      context,
    )
    expect(outcomes).toEqual({ opened: 1, charged: 4 })
    expect(recording.changes).toMatchObject([
      {
        postings: [
          {
            kind: 'append',
            entry: { from: { value: decimal('0') }, to: { value: decimal('60') }, amount: 60_000_000n },
          },
          {
            kind: 'append',
            entry: { from: { value: decimal('60') }, to: { value: decimal('80') }, amount: 20_000_000n },
          },
        ],
        closes: false,
      },
    ])
  })
})

test('RAM per vCPU is that of all projects of a site together', () => {
  const totalsOf = (readings: readonly Reading[]) => {
    const totals = new SiteTotals()
    for (const each of readings) totals.add(each)
    return totals
  }
  const readings = [
    reading({ project: 'alpha', at: T0, value: '10' }),
    reading({ project: 'beta', at: T0, value: '30' }),
    reading({ project: 'beta', at: T0, value: '160', metric: ram.metric }),
  ]
  const { site } = readings[0]!.series
  expect(totalsOf(readings).ramPerCpu(site, cpu.metric, ram.metric)).toBe(4)
  expect(totalsOf(readings).ramPerCpu('another', cpu.metric, ram.metric)).toBeUndefined()
  expect(totalsOf(readings.slice(0, 2)).ramPerCpu(site, cpu.metric, ram.metric)).toBeUndefined()
  const endless = [cpu, ram].map(({ metric }) => reading({ project: 'a', at: T0, value: '1e399', metric }))
  expect(totalsOf(endless).ramPerCpu(site, cpu.metric, ram.metric)).toBeUndefined()
})
