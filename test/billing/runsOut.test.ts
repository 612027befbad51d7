/** Whose credits run out soon: what the ledger says of their days, and who is told. */
import { expect, suite, test } from 'vitest'
import { briefly, createOutlook } from '#src/billing/outlook.ts'
import { createRunsOutWatch } from '#src/billing/runsOut.ts'
import { DAY } from '#src/core/time.ts'
import { createForecasts } from '#src/ledger/forecasts.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { silent, T0, testClock } from '../helpers/billing.ts'
import { follow } from '../helpers/ledger.ts'

async function setUp({ days = 14, isOurs = (): boolean => true } = {}) {
  const ledger = openSqliteLedger(':memory:')
  const clock = testClock()
  const told: number[] = []
  const forecasts = createForecasts({ ledger, clock })
  const outlookOf = createOutlook(forecasts)
  const watch = createRunsOutWatch({
    ...{ ledger, outlookOf, days, isOurs, clock, logger: silent, onNotice: () => told.push(clock.at) },
  })

  /** Uses 10 credits each day, at a site where Perun knows it. */
  async function use(group: string, { from = 0, until, granted }: { from?: number; until: number; granted?: string }) {
    const points = Array.from({ length: (until - from) * 4 + 1 }, (_, index): [number, string] => [
      (from * 24 + index * 6) * 60,
      `${1_000 + (from * 4 + index) * 2.5}`,
    ])
    await follow(ledger, group, points)
    await ledger.settle({
      ...{ group, at: T0, contacts: [{ site: '8676', contact: 'active' }] },
      published: { used: 0n, sites: [] },
      ...(granted !== undefined && { granted }),
    })
    clock.at = T0 + until * DAY
  }

  return {
    ledger,
    clock,
    told,
    watch,
    forecasts,
    use,
    outlookOf: async (group: string) => outlookOf((await ledger.group(group))!),
    notices: async () =>
      (await ledger.notices({ limit: 9 })).map(
        ({ group, kind, line, granted, state }) => `${group}: ${kind} ${line} of ${granted}, ${state}`,
      ),
    [Symbol.asyncDispose]: () => ledger.close(),
  }
}

suite('A group whose credits run out', () => {
  test('within the days that count is noticed once for its grant', async () => {
    await using it = await setUp()
    await it.use('alpha', { until: 10, granted: '300.0' })
    await it.watch.look()
    expect(await it.notices()).toEqual([])
    await it.use('alpha', { from: 10, until: 17 })
    await it.watch.look()
    await it.use('alpha', { from: 17, until: 20 })
    await it.watch.look()
    expect(await it.notices()).toEqual(['alpha: runs out 14 of 300, waiting'])
    expect(it.told).toEqual([T0 + 17 * DAY])
    await it.use('alpha', { from: 20, until: 21, granted: '310' })
    await it.watch.look()
    expect(await it.notices()).toHaveLength(2)
  })

  test('is told of its burn and its last day', async () => {
    await using it = await setUp()
    await it.use('alpha', { until: 20, granted: '300' })
    const { forecast, used } = (await it.outlookOf('alpha'))!
    const { burnPerDay, runsOutAt } = briefly(forecast, it.clock.at)
    expect(used).toBe(200_000_000n)
    expect(burnPerDay).toBeCloseTo(10, 6)
    expect(Math.abs(runsOutAt! - (T0 + 30 * DAY))).toBeLessThan(DAY)
    expect(briefly(forecast, T0 + 40 * DAY)).not.toHaveProperty('runsOutAt')
  })

  test.each<[string, { until: number; granted?: string }]>([
    ['much later', { until: 20, granted: '10000' }],
    ['after so few days that nobody can say', { until: 2, granted: '30' }],
    ['already, which is a line of its own', { until: 20, granted: '150' }],
    ['of no grant', { until: 20 }],
    ['of a grant that is no number', { until: 20, granted: 'plenty' }],
    ['of a grant of nothing', { until: 20, granted: '0' }],
  ])('%s is not noticed', async (_, facts) => {
    await using it = await setUp()
    await it.use('alpha', facts)
    await it.watch.look()
    expect(await it.notices()).toEqual([])
  })

  test('and is not measured any more is not noticed', async () => {
    await using it = await setUp()
    await it.use('alpha', { until: 20, granted: '300' })
    it.clock.pass(2 * DAY + 1)
    await it.watch.look()
    expect(await it.notices()).toEqual([])
  })

  test('is looked for by the one of several workers that it is up to', async () => {
    let isOurs = false
    await using it = await setUp({ isOurs: () => isOurs })
    await it.use('alpha', { until: 20, granted: '300' })
    await it.watch.look()
    expect(await it.notices()).toEqual([])
    isOurs = true
    await it.watch.look()
    expect(await it.notices()).toHaveLength(1)
  })

  test('and is muted is told to nobody', async () => {
    await using it = await setUp()
    await it.use('alpha', { until: 20, granted: '300' })
    await it.ledger.mute({ group: 'alpha', at: T0, actor: 'erika', reason: 'On holiday' })
    await it.watch.look()
    expect(await it.notices()).toEqual(['alpha: runs out 14 of 300, muted'])
    expect(it.told).toEqual([])
  })
})

suite('A look at all groups', () => {
  test('comes to every one of them', async () => {
    await using it = await setUp()
    const groups = Array.from({ length: 45 }, (_, index) => `g${index}`)
    for (const group of groups) await it.use(group, { until: 4, granted: '100' })
    await it.watch.look()
    expect(it.told).toHaveLength(45)
  })

  test('ends when the worker stops', async () => {
    await using it = await setUp()
    await it.use('alpha', { until: 20, granted: '300' })
    it.watch.start()
    await it.watch.stop()
    await it.watch.look()
    expect(await it.notices()).toEqual([])
  })
})

test('A group that rests on some days has days with nothing', async () => {
  await using it = await setUp()
  await it.use('alpha', { until: 5, granted: '1000' })
  const rest = Array.from({ length: 20 }, (_, index): [number, string] => [(5 * 24 + (index + 1) * 6) * 60, '1050'])
  await follow(it.ledger, 'alpha', rest)
  expect((await it.outlookOf('alpha'))!.forecast.days).toBe(10)
})

test('People are told the same day as the page of the group shows, also when its exporter was away', async () => {
  await using it = await setUp()
  await it.use('alpha', { until: 10, granted: '300' })
  await it.use('alpha', { from: 14, until: 18 })
  const { forecast } = (await it.outlookOf('alpha'))!
  expect(forecast).toEqual(await it.forecasts.of((await it.ledger.group('alpha'))!))
  expect(forecast.burnPerDay).toBeCloseTo(10)
})
