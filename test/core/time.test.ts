import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import {
  DAY,
  formatDuration,
  formatInstant,
  formatPerunTimestamp,
  HOUR,
  MINUTE,
  parseInstant,
  parsePerunTimestamp,
  SECOND,
} from '#src/core/time.ts'

const instants = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2200, 0, 1) })

suite('timestamps in Perun', () => {
  test('are UTC with microseconds', () => {
    expect(formatPerunTimestamp(Date.UTC(2026, 10, 21, 3, 18, 17, 293))).toBe('2026-11-21 03:18:17.293000')
  })

  test('are read back as the same instant', () => {
    fc.assert(fc.property(instants, (at) => void expect(parsePerunTimestamp(formatPerunTimestamp(at))).toBe(at)))
    fc.assert(fc.property(instants, (at) => void expect(parsePerunTimestamp(formatInstant(at))).toBe(at)))
  })

  // In Berlin 02:30 happened twice on 2026-10-25 and never on 2026-03-29; the old service lost or repeated that hour.
  test.each(['2026-10-25', '2026-03-29'])('have every hour of %s once', (day) => {
    const hours = Array.from({ length: 24 }, (_, hour) => `${day} ${String(hour).padStart(2, '0')}:30:00.000000`)
    const at = hours.map((text) => parsePerunTimestamp(text)!)
    expect(at.slice(1).map((each, index) => each - at[index]!)).toEqual(Array(23).fill(HOUR))
    expect(at.map(formatPerunTimestamp)).toEqual(hours)
  })

  test.each([
    ['2026-01-01 00:00:00', 0],
    ['2026-01-01 00:00:00.5', 500],
    ['2026-01-01 00:00:00.000999', 0],
    ['2026-01-01 00:00:00.123456', 123],
    ['2026-01-01T00:00:01Z', 1_000],
  ])('may have fewer decimals: %s', (text, ms) => {
    expect(parsePerunTimestamp(text)).toBe(Date.UTC(2026, 0, 1) + ms)
  })

  test.each([
    '',
    '2026-02-30 00:00:00',
    '2026-02-29 00:00:00',
    '2026-13-01 00:00:00',
    '2026-00-10 00:00:00',
    '2026-01-01 24:00:00',
    '2026-01-01 00:60:00',
    '2026-01-01 23:59:60',
    '2026-01-01',
    '2026-1-1 0:0:0',
    '2026-01-01 00:00:00.',
    '2026-01-01 00:00:00.1234567',
    '2026-01-01 00:00:00+01:00',
    'None',
  ])('are none: %j', (text) => {
    expect(parsePerunTimestamp(text)).toBeUndefined()
  })
})

suite('an instant a person writes', () => {
  test.each([
    ['2026-11-21', Date.UTC(2026, 10, 21)],
    ['2026-11-21 03:18', Date.UTC(2026, 10, 21, 3, 18)],
    ['2026-11-21 03:18:17', Date.UTC(2026, 10, 21, 3, 18, 17)],
    ['2026-11-21T03:18:17.293Z', Date.UTC(2026, 10, 21, 3, 18, 17, 293)],
    ['2026-11-21 03:18:17+01:00', Date.UTC(2026, 10, 21, 2, 18, 17)],
    ['2026-11-21T00:30+02:00', Date.UTC(2026, 10, 20, 22, 30)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
  ])('is understood: %s', (text, at) => {
    expect(parseInstant(text)).toBe(at)
  })

  test.each([
    '',
    'today',
    '2026',
    '2026-11',
    '2026-02-30',
    '2026-02-29 12:00',
    '2026-11-31T00:00:00Z',
    '2026-13-01',
    '2026-11-21 25:00',
    '2026-11-21 03',
    '2026-11-21Z',
    '21.11.2026',
    '1700000000',
  ])('is refused: %j', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })
})

suite('a duration', () => {
  test.each([
    [0, '0:00:00'],
    [999, '0:00:00'],
    [SECOND, '0:00:01'],
    [HOUR + 2 * MINUTE + 3 * SECOND, '1:02:03'],
    [DAY - 1, '23:59:59'],
    [DAY, '1 day, 0:00:00'],
    [2 * DAY + 3 * HOUR + 4 * MINUTE + 5 * SECOND, '2 days, 3:04:05'],
  ])('of %s ms reads %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})
