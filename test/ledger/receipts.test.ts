import { hash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { T0 } from '../helpers/billing.ts'
import { follow } from '../helpers/ledger.ts'
import { adjustment } from './contract/settling.ts'

suite('receipts', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'receipts-'))
    path = join(folder, 'credits.db')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const digest = (previous: string, facts: unknown[]) =>
    hash('sha256', `${previous}\n${JSON.stringify(facts)}`, 'base64url')

  test('chain the charges of a series, each over the one before it', async () => {
    const ledger = openSqliteLedger(path)
    await follow(ledger, 'alpha', [
      [0, '100'],
      [30, '101'],
      [60, '102.5'],
      [90, '103'],
    ])
    const [second, first] = await ledger.entries('alpha', { limit: 9 })
    const names = ['8676', 'project_vcpu_usage', 'id-alpha', 'alpha']
    const price = ['cpu@always', '1']
    const base = digest('', [
      ...['charge', first!.id, 'alpha', ...names, T0, '100', ...price],
      ...['0', first!.recordedAt, null, null],
    ])
    expect(first!.hash).toBe(digest(base, [T0 + HOUR, '102.5', '0']))
    const next = digest(first!.hash, [
      ...['charge', second!.id, 'alpha', ...names, T0 + HOUR, '102.5', ...price],
      ...['0', second!.recordedAt, null, null],
    ])
    expect(second!.hash).toBe(digest(next, [T0 + 1.5 * HOUR, '103', '0']))
    await ledger.close()
  })

  test('chain what people added to a group', async () => {
    const ledger = openSqliteLedger(path)
    await follow(ledger, 'alpha', [[0, '100']])
    await ledger.settle({ group: 'alpha', at: T0, entries: [adjustment('gift', -5n), adjustment('fee', 3n)] })
    const [fee, gift] = await ledger.entries('alpha', { limit: 9 })
    const facts = (id: string, amount: string) => [
      ...['adjustment', id, 'alpha', null, amount, T0, 'a gift', 'somebody', null, null],
    ]
    expect(gift!.hash).toBe(digest('', facts('gift', '-5')))
    expect(fee!.hash).toBe(digest(gift!.hash, facts('fee', '3')))
    await ledger.close()
  })

  test('are the same for a ledger of the first version that is brought up to date', async () => {
    const tell = (ledger: ReturnType<typeof openSqliteLedger>) =>
      follow(ledger, 'alpha', [
        [0, '100'],
        [30, '101.3'],
        [90, '102.5'],
        [95, '50'],
        [100, '51'],
      ])
    const ledger = openSqliteLedger(path)
    await tell(ledger)
    await ledger.settle({ group: 'alpha', at: T0, entries: [adjustment('gift', -5n)] })
    await ledger.close()
    const before = rowsOf(path)
    downgrade(path)
    await openSqliteLedger(path).close()
    expect(rowsOf(path)).toEqual(before)
    expect(verifyLedger(path).problems).toEqual([])
  })
})

const tables = ['series', 'groups', 'accounts', 'entries', 'notes', 'holds', 'held_growths']

function rowsOf(path: string): Record<string, unknown[]> {
  const db = new DatabaseSync(path)
  const rows = Object.fromEntries(tables.map((table) => [table, db.prepare(`SELECT * FROM ${table}`).all()]))
  db.close()
  return rows
}

/** Makes of a ledger one as the first version of the tables had it. */
function downgrade(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA foreign_keys = OFF; BEGIN')
  const columns = Object.fromEntries(tables.map((table) => [table, columnsOf(db, table)]))
  for (const table of tables) db.exec(`CREATE TEMP TABLE old_${table} AS SELECT * FROM ${table}`)
  const made = "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'table') AND name NOT LIKE 'sqlite_%'"
  for (const { type, name } of db.prepare(made).all()) db.exec(`DROP ${type} IF EXISTS ${name}`)
  db.exec(readFileSync(join(import.meta.dirname, '../../src/ledger/sqlite/migrations/0001.sql'), 'utf8'))
  for (const table of tables) {
    const old = columnsOf(db, table)
    expect(old.length).toBeLessThanOrEqual(columns[table]!.length)
    db.exec(`INSERT INTO ${table} (${old}) SELECT ${old} FROM old_${table}`)
  }
  db.exec('PRAGMA user_version = 1; COMMIT')
  db.close()
}

function columnsOf(db: DatabaseSync, table: string): string[] {
  return db
    .prepare(`PRAGMA table_info(${table})`)
    .all()
    .map(({ name }) => String(name))
}
