import { expect, suite, test } from 'vitest'
import { type Decision, decide, type Point, type SeriesState } from '#src/core/decide.ts'
import { decimal, zero } from '#src/core/decimals.ts'
import { LATE_WINDOW } from '#src/core/late.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { cpu, reading, T0 } from '../helpers/billing.ts'

const point = (minute: number, value: string): Point => ({ at: T0 + minute * MINUTE, value: decimal(value) })

/** Charged from minute 70 to 100, then still until minute 120. */
const state: SeriesState = { watermark: point(120, '20'), pace: 1, stillSince: T0 + 100 * MINUTE }
const chargedFrom = point(70, '10')

function decided(minute: number, value: string, changes: Partial<SeriesState> = {}, origin?: string): Decision {
  const given = reading({ project: 'alpha', at: T0 + minute * MINUTE, value })
  const circumstances = { meter: cpu, now: T0 + 24 * HOUR, chargedFrom }
  return decide({ ...state, ...changes }, { ...given, ...(origin !== undefined && { origin }) }, circumstances)
}

suite('a reading before the watermark', () => {
  test('is late for an hour, and outdated before', () => {
    expect(LATE_WINDOW).toBe(HOUR)
    expect([decided(60, '9').kind, decided(59, '9').kind]).toEqual(['late', 'outdated'])
  })

  test.each([
    ['where the open entry begins', 70, ['10'], ['9', '11']],
    ['within the open entry', 85, ['10', '15', '20'], ['9.9', '20.1']],
    ['where the series stands still', 110, ['20', '20.0000000001', '19.9999999999'], ['19.9', '20.1']],
    ['before the open entry', 65, ['0', '10'], ['10.1']],
  ])('%s fits between the readings around it or is a conflict', (_, minute, fitting, others) => {
    for (const value of fitting) expect(decided(minute, value), value).toEqual({ kind: 'late', conflict: false })
    for (const value of others) expect(decided(minute, value), value).toEqual({ kind: 'late', conflict: true })
  })

  test('of another exporter may be true up to ten minutes before or after', () => {
    expect(decided(105, '16', {}, 'two')).toEqual({ kind: 'late', conflict: false })
    expect(decided(95, '20.1', {}, 'two')).toEqual({ kind: 'late', conflict: true })
    expect(decided(111, '19', {}, 'two')).toEqual({ kind: 'late', conflict: true })
  })

  test('is in no conflict where the series left its line: it may be from before or after', () => {
    const line = { ...point(80, '90'), pace: 1, charged: zero }
    const changes = { formerLines: [line] }
    expect(decided(85, '95', changes)).toEqual({ kind: 'late', conflict: false })
    expect(decided(75, '89', changes)).toEqual({ kind: 'late', conflict: false })
    expect(decided(75, '91', changes)).toEqual({ kind: 'late', conflict: true })
    expect(decided(110, '21', changes)).toEqual({ kind: 'late', conflict: true })
  })

  test('that our own clock dated is of now, so it is the clock that is wrong', () => {
    const ofNow = { ...reading({ project: 'alpha', at: T0 + 119 * MINUTE, value: '21' }), isOfNow: true }
    const circumstances = { meter: cpu, now: T0 + 119 * MINUTE, chargedFrom }
    expect(decide(state, ofNow, circumstances)).toEqual({ kind: 'stale', conflict: false })
  })
})
