/** Forecasts out of a real ledger: which days count, and how long an outlook holds. Every burn here is a sum by hand. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { createForecasts, type Forecasts } from '#src/ledger/forecasts.ts'
import type { GroupRow, Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { T0, testClock } from '../helpers/billing.ts'
import { follow } from '../helpers/ledger.ts'
import { adjustment } from './contract/settling.ts'

/** Minutes after the start, at the end of a day and an hour. */
const minute = (day: number, hour = 0) => (day * 24 + hour) * 60

let ledger: Ledger
let forecasts: Forecasts
let clock: ReturnType<typeof testClock>
beforeEach(() => {
  ledger = openSqliteLedger(':memory:')
  clock = testClock()
  forecasts = createForecasts({ ledger, clock })
})
afterEach(() => ledger.close())

const standing = async () => (await ledger.group('alpha')) as GroupRow
const grant = (granted: string) => ledger.settle({ group: 'alpha', at: T0, granted })
const forecast = async () => forecasts.of(await standing())

/** Total by hour: `perDay` credits on each of some days, an hour at a time. */
function hourly(perDay: readonly number[]): (readonly [number, string])[] {
  let total = 0
  const points: (readonly [number, string])[] = [[0, '0']]
  for (const [day, credits] of perDay.entries()) {
    for (let hour = 1; hour <= 24; hour += 1) {
      total += credits / 24
      points.push([minute(day, hour), total.toFixed(6)])
    }
  }
  return points
}

suite('a forecast', () => {
  test('is what the days of charges tell', async () => {
    await follow(ledger, 'alpha', hourly([24, 24, 24, 24, 24, 24, 24, 24, 24, 24]))
    await grant('480')
    const made = (await forecast())!
    expect(made.days).toBe(10)
    expect(made.burnPerDay).toBeCloseTo(24)
    // 240 of 480 are left: 10 days.
    expect(made.runsOut.kind === 'expected' && made.runsOut.at).toBe(T0 + minute(20) * 60_000)
    expect(made.until).toBe(T0 + minute(10) * 60_000)
    expect(made.curve[0]).toMatchObject({ low: 240, expected: 240, high: 240 })
  })

  test('leaves adjustments and openings out: they are no consumption', async () => {
    await follow(ledger, 'alpha', hourly(Array.from({ length: 8 }, () => 24)))
    await ledger.settle({ group: 'alpha', at: T0, entries: [adjustment('gift', -100_000_000n)] })
    const made = (await forecast())!
    expect(made.burnPerDay).toBeCloseTo(24)
    expect(made.curve[0]!.expected).toBe(8 * 24 - 100)
  })

  test('takes a day that was measured and used nothing for a day of 0', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [minute(1), '6'],
      // Looked at, and nothing grew.
      [minute(2), '6'],
      [minute(3), '6'],
      [minute(4), '12'],
    ])
    // 6, 0, 0, 6
    expect(await forecast()).toMatchObject({ days: 4 })
  })

  test('divides what was used while the exporter was away between the days of the gap', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [minute(1), '6'],
      // Nobody looked for two days, then all of it came at once.
      [minute(4), '24'],
      [minute(5), '30'],
    ])
    const made = (await forecast())!
    expect(made.days).toBe(5)
    expect(made.burnPerDay).toBeCloseTo(6)
  })

  test('knows idle days at the end: they were measured', async () => {
    await follow(ledger, 'alpha', [
      ...hourly([12, 12, 12, 12, 12, 12, 12, 12]),
      ...[9, 10, 11, 12, 13, 14].map((day) => [minute(day), '96'] as const),
    ])
    const made = (await forecast())!
    expect(made.days).toBe(14)
    expect(made.burnPerDay).toBe(0)
  })

  test('counts a day that is not over for what of it is over', async () => {
    const until = [minute(10, 6), String(240 + 6)] as const
    await follow(ledger, 'alpha', [...hourly(Array.from({ length: 10 }, () => 24)), until])
    const made = (await forecast())!
    expect(made).toMatchObject({ days: 10, until: T0 + minute(10, 6) * 60_000 })
    expect(made.burnPerDay).toBeCloseTo(24)
    // Of today 18 hours are to come.
    expect(made.curve[1]!.expected).toBeCloseTo(246 + 18)
  })

  test('counts the first day as a whole one, though measuring began at noon', async () => {
    await follow(ledger, 'alpha', [
      [minute(0, 12), '0'],
      [minute(0, 18), '3'],
      [minute(1), '6'],
      [minute(2), '18'],
    ])
    const made = (await forecast())!
    expect(made.days).toBe(2)
    expect(made.burnPerDay).toBeCloseTo(12)
  })

  test('leaves the first day out if measuring began in its evening', async () => {
    await follow(ledger, 'alpha', [
      [minute(0, 23), '0'],
      [minute(1), '40'],
      [minute(2), '52'],
    ])
    const made = (await forecast())!
    expect(made.days).toBe(1)
    expect(made.burnPerDay).toBeCloseTo(12)
  })

  test.each([1, 3, 7, 8, 20].flatMap((days) => [15, 60, 360].map((step) => [days, step] as const)))(
    'of a constant use is that use: of %s days that begin at 12:33, with %s minutes between readings',
    async (days, step) => {
      const count = (days * 24 * 60) / step
      const points = Array.from({ length: count + 1 }, (_, index) => index * step)
      await follow(
        ledger,
        'alpha',
        points.map((at) => [minute(0, 12) + 33 + at, (at / 60).toFixed(6)] as const),
      )
      expect((await forecast())!.burnPerDay).toBeCloseTo(24, 4)
    },
  )

  test('is not made before a quarter of a day was charged', async () => {
    await follow(ledger, 'alpha', [[0, '0']])
    expect(await forecast()).toBeUndefined()
    await follow(ledger, 'alpha', [[minute(0, 3), '3']])
    expect(await forecast()).toBeUndefined()
    await follow(ledger, 'alpha', [[minute(0, 8), '8']])
    expect((await forecast())!.burnPerDay).toBeCloseTo(24)
  })

  test('of a group that was idle for half a year is that it goes on like this', async () => {
    await follow(ledger, 'alpha', [
      [0, '0'],
      [minute(1), '6'],
      [minute(200), '6'],
    ])
    await grant('100')
    expect(await forecast()).toMatchObject({ burnPerDay: 0, runsOut: { kind: 'never' } })
  })

  test('takes a grant that is no number for none', async () => {
    await follow(ledger, 'alpha', hourly([24, 24]))
    await grant('plenty')
    expect(await forecast()).toMatchObject({ runsOut: { kind: 'no grant' } })
  })
})

