import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { LARGEST_AMOUNT } from '#src/core/credits.ts'
import type { DayUse } from '#src/core/forecast/days.ts'
import { CURVE_DAYS, type Forecast, forecast, type History } from '#src/core/forecast.ts'
import { DAY, HOUR } from '#src/core/time.ts'
import { backTest, meanErrors, shareOf, whats } from '../../bench/backTest.ts'
import { readTable } from '../helpers/scenarios.ts'

/** Monday, 5 January 2026, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 0, 5)

const micros = (credits: number) => BigInt(Math.round(credits * 1e6))

/** Days in credits, the last one being the day before `until`. */
function used(credits: readonly (number | undefined)[], until = MONDAY): DayUse[] {
  return credits.flatMap((each, index) =>
    each === undefined ? [] : [{ at: until - (credits.length - index) * DAY, credits: micros(each) }],
  )
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value)
}

function forecastOf(credits: readonly (number | undefined)[], more: Partial<History> = {}): Forecast {
  return forecast({ days: used(credits), until: MONDAY, used: 0n, granted: micros(100), ...more })
}

/** Days until something, rounded; `-` if it never comes. */
function daysUntil(at: number | undefined): string {
  return at === undefined ? '-' : String(Math.round((at - MONDAY) / DAY))
}

/** `5×10 2×0`, `8×(5×10 2×0)`, `3×-`. */
function readDays(text: string): (number | undefined)[] {
  const parts = text.match(/\d+×(\([^)]*\)|\S+)/g) ?? []
  return parts.flatMap((part) => {
    const [count, what] = part.split(/×(.*)/s) as [string, string]
    const days = what.startsWith('(') ? readDays(what.slice(1, -1)) : [what === '-' ? undefined : Number(what)]
    return times(Number(count), days).flat()
  })
}

const table = readTable(readFileSync(join(import.meta.dirname, '../scenarios/forecast.txt'), 'utf8')).rows

suite('a forecast', () => {
  test.each(table)('of a group: $what', (row) => {
    const { burnPerDay, runsOut } = forecastOf(readDays(row.used!), { granted: micros(Number(row.left)) })
    const came =
      runsOut.kind === 'expected'
        ? { out: daysUntil(runsOut.at), early: daysUntil(runsOut.early), late: daysUntil(runsOut.late) }
        : runsOut.kind === 'never'
          ? { out: 'never', early: runsOut.early === undefined ? 'never' : daysUntil(runsOut.early), late: '-' }
          : { out: runsOut.kind, early: '', late: '' }
    const { out, early = '', late = '' } = row
    expect({ burn: String(Math.round(burnPerDay * 10) / 10), ...came }).toEqual({ burn: row.burn, out, early, late })
  })

  test('without a grant has no date, but a burn and a curve', () => {
    const result = forecastOf(times(28, 10), { granted: undefined })
    expect(result).toMatchObject({ runsOut: { kind: 'no grant' }, burnPerDay: 10 })
    expect(result.curve.at(-1)!.expected).toBeCloseTo(CURVE_DAYS * 10)
  })

  test('of a group whose credits are all used says so', () => {
    expect(forecastOf(times(28, 10), { used: micros(100) }).runsOut).toEqual({ kind: 'already' })
  })

  test('begins at the last reading: of a day that is half over, half is still to come', () => {
    const until = MONDAY + 12 * HOUR
    const days = [...used(times(28, 10)), { at: MONDAY, credits: micros(5) }]
    const { curve, runsOut } = forecast({ days, until, used: micros(285), granted: micros(300) })
    expect(curve.slice(0, 3).map(({ at, expected }) => [at, Math.round(expected)])).toEqual([
      [until, 285],
      [MONDAY + DAY, 290],
      [MONDAY + 2 * DAY, 300],
    ])
    expect(runsOut).toMatchObject({ kind: 'expected', at: expect.closeTo(MONDAY + 2 * DAY, -3) })
  })

  test('of a project that began today goes by the hours it has', () => {
    const until = MONDAY + 12 * HOUR
    const { burnPerDay } = forecast({ days: [{ at: MONDAY, credits: micros(5) }], until, used: 0n, granted: undefined })
    expect(burnPerDay).toBe(10)
  })

  test('knows the weekend: the curve is flat there, and steep on other days', () => {
    const { curve } = forecastOf(readDays('8×(5×10 2×0)'))
    const steps = curve.slice(1, 8).map((point, index) => Math.round(point.expected - curve[index]!.expected))
    expect(steps).toEqual([10, 10, 10, 10, 10, 0, 0])
  })

  test('is the more certain the more days there are', () => {
    const widths = [1, 3, 7, 13, 28, 56].map((count) => {
      const { low, high } = forecastOf(times(count, 10)).curve[14]!
      return high - low
    })
    expect(widths).toEqual(widths.toSorted((a, b) => b - a))
    expect(widths[0]).toBeGreaterThan(140)
    expect(widths.at(-1)).toBeLessThan(28)
  })

  test('of a group that changed often has a wider band than that of a steady one', () => {
    const width = (text: string) => {
      const { low, expected, high } = forecastOf(readDays(text)).curve[14]!
      return (high - low) / expected
    }
    expect(width('2×(10×10 10×30 10×5)')).toBeGreaterThan(3 * width('60×10'))
  })
})

