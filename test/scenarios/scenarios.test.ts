import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { formatCredits, parseCredits } from '#src/core/credits.ts'
import { runScenario } from '../helpers/scenarios.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')
/** These have tests of their own. */
const others = /^(planner|forecast)/
const tables = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.txt') && !others.test(name))

suite('in the scenario', () => {
  test.each(tables)('%s each delivery comes to what the table says', async (name) => {
    const { expected, came } = await runScenario(read(name))
    expect(expected.length).toBeGreaterThan(1)
    expect(came).toEqual(expected)
  })

  test('what is left of 78,042 granted credits after 726.4 used ones is 77,315.6', () => {
    expect(formatCredits(parseCredits('78042') - parseCredits('726.4'))).toBe('77315.6')
  })
})
