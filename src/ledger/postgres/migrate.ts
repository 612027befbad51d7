/** Brings the tables to the newest version, also when several workers start at once. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LedgerError } from '../ledger.ts'
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { one, type Sql } from './sql.ts'

const folder = join(import.meta.dirname, 'migrations')

/** Each numbered file runs once, in order, all that are missing in one transaction: others wait and find them done. */
export async function migrate(database: Database): Promise<void> {
  await expectUtf8(database)
  await database.transact(async (sql) => {
    await sql.all('SELECT pg_advisory_xact_lock($1, 0)', locks.migration)
    await sql.run(
      'CREATE TABLE IF NOT EXISTS migrations (version bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
    )
    const version = await versionOf(sql)
    const files = readdirSync(folder)
      .filter((name) => name.endsWith('.sql'))
      .sort()
    if (version > files.length) {
      throw new LedgerError(
        `The ledger has version ${version}, this program knows ${files.length}: it was written by a newer one.`,
      )
    }
    for (const [index, file] of files.entries()) {
      if (index < version) continue
      await sql.script(readFileSync(join(folder, file), 'utf8'))
      await sql.run('INSERT INTO migrations (version) VALUES ($1)', index + 1)
    }
  })
}

async function versionOf(sql: Sql): Promise<number> {
  const row = await one<{ version: bigint }>(sql.all('SELECT coalesce(max(version), 0) AS version FROM migrations'))
  return Number(row!.version)
}

/** Names may be of any script, and seals are made of their bytes. */
async function expectUtf8({ sql, place }: Database): Promise<void> {
  const row = await one<{ encoding: string }>(sql.all("SELECT current_setting('server_encoding') AS encoding"))
  if (row!.encoding === 'UTF8') return
  throw new LedgerError(
    `The ledger ${place} cannot be opened: its database is encoded in ${row!.encoding}, not in UTF8.`,
  )
}