const credits = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 9n }),
  fc.bigInt({ min: -LARGEST_AMOUNT, max: LARGEST_AMOUNT }),
  fc.constantFrom(0n, 1n, LARGEST_AMOUNT),
)
const day = fc.record({ at: fc.integer({ min: -150 * DAY, max: 3 * DAY }).map((ms) => MONDAY + ms), credits })
const anyHistory: fc.Arbitrary<History> = fc.record({
  days: fc.array(day, { maxLength: 200 }),
  until: fc.integer({ min: -DAY, max: DAY }).map((ms) => MONDAY + ms),
  used: credits,
  granted: fc.option(credits, { nil: undefined }),
})
/** With consumption that is neither negative nor beyond all bounds, as that of most groups. */
const usualHistory = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 120 }),
    fc.integer({ max: DAY - 1, min: 0 }),
  )
  .map(([days, ms]): History => ({ days: used(days), until: MONDAY + ms, used: 0n, granted: micros(2_000) }))

suite('whatever was used', () => {
  test('all numbers are finite, no line falls, and the band lies around what is expected', () => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        const { burnPerDay, curve, runsOut } = forecast(history)
        expect(burnPerDay).toBeGreaterThanOrEqual(0)
        expect(curve).toHaveLength(CURVE_DAYS + 1)
        for (const [index, { at, low, expected, high }] of curve.entries()) {
          expect([burnPerDay, at, low, expected, high].every(Number.isFinite)).toBe(true)
          expect(low <= expected && expected <= high).toBe(true)
          const before = curve[index - 1]
          if (before === undefined) continue
          expect(at > before.at && low >= before.low && expected >= before.expected && high >= before.high).toBe(true)
        }
        if (runsOut.kind !== 'expected') return
        expect([runsOut.at, runsOut.early].every(Number.isSafeInteger)).toBe(true)
        expect(history.until <= runsOut.early && runsOut.early <= runsOut.at).toBe(true)
        expect(runsOut.at <= (runsOut.late ?? Number.POSITIVE_INFINITY)).toBe(true)
      }),
    )
  })

  test('a larger grant never runs out earlier', () => {
    const order = ({ runsOut }: Forecast) => {
      if (runsOut.kind === 'already') return [0, 0, 0]
      const { early, at, late } = { early: undefined, at: undefined, late: undefined, ...runsOut }
      return [early, at, late].map((each) => each ?? Number.POSITIVE_INFINITY)
    }
    fc.assert(
      fc.property(anyHistory, credits, credits, (history, a, b) => {
        const [smaller, larger] = a < b ? [a, b] : [b, a]
        const [first, second] = [smaller, larger].map((granted) => order(forecast({ ...history, granted })))
        for (const index of [0, 1, 2]) expect(first![index]).toBeLessThanOrEqual(second![index]!)
      }),
    )
  })

  test('the dates do not depend on how much a credit is worth', () => {
    fc.assert(
      fc.property(usualHistory, (history) => {
        const times1024 = {
          ...history,
          days: history.days.map(({ at, credits: each }) => ({ at, credits: each * 1024n })),
          granted: history.granted! * 1024n,
        }
        expect(forecast(times1024).runsOut).toEqual(forecast(history).runsOut)
        expect(forecast(times1024).burnPerDay).toBe(forecast(history).burnPerDay * 1024)
      }),
    )
  })

  test('the order of the days does not matter, nor does a day in two parts', () => {
    fc.assert(
      fc.property(usualHistory, (history) => {
        const parts = history.days.flatMap(({ at, credits: each }) => [
          { at: at + 5 * HOUR, credits: each / 2n },
          { at, credits: each - each / 2n },
        ])
        expect(forecast({ ...history, days: parts.reverse() })).toEqual(forecast(history))
      }),
    )
  })

  test('the date is where the curve meets the grant', () => {
    fc.assert(
      fc.property(usualHistory, (history) => {
        const { curve, runsOut } = forecast(history)
        if (runsOut.kind !== 'expected' || runsOut.at > curve.at(-1)!.at) return
        const after = curve.findIndex(({ at }) => at >= runsOut.at)
        expect(curve[after]!.expected).toBeGreaterThanOrEqual(2_000 - 0.01)
        expect(curve[Math.max(0, after - 1)]!.expected).toBeLessThanOrEqual(2_000 + 0.01)
      }),
    )
  })
})

// bench/forecast.ts does the same with more groups, and shows each family of them.
suite('on made-up groups that it was not made for', () => {
  const trials = backTest(40_000_000, 60)

  test.each(whats)('the band holds about four of five cases, and the error is below that of a line: %s', (what) => {
    const some = trials.filter((trial) => trial.what === what)
    const [ours, sinceStart, lastWeek] = meanErrors(some)
    expect(shareOf('within', some)).toBeGreaterThan(0.76)
    expect(shareOf('within', some)).toBeLessThan(0.85)
    expect(ours).toBeLessThan(Math.min(sinceStart, lastWeek))
  })
})
