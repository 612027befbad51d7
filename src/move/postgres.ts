/** A ledger in a PostgreSQL database. Workers refuse it from the beginning of a move to its end. */
import { type Database, openDatabase } from '../ledger/postgres/database.ts'
import { migrate } from '../ledger/postgres/migrate.ts'
import { createPresence } from '../ledger/postgres/presence.ts'
import { one, type Sql } from '../ledger/postgres/sql.ts'
import { cannotOpen } from '../ledger/postgres/trouble.ts'
import type { Store, Target, Value } from './store.ts'
import { allColumns, type Table, tables } from './tables.ts'

/** @throws {LedgerError} if it cannot be reached, or a worker has it open. */
export async function openPostgresStore(url: string): Promise<Target> {
  const database = openDatabase(url, { connections: 2 })
  const presence = createPresence(database)
  const close = async () => {
    await presence.end()
    await database.close()
  }
  try {
    await migrate(database)
    await presence.begin('alone')
    const types = await typesOf(database.sql)
    return { ...targetIn(database, types), close }
  } catch (error) {
    await close()
    throw cannotOpen(database.place, error)
  }
}

/** The type of a column, by table and name. */
type Types = ReadonlyMap<string, string>

async function typesOf(sql: Sql): Promise<Types> {
  const rows = await sql.all<{ column: string; type: string }>(
    `SELECT table_name || '.' || column_name AS column, data_type AS type FROM information_schema.columns
      WHERE table_schema = current_schema()`,
  )
  return new Map(rows.map(({ column, type }) => [column, type]))
}

function targetIn(database: Database, types: Types): Omit<Target, 'close'> {
  const { sql } = database
  const rowsOf = ({ name }: Table, columns: readonly string[]) => {
    const arrays = columns.map((column, index) => `$${index + 1}::${types.get(`${name}.${column}`)}[]`)
    return `unnest(${arrays.join(', ')}) AS wanted (${columns.join(', ')})`
  }

  return {
    ...storeIn(database),
    async notes() {
      const made = await one<{ made: boolean }>(sql.all("SELECT to_regclass('moving') IS NOT NULL AS made"))
      if (!made!.made) return undefined
      const rows = await sql.all<{ name: string; note: string }>('SELECT name, note FROM moving')
      return new Map(rows.map(({ name, note }) => [name, note]))
    },
    begin: (source) =>
      database.transact(async (sql) => {
        await sql.run(`TRUNCATE ${tables.map(({ name }) => name).join(', ')}`)
        await sql.run('CREATE TABLE IF NOT EXISTS moving (name text PRIMARY KEY, note text NOT NULL)')
        await sql.run('DELETE FROM moving')
        await sql.run("INSERT INTO moving VALUES ('source', $1)", source)
      }),
    add: (table, rows, note) =>
      database.transact(async (sql) => {
        const { name, columns } = table
        if (name === 'entries') await sql.all('SELECT make_partitions($1)', rows.at(-1)![0] as bigint)
        await sql.run(
          `INSERT INTO ${name} (${columns.join(', ')}) SELECT * FROM ${rowsOf(table, columns)}`,
          ...transposed(rows, columns.length),
        )
        const set = 'INSERT INTO moving VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET note = excluded.note'
        await sql.run(set, name, note)
      }),
    async find(table, keys) {
      const { name, key } = table
      const all = allColumns(table)
      const same = key.map(
        (column) =>
          `${name}.${column} = wanted.${column}${types.get(`${name}.${column}`) === 'text' ? ' COLLATE "C"' : ''}`,
      )
      const columns = all.map((column) => `${name}.${column}`).join(', ')
      const rows = await sql.all<Record<string, Value>>(
        `SELECT ${columns} FROM ${rowsOf(table, key)} JOIN ${name} ON ${same.join(' AND ')}`,
        ...transposed(keys, key.length),
      )
      return rows.map((row) => all.map((column) => row[column]!))
    },
    async isEmpty() {
      const row = await one<{ any: boolean }>(
        sql.all('SELECT EXISTS (SELECT 1 FROM groups) OR EXISTS (SELECT 1 FROM holds) AS any'),
      )
      return !row!.any
    },
    finish: () => database.transact(finish),
  }
}

/** What is numbered goes on after what is there. */
async function finish(sql: Sql): Promise<void> {
  await sql.run("UPDATE counters SET value = (SELECT coalesce(max(number), 0) FROM entries) WHERE name = 'entries'")
  for (const name of ['series', 'notes', 'holds', 'drifts', 'notices', 'messages']) {
    await sql.all(
      `SELECT setval(pg_get_serial_sequence('${name}', 'id'), coalesce(max(id), 0) + 1, false) FROM ${name}`,
    )
  }
  await sql.run('DROP TABLE moving')
  await sql.run('ANALYZE')
}

function storeIn({ sql, place }: Database): Omit<Store, 'close'> {
  return {
    place,
    async count({ name }) {
      return Number((await one<{ count: bigint }>(sql.all(`SELECT count(*) AS count FROM ${name}`)))!.count)
    },
    async read(table, after, limit) {
      const { name, key } = table
      const all = allColumns(table)
      const marks = key.map((_, index) => `$${index + 1}`).join(', ')
      const where = after === undefined ? '' : `WHERE (${key.join(', ')}) > (${marks})`
      const last = after === undefined ? '$1' : `$${key.length + 1}`
      const text = `SELECT ${all.join(', ')} FROM ${name} ${where} ORDER BY ${key.join(', ')} LIMIT ${last}`
      const rows = await sql.all<Record<string, Value>>(text, ...(after ?? []), limit)
      return rows.map((row) => all.map((column) => row[column]!))
    },
  }
}

function transposed(rows: readonly (readonly Value[])[], width: number): Value[][] {
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column]!))
}
