/** Simulates many seeds in several processes: each of them has the timers of a whole process to itself. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Configuration } from './configuration.ts'
import type { Violation } from './story.ts'

/** An outcome as it is sent from one process to another. */
export interface Sent {
  readonly seed: number
  readonly configuration: Configuration
  readonly violation: Violation | undefined
  readonly story: readonly string[]
  readonly fingerprint: string
  readonly counts: Iterable<readonly [string, number]>
}

export interface Order {
  readonly from: number
  readonly to: number
  readonly processes: number
  readonly signal: AbortSignal
}

/** Each process takes every n-th seed. Resolves when all are done, or have ended because they were told to. */
export async function runAll({ from, to, processes, signal }: Order, done: (outcome: Sent) => void): Promise<void> {
  const count = Math.min(processes, to - from + 1)
  await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const child = fork(join(import.meta.dirname, 'child.ts'), [String(from + index), String(to), String(count)])
      child.on('message', (outcome) => done(outcome as Sent))
      child.once('error', reject)
      child.once('exit', (code) => {
        if (code === 0 || signal.aborted) resolve()
        else reject(new Error(`A process of the simulation ended with ${code}`))
      })
      signal.addEventListener('abort', () => child.kill('SIGTERM'))
      return promise
    }),
  )
}

export type Tally = ReturnType<typeof createTally>

/** What many seeds came to. */
export function createTally() {
  const counts = new Map<string, number>()
  const failed: { seed: number; invariant: string }[] = []
  let seeds = 0
  return {
    counts: counts as ReadonlyMap<string, number>,
    failed: failed as readonly { seed: number; invariant: string }[],
    get seeds() {
      return seeds
    },
    add({ seed, violation, counts: more }: Sent): void {
      seeds += 1
      for (const [kind, count] of more) counts.set(kind, (counts.get(kind) ?? 0) + count)
      if (violation !== undefined) failed.push({ seed, invariant: violation.invariant })
    },
  }
}
