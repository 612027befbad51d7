import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { noRejections } from '../../../src/core/admit.ts'
import { HOUR, MINUTE, SECOND } from '../../../src/core/time.ts'
import {
  afterFailure,
  afterSuccess,
  hasComplaints,
  newStatus,
  offsetOf,
  pauseAfter,
} from '../../../src/sources/prometheus/target.ts'

const config = { url: 'https://user:hunter2@site-a.example:9100/metrics?token=s3cret#x', labels: { location_id: '7' } }
const scrape = { readings: [], rejected: noRejections(), samples: 18, errors: [] }

suite('the status of a target', () => {
  test('shows neither login nor query of its URL', () => {
    const status = newStatus(config)
    expect(status.target).toBe('https://site-a.example:9100/metrics')
    expect(JSON.stringify(status)).not.toMatch(/hunter2|s3cret/)
  })

  test('is neither up nor down before the first scrape', () => {
    expect(newStatus(config)).toMatchObject({ up: undefined, failures: 0, lastScrape: undefined })
  })

  test('counts failures until a scrape works, and remembers what the last working one brought', () => {
    const worked = afterSuccess(newStatus(config), { at: 1, duration: 10 }, scrape)
    const failed = afterFailure(afterFailure(worked, { at: 2, duration: 20 }, 'one'), { at: 3, duration: 30 }, 'two')
    expect(failed).toMatchObject({ up: false, failures: 2, lastError: 'two', lastDuration: 30 })
    expect(failed).toMatchObject({ lastScrape: 3, lastSuccess: 1, samples: 18 })
    expect(afterSuccess(failed, { at: 4, duration: 5 }, scrape)).toMatchObject({
      up: true,
      failures: 0,
      lastError: undefined,
      lastSuccess: 4,
    })
  })

  test.each([
    [{ unreadable: 1 }, true],
    [{ incomplete: 1 }, true],
    [{ 'too long': 1 }, true],
    [{ 'too old': 1 }, true],
    [{ unlisted: 5, 'unknown metric': 100 }, false],
  ])('with rejections %j asks for attention: %s', (rejected, expected) => {
    expect(hasComplaints({ rejected: { ...noRejections(), ...rejected } })).toBe(expected)
  })
})

suite('the first scrape of a target', () => {
  test('comes within the interval and within five seconds, always at the same offset', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.integer({ min: 1, max: HOUR }), (url, interval) => {
        const offset = offsetOf(url, interval)
        expect(Number.isInteger(offset)).toBe(true)
        expect(offset).toBeGreaterThanOrEqual(0)
        expect(offset).toBeLessThan(Math.min(interval, 5 * SECOND))
        expect(offsetOf(url, interval)).toBe(offset)
      }),
    )
  })

  test('is spread: no tenth of the time has more than a quarter of a hundred targets', () => {
    const tenths = Array.from({ length: 100 }, (_, i) => Math.floor(offsetOf(`http://site-${i}/`, MINUTE) / 500))
    for (let tenth = 0; tenth < 10; tenth += 1) expect(tenths.filter((each) => each === tenth).length).toBeLessThan(25)
  })
})

suite('the pause after a scrape', () => {
  test.each([
    [0, 60],
    [1, 60],
    [2, 120],
    [3, 240],
    [4, 480],
    [5, 600],
    [2_000, 600],
  ])('is after %i failures at most %i seconds, of an interval of 60 s', (failures, expected) => {
    expect(pauseAfter(failures, MINUTE, 0)).toBe(expected * SECOND)
  })

  test('is ten short intervals at most, and never shorter than a long one', () => {
    expect(pauseAfter(100, SECOND, 0)).toBe(10 * SECOND)
    expect(pauseAfter(100, HOUR, 0)).toBe(HOUR)
  })

  test('varies by up to a fifth, so that targets that failed together come back one by one', () => {
    expect(pauseAfter(3, MINUTE, 0.5)).toBe(216 * SECOND)
    expect(pauseAfter(3, MINUTE, 1)).toBe(192 * SECOND)
    expect(pauseAfter(1, MINUTE, 1)).toBe(MINUTE)
    expect(pauseAfter(9, HOUR, 1)).toBe(HOUR)
  })
})
