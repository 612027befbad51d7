/**
 * Simulates seeds, and tells of those that fail.
 *
 *   node test/simulation/main.ts SEED           one seed, with its story
 *   node test/simulation/main.ts FIRST-LAST     many, on all cores, with progress; Ctrl-C ends it with a summary
 *
 * The exit code is 1 if an invariant was violated.
 */
import { availableParallelism } from 'node:os'
import { describeFailure, describeProgress, describeSummary } from './report.ts'
import { simulate } from './simulation.ts'
import { createTally, runAll } from './workers.ts'

const [range = '1-100'] = process.argv.slice(2)
const [first, last] = range.split('-').map(Number)
if (!Number.isInteger(first) || (last !== undefined && !Number.isInteger(last))) {
  process.stderr.write(`Expected a seed such as 17 or a range such as 1-1000, got ${range}\n`)
  process.exit(2)
}
process.exitCode = last === undefined ? await one(first!) : await many(first!, last)

async function one(seed: number): Promise<number> {
  const outcome = await simulate(seed, { print: true })
  const text = outcome.violation === undefined ? `Seed ${seed}: every invariant holds.\n` : describeFailure(outcome)
  process.stdout.write(`${text}Fingerprint ${outcome.fingerprint}\n`)
  return outcome.violation === undefined ? 0 : 1
}

async function many(from: number, to: number): Promise<number> {
  const tally = createTally()
  const begun = performance.now()
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const elapsed = () => (performance.now() - begun) / 1_000
  const timer = setInterval(
    () => process.stderr.write(`${describeProgress(tally, to - from + 1, elapsed())}\n`),
    10_000,
  )
  await runAll({ from, to, processes: availableParallelism(), signal: stop.signal }, (outcome) => {
    tally.add(outcome)
    if (outcome.violation !== undefined) process.stdout.write(describeFailure(outcome))
  })
  clearInterval(timer)
  process.stdout.write(describeSummary(tally, to - from + 1, elapsed()))
  return tally.failed.length === 0 && tally.seeds > 0 ? 0 : 1
}
