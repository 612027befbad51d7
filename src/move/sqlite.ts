/** A ledger in a SQLite file. What is filled has another name until it is whole: no worker can take it for a ledger. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { openDatabase } from '../ledger/sqlite/database.ts'
import { MoveError, type Row, type Store, type Target, type Value } from './store.ts'
import { allColumns, type Table, tables } from './tables.ts'

/** @throws {MoveError} if there is none. @throws {LedgerError} if it is in use or cannot be read. */
export function openSqliteStore(path: string): Store {
  if (!existsSync(path) || statSync(path).size === 0) throw new MoveError(`There is no ledger ${path}.`)
  const { db, close } = openDatabase(path)
  return { ...storeIn(db, path), close: async () => close() }
}

/** @throws {MoveError} if there is a file already. */
export function openSqliteTarget(path: string): Target {
  if (existsSync(path) && statSync(path).size > 0) throw new MoveError(`${path} is not empty.`)
  const unfinished = `${path}.moving`
  const { db, close } = openDatabase(unfinished)
  return {
    ...storeIn(db, path),
    async notes() {
      if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'moving'").get() === undefined) return undefined
      const rows = db.prepare('SELECT name, note FROM moving').all() as unknown as { name: string; note: string }[]
      return new Map(rows.map(({ name, note }) => [name, note]))
    },
    async begin(source) {
      db.exec('BEGIN IMMEDIATE')
      for (const { name } of tables.toReversed()) db.exec(`DELETE FROM ${name}`)
      db.exec('CREATE TABLE IF NOT EXISTS moving (name TEXT PRIMARY KEY, note TEXT NOT NULL); DELETE FROM moving')
      db.prepare('INSERT INTO moving VALUES (?, ?)').run('source', source)
      db.exec('COMMIT')
    },
    async add(table, rows, note) {
      const marks = table.columns.map(() => '?').join(', ')
      const insert = db.prepare(`INSERT INTO ${table.name} (${table.columns.join(', ')}) VALUES (${marks})`)
      db.exec('BEGIN IMMEDIATE')
      try {
        for (const row of rows) insert.run(...row.slice(0, table.columns.length))
        db.prepare('INSERT OR REPLACE INTO moving VALUES (?, ?)').run(table.name, note)
        db.exec('COMMIT')
      } catch (error) {
        db.exec('ROLLBACK')
        throw error
      }
    },
    async find(table, keys) {
      const select = prepare(
        db,
        `SELECT ${allColumns(table).join(', ')} FROM ${table.name}
        WHERE (${table.key.join(', ')}) = (${table.key.map(() => '?').join(', ')})`,
      )
      return keys.flatMap((key) => select.all(...(key as SQLInputValue[])) as unknown as Row[])
    },
    async isEmpty() {
      return true
    },
    async finish() {
      db.exec('DROP TABLE moving')
      close()
      renameSync(unfinished, path)
      rmSync(`${unfinished}.lock`, { force: true })
    },
    close: async () => {
      if (db.isOpen) close()
    },
  }
}

function storeIn(db: DatabaseSync, place: string): Omit<Store, 'close'> {
  return {
    place,
    async count({ name }: Table) {
      return Number(db.prepare(`SELECT count(*) AS count FROM ${name}`).get()!.count)
    },
    async read(table, after, limit) {
      const { name, key } = table
      const where = after === undefined ? '' : `WHERE (${key.join(', ')}) > (${key.map(() => '?').join(', ')})`
      const select = prepare(
        db,
        `SELECT ${allColumns(table).join(', ')} FROM ${name} ${where} ORDER BY ${key.join(', ')} LIMIT ?`,
      )
      return select.all(...((after ?? []) as Value[]), limit) as unknown as Row[]
    },
  }
}

function prepare(db: DatabaseSync, sql: string) {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  statement.setReturnArrays(true)
  return statement
}
