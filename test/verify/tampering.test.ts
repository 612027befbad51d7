/** What a hand may do to a ledger: what is found, and what cannot be. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { T0 } from '../helpers/billing.ts'
import { deliver } from '../helpers/ledger.ts'
import { temporaryFolder, writeVariedLedger } from './ledgers.ts'

const folder = mkdtempSync(join(tmpdir(), 'verify-'))
const original = join(folder, 'credits.db')
beforeAll(() => writeVariedLedger(original))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A varied ledger, and a hand that changes it as if there were no triggers. */
function ledgerAndHand() {
  const path = `${temporaryFolder()}/credits.db`
  copyFileSync(original, path)
  return { path, change: (...sql: string[]) => changeByHand(path, sql) }
}

function changeByHand(path: string, statements: readonly string[]): void {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
  const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`)
  for (const sql of statements) db.exec(sql)
  for (const { sql } of triggers) db.exec(String(sql))
  db.close()
}

function queryByHand(path: string, sql: string): Record<string, string> {
  const db = new DatabaseSync(path)
  const row = { ...db.prepare(sql).get() } as Record<string, string>
  db.close()
  return row
}

/** The tables where something is wrong, each once. */
function tablesOf(path: string): string[] {
  return [...new Set(verifyLedger(path, { limit: 1_000 }).problems.map(({ table }) => table))]
}

suite('a ledger that nobody touched', () => {
  test('is all right, whatever the worker recorded in it', () => {
    const { path, change } = ledgerAndHand()
    expect(verifyLedger(path)).toMatchObject({ problems: [], problemCount: 0, series: 6, groups: 4 })
    change()
    expect(verifyLedger(path).problems).toEqual([])
  })

  test('is not changed by an SQL shell that knows nothing of seals', () => {
    const { path } = ledgerAndHand()
    const db = new DatabaseSync(path)
    expect(() => db.exec("UPDATE groups SET published = 5 WHERE name = 'alpha'")).toThrow('no such function: seal')
    db.close()
  })
})

/** Every column of every table, but for what is said below. */
const columns = [
  ...of('series', 'id site metric project_id project_name at value origin carry pace still_since former_lines'),
  ...of('series', 'open_number open_window open_price open_base head opened_by seal'),
  ...of('groups', 'name used opened granted published published_at newest_intention head next_line seal'),
  ...of('accounts', 'group_name site charged contact retry_at published_up_to seal'),
  ...of('entries', 'number id kind group_name site at amount recorded_at series_id from_at from_value to_value'),
  ...of('entries', 'price_version per_unit carry_in carry_out reason actor hash corrects corrects_to'),
  ...of('notes', 'id kind series_id at text seal'),
  ...of('holds', 'id key kind site group_name reason opened_at seen_at closed_at closed_why seal'),
  ...of('held_growths', 'hold_id series_id from_at from_value to_at to_value withdrawn seal'),
  ...of('intentions', 'group_name number site used up_to at overtaken seal'),
  ...of('notices', 'id group_name kind line granted used at entry state seal'),
  ...of('days', 'group_name day kind site metric entries amount consumption seal'),
  ...of('messages', 'id uid channel recipient copy_to opened_at state content attempts attempted_at retry_at ended_at'),
  ...of('messages', 'problem seal'),
  ...of('message_notices', 'message_id notice_id seal'),
  ...of('mutes', 'group_name at actor reason seal'),
  ...of('taken_over', 'site at begun missing seal'),
  ...of('watched_lines', 'percents seal'),
  ...of('drifts', 'id group_name site seen_at expected shown modified_at modified_by entry_id seal'),
  ...of('repricings', 'id metric from_at to_at per_unit reason actor previewed_at seen_entry applied_at'),
  ...of('repricings', 'applied_by undone_at undone_by undone_why seal'),
  ...of('repricing_lines', 'repricing_id series_id first_entry last_entry last_hash consumption amount seal'),
]

/** A column that tells some row of a table from the others. */
const keys: Readonly<Record<string, string>> = {
  groups: 'name',
  accounts: 'site',
  held_growths: 'hold_id',
  intentions: 'number',
  mutes: 'group_name',
  taken_over: 'site',
  days: 'day',
  watched_lines: 'percents',
  message_notices: 'message_id',
  repricings: 'id',
  repricing_lines: 'repricing_id',
  ...Object.fromEntries(
    ['series', 'entries', 'notes', 'holds', 'drifts', 'notices', 'messages'].map((table) => [table, 'rowid']),
  ),
}

/** Whether there is work to do: changes no amount, and is not sealed. */
const notCovered = [['groups', 'dirty']]

function of(table: string, names: string): [table: string, column: string][] {
  return names.split(' ').map((name) => [table, name])
}

function otherValue(table: string, column: string): string {
  if (`${table}.${column}` === 'entries.kind') return "CASE kind WHEN 'charge' THEN 'opening' ELSE 'charge' END"
  if (table === 'days' && column === 'kind') return "CASE kind WHEN 'charge' THEN 'opening' ELSE kind END"
  if (table === 'notices' && column === 'kind') return "'runs out'"
  if (table === 'notices' && column === 'state') return "'sent'"
  if (table === 'messages' && column === 'state') return "'given up'"
  if (table === 'messages' && column === 'channel') return "'webhook'"
  return `CASE typeof(${column}) WHEN 'text' THEN 'x' || ${column} WHEN 'null' THEN 1 ELSE ${column} + 1000 END`
}

suite('a changed value', () => {
  test('is looked for here in every column', () => {
    const { path } = ledgerAndHand()
    const db = new DatabaseSync(path)
    const all = db.prepare(`SELECT tables.name AS "table", columns.name AS "column" FROM sqlite_schema AS tables,
      pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'`)
    const existing = all.all().map(({ table, column }) => `${table}.${column}`)
    db.close()
    expect([...columns, ...notCovered].map((each) => each.join('.')).toSorted()).toEqual(existing.toSorted())
  })

  test.each(columns)('in %s.%s is found', (table, column) => {
    const { path, change } = ledgerAndHand()
    const first = `(SELECT min(${keys[table]}) FROM ${table})`
    change(`UPDATE ${table} SET ${column} = ${otherValue(table, column)} WHERE ${keys[table]} = ${first}`)
    expect(tablesOf(path)).not.toEqual([])
  })

  // A charge that a person accepted, an opening, an adjustment, a correction.
  test.each(columns.filter(([table]) => table === 'entries'))(
    'in %s.%s of entries of all kinds is found',
    (_, column) => {
      for (const number of [16, 17, 19, 20]) {
        const { path, change } = ledgerAndHand()
        change(`UPDATE entries SET ${column} = ${otherValue('entries', column)} WHERE number = ${number}`)
        expect([number, tablesOf(path)]).toEqual([number, expect.arrayContaining(['entries'])])
      }
    },
  )

  test('of what says that there is work to do is not, as it changes no amount', () => {
    const { path, change } = ledgerAndHand()
    change("UPDATE groups SET dirty = 1 WHERE name = 'beta'")
    expect(tablesOf(path)).toEqual([])
  })
})

