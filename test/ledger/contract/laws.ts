/** The ledger contract: what holds for every history. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compare } from '#src/core/decimals.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { chargesOf, follow } from '../../helpers/ledger.ts'
import { audit } from './audit.ts'

export function lawsContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())
  const used = async (group: string) => (await ledger.account(group))?.used

  // A group pays the same in whichever order and however often its readings are told, once the first is known.
  test('any order, repetition and split of a delivery ends in the same total', async () => {
    const growth = fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 0, max: 30_000 })), {
      minLength: 2,
      maxLength: 12,
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(growth, fc.infiniteStream(fc.nat()), async (steps, numbers) => {
        const [group, again] = [`once ${run}`, `again ${run++}`]
        let [minute, total] = [0, 0]
        const points = [
          [0, '0'] as const,
          ...steps.map(([minutes, more]) => {
            minute += minutes
            total += more
            return [minute, String(total / 7)] as const
          }),
        ]
        await follow(ledger, group, points)
        await follow(ledger, again, points.slice(0, 1))
        const told = points.flatMap((point) => Array.from({ length: 1 + (numbers.next().value! % 3) }, () => point))
        const shuffled = told.map((point) => ({ point, key: numbers.next().value! })).toSorted((a, b) => a.key - b.key)
        await follow(
          ledger,
          again,
          shuffled.map(({ point }) => point),
        )
        expect(await used(again)).toBe(await used(group))
        const charges = await chargesOf(ledger, again)
        const gaps = charges.slice(1).filter(({ from }, index) => compare(from.value, charges[index]!.to.value) !== 0)
        expect(gaps).toEqual([])
      }),
      { numRuns: 40 },
    )
    await audit(ledger)
  })

  test('whatever exporters show, the ledger adds up', async () => {
    const value = fc.oneof(
      fc.integer({ min: 0, max: 400 }).map(String),
      fc.double({ min: 0, max: 300, noNaN: true }).map(String),
    )
    const points = fc.array(fc.tuple(fc.integer({ min: -5, max: 100 }), value), { maxLength: 25 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(points, async (steps) => {
        let minute = 0
        const group = `group ${run++}`
        await follow(
          ledger,
          group,
          steps.map(([minutes, text]) => {
            minute += minutes
            return [minute, text] as const
          }),
        )
      }),
      { numRuns: 40 },
    )
    await audit(ledger)
  })
}
