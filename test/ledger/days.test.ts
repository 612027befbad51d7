import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { DAY } from '#src/core/time.ts'
import { sealOf } from '#src/ledger/receipts.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { cpu, T0 } from '../helpers/billing.ts'
import { addedUp, type Happening, happenings, live, someBounds, told } from '../helpers/history.ts'
import { follow } from '../helpers/ledger.ts'

const first: Happening = { minutes: 0, what: 'reading', site: '1', metric: cpu.metric, growth: 0 }

suite('the days of a ledger on a disk', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'days-'))
    path = join(folder, 'credits.db')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const rows = (sql: string) => {
    const db = new DatabaseSync(path)
    const found = db.prepare(sql).all()
    db.close()
    return found
  }
  const daysNow = () => rows('SELECT * FROM days')

  test('add up however often the worker was restarted', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(happenings, someBounds, async (story, bounds) => {
        const group = `group ${run++}`
        const restart = (old: ReturnType<typeof openSqliteLedger>) => {
          // Closing is synchronous: whatever follows finds the lock free.
          old.close()
          return openSqliteLedger(path)
        }
        const ledger = await live(openSqliteLedger(path), group, [first, ...story], restart)
        const expected = addedUp(await ledger.entries(group, { limit: 10_000 }), bounds)
        const { before, buckets } = (await ledger.consumption(group, bounds))!
        await ledger.close()
        expect([before, buckets.map(told)]).toEqual([expected.before, expected.buckets.map(told)])
      }),
      { numRuns: 15 },
    )
  })

  test('hold what is closed: growth of an open entry does not touch them', async () => {
    const ledger = openSqliteLedger(path)
    await follow(ledger, 'alpha', [
      [0, '0'],
      [60, '1'],
      [90, '2'],
    ])
    const before = daysNow()
    expect(before).toMatchObject([{ group_name: 'alpha', day: T0, kind: 'charge', entries: 1, amount: 1_000_000 }])
    await follow(ledger, 'alpha', [[100, '3']])
    expect(daysNow()).toEqual(before)
    await follow(ledger, 'alpha', [[130, '3.25']])
    expect(daysNow()).toMatchObject([{ entries: 2, amount: 3_000_000, consumption: '3' }])
    await ledger.close()
  })

  test('are sealed, each row over all that it says', async () => {
    const ledger = openSqliteLedger(path)
    const points = Array.from({ length: 50 }, (_, hour) => [hour * 60, String(hour / 7)] as const)
    await follow(ledger, 'alpha', points)
    await ledger.close()
    const found = daysNow()
    expect(found).toHaveLength(2)
    for (const { seal, ...row } of found) expect(seal).toBe(sealOf(Object.values(row) as (string | number)[]))
  })

  // What was recorded before there were days, and what is recorded since, must not differ.
  test('are the same for a ledger of an earlier version that is brought up to date', async () => {
    await fc.assert(
      fc.asyncProperty(happenings, async (story) => {
        const file = join(folder, 'credits.db')
        rmSync(file, { force: true })
        const ledger = openSqliteLedger(file)
        for (const group of ['alpha', 'beta']) await live(ledger, group, [first, ...story])
        await ledger.close()
        const days = daysNow()
        const db = new DatabaseSync(file)
        db.exec(
          'DROP TABLE days; DROP TABLE message_notices; DROP TABLE messages; DROP TABLE taken_over; PRAGMA user_version = 5',
        )
        db.close()
        await openSqliteLedger(file).close()
        expect(daysNow()).toEqual(days)
      }),
      { numRuns: 15 },
    )
  })

  test('reach back before 1970: a day begins at its midnight there, too', async () => {
    const ledger = openSqliteLedger(path)
    const entry = { id: 'old', kind: 'adjustment', group: 'alpha', amount: 5n, reason: 'old', actor: 'erika' } as const
    await follow(ledger, 'alpha', [[0, '0']])
    const entries = [-DAY, -1, 0, 1].map((recordedAt) => ({ ...entry, id: `at ${recordedAt}`, recordedAt }))
    await ledger.settle({ group: 'alpha', at: T0, entries })
    await ledger.close()
    expect(rows('SELECT day, entries FROM days')).toEqual([
      { day: -2 * DAY, entries: 1 },
      { day: -DAY, entries: 2 },
      { day: 0, entries: 1 },
    ])
  })
})
