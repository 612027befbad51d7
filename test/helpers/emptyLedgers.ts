/** Empty ledgers in PostgreSQL for tests: a new database takes fifty times as long as emptying one that was used before. */
import pg from 'pg'
import { openPostgresLedger, type PostgresLedger, type PostgresOptions } from '#src/ledger/postgres/ledger.ts'
import { tables } from '#src/move/tables.ts'
import type { TestServer } from './postgres.ts'

/** Opens a ledger; its database is used again when it was closed. */
export function emptyLedgers(server: TestServer, options: PostgresOptions = {}): () => Promise<PostgresLedger> {
  const free: string[] = []
  return async () => {
    const used = free.pop()
    if (used !== undefined) await empty(used)
    const url = used ?? (await server.createDatabase())
    const ledger = await openPostgresLedger(url, options)
    let isClosed = false
    return {
      ...ledger,
      async close() {
        await ledger.close()
        if (!isClosed) free.push(url)
        isClosed = true
      },
    }
  }
}

async function empty(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(
      [
        ...tables.toReversed().map(({ name }) => `DELETE FROM ${name}`),
        'UPDATE counters SET value = 0',
        `SELECT setval(pg_get_serial_sequence(table_name, 'id'), 1, false) FROM information_schema.columns
          WHERE table_schema = current_schema() AND is_identity = 'YES'`,
      ].join(';'),
    )
  } finally {
    await client.end()
  }
}
