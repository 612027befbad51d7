/** The program knows the tables that the worker makes, as of their newest version. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openDatabase } from '#src/ledger/sqlite/database.ts'
import { schemaOf } from '#src/verify/schema.ts'
import { sealedTables } from '#src/verify/seals.ts'
import { temporaryFolder } from './ledgers.ts'

const root = join(import.meta.dirname, '../..')

function newLedger(): DatabaseSync {
  const path = `${temporaryFolder()}/credits.db`
  openDatabase(path).close()
  return new DatabaseSync(path)
}

// After a migration: `vitest run test/verify/schema.test.ts -u` writes the file anew. New tables and columns also belong
// to the list of seals and to the checks.
test('schema.json is what the migrations make', async () => {
  const db = newLedger()
  const schema = schemaOf(db)
  db.close()
  expect(schema.version).toBe(readdirSync(join(root, 'src/ledger/sqlite/migrations')).length)
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(root, 'src/verify/schema.json'))
})

test('every table has a seal that covers what the triggers of the worker seal', () => {
  const db = newLedger()
  const triggers = db.prepare("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
  const ofTriggers = new Map<string, string[]>()
  for (const { tbl_name, sql } of triggers) {
    const columns = /seal\(([^)]*)\)/.exec(String(sql))?.[1]?.split(/,\s*/)
    if (columns !== undefined) ofTriggers.set(String(tbl_name), columns)
  }
  const sealed = new Map(sealedTables.map(({ name, sealed: columns }) => [name, columns]))
  for (const [table, columns] of ofTriggers) expect([table, sealed.get(table)]).toEqual([table, columns])
  const withSeal =
    db.prepare(`SELECT tables.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND columns.name = 'seal'`)
  expect([...sealed.keys()].toSorted()).toEqual(
    withSeal
      .all()
      .map(({ name }) => String(name))
      .toSorted(),
  )
  db.close()
})
