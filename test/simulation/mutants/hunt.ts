/**
 * Simulates seeds with a mutant until one fails, and says which one and how.
 *
 *   node test/simulation/mutants/hunt.ts NAME FIRST LAST
 *
 * Files of the program are changed as this process loads them; on the disk they stay as they are.
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { planted } from './find.ts'
import { mutants } from './list.ts'

const [name, first, last] = process.argv.slice(2)
const mutant = mutants.find((each) => each.name === name)
if (mutant === undefined) throw new Error(`There is no mutant "${name}"`)
const sources = new Map([...planted(mutant)].map(([path, text]) => [pathToFileURL(path).href, text]))
registerHooks({
  load(url, context, next) {
    const source = sources.get(url)
    sources.delete(url)
    return source === undefined ? next(url, context) : { format: 'module-typescript', source, shortCircuit: true }
  },
})

const { simulate } = await import('../simulation.ts')
if (sources.size > 0) throw new Error(`The simulation does not load ${[...sources.keys()].join(' or ')}`)
for (let seed = Number(first); seed <= Number(last); seed += 1) {
  const { violation } = await simulate(seed)
  if (violation === undefined) continue
  process.stdout.write(JSON.stringify({ seed, invariant: violation.invariant }))
  break
}
