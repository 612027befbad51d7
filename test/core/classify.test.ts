import { expect, suite, test } from 'vitest'
import { classify, type Step } from '#src/core/classify.ts'
import { decimal } from '#src/core/decimals.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { cpu, ram, reading, T0 } from '../helpers/billing.ts'

interface Standing {
  readonly pace?: number
  readonly elapsed?: number
  readonly project?: string
  readonly metric?: string
}

/** A series that stood at `before` an hour ago, having grown by `pace` units an hour. */
function step(
  before: number,
  after: number,
  { pace = 1, elapsed = HOUR, project = 'alpha', metric = cpu.metric }: Standing = {},
): Step {
  return {
    before: { watermark: { at: T0, value: decimal(String(before)) }, pace },
    reading: reading({ project, metric, at: T0 + elapsed, value: String(after) }),
  }
}

/** What is said about the first metric, and about the second one. */
function judged(steps: readonly Step[], others: readonly Step[] = []) {
  const verdicts = classify(
    new Map([
      [cpu.metric, steps],
      [ram.metric, others],
    ]),
  )
  return { cpu: verdicts.get(cpu.metric)!, ram: verdicts.get(ram.metric)! }
}

const fallOf = (steps: readonly Step[], others: readonly Step[] = []) => judged(steps, others).cpu.fall
const jumpOf = (steps: readonly Step[], others: readonly Step[] = []) => judged(steps, others).cpu.jump?.cause

const totals = [100, 250, 900, 4_000]
const steady = Array.from({ length: 10 }, (_, index) => step(100 * (index + 1), 100 * (index + 1) + 1))

/** Projects whose cpu and ram are multiplied, each by its own factors. */
const multiplied = (factors: readonly (readonly [cpu: number, ram: number])[]) => {
  const of = (metric: string, base: number) =>
    factors.map((own, index) => {
      const total = base * totals[index % totals.length]!
      return step(total, total * own[metric === cpu.metric ? 0 : 1], { metric, project: `p${index}`, pace: base })
    })
  return [of(cpu.metric, 1), of(ram.metric, 4)] as const
}

suite('series fell', () => {
  test.each([
    ['one of many', [...steady, step(100, 60)]],
    ['one of many, to zero: nothing restarted', [...steady, step(100, 0)]],
    ['two of two: too few to speak of a site', [step(100, 50), step(200, 100)]],
  ])('%s: a subject was removed', (_, steps) => {
    expect(fallOf(steps)).toBe('subject removed')
  })

  test('all by the same factor: re-weighted', () => {
    expect(fallOf(totals.map((total) => step(total, total * 0.5)))).toBe('re-weighted')
  })

  test('all, cpu and ram of a project alike: the start moved', () => {
    expect(
      fallOf(
        ...multiplied([
          [0.2, 0.2],
          [0.8, 0.8],
          [0.55, 0.55],
          [0.97, 0.97],
        ]),
      ),
    ).toBe('start moved')
  })

  test('all, cpu and ram of a project each by its own factor: re-weighted', () => {
    expect(
      fallOf(
        ...multiplied([
          [0.2, 0.5],
          [0.8, 0.9],
          [0.55, 0.6],
          [0.97, 0.8],
        ]),
      ),
    ).toBe('re-weighted')
  })

  test('all, each by its own factor, and only one metric is known: unknown', () => {
    expect(fallOf([step(100, 20), step(250, 200), step(900, 500), step(4_000, 3_900)])).toBe('unknown')
  })

  test('all to nearly nothing: the exporter restarted', () => {
    expect(fallOf(totals.map((total) => step(total, 0.1)))).toBe('restart')
  })

  test('the only one, to nearly nothing: the exporter restarted', () => {
    expect(fallOf([step(100, 0.5)])).toBe('restart')
  })

  test('several, while others go on: a purge', () => {
    expect(fallOf([...steady, step(100, 60), step(300, 10), step(500, 499)])).toBe('purge')
  })

  test('some, while others jumped: re-weighted', () => {
    expect(fallOf([...steady, step(100, 60), step(300, 10), step(500, 900)])).toBe('re-weighted')
  })

  test('all by 1,024: the old unit', () => {
    expect(fallOf(totals.map((total) => step(total * 1_024, total + 0.01)))).toBe('unit switched')
  })

  // Stopped projects, and those whose exporter has not computed since, say nothing.
  test('is not told by series that stand still, stand at zero or whose reading is late', () => {
    const silent = [step(0, 0), step(70, 70), step(70, 70), step(100, 50, { elapsed: 0 }), step(9, 5, { elapsed: -1 })]
    expect(fallOf([...totals.map((total) => step(total, total * 0.5)), ...silent])).toBe('re-weighted')
  })
})

