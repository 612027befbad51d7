import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { inPortions } from '#src/core/portions.ts'
import { seriesKey } from '#src/core/series.ts'
import { reading } from '../helpers/billing.ts'

suite('The portions of a delivery', () => {
  test('have each series once, as scrapes have', () => {
    const readings = ['a', 'b', 'a', 'b', 'a', 'c'].map((project, at) => reading({ project, at, value: '1' }))
    const names = inPortions(readings).map((part) => part.map(({ series }) => series.projectName).join(''))
    expect(names).toEqual(['ab', 'ab', 'ac'])
  })

  test('take once what came by two ways, and keep what contradicts it', () => {
    const [a, b] = [reading({ project: 'a', at: 1, value: '1' }), reading({ project: 'b', at: 1, value: '1' })]
    const other = reading({ project: 'b', at: 1, value: '2' })
    expect(inPortions([a, b, a, b])).toEqual([[a, b]])
    expect(inPortions([a, b, other])).toEqual([[a, b], [other]])
    expect(inPortions([])).toEqual([[]])
  })

  test('hold all readings in order of time, and no series twice', () => {
    const point = fc.record({
      project: fc.constantFrom('a', 'b', 'c'),
      id: fc.constantFrom('', '1', '2'),
      site: fc.constantFrom('8676', '8677'),
      metric: fc.constantFrom('cpu', 'ram'),
      at: fc.integer({ min: 1, max: 50 }),
    })
    fc.assert(
      fc.property(fc.uniqueArray(point, { selector: (each) => Object.values(each).join(' ') }), (points) => {
        const readings = points.map((each) => reading({ ...each, value: '1' }))
        const portions = inPortions(readings)
        const all = portions.flat()
        expect(new Set(all)).toEqual(new Set(readings))
        expect(all.map(({ at }) => at)).toEqual(readings.map(({ at }) => at).toSorted((a, b) => a - b))
        for (const portion of portions)
          expect(new Set(portion.map(({ series }) => seriesKey(series))).size).toBe(portion.length)
      }),
    )
  })
})
