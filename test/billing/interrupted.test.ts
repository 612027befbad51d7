/** A delivery in which all of a site jumped is recorded in part; the rest of it comes with the next one. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { createIntake, type IntakeOptions } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { formatCredits } from '#src/core/credits.ts'
import { MINUTE } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { type Measured, meters, reading, silent, T0, testClock } from '../helpers/billing.ts'

const projects = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5']

suite('a site that jumps while its delivery is recorded in part', () => {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = openSqliteLedger(':memory:')
    for (let minute = 0; minute < 10; minute += 1) await take(minute, totals(100 + minute))
  })
  afterEach(() => ledger.close())

  const totals = (value: number, names = projects) => new Map(names.map((name) => [name, value]))

  /** @param dies After so many groups. */
  async function take(minute: number, values: ReadonlyMap<string, number>, dies = 99): Promise<void> {
    let calls = 0
    const record: Ledger['record'] = (series, decide) => {
      calls += 1
      return calls > dies ? Promise.reject(new Error('killed')) : ledger.record(series, decide)
    }
    const about: IntakeOptions = {
      ledger: { ...ledger, record },
      ...{
        maxSeries: 100,
        smallSites: 'charge',
        meters,
        clock: testClock(T0 + minute * MINUTE),
        logger: silent,
        onChanged: () => {},
        part: 1,
      },
    }
    const at = T0 + minute * MINUTE
    const measured = [...values].map(([project, value]): Measured => ({ project, at, value: String(value) }))
    const rejected = noRejections()
    const taken = createIntake(about).take({
      id: 'd',
      source: 's',
      receivedAt: at,
      readings: measured.map(reading),
      rejected,
    })
    await taken.catch((error: Error) => expect(error.message).toBe('killed'))
  }

  const used = async () =>
    Promise.all(projects.map(async (name) => Number(formatCredits((await ledger.account(name))!.used))))
  const holds = async () => (await ledger.holds({ limit: 99 })).map(({ kind }) => kind)

  test('is held as a whole, by one hold', async () => {
    await take(10, totals(1_000), 3)
    await take(11, totals(1_010))
    expect(await holds()).toEqual(['site jump'])
    const [hold] = await ledger.holds({ limit: 1 })
    const growths = await ledger.heldGrowths(hold!.id, 99)
    expect(growths.map(({ series }) => series.projectName)).toEqual(projects)
    expect(await used()).toEqual([19, 19, 19, 9, 9, 9])
  })

  test('is held as a whole however often that goes wrong, and whenever somebody decides', async () => {
    await take(10, totals(1_000), 2)
    const [hold] = await ledger.holds({ limit: 1 })
    await ledger.closeHold(hold!.id, 'Dismissed by erika: seen', () => {
      return { at: T0, changes: [], notes: [], holds: [], released: [], withdrawn: [], heldGrowths: [] }
    })
    await take(11, totals(1_010), 4)
    await take(12, totals(1_020), 5)
    await take(13, totals(1_030))
    expect(await holds()).toEqual(['site jump'])
    expect(await used()).toEqual([39, 39, 29, 29, 19, 9])
  })

  test('is held for a project that was absent then', async () => {
    await take(10, totals(1_000, projects.slice(0, 5)))
    for (let minute = 11; minute < 20; minute += 1) await take(minute, totals(990 + minute, projects.slice(0, 5)))
    await take(20, totals(1_010))
    expect(await used()).toEqual([19, 19, 19, 19, 19, 9])
  })

  test('holds nothing that grows after it', async () => {
    await take(10, totals(1_000), 3)
    await take(11, totals(1_010))
    await take(12, totals(1_020))
    // One project starts many machines.
    await take(13, new Map([...totals(1_030), ['p4', 1_500]]))
    expect(await used()).toEqual([39, 39, 39, 29, 499, 29])
    expect(await holds()).toEqual(['site jump'])
  })

  test('holds nothing of a project that was absent and grew at its pace', async () => {
    await take(10, totals(1_000, projects.slice(0, 5)))
    await take(11, new Map([...totals(1_010, projects.slice(0, 5)), ['p5', 111]]))
    expect(await used()).toEqual([19, 19, 19, 19, 19, 11])
  })
})