suite('a summary', () => {
  beforeEach(async () => {
    await follow(ledger, 'alpha', hourly(Array.from({ length: 8 }, () => 24)))
    await grant('480')
  })
  const lately = async () => forecasts.lately(await standing())
  const grow = (hour: number, value: string) => follow(ledger, 'alpha', [[minute(8, hour), value]])

  test('is the forecast without its curve', async () => {
    const { curve, ...rest } = (await forecast())!
    expect(curve.length).toBeGreaterThan(100)
    expect(await lately()).toEqual(rest)
  })

  test('is kept while the group goes on as it did, for an hour', async () => {
    const first = await lately()
    await grow(1, '193')
    clock.pass(59 * 60_000)
    expect(await lately()).toBe(first)
    clock.pass(60_000)
    expect(await lately()).not.toEqual(first)
  })

  test('is made anew when the group used what it uses in a day, or has another grant', async () => {
    const first = await lately()
    await grow(1, '217')
    const second = await lately()
    expect(second!.until).toBeGreaterThan(first!.until)
    await grant('960')
    expect((await lately())!.runsOut).not.toEqual(second!.runsOut)
  })

  test('is kept where there is none, until something is charged', async () => {
    await follow(ledger, 'beta', [[0, '0']])
    const beta = async () => forecasts.lately((await ledger.group('beta'))!)
    expect(await beta()).toBeUndefined()
    await follow(ledger, 'beta', [[minute(0, 12), '6']])
    expect((await beta())!.burnPerDay).toBeCloseTo(12)
  })

  test('is there at once if it is made already and still holds', async () => {
    expect(forecasts.made(await standing())).toBeUndefined()
    const summary = await lately()
    expect(forecasts.made(await standing())?.summary).toBe(summary)
    await grant('960')
    expect(forecasts.made(await standing())).toBeUndefined()
  })

  test('that has to be made lets others have their turn first', async () => {
    let others = 0
    setImmediate(() => {
      others += 1
    })
    await lately()
    expect(others).toBe(1)
  })
})
