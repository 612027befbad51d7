/** Numbers entries without gaps and in the order of commits, and makes partitions for them. */
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { one, type Sql } from './sql.ts'

/** Entries for which partitions are made ahead. */
const AHEAD = 2_000_000

export interface Numbers {
  /** Takes numbers for new entries, and keeps others from taking some until the transaction ends. Returns the first one. */
  take(sql: Sql, count: number): Promise<number>
  /** Keeps others from adding entries until the transaction ends. */
  freeze(sql: Sql): Promise<void>
  /** Makes partitions ahead; to be called when a transaction is over. */
  prepare(): Promise<void>
}

export function createNumbers(database: Database): Numbers {
  let [highest, ready] = [0, 0]

  async function makePartitions(sql: Sql, upTo: number): Promise<void> {
    await sql.all('SELECT pg_advisory_xact_lock($1, 0)', locks.partitions)
    await sql.all('SELECT make_partitions($1)', upTo)
  }

  return {
    async take(sql, count) {
      const row = await one<{ value: bigint }>(
        sql.all("UPDATE counters SET value = value + $1 WHERE name = 'entries' RETURNING value", count),
      )
      highest = Math.max(highest, Number(row!.value))
      // Only if more was added at once than is made ahead.
      if (highest > ready) await makePartitions(sql, highest)
      return Number(row!.value) - count + 1
    },
    async freeze(sql) {
      await sql.all("SELECT value FROM counters WHERE name = 'entries' FOR UPDATE")
    },
    async prepare() {
      if (ready > 0 && highest + AHEAD / 2 <= ready) return
      // They are there when that is committed.
      ready = await database.transact(async (sql) => {
        const row = await one<{ value: bigint }>(sql.all("SELECT value FROM counters WHERE name = 'entries'"))
        const upTo = Number(row!.value) + AHEAD
        await makePartitions(sql, upTo)
        return upTo
      })
    },
  }
}
