import { expect, suite, test } from 'vitest'
import { classify, type Step } from '#src/core/classify.ts'
import { decimal } from '#src/core/decimals.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { reading, T0 } from '../helpers/billing.ts'

/** A series that stood at `before` an hour ago, having grown by `pace` units an hour. */
function step(before: number, after: number, { pace = 1, elapsed = HOUR } = {}): Step {
  return {
    before: { watermark: { at: T0, value: decimal(String(before)) }, pace },
    reading: reading({ project: 'alpha', at: T0 + elapsed, value: String(after) }),
  }
}

const steady = Array.from({ length: 10 }, (_, index) => step(100 * (index + 1), 100 * (index + 1) + 1))

suite('why series fell', () => {
  test('one of many: a machine was removed', () => {
    expect(classify([...steady, step(100, 60)]).fallCause).toBe('a machine was removed from the sum')
  })

  test('one of many, to zero: a machine was removed, nothing restarted', () => {
    expect(classify([...steady, step(100, 0)]).fallCause).toBe('a machine was removed from the sum')
  })

  test('all by the same factor: weighted anew', () => {
    const steps = [100, 250, 900, 4_000].map((total) => step(total, total * 0.5))
    expect(classify(steps).fallCause).toBe('the site was weighted anew or its start date moved')
  })

  test('all, each by its own: the start date moved', () => {
    const steps = [step(100, 20), step(250, 200), step(900, 500), step(4_000, 3_900)]
    expect(classify(steps).fallCause).toBe('the start date moved or old records were purged')
  })

  test('all to nearly nothing: the exporter restarted', () => {
    const steps = [100, 250, 900, 4_000].map((total) => step(total, 0.1))
    expect(classify(steps).fallCause).toBe('the exporter restarted')
  })

  test('the only one, to nearly nothing: the exporter restarted', () => {
    expect(classify([step(100, 0.5)]).fallCause).toBe('the exporter restarted')
  })

  test('two of two: too few to speak of a site', () => {
    expect(classify([step(100, 50), step(200, 100)]).fallCause).toBe('a machine was removed from the sum')
  })

  test('all but a few stopped projects: still the whole site', () => {
    const stopped = [step(50, 50), step(70, 70)]
    const fallen = Array.from({ length: 8 }, (_, index) => step(100 * (index + 1), 50 * (index + 1)))
    expect(classify([...fallen, ...stopped]).fallCause).toBe('the site was weighted anew or its start date moved')
    expect(classify([...fallen.slice(0, 7), ...stopped]).fallCause).toBe('a machine was removed from the sum')
  })

  test('is not told by series that stand at zero or whose reading is late', () => {
    const silent = [step(0, 0), step(0, 0), step(0, 0), step(100, 50, { elapsed: 0 }), step(100, 50, { elapsed: -1 })]
    const steps = [100, 250, 900].map((total) => step(total, total * 0.5))
    expect(classify([...steps, ...silent]).fallCause).toBe('the site was weighted anew or its start date moved')
  })
})

suite('a site jumped', () => {
  const jumping = [100, 250, 900, 4_000].map((total) => step(total, total * 2))

  test('when nearly all its series grew by the same factor and far beyond their pace', () => {
    expect(classify(jumping).jumped).toBe(true)
  })

  test('not when it grew at its pace', () => {
    expect(classify(steady).jumped).toBe(false)
  })

  test('not when each series grew by its own factor: projects that became busy', () => {
    expect(classify([step(100, 200), step(250, 300), step(900, 3_000), step(4_000, 4_500)]).jumped).toBe(false)
  })

  test('not when only a part of its series did', () => {
    expect(classify([...jumping, ...steady]).jumped).toBe(false)
  })

  test('not when it has fewer than three series', () => {
    expect(classify(jumping.slice(0, 2)).jumped).toBe(false)
  })

  test('not when nothing is known of the pace', () => {
    expect(
      classify(jumping.map(({ before, reading: r }) => ({ before: { ...before, pace: 0 }, reading: r }))).jumped,
    ).toBe(false)
  })

  test('not when it was read again after hours', () => {
    const steps = [100, 250, 900].map((total) => step(total, total * 1.12, { pace: total / 100, elapsed: 12 * HOUR }))
    expect(classify(steps).jumped).toBe(false)
    const sooner = steps.map(({ before, reading: r }) => ({ before, reading: { ...r, at: T0 + HOUR } }))
    expect(classify(sooner).jumped).toBe(true)
  })

  // While an exporter stands still, each scrape shows the same values and the pace goes down; then it catches up.
  test('not when its exporter stood still for hours and catches up in a minute', () => {
    const steps = [1_000, 5_000, 8_000].map((total) => step(total, total + 3, { pace: 0.003, elapsed: MINUTE }))
    expect(classify(steps).jumped).toBe(false)
  })
})

test('an empty delivery says nothing', () => {
  expect(classify([])).toEqual({ jumped: false, fallCause: 'a machine was removed from the sum' })
})
