/**
 * Whether SQLite finds the file sound, and whether tables, indexes and triggers are those that the worker made.
 *
 * `schema.json` has a digest of each of them. A test makes it again from the worker's migrations.
 */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { CannotOpenError } from './file.ts'
import type { Problems } from './problems.ts'

export interface Schema {
  /** How many migrations made it. */
  readonly version: number
  /** The digest of each object, by kind and name. */
  readonly objects: Readonly<Record<string, string>>
}

const known = JSON.parse(readFileSync(new URL('./schema.json', import.meta.url), 'utf8')) as Schema

/** Problems that SQLite is asked for at most; a file that is cut in half has no end of them. */
const MOST_FROM_SQLITE = 100

/** @throws {CannotOpenError} if this program does not know the version of the tables. */
export function checkVersion(db: DatabaseSync, path: string): void {
  const { version } = schemaOf(db)
  if (version > known.version) {
    throw new CannotOpenError(
      `The ledger ${path} has version ${version}, this program knows ${known.version}: check it with the version of the worker that wrote it.`,
    )
  }
  if (version < known.version) {
    throw new CannotOpenError(
      `${path} is no ledger of version ${known.version}, but of version ${version}: an older ledger is brought up to date when a worker opens it, anything else is none.`,
    )
  }
}

export function checkSchema(db: DatabaseSync, problems: Problems): void {
  const { objects } = schemaOf(db)
  for (const name of new Set([...Object.keys(known.objects), ...Object.keys(objects)])) {
    problems.compare('schema', name, 'its definition', known.objects[name] ?? null, objects[name] ?? null)
  }
}

export function checkStructure(db: DatabaseSync, problems: Problems): void {
  for (const row of db.prepare(`PRAGMA integrity_check(${MOST_FROM_SQLITE})`).iterate()) {
    const { integrity_check: found } = row as { integrity_check: string }
    if (found !== 'ok') problems.add('file', 'integrity_check', 'what SQLite says of it', 'ok', found)
  }
  for (const row of db.prepare('PRAGMA foreign_key_check').iterate()) {
    const { table, rowid, parent } = row as { table: string; rowid: number | null; parent: string }
    problems.add(table, rowid === null ? 'some row' : `row ${rowid}`, `its row in ${parent}`, 'one', null)
  }
}

/** What a file's tables, indexes and triggers are. */
export function schemaOf(db: DatabaseSync): Schema {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  const rows = db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all()
  const objects = rows.map(({ type, name, tbl_name, sql }) => [
    `${type} ${name}`,
    hash('sha256', `${tbl_name}\n${sql}`, 'base64url').slice(0, 16),
  ])
  return { version, objects: Object.fromEntries(objects) as Record<string, string> }
}
