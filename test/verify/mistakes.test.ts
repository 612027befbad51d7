/** What a worker with a mistake would write, with hashes and seals that fit: only computing it again finds it. */
import { beforeEach, expect, suite, test } from 'vitest'
import { decimal, zero } from '#src/core/decimals.ts'
import type { ChargeEntry } from '#src/core/entries.ts'
import { HOUR } from '#src/core/time.ts'
import type { Ledger, Settlement } from '#src/ledger/ledger.ts'
import { openDatabase } from '#src/ledger/sqlite/database.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { reading, T0 } from '../helpers/billing.ts'
import { follow } from '../helpers/ledger.ts'
import { adjustment } from '../ledger/contract/settling.ts'
import { temporaryFolder } from './ledgers.ts'

const { series } = reading({ project: 'alpha', at: T0, value: '0' })

let path: string
let ledger: Ledger
beforeEach(async () => {
  path = `${temporaryFolder()}/credits.db`
  ledger = openSqliteLedger(path)
  await follow(ledger, 'alpha', [
    [0, '100'],
    [60, '101'],
  ])
})

/** Charges 2.5 from the second to the third hour, or what is said instead. */
async function charge(mistake: Partial<ChargeEntry>): Promise<void> {
  const to = { at: T0 + 3 * HOUR, value: decimal('103.5') }
  const entry: ChargeEntry = {
    kind: 'charge',
    id: `charge/${mistake.from?.at ?? T0 + 2 * HOUR}/8676 project_vcpu_usage alpha id-alpha 5`,
    group: 'alpha',
    series,
    from: { at: T0 + 2 * HOUR, value: decimal('101') },
    to,
    priceVersion: 'cpu@always',
    perUnit: decimal('1'),
    carryIn: zero,
    carryOut: zero,
    amount: 2_500_000n,
    recordedAt: T0 + 3 * HOUR,
    ...mistake,
  }
  await ledger.record([series], ([before]) => ({
    at: T0 + 3 * HOUR,
    changes: [
      {
        series,
        before: before!,
        state: { ...before!.state, watermark: to },
        carry: entry.carryOut,
        postings: [{ kind: 'append', entry }],
        closes: false,
      },
    ],
    ...{ notes: [], holds: [], released: [], withdrawn: [], heldGrowths: [] },
  }))
}

async function problems() {
  await ledger.close()
  return verifyLedger(path, { limit: 99 }).problems.map(({ table, key, what }) => `${table} ${key}: ${what}`)
}

suite('a charge', () => {
  test('that is right is not complained about', async () => {
    await charge({})
    expect(await problems()).toEqual([])
  })

  test.each<[string, Partial<ChargeEntry>, string[]]>([
    ['is a micro-credit too high', { amount: 2_500_001n }, ['entries 2: amount']],
    ['takes more than is carried', { carryIn: decimal('0.5') }, ['entries 2: carry_in', 'entries 2: carry_out']],
    ['carries what is left of nothing', { carryOut: decimal('0.5') }, ['entries 2: carry_out']],
    [
      'begins before its series is charged up to',
      { from: { at: T0 + HOUR - 1, value: decimal('101') } },
      ['entries 2: from_at'],
    ],
    ['ends before it begins', { from: { at: T0 + 4 * HOUR, value: decimal('101') } }, ['entries 2: from_at']],
    [
      'gives back what fell',
      { from: { at: T0 + 2 * HOUR, value: decimal('104') }, amount: -500_000n },
      ['entries 2: to_value'],
    ],
    [
      'was accepted although nothing was held',
      { accepted: { actor: 'erika', reason: 'why not' } },
      ['entries 2: the held growth that was accepted'],
    ],
    ['has the name of another', { id: 'charge/of/something/else' }, ['entries 2: id']],
    [
      'has the name of another, as it was formed before',
      { id: `charge/8676 project_vcpu_usage 8 id-alpha alpha/${T0 + HOUR}` },
      ['entries 2: id'],
    ],
  ])('that %s is found', async (_what, mistake, found) => {
    await charge(mistake)
    expect(await problems()).toEqual(found)
  })

  test('that has its name as it was formed before is none', async () => {
    await charge({ id: `charge/8676 project_vcpu_usage 8 id-alpha alpha/${T0 + 2 * HOUR}` })
    expect(await problems()).toEqual([])
  })

  test('that is on the account of another group is found', async () => {
    await follow(ledger, 'beta', [[0, '100']])
    await charge({ group: 'beta' })
    expect(await problems()).toEqual(expect.arrayContaining(['entries 2: group_name', 'groups beta: used']))
  })
})

