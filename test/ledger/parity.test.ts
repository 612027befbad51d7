/** Whatever a worker lives through, its ledger in PostgreSQL is the one that it would have in SQLite, hash by hash. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import type { Ledger } from '#src/ledger/ledger.ts'
import type { PostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { reading, T0 } from '../helpers/billing.ts'
import { emptyLedgers } from '../helpers/emptyLedgers.ts'
import { type Happening, happenings, projects, startLife } from '../helpers/life.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'

const reads = (minutes: number): Happening => ({
  kind: 'reading',
  ...{ minutes, project: 'alpha', origin: 'a', step: '31.5' },
})
/** Among others, a life in which a clock is ahead for sure. */
const ahead: Happening[] = [
  ...[reads(0), reads(30), { kind: 'clock', minutes: 90 } as const, reads(1)],
  ...[{ kind: 'clock', minutes: -90 } as const, reads(1), reads(30)],
]

suite.skipIf(missing !== undefined)('A ledger in PostgreSQL', () => {
  let server: TestServer
  let open: () => Promise<PostgresLedger>
  beforeAll(async () => {
    server = await startPostgres()
    open = emptyLedgers(server)
  })
  afterAll(() => server.stop(), 120_000)

  /** Which holds a group has is promised, not in which order. */
  async function groupOf(ledger: Ledger, name: string): Promise<unknown> {
    const group = await ledger.group(name)
    return group && { ...group, holds: group.holds.toSorted() }
  }

  async function told(ledger: Ledger): Promise<unknown> {
    const groups = projects.map(async (project) => {
      const stored = await ledger.stored([reading({ project, at: T0, value: '0' }).series])
      return [
        await groupOf(ledger, project),
        await ledger.entries(project, { limit: 200 }),
        await ledger.notes(project, 200),
        stored,
        stored.map((each) => each?.open?.from),
      ]
    })
    const holds = await ledger.holds({ filter: 'all', limit: 200 })
    const growths = await Promise.all(holds.map(({ id }) => ledger.heldGrowths(id, 200)))
    return [...(await Promise.all(groups)), holds, growths, await ledger.summary()]
  }

  test('is that in SQLite, whatever happened', { timeout: 120_000 }, async () => {
    let redated = 0
    await fc.assert(
      fc.asyncProperty(happenings, async (list) => {
        const [here, there] = [await open(), openSqliteLedger(':memory:')]
        const lives = [startLife(here), startLife(there)]
        for (const [index, happening] of list.entries()) {
          for (const { happen } of lives) await happen(happening, index)
        }
        expect(await told(here)).toEqual(await told(there))
        for (const project of projects) {
          const notes = await here.notes(project, 200)
          redated += notes.filter(({ kind }) => kind === 'redated').length
        }
        await here.close()
        await there.close()
      }),
      { numRuns: 20, endOnFailure: true, examples: [[ahead]] },
    )
    expect(redated).toBeGreaterThan(0)
  })
})
