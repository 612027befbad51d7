/** The capacity plan of docs/PERFORMANCE.md is what its command prints. */
import { expect, suite, test } from 'vitest'
import { costTable, defaults, limitTable } from '../../bench/capacity.ts'
import { read, section, tableRows } from './repository.ts'

suite('The capacity plan', () => {
  const plan = tableRows(section(read('docs/PERFORMANCE.md'), 'Capacity plan'))

  test('is computed from the costs that bench/capacity.ts has', () => {
    const [, ...costs] = costTable(defaults)
    const [, ...ends] = limitTable(defaults)
    for (const row of [...costs, ...ends]) expect(plan).toContainEqual(row)
  })

  test('changes with what is put in', () => {
    const slow = { ...defaults, callMs: 10 * defaults.callMs }
    const age = (costs: typeof defaults) =>
      limitTable(costs).findIndex(([what]) => what === 'the age of what Perun shows')
    expect(age(slow)).toBeLessThan(age(defaults))
  })
})
