/**
 * Some hundred seeds of the simulation; `make simulate` runs as many as one likes.
 *
 * They run in processes of their own, because virtual time replaces the timers of a whole process.
 */
import { availableParallelism } from 'node:os'
import { expect, suite, test } from 'vitest'
import { describeFailure } from './report.ts'
import { createTally, runAll, type Sent } from './workers.ts'

const SEEDS = 300

async function outcomesOf(from: number, to: number): Promise<Sent[]> {
  const outcomes: Sent[] = []
  const signal = new AbortController().signal
  await runAll({ from, to, processes: Math.min(2, availableParallelism()), signal }, (each) => outcomes.push(each))
  return outcomes.toSorted((a, b) => a.seed - b.seed)
}

suite('The simulation', () => {
  test(`violates no invariant in ${SEEDS} worlds, and every fault is among them`, { timeout: 1_800_000 }, async () => {
    const outcomes = await outcomesOf(1, SEEDS)
    const tally = createTally()
    for (const outcome of outcomes) tally.add(outcome)
    expect(
      outcomes
        .filter(({ violation }) => violation !== undefined)
        .map(describeFailure)
        .join(''),
    ).toBe('')
    expect(tally.seeds).toBe(SEEDS)
    const missing = faults.filter((fault) => !tally.counts.has(fault))
    expect(missing).toEqual([])
  })

  test('tells the same story of a seed again, byte for byte', async () => {
    const [first, second] = [await outcomesOf(7, 10), await outcomesOf(7, 10)]
    expect(first.map(({ fingerprint }) => fingerprint)).toEqual(second.map(({ fingerprint }) => fingerprint))
    expect(new Set(first.map(({ fingerprint }) => fingerprint)).size).toBe(4)
  })
})

/** A simulation that lost one of these would go on to pass. */
const faults = [
  'crash',
  'kill',
  'stop',
  'clock step',
  'dip',
  'dip that returns in steps',
  'dip within a dip',
  'disk trouble',
  'edit of used credits',
  'assignment changes',
  'grant changes',
  'group appears',
  'group vanishes',
  'rights withdrawn',
  'hold accepted',
  'hold dismissed',
  'adjustment asked for',
  'repricing previewed',
  'repricing applied',
  'repricing undone',
  'jump',
  'machine deleted',
  'purge',
  'restart',
  'start moved back',
  'weighted down',
  'weighted up',
  'delivery late',
  'delivery reordered',
  'delivery repeated',
  'scrape a page',
  'scrape broken off',
  'scrape cut short',
  'scrape refused',
  'scrape unreachable',
  'sqlite busy',
  'sqlite full',
  'sqlite io',
  'perun a page',
  'perun bad gateway',
  'perun consistency error',
  'perun given up, done later',
  'perun given up, never done',
  'perun in trouble',
  'perun internal error',
  'perun lost after',
  'perun lost before',
  'perun no such status',
  'perun privilege',
  'perun read-only',
  'perun refused connection',
  'perun truncated',
  'perun unauthorized',
  'perun uncaught',
]
