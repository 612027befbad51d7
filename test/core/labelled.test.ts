import { expect, suite, test } from 'vitest'
import { labels } from '../helpers/labelled/events.ts'
import { type Result, runLabelled } from '../helpers/labelled/run.ts'

// A smaller version of `make classify`, which prints the whole matrix: docs/CLASSIFIER.md.
const seeds = [1, 2, 3, 4, 5, 6, 7, 8]

suite('of labelled events at made-up sites', () => {
  // Small ones: what no pace explains is held, also where nothing is wrong.
  test.each(labels)('%s charges nothing that was not consumed at sites of one to nine projects', async (label) => {
    const results: Result[] = []
    for (const seed of [...seeds, 157]) results.push(await runLabelled({ label, seed, projects: [1, 9] }))
    expect(results.map(({ wrong }) => wrong)).toEqual(results.map(() => 0n))
  })

  test.each(labels)('%s charges nothing that was not consumed, in any run', async (label) => {
    const results: Result[] = []
    for (const seed of seeds) results.push(await runLabelled({ label, seed, projects: [20, 60] }))
    expect(results.map(({ wrong }) => wrong)).toEqual(seeds.map(() => 0n))
    expect(results.every(({ truth }) => truth > 0n)).toBe(true)
    // Many that start at once in a small site may be held; the matrix says how often.
    if (label.startsWith('no fault') && label !== 'no fault: many start') {
      expect(results.map(({ missing, isHeld }) => [missing, isHeld])).toEqual(seeds.map(() => [0n, false]))
    }
    if (label.startsWith('unit switched')) {
      expect(results.map(({ verdict }) => verdict)).toEqual(seeds.map(() => 'unit switched'))
    }
  })
})
