import { expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import { findMerged, type Known } from '#src/core/merge.ts'
import type { Step } from '#src/core/moves.ts'
import { HOUR } from '#src/core/time.ts'
import { cpu, ram, reading, T0 } from '../helpers/billing.ts'

/** A project whose total was one number an hour ago and is another one now, growing by `pace` an hour. */
function step(
  before: number,
  after: number,
  { project = 'alpha', metric = cpu.metric, pace = 1, still = false } = {},
): Step {
  const state = { watermark: { at: T0, value: decimal(String(before)) }, pace, ...(still && { stillSince: T0 - HOUR }) }
  return { before: state, reading: reading({ project, metric, at: T0 + HOUR, value: String(after) }) }
}

/** A series of the site as it was known an hour ago. */
function known(project: string, total: number, { at = T0, metric = cpu.metric, pace = 2 } = {}): Known {
  const { series } = reading({ project, metric, at, value: '0' })
  return { series, state: { watermark: { at, value: decimal(String(total)) }, pace } }
}

/** Which project took in which other one. */
async function merged(steps: readonly Step[], others: readonly Known[]) {
  const byMetric = Map.groupBy(steps, ({ reading: { series } }) => series.metric)
  const found = await findMerged(byMetric, async (metric) => others.filter(({ series }) => series.metric === metric))
  return [...found.values()]
}

suite('a series took in another one', () => {
  test('when it jumped by the total of one that is gone, and what both consumed meanwhile', async () => {
    expect(await merged([step(100, 604)], [known('gone', 500), known('small', 9)])).toEqual(['gone'])
  })

  test('when the other one has stood still since', async () => {
    const still = step(500, 500, { project: 'gone', pace: 2 })
    expect(await merged([step(100, 604), still], [known('gone', 500)])).toEqual(['gone'])
  })

  test('not when the other one goes on', async () => {
    const going = step(500, 502, { project: 'gone', pace: 2 })
    expect(await merged([step(100, 604), going], [known('gone', 500)])).toEqual([])
  })

  test('not when it jumped by less than that total, or by more than both consumed, or when the other one was gone before', async () => {
    expect(await merged([step(100, 599)], [known('gone', 500)])).toEqual([])
    expect(await merged([step(100, 609)], [known('gone', 500)])).toEqual([])
    expect(await merged([step(100, 604)], [known('gone', 500, { at: T0 - 72 * HOUR })])).toEqual([])
  })

  test('not when what may have been consumed is as large as the total', async () => {
    expect(await merged([step(100, 121)], [known('young', 20)])).toEqual([])
  })

  test('when it stood still before, by exactly that total', async () => {
    const still = { pace: 0, still: true }
    expect(await merged([step(100, 600, still)], [known('gone', 500, { pace: 0 })])).toEqual(['gone'])
    expect(await merged([step(100, 601, still)], [known('gone', 500, { pace: 0 })])).toEqual([])
  })

  // Totals of a large site are near each other: one match may be chance.
  test('only if cpu and ram match those of the same project', async () => {
    const both = [step(100, 604), step(400, 2_416, { metric: ram.metric, pace: 4 })]
    const gone = known('gone', 2_000, { metric: ram.metric, pace: 8 })
    const other = known('other', 2_000, { metric: ram.metric, pace: 8 })
    expect(await merged(both, [known('gone', 500), gone, other])).toEqual(['gone', 'gone'])
    expect(await merged(both, [known('gone', 500), other])).toEqual([])
  })

  test('and nobody is asked for the others when none jumped', async () => {
    const asked = () => Promise.reject(new Error('not needed'))
    const steps = [step(100, 101), step(5, 5), step(9, 3)]
    expect(await findMerged(new Map([[cpu.metric, steps]]), asked)).toEqual(new Map())
  })
})