suite('a site jumped', () => {
  const jumping = totals.map((total) => step(total, total * 2))

  test('when nearly all its series grew far beyond their pace, by the same factor: re-weighted', () => {
    expect(judged(jumping).cpu.jump).toEqual({ reason: 'site jump', cause: 're-weighted', least: 1 })
  })

  test('also when each grew by its own factor, cpu and ram alike: the start moved', () => {
    const moved = multiplied([
      [2, 2],
      [1.2, 1.2],
      [3.5, 3.5],
      [1.1, 1.1],
    ])
    expect(jumpOf(...moved)).toBe('start moved')
  })

  test('also when nothing tells why', () => {
    expect(jumpOf([step(100, 200), step(250, 300), step(900, 3_000), step(4_000, 4_500)])).toBe('unknown')
  })

  test('not when it grew at its pace', () => {
    expect(jumpOf(steady)).toBeUndefined()
  })

  test('when several series grew beyond belief at one instant, while the others went on', () => {
    const some = [step(1_000, 1_900), step(2_000, 2_600), step(900, 990)]
    expect(jumpOf([...steady, ...some])).toBe('unknown')
    expect(jumpOf([...steady, ...some.slice(1)])).toBeUndefined()
  })

  test('not when several projects started machines', () => {
    expect(jumpOf([...steady, step(1_000, 1_012), step(2_000, 2_020), step(900, 930)])).toBeUndefined()
  })

  test('not when nothing is known of the pace', () => {
    expect(
      jumpOf(jumping.map(({ before, reading: r }) => ({ before: { ...before, pace: 0 }, reading: r }))),
    ).toBeUndefined()
  })

  test('not when it was read again after hours', () => {
    const steps = [100, 250, 900].map((total) => step(total, total * 1.12, { pace: total / 100, elapsed: 12 * HOUR }))
    expect(jumpOf(steps)).toBeUndefined()
    const sooner = steps.map(({ before, reading: r }) => ({ before, reading: { ...r, at: T0 + HOUR } }))
    expect(jumpOf(sooner)).toBe('re-weighted')
  })

  // Each scrape shows the same values while an exporter stands still; then it catches up.
  test('not when its exporter stood still for hours and catches up in a minute', () => {
    const steps = [1_000, 5_000, 8_000].map((total) => {
      const { before, reading: r } = step(total, total + 3, { pace: 0.5, elapsed: MINUTE })
      return { before: { ...before, stillSince: T0 - 6 * HOUR }, reading: r }
    })
    expect(jumpOf(steps)).toBeUndefined()
  })
})

suite('a project of a small site is held', () => {
  const small = (one: number, other: number, pace = 1) =>
    judged([step(1_000, 1_000 * one, { pace })], [step(4_000, 4_000 * other, { pace: 4 * pace, metric: ram.metric })])
  const isHeld = (...factors: Parameters<typeof small>) => small(...factors).cpu.jump?.only?.size === 1

  test('when both metrics grew by the same part of their totals, far beyond their pace', () => {
    expect(isHeld(1.5, 1.5, 50)).toBe(true)
    expect(small(1.5, 1.5, 50).ram.jump).toMatchObject({ reason: 'implausible growth' })
  })

  test('when both grew beyond belief', () => {
    expect(isHeld(1.5, 1.4)).toBe(true)
  })

  test('not when they grew by other parts, at their pace, or by little', () => {
    expect([isHeld(1.5, 1.4, 50), isHeld(1.5, 1.5, 500), isHeld(1.04, 1.04, 10)]).toEqual([false, false, false])
  })
})

suite('one project', () => {
  const others = steady.map((_, index) => step(50, 51, { project: `other ${index}` }))
  const one = (cpuAfter: number, ramAfter: number) =>
    judged([...others, step(1_000, cpuAfter)], [step(4_000, ramAfter, { metric: ram.metric, pace: 4 })]).cpu.jump

  // Machines always consume of both.
  test('is held when its cpu jumps while its ram goes on, stands still or falls', () => {
    const held = { reason: 'implausible growth', cause: 'unknown', least: 1, only: new Set(['8 id-alpha alpha']) }
    expect([one(1_500, 4_004), one(1_500, 4_000), one(1_500, 3_000)]).toEqual([held, held, held])
  })

  test('is not held when both grow, as with machines of another shape', () => {
    expect([one(1_500, 4_400), one(1_003, 4_004)]).toEqual([undefined, undefined])
  })
})

suite('another unit', () => {
  const switched = totals.map((total) => step(total, total * 1_024 + 1))

  test('is counted when nearly all series that jumped did so by 1,024', () => {
    expect(judged(switched).cpu.jump).toEqual({ reason: 'unit switched', cause: 'unit switched', least: 1 })
  })

  test('is told of the only series of a site', () => {
    expect(jumpOf(switched.slice(0, 1))).toBe('unit switched')
  })

  test('holds only what jumped by so much, when others of the site go on', () => {
    expect(judged([...steady, ...switched]).cpu.jump).toMatchObject({ reason: 'unit switched', least: 512 })
  })

  test('is not told by one series of many', () => {
    expect(jumpOf([...steady, switched[0]!])).toBeUndefined()
  })
})

test('an empty delivery says nothing', () => {
  expect(judged([])).toEqual({ cpu: { fall: 'unknown' }, ram: { fall: 'unknown' } })
})
