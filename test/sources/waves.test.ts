import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { seriesKey } from '#src/core/series.ts'
import { inWaves } from '#src/sources/waves.ts'
import { reading, T0 } from '../helpers/billing.ts'

const readings = fc.array(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(50))
    .map(([project, seconds]) => reading({ project, at: T0 + seconds, value: '1' })),
)

suite('The waves of a push', () => {
  test('hold each series once, and its readings in order of time', () => {
    fc.assert(
      fc.property(readings, (all) => {
        const waves = inWaves(all)
        expect(waves.flat().length).toBe(all.length)
        for (const wave of waves) expect(new Set(wave.map(({ series }) => seriesKey(series))).size).toBe(wave.length)
        for (const own of Map.groupBy(waves.flat(), ({ series }) => seriesKey(series)).values())
          expect(own).toEqual(own.toSorted((a, b) => a.at - b.at))
      }),
    )
  })

  test('are at most so many; the last holds what is left', () => {
    const many = Array.from({ length: 10 }, (_, index) => reading({ project: 'a', at: T0 + index, value: '1' }))
    expect(inWaves(many, 3).map(({ length }) => length)).toEqual([1, 1, 8])
  })

  test('are one for nothing', () => {
    expect(inWaves([])).toEqual([[]])
  })
})