suite('bytes that are no UTF-8, read as the replacement character that the name has', () => {
  test.each([
    ['entries', 'id', 'number = 6'],
    ['series', 'project_name', 'id = 4'],
    ['holds', 'reason', "kind = 'implausible growth' AND closed_at IS NULL"],
  ])('are found in %s.%s', (table, column, where) => {
    const { path, change } = ledgerAndHand()
    const select = `SELECT ${column} AS value, hex(${column}) AS bytes FROM ${table} WHERE ${where}`
    const before = queryByHand(path, select)
    const bytes = before.bytes!.replace('EFBFBD', 'F0BFBD')
    expect(bytes).not.toBe(before.bytes)
    change(`UPDATE ${table} SET ${column} = CAST(x'${bytes}' AS TEXT) WHERE ${where}`)
    expect(queryByHand(path, select)).toEqual({ value: before.value, bytes })
    expect(verifyLedger(path).problems).toContainEqual(
      expect.objectContaining({ table, what: 'its text', expected: 'UTF-8' }),
    )
  })
})

suite('what is found of entries', () => {
  test.each([
    ['one is deleted', ['DELETE FROM entries WHERE number = 3'], ['entries', 'groups', 'accounts']],
    [
      'the last one is deleted with its amount',
      [
        'DELETE FROM entries WHERE number = 23',
        "UPDATE groups SET used = used - 9428577 WHERE name = 'alpha'",
        "UPDATE accounts SET charged = charged - 9428577 WHERE group_name = 'alpha' AND site = '8676'",
      ],
      ['entries', 'series'],
    ],
    [
      'two exchange their places',
      [
        'UPDATE entries SET number = 99 WHERE number = 1',
        'UPDATE entries SET number = 1 WHERE number = 3',
        'UPDATE entries SET number = 3 WHERE number = 99',
      ],
      ['entries'],
    ],
    [
      'an amount is changed, and all totals with it',
      [
        'UPDATE entries SET amount = amount - 1 WHERE number = 5',
        "UPDATE groups SET used = used - 1 WHERE name = 'alpha'",
        "UPDATE accounts SET charged = charged - 1 WHERE group_name = 'alpha' AND site = '9'",
      ],
      ['entries'],
    ],
    [
      'a charge is there twice',
      [
        `INSERT INTO entries SELECT 26, 'again', kind, group_name, site, at, amount, recorded_at, series_id, from_at,
          from_value, to_value, price_version, per_unit, carry_in, carry_out, reason, actor, hash, corrects, corrects_to
          FROM entries WHERE number = 1`,
      ],
      ['entries', 'series', 'groups', 'accounts'],
    ],
    [
      'an adjustment goes to another group',
      ["UPDATE entries SET group_name = 'beta' WHERE id = 'gift'"],
      ['entries', 'groups'],
    ],
    ['a series loses its account', ["DELETE FROM accounts WHERE site = '9'"], ['series', 'entries']],
    ['a group is gone', ["DELETE FROM groups WHERE name = 'beta'"], ['accounts', 'entries', 'series']],
  ])('%s', (_what, sql, tables) => {
    const { path, change } = ledgerAndHand()
    change(...sql)
    expect(tablesOf(path)).toEqual(expect.arrayContaining(tables))
  })

  test('a trigger is missing', () => {
    const { path } = ledgerAndHand()
    const db = new DatabaseSync(path)
    db.exec('DROP TRIGGER holds_updated')
    db.close()
    expect(verifyLedger(path).problems).toMatchObject([
      { table: 'schema', key: 'trigger holds_updated', found: 'nothing' },
    ])
  })

  test('each is named: the row, what was expected and what is there', () => {
    const { path, change } = ledgerAndHand()
    change('UPDATE entries SET amount = 2000001 WHERE number = 1')
    expect(verifyLedger(path).problems).toEqual([
      { table: 'entries', key: '1', what: 'amount', expected: '2000000', found: '2000001' },
      { table: 'groups', key: 'alpha', what: 'used', expected: '5000085719495', found: '5000085719494' },
      {
        table: 'accounts',
        key: 'alpha, 8676',
        what: 'charged',
        expected: expect.any(String),
        found: expect.any(String),
      },
      {
        table: 'days',
        key: 'alpha, 1767225600000 charge 8676 project_vcpu_usage',
        what: 'amount',
        expected: expect.any(String),
        found: expect.any(String),
      },
    ])
  })

  test('no more of them are kept than asked for, and all are counted', () => {
    const { path, change } = ledgerAndHand()
    change('UPDATE entries SET amount = amount + 1')
    const { problems, problemCount } = verifyLedger(path, { limit: 3 })
    expect(problems).toHaveLength(3)
    // 25 entries, the totals of 3 groups and 4 accounts, 9 sums of days, what a repricing and its undoing say.
    expect(problemCount).toBe(43)
  })
})

