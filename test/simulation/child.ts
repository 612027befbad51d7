/** A process that simulates every n-th seed for `workers.ts`. */
import { simulate } from './simulation.ts'

const [from, to, step] = process.argv.slice(2).map(Number)
// Ctrl-C in a terminal reaches this process too; the one that began it decides.
process.on('SIGINT', () => {})
for (let seed = from!; seed <= to!; seed += step!) {
  const outcome = await simulate(seed)
  process.send?.({ ...outcome, counts: [...outcome.counts] })
}
process.disconnect?.()
