import { expect, suite, test } from 'vitest'
import { classify } from '#src/core/classify.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Step } from '#src/core/moves.ts'
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
  /** How many projects are held in the first metric. */
  const held = (steps: readonly Step[], others: readonly Step[] = []) => judged(steps, others).cpu.jump?.only?.size ?? 0
  const rested = ({ before, reading: r }: Step, since: number): Step => ({
    before: { ...before, stillSince: since },
    reading: r,
  })

  test('in both metrics when one of them grew by more than its pace explains', () => {
    const { cpu: own, ram: other } = judged([step(1_000, 1_002)], [step(4_000, 4_001, { metric: ram.metric })])
    expect([own.jump?.only?.size, other.jump?.only?.size]).toEqual([1, 1])
    expect(judged([step(1_000, 1_002)]).cpu.jump).toMatchObject({ reason: 'implausible growth', cause: 'unknown' })
  })

  test('not when its pace explains the growth, an exporter that computed ten minutes late included', () => {
    expect(held([step(1_000, 1_001.4)])).toBe(0)
    expect(held([step(1_000, 1_001.5)])).toBe(1)
  })

  test('not when nothing is known of its pace', () => {
    expect(held([step(1_000, 2_000, { pace: 0 })])).toBe(0)
  })

  test('when it was at zero, at rest, or its site was not', () => {
    const since = T0 - 6 * HOUR
    expect(held([rested(step(0, 100, { pace: 0 }), since)])).toBe(1)
    expect(held([rested(step(1_000, 1_100, { pace: 0 }), since)])).toBe(1)
    expect(held([rested(step(1_000, 1_007), since), step(50, 51, { project: 'beta' })])).toBe(1)
  })

  test('not when all of its site stood still, and caught up with just that time', () => {
    const since = T0 - 6 * HOUR
    const site = (growth: number) => [
      rested(step(1_000, 1_000 + growth), since),
      rested(step(50, 57, { project: 'beta' }), since),
    ]
    expect(held(site(7))).toBe(0)
    expect([held(site(2)), held(site(12))]).toEqual([1, 1])
    const still = rested(step(4_000, 4_000, { metric: ram.metric }), since)
    expect(held(site(7).slice(0, 1), [still])).toBe(1)
  })

  test('and others beside it, when they are not just at their pace', () => {
    const beside = (growth: number) => held([step(1_000, 1_002), step(500, 500 + growth, { project: 'beta' })])
    expect([beside(1.3), beside(1)]).toEqual([2, 1])
  })

  test('when another one fell in one metric and grew in the other', () => {
    const torn = [
      [step(1_000, 900), step(500, 501.3, { project: 'beta' })],
      [step(4_000, 4_001, { metric: ram.metric })],
    ] as const
    expect(held(...torn)).toBe(1)
  })

  test('when it jumps again before its pace is known', () => {
    const after = (value: number): Step => {
      const { before, reading: r } = step(1_100, value, { pace: 0 })
      const line = { at: T0 - HOUR, value: decimal('1000'), pace: 1, charged: decimal('0') }
      return { before: { ...before, formerLines: [line] }, reading: r }
    }
    expect([held([after(1_200)]), held([after(9_000)])]).toEqual([0, 1])
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