suite('a digest that was noted', () => {
  async function noteAndGoOn() {
    const { path, change } = ledgerAndHand()
    copyFileSync(path, `${path}.copy`)
    const noted = verifyLedger(path).digest!
    const ledger = openSqliteLedger(path)
    await deliver(ledger, { project: 'gamma', at: T0 + 9 * HOUR, value: '2' })
    await deliver(ledger, { project: 'alpha', at: T0 + 9 * HOUR, value: '5000150' })
    await ledger.close()
    return { path, copy: `${path}.copy`, change, noted }
  }

  test('is that of the same entries later, when the ledger has gone on', async () => {
    const { path, noted } = await noteAndGoOn()
    expect(verifyLedger(path, { expected: noted })).toMatchObject({ problems: [], entries: 27 })
    expect(verifyLedger(path).digest).not.toBe(noted)
  })

  test('tells an older copy that was put in the place of the ledger, which is all right by itself', async () => {
    const { path, copy } = await noteAndGoOn()
    const noted = verifyLedger(path).digest!
    expect(verifyLedger(copy).problems).toEqual([])
    expect(verifyLedger(copy, { expected: noted }).problems).toMatchObject([{ table: 'digest', found: '25' }])
  })

  test('tells another history, which is all right by itself', async () => {
    const { path, noted } = await noteAndGoOn()
    const other = `${temporaryFolder()}/credits.db`
    const ledger = openSqliteLedger(other)
    for (let hour = 0; hour < 40; hour += 1) {
      await deliver(ledger, { project: 'alpha', at: T0 + hour * HOUR, value: `${hour}` })
    }
    await ledger.close()
    expect(verifyLedger(other).problems).toEqual([])
    expect(verifyLedger(other, { expected: noted }).problems).toMatchObject([{ table: 'digest', expected: noted }])
    expect(verifyLedger(path, { expected: noted }).problems).toEqual([])
  })
})

