/** What is read again: from when on, how densely. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createThinning, planCatchUp, type SiteStanding, stepFor } from '#src/core/catchUp.ts'
import { seriesKey } from '#src/core/series.ts'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import { cpu, type Measured, ram, reading, T0 } from '../helpers/billing.ts'

const now = T0 + 10 * HOUR
const least = 2 * MINUTE
const plan = (...sites: SiteStanding[]) => planCatchUp(sites, { now, least })
const of = (project: string, rest: Partial<Measured> = {}) => reading({ project, at: T0, value: '1', ...rest }).series
const takeover = (group: string, at: number, metric = cpu.metric) => ({ site: '8676', metric, group, at })

suite('a plan', () => {
  test('is none for short gaps, for sites that nobody charged, and without sites', () => {
    expect(plan()).toBeUndefined()
    expect(
      plan({ site: '8676', chargedUpTo: now - least, takeovers: [] }, { site: '2', takeovers: [] }),
    ).toBeUndefined()
  })

  test('reads each site from where it was charged up to, and others not at all', () => {
    const made = plan(
      { site: '1', chargedUpTo: now - 2 * HOUR, takeovers: [] },
      { site: '2', chargedUpTo: now - HOUR, takeovers: [] },
      { site: '3', chargedUpTo: now - MINUTE, takeovers: [] },
      { site: '4', takeovers: [] },
    )!
    expect(made.period).toEqual({ after: now - 2 * HOUR, upTo: now })
    const starts = ['1', '2', '3', '4', '5'].map((site) => made.startOf(of('a', { site })))
    expect(starts).toEqual([now - 2 * HOUR + 1, now - HOUR + 1, undefined, undefined, undefined])
  })

  test('goes on with each metric of a group at its own instant', () => {
    const upTo = now - HOUR
    const takeovers = [takeover('a', upTo - MINUTE), takeover('a', upTo, ram.metric), takeover('idle', upTo - DAY)]
    const made = plan({ site: '8676', chargedUpTo: upTo, takeovers })!
    expect(made.period).toEqual({ after: upTo - MINUTE - 1, upTo: now })
    expect(made.startOf(of('a'))).toBe(upTo - MINUTE)
    expect(made.startOf(of('a', { metric: ram.metric }))).toBe(upTo)
    expect(made.startOf(of('new'))).toBe(upTo + 1)
    expect(made.alone.map(({ group }) => group)).toEqual(['idle'])
    expect(made.startOf(of('idle'))).toBe(upTo - DAY)
  })

  test('is made for takeovers also where the gap is short', () => {
    expect(plan({ site: '8676', chargedUpTo: now, takeovers: [takeover('a', now - MINUTE)] })).toMatchObject({
      period: { after: now - MINUTE - 1, upTo: now },
    })
  })
})

suite('thinning', () => {
  const names = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 10_000 })), { maxLength: 60 })

  test('keeps the first and the last of each series, and one in each step', () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 3_000 }), (points, step) => {
        const sorted = points.toSorted(([, a], [, b]) => a - b)
        const readings = sorted.map(([project, at], index) => reading({ project, at, value: `${index}` }))
        const kept = createThinning(step)(readings)
        expect(kept).toEqual(readings.filter((each) => kept.includes(each)))
        for (const [, own] of Map.groupBy(readings, ({ series }) => seriesKey(series))) {
          const ownKept = own.filter((each) => kept.includes(each))
          expect([ownKept[0], ownKept.at(-1)]).toEqual([own[0], own.at(-1)])
          const steps = new Set(own.map(({ at }) => Math.ceil(at / step)))
          expect(new Set(ownKept.map(({ at }) => Math.ceil(at / step)))).toEqual(steps)
          expect(ownKept.length).toBeLessThanOrEqual(steps.size + 1)
        }
      }),
    )
  })

  test('keeps all without a step', () => {
    const readings = [1, 2, 3].map((at) => reading({ project: 'a', at, value: '1' }))
    expect(createThinning(0)(readings)).toBe(readings)
  })

  test('is for periods of more than a day, in whole minutes', () => {
    const step = (length: number) => stepFor({ after: T0, upTo: T0 + length }) / MINUTE
    expect([HOUR, DAY, DAY + 1, 2 * DAY, 30 * DAY].map(step)).toEqual([0, 0, 2, 2, 30])
  })
})
