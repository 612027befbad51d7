/** Simulates seeds until one fails, and says which one and how. */
import { simulate } from '../simulation.ts'

const [from, to] = process.argv.slice(2).map(Number)
for (let seed = from!; seed <= to!; seed += 1) {
  const { violation } = await simulate(seed)
  if (violation === undefined) continue
  process.stdout.write(JSON.stringify({ seed, invariant: violation.invariant }))
  break
}
