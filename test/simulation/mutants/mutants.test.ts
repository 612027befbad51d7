/** The simulation finds defects: each mutant fails at the seed that found it. `make mutants` looks for such seeds anew. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { type Found, find, planted } from './find.ts'
import { mutants } from './list.ts'

const found = JSON.parse(readFileSync(join(import.meta.dirname, 'found.json'), 'utf8')) as Record<string, Found>

suite('The mutants', () => {
  test('fit the code, one by one, and each was found', () => {
    for (const mutant of mutants) expect([...planted(mutant).values()].join('')).toContain(mutant.instead)
    expect(Object.keys(found).toSorted()).toEqual(mutants.map(({ name }) => name).toSorted())
    expect(mutants.length).toBeGreaterThan(40)
  })

  test.concurrent.each(mutants)('$name: found', { timeout: 300_000 }, async (mutant) => {
    const known = found[mutant.name]!
    expect(await find(mutant, known.seed, known.seed)).toEqual(known)
  })
})
