import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { boundaries, bucketEnd, bucketStart, formatInZone, parseInZone, steps, zoneNamed } from '#src/core/buckets.ts'
import { DAY, HOUR, type Instant, MINUTE } from '#src/core/time.ts'

const at = (text: string): Instant => Date.parse(text)

suite('the boundaries of a period', () => {
  const shown = (from: string, to: string, step: (typeof steps)[number], zone: string) =>
    boundaries({ from: at(from), to: at(to) }, { step, zone, limit: 1_000 }).map((each) => formatInZone(each, zone))

  test('are its ends and what lies between them', () => {
    expect(shown('2026-01-01T12:00Z', '2026-01-03T06:00Z', 'day', 'UTC')).toEqual([
      '2026-01-01T12:00:00.000Z',
      '2026-01-02T00:00:00.000Z',
      '2026-01-03T00:00:00.000Z',
      '2026-01-03T06:00:00.000Z',
    ])
    expect(shown('2026-01-01T12:10Z', '2026-01-01T12:20Z', 'hour', 'UTC')).toHaveLength(2)
  })

  test('are midnights of the zone: a day has 23 hours in spring and 25 in autumn', () => {
    const lengths = (from: string, to: string, zone: string) => {
      const bounds = boundaries({ from: at(from), to: at(to) }, { step: 'day', zone, limit: 99 })
      return bounds.slice(1).map((end, index) => (end - bounds[index]!) / HOUR)
    }
    expect(lengths('2026-03-28T00:00+01:00', '2026-03-31T00:00+02:00', 'Europe/Berlin')).toEqual([24, 23, 24])
    expect(lengths('2026-10-24T00:00+02:00', '2026-10-27T00:00+01:00', 'Europe/Berlin')).toEqual([24, 25, 24])
    expect(lengths('2026-04-04T00:00+11:00', '2026-04-06T00:00+10:30', 'Australia/Lord_Howe')).toEqual([24, 24.5])
    // Clocks there change at midnight, in spring from 24:00 to 1:00.
    expect(lengths('2026-03-07T00:00-05:00', '2026-03-09T00:00-04:00', 'America/Havana')).toEqual([24, 23])
  })

  test('tell a day that a zone skipped as none at all', () => {
    expect(shown('2011-12-29T00:00-10:00', '2012-01-01T00:00+14:00', 'day', 'Pacific/Apia')).toEqual([
      '2011-12-29T00:00:00.000-10:00',
      '2011-12-31T00:00:00.000+14:00',
      '2012-01-01T00:00:00.000+14:00',
    ])
  })

  test('are full hours of the zone, also where they are half ones elsewhere', () => {
    expect(shown('2026-01-01T00:00Z', '2026-01-01T02:00Z', 'hour', 'Asia/Kolkata')).toEqual([
      '2026-01-01T05:30:00.000+05:30',
      '2026-01-01T06:00:00.000+05:30',
      '2026-01-01T07:00:00.000+05:30',
      '2026-01-01T07:30:00.000+05:30',
    ])
    // Two hours are called two o'clock when clocks are set back; none is when they are set forward.
    expect(shown('2026-10-25T00:00Z', '2026-10-25T02:00Z', 'hour', 'Europe/Berlin')).toEqual([
      '2026-10-25T02:00:00.000+02:00',
      '2026-10-25T02:00:00.000+01:00',
      '2026-10-25T03:00:00.000+01:00',
    ])
    expect(shown('2026-03-29T00:00Z', '2026-03-29T02:00Z', 'hour', 'Europe/Berlin')).toEqual([
      '2026-03-29T01:00:00.000+01:00',
      '2026-03-29T03:00:00.000+02:00',
      '2026-03-29T04:00:00.000+02:00',
    ])
    // Clocks are set back by half an hour at two.
    expect(shown('2026-04-04T14:00Z', '2026-04-04T16:30Z', 'hour', 'Australia/Lord_Howe')).toEqual([
      '2026-04-05T01:00:00.000+11:00',
      '2026-04-05T02:00:00.000+10:30',
      '2026-04-05T03:00:00.000+10:30',
    ])
  })

  test('are the firsts of months, whatever day it is', () => {
    expect(shown('2026-01-31T08:00Z', '2026-04-15T00:00Z', 'month', 'Europe/Berlin')).toEqual([
      '2026-01-31T09:00:00.000+01:00',
      '2026-02-01T00:00:00.000+01:00',
      '2026-03-01T00:00:00.000+01:00',
      '2026-04-01T00:00:00.000+02:00',
      '2026-04-15T02:00:00.000+02:00',
    ])
  })

  test('are no more than are wanted', () => {
    const bounds = boundaries({ from: 0, to: 9 * DAY }, { step: 'hour', zone: 'UTC', limit: 3 })
    expect(bounds).toEqual([0, HOUR, 2 * HOUR, 3 * HOUR])
  })

  const moment = fc.integer({ min: at('2000-01-01'), max: at('2040-01-01') })
  const zone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'))

  // A page that ends anywhere and the page after it are the same buckets as both together.
  test('are the same whether they are asked for at once or page by page', () => {
    fc.assert(
      fc.property(
        moment,
        fc.constantFrom(...steps),
        zone,
        fc.integer({ min: 1, max: 5 }),
        (from, step, place, limit) => {
          const to = from + 40 * DAY
          const all = boundaries({ from, to }, { step, zone: place, limit: 9 })
          const first = boundaries({ from, to }, { step, zone: place, limit })
          const second = boundaries({ from: first.at(-1)!, to }, { step, zone: place, limit: 9 })
          expect([...first, ...second.slice(1)].slice(0, all.length)).toEqual(all)
          expect(all.slice(1).every((end, index) => end > all[index]!)).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('have each instant in the bucket that has it, wherever clocks change', () => {
    fc.assert(
      fc.property(moment, fc.constantFrom('day' as const, 'month' as const), zone, (instant, step, place) => {
        const [start, end] = [bucketStart(instant, step, place), bucketEnd(instant, step, place)]
        expect(start).toBeLessThan(instant)
        expect(end).toBeGreaterThanOrEqual(instant)
        expect(boundaries({ from: start, to: end }, { step, zone: place, limit: 9 })).toEqual([start, end])
      }),
      { numRuns: 500 },
    )
  })
})

suite('a bucket', () => {
  test('ends with the instant of its boundary', () => {
    const midnight = at('2026-01-02T00:00Z')
    expect([bucketStart(midnight, 'day', 'UTC'), bucketEnd(midnight, 'day', 'UTC')]).toEqual([midnight - DAY, midnight])
    expect(bucketStart(midnight + 1, 'day', 'UTC')).toBe(midnight)
    expect(bucketStart(midnight + 1, 'hour', 'Asia/Kolkata')).toBe(midnight - 30 * MINUTE)
    expect(bucketStart(midnight, 'month', 'Pacific/Kiritimati')).toBe(at('2026-01-01T00:00+14:00'))
  })
})

suite('a zone', () => {
  test.each([
    ['Europe/Berlin', 'Europe/Berlin'],
    ['europe/berlin', 'Europe/Berlin'],
    ['utc', 'UTC'],
    ['Asia/Kolkata', 'Asia/Kolkata'],
  ])('may be called %s', (name, zone) => {
    expect(zoneNamed(name)).toBe(zone)
  })

  test.each(['', 'Mars/Base', '+01:00', '01:00', '2026-01-01T00:00[Europe/Berlin]', 'Europe/Berlin ', 'Z'])(
    'is not called %j',
    (name) => {
      expect(zoneNamed(name)).toBeUndefined()
    },
  )
})

suite('an instant without a zone', () => {
  test.each([
    ['2026-03-29', 'Europe/Berlin', '2026-03-29T00:00+01:00'],
    ['2026-07-01 12:00', 'Europe/Berlin', '2026-07-01T12:00+02:00'],
    ['2026-07-01T12:00:00Z', 'Europe/Berlin', '2026-07-01T12:00Z'],
    ['2026-07-01T12:00:00-07:00', 'Europe/Berlin', '2026-07-01T19:00Z'],
    ['2026-01-01', 'Asia/Kolkata', '2025-12-31T18:30Z'],
    ['2026-01-01', 'UTC', '2026-01-01T00:00Z'],
    // It was never two o'clock: the clock went on.
    ['2026-03-29 02:30', 'Europe/Berlin', '2026-03-29T03:30+02:00'],
  ])('is what the clocks of the zone show: %s in %s', (text, zone, expected) => {
    expect(parseInZone(text, zone)).toBe(at(expected))
  })

  test.each(['yesterday', '2026-02-30', ''])('is none: %j', (text) => {
    expect(parseInZone(text, 'Europe/Berlin')).toBeUndefined()
  })

  test('is read as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: at('1990-01-01'), max: at('2040-01-01') }), (instant) => {
        expect(parseInZone(formatInZone(instant, 'America/New_York'), 'UTC')).toBe(instant)
      }),
    )
  })
})
