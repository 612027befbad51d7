import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { seriesKey } from '#src/core/series.ts'

suite('the key of a series', () => {
  const key = (projectId: string, projectName: string, site = '1', metric = 'm') =>
    seriesKey({ site, metric, projectId, projectName })

  test('tells id and name apart, wherever their blanks are', () => {
    expect(key('a', 'b c')).not.toBe(key('a b', 'c'))
    expect(key('', 'a')).not.toBe(key('a', ''))
  })

  test('is shared by no two series', () => {
    const name = fc.oneof(fc.constantFrom('', ' ', '1', '1 ', ' 1', '1 1', '2 a'), fc.string())
    fc.assert(
      fc.property(name, name, name, name, (id, project, otherId, otherProject) => {
        expect(key(id, project) === key(otherId, otherProject)).toBe(id === otherId && project === otherProject)
      }),
    )
  })

  test('differs by site and by metric', () => {
    expect(new Set([key('a', 'b'), key('a', 'b', '2'), key('a', 'b', '1', 'n')]).size).toBe(3)
  })
})
