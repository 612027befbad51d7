/** What metrics show of groups, over a real ledger. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { DAY } from '#src/core/time.ts'
import { createGroupMetrics } from '#src/groupMetrics.ts'
import { createForecasts } from '#src/ledger/forecasts.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { T0, testClock } from '../helpers/billing.ts'
import { projectName } from '../helpers/cloud.ts'
import { recordGroups } from '../helpers/manyGroups.ts'

const DAYS = 20

async function setUp(groups: number) {
  const ledger = openSqliteLedger(':memory:')
  onTestFinished(() => ledger.close())
  await recordGroups(ledger, groups, DAYS)
  const clock = testClock()
  clock.at = T0 + DAYS * DAY
  const forecasts = createForecasts({ ledger, clock })
  let isStopping = false
  const metrics = createGroupMetrics({ ledger, forecasts, withForecasts: true, clock, isStopping: () => isStopping })
  const read = async (group: number) => (await metrics.read()).groups.find((each) => each.group === projectName(group))!
  const stop = () => {
    isStopping = true
  }
  return { ledger, clock, forecasts, metrics, read, stop }
}

suite('Metrics of groups', () => {
  test('have forecasts once they were made, and nobody waits for that', async () => {
    const { ledger, forecasts, metrics, read } = await setUp(70)
    expect((await metrics.read()).groups.filter(({ burnPerDay }) => burnPerDay !== undefined)).toEqual([])
    await metrics.idle()
    const forecast = (await forecasts.of((await ledger.group(projectName(5)))!))!
    expect(forecast.runsOut.kind).toBe('expected')
    const { at: expected, early, late } = forecast.runsOut as { at: number; early: number; late?: number }
    expect(await read(5)).toMatchObject({
      ...{ used: 120, granted: 1_005 },
      burnPerDay: forecast.burnPerDay,
      runsOut: { early, expected, late },
    })
    expect(forecast.burnPerDay).toBeCloseTo(6)
  })

  test('tell of used up credits when that was seen, and nothing where there is no grant', async () => {
    const { ledger, clock, metrics, read } = await setUp(64)
    const contacts = [{ site: '8676', contact: 'active' as const }]
    await ledger.settle({ group: projectName(62), at: clock.at, granted: '10', contacts })
    await metrics.read()
    await metrics.idle()
    expect((await read(62)).runsOut).toEqual({ expected: clock.at })
    expect(await read(10)).toMatchObject({ granted: undefined, runsOut: {} })
    expect((await read(10)).burnPerDay).toBeCloseTo(11)
  })

  test('keep a forecast that is too old until there is another', async () => {
    const { clock, metrics, read } = await setUp(8)
    await metrics.read()
    await metrics.idle()
    const before = await read(5)
    clock.at += DAY
    expect(await read(5)).toEqual(before)
    await metrics.idle()
    expect((await read(5)).burnPerDay).toBeDefined()
  })

  test('make nothing more once the worker stops, or when the ledger is in trouble', async () => {
    const { ledger, metrics, stop } = await setUp(20)
    stop()
    await metrics.read()
    await metrics.idle()
    expect((await metrics.read()).groups.filter(({ burnPerDay }) => burnPerDay !== undefined)).toEqual([])
    const broken = createGroupMetrics({
      ledger: { credits: ledger.credits, groups: () => Promise.reject(new Error('The disk is full')) },
      forecasts: createForecasts({ ledger, clock: testClock() }),
      withForecasts: true,
      clock: testClock(),
      isStopping: () => false,
    })
    expect((await broken.read()).groups).toHaveLength(20)
    await broken.idle()
    expect((await broken.read()).groups).toHaveLength(20)
  })
})
