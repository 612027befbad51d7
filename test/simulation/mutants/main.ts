/**
 * Shows that the simulation finds defects: plants one after another and simulates until a seed fails.
 *
 *   node test/simulation/mutants/main.ts [WORD]    all mutants, or those with a word in their name
 *
 * Writes the seeds that found them to `found.json`, from where the test takes them. The exit code is 1 if one survives.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import PQueue from 'p-queue'
import { type Found, find } from './find.ts'
import { mutants } from './list.ts'

/** As many seeds as a mutant may survive. */
const SEEDS = 1_000

const [word = ''] = process.argv.slice(2)
const path = join(import.meta.dirname, 'found.json')
const known = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Found>
const found = new Map<string, Found>()
const survivors: string[] = []
const queue = new PQueue({ concurrency: availableParallelism() })

for (const mutant of mutants.filter(({ name }) => name.includes(word))) {
  void queue.add(async () => {
    const { name } = mutant
    const by = await find(mutant, 1, SEEDS)
    if (by === undefined) survivors.push(name)
    else found.set(name, by)
    process.stdout.write(`${name.padEnd(70)} ${by === undefined ? 'SURVIVED' : `seed ${by.seed}: ${by.invariant}`}\n`)
  })
}
await queue.onIdle()
const names = mutants.map(({ name }) => name)
const all = names.map(
  (name) => [name, found.get(name) ?? (survivors.includes(name) ? undefined : known[name])] as const,
)
writeFileSync(path, `${JSON.stringify(Object.fromEntries(all.filter(([, by]) => by !== undefined)), undefined, 2)}\n`)
process.stdout.write(`${found.size} found, ${survivors.length} survived\n`)
process.exitCode = survivors.length === 0 && found.size > 0 ? 0 : 1