// Said in docs/OPERATING.md: whoever knows how may do this, and only a backup shows it.
suite('what is not found', () => {
  test.each([
    ['the newest note is deleted', 'DELETE FROM notes WHERE id = (SELECT max(id) FROM notes)'],
    ['the newest hold, which holds no growth, is deleted', 'DELETE FROM holds WHERE id = (SELECT max(id) FROM holds)'],
    ['the newest drift is deleted', 'DELETE FROM drifts WHERE id = (SELECT max(id) FROM drifts)'],
    ['an intention is deleted', 'DELETE FROM intentions'],
    [
      'a repricing that was only previewed is deleted',
      "DELETE FROM repricing_lines WHERE repricing_id = 'second'; DELETE FROM repricings WHERE id = 'second'",
    ],
  ])('%s', (_what, sql) => {
    const { path, change } = ledgerAndHand()
    change(sql)
    expect(tablesOf(path)).toEqual([])
  })

  test('a new series without a charge is deleted with its group', async () => {
    const { path, change } = ledgerAndHand()
    const ledger = openSqliteLedger(path)
    await deliver(ledger, { project: 'omega', at: T0, value: '1' })
    await ledger.close()
    expect(verifyLedger(path)).toMatchObject({ problems: [], groups: 5 })
    change('DELETE FROM notes WHERE series_id = 7', 'DELETE FROM series WHERE id = 7')
    expect(tablesOf(path)).toEqual(['accounts'])
    change("DELETE FROM accounts WHERE group_name = 'omega'", "DELETE FROM groups WHERE name = 'omega'")
    expect(tablesOf(path)).toEqual([])
  })
})