suite('what people added', () => {
  const settle = (settlement: Partial<Settlement>) => ledger.settle({ group: 'alpha', at: T0, ...settlement })

  test('is found if it corrects what belongs to another group', async () => {
    await follow(ledger, 'beta', [
      [0, '100'],
      [60, '101'],
    ])
    await settle({ entries: [{ ...adjustment('correction', -1n), corrects: { first: 1, last: 2 } }] })
    expect(await problems()).toContain('entries 3: what it corrects')
  })

  test('is found if it is an opening of another name', async () => {
    const opening = {
      kind: 'opening',
      group: 'alpha',
      site: '8676',
      amount: 1n,
      recordedAt: T0,
      reason: 'new',
    } as const
    await settle({ entries: [{ ...opening, id: 'opening/of/something/else' }] })
    expect(await problems()).toEqual(['entries 2: id'])
  })

  test('is found if a drift names an adjustment that is not there', async () => {
    await settle({ drifts: [{ site: '8676', expected: 1n, shown: 2n, entryId: 'drift/alpha/1' }] })
    expect(await problems()).toEqual(['drifts 1: the adjustment that follows it'])
  })

  test('is found if it belongs to a repricing that nobody previewed', async () => {
    await settle({ entries: [{ ...adjustment('repricing/first/1', -1n), corrects: { first: 1, last: 1 } }] })
    expect(await problems()).toEqual(['entries 2: the repricing that it belongs to'])
  })

  const [applied, undone] = ['repricing/first/1', 'repricing/first/1/undo']

  test.each<[string, (number | string | null)[], [string, bigint][], string[]]>([
    ['an applied repricing without its adjustment', [4, 'erika', null, null, null], [], ['repricing_lines']],
    [
      'a repricing that was only previewed, with an adjustment',
      [null, null, null, null, null],
      [[applied, -50n]],
      ['repricing_lines'],
    ],
    [
      'a repricing that was undone in part',
      [4, 'erika', 5, 'max', 'No'],
      [
        [applied, -50n],
        [undone, 49n],
      ],
      ['repricing_lines'],
    ],
    [
      'a repricing that was undone before it was applied',
      [4, 'erika', 5, 'max', 'No'],
      [
        [undone, 50n],
        [applied, -50n],
      ],
      ['repricing_lines'],
    ],
    [
      'nothing where a clock was set right between applying and undoing',
      [5, 'erika', 4, 'max', 'No'],
      [
        [applied, -50n],
        [undone, 50n],
      ],
      [],
    ],
  ])('is found to contradict %s', async (_what, decided, adjustments, complaints) => {
    for (const [id, amount] of adjustments) {
      await settle({ entries: [{ ...adjustment(id, amount), site: '8676', corrects: { first: 1, last: 1 } }] })
    }
    await ledger.close()
    const { db, close } = openDatabase(path)
    db.prepare(`INSERT INTO repricings (id, metric, from_at, to_at, per_unit, reason, actor, previewed_at, seen_entry,
      applied_at, applied_by, undone_at, undone_by, undone_why) VALUES ('first', 'm', 1, 2, '0.9', 'r', 'a', 3, 4, ?, ?, ?, ?, ?)`).run(
      ...decided,
    )
    db.exec(`INSERT INTO repricing_lines (repricing_id, series_id, first_entry, last_entry, last_hash, consumption, amount)
      VALUES ('first', 1, 1, 1, (SELECT hash FROM entries WHERE number = 1), '1', -50)`)
    close()
    const found = verifyLedger(path).problems.map(({ table }) => table)
    expect(found).toEqual(complaints)
  })
})

test('Used credits that were published wrongly are found, unless there is work left to do', async () => {
  const opening = { kind: 'opening', id: 'opening/alpha', group: 'alpha', site: '8676', recordedAt: T0 } as const
  const publish = (used: bigint, dealtWith: bigint) =>
    ledger.settle({
      ...{ group: 'alpha', at: T0, contacts: [{ site: '8676', contact: 'active' }] },
      entries: [{ ...opening, amount: 5_000n, reason: 'new' }],
      published: { used, sites: [] },
      dealtWith,
    })
  await publish(1_010_000n, 0n)
  expect(verifyLedger(path).problems).toEqual([])
  await publish(1_010_000n, 1_005_000n)
  expect(verifyLedger(path).problems).toMatchObject([{ table: 'groups', expected: '1.00', found: '1.01' }])
  expect(verifyLedger(path, { precision: 3 }).problems).toMatchObject([{ expected: '1.005' }])
  // Half to even.
  await publish(1_000_000n, 1_005_000n)
  expect(await problems()).toEqual([])
})

suite('What closed entries add up to by day', () => {
  /** Changes days as the worker would, with seals that fit. */
  async function changeDays(sql: string): Promise<string[]> {
    await charge({})
    await ledger.close()
    const { db, close } = openDatabase(path)
    db.exec(sql)
    close()
    return verifyLedger(path).problems.map(({ table, what }) => `${table}: ${what}`)
  }

  test.each([
    ['UPDATE days SET amount = amount + 1', 'days: amount'],
    ['UPDATE days SET entries = entries + 1', 'days: entries'],
    ["UPDATE days SET consumption = '1.1'", 'days: consumption'],
    ['DELETE FROM days', 'days: entries'],
    ['UPDATE days SET day = day + 86400000', 'days: entries'],
  ])('is found if it is not so: %s', async (sql, problem) => {
    expect(await changeDays(sql)).toContain(problem)
  })
})
