/** Connections to a database, and transactions in it that are repeated when another one was in the way. */
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { placeOf, readAddress } from './address.ts'
import { type Sql, sqlOf } from './sql.ts'
import { cannotUse, isInTheWay, isLost } from './trouble.ts'

export interface Database {
  /** The address without the password. */
  readonly place: string
  /** Does work in a transaction, perhaps more than once: work must change nothing but the database. */
  transact<Result>(work: (sql: Sql) => Promise<Result>, mode?: TransactionMode): Promise<Result>
  /** Single statements. */
  readonly sql: Sql
  /** A connection that is none of the pool; its owner ends it. */
  connect(): Promise<pg.Client>
  close(): Promise<void>
}

/** `snapshot`: reads only, and all of it as of one moment. */
export type TransactionMode = 'write' | 'snapshot'

export interface DatabaseOptions {
  /** Connections at most. */
  readonly connections?: number
  /** Told how long each transaction that writes took, in seconds. */
  readonly onCommit?: ((seconds: number) => void) | undefined
}

const CONNECTIONS = 10

/** Milliseconds. A statement that takes longer, or a row that is locked for longer, is an accident. */
const limits = { connect: 10_000, statement: 120_000, lock: 15_000, idle: 60_000 }

/** How often a transaction is tried, and how long it waits before the second time, in milliseconds. */
const TRIES = 6
const PAUSE = 20

/**
 * What holds in each connection. A server that confirms commits before they are on the disk is overruled, a stricter one not.
 * Statements are planned each time: a plan that was made while tables were empty would be kept while 20,000 series come.
 */
const SETUP = `SELECT set_config('plan_cache_mode', 'force_custom_plan', false),
  CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN set_config('synchronous_commit', 'on', false) END`

const BEGIN: Readonly<Record<TransactionMode, string>> = {
  write: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
  snapshot: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
}

export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const place = placeOf(url)
  const config = {
    ...readAddress(url),
    connectionTimeoutMillis: limits.connect,
    statement_timeout: limits.statement,
    lock_timeout: limits.lock,
    idle_in_transaction_session_timeout: limits.idle,
    application_name: 'credits-worker',
    keepAlive: true,
  }
  const pool = new pg.Pool({
    ...config,
    max: options.connections ?? CONNECTIONS,
    // Before the connection is given to anybody.
    verify: (client: pg.PoolClient, done: (error?: Error) => void) => void client.query(SETUP).then(() => done(), done),
  } as pg.PoolConfig)
  // A connection that is lost while nobody uses it: the pool makes another one.
  pool.on('error', () => {})

  async function acquire(mode: TransactionMode): Promise<pg.PoolClient> {
    for (let left = 2; ; left -= 1) {
      const client = await pool.connect()
      try {
        await client.query(BEGIN[mode])
        return client
      } catch (error) {
        client.release(true)
        // It was lost while it was idle, and nothing has begun.
        if (left === 0 || !isLost(error)) throw error
      }
    }
  }

  async function once<Result>(work: (sql: Sql) => Promise<Result>, mode: TransactionMode): Promise<Result> {
    const client = await acquire(mode)
    // An error while no statement is under way is told by the next statement.
    const ignore = () => {}
    client.on('error', ignore)
    let broken = false
    try {
      const result = await work(sqlOf(client))
      await client.query('COMMIT')
      return result
    } catch (error) {
      broken = isLost(error) || (await cannotRollBack(client))
      throw error
    } finally {
      client.removeListener('error', ignore)
      client.release(broken)
    }
  }

  async function transact<Result>(work: (sql: Sql) => Promise<Result>, mode: TransactionMode): Promise<Result> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await once(work, mode)
      } catch (error) {
        if (tried === TRIES || !isInTheWay(error)) throw cannotUse(place, error)
        // Not all of them at once again.
        await wait(PAUSE * 2 ** tried * (0.5 + Math.random()))
      }
    }
  }

  return {
    place,
    async transact(work, mode = 'write') {
      const begun = performance.now()
      const result = await transact(work, mode)
      if (mode === 'write') options.onCommit?.((performance.now() - begun) / 1_000)
      return result
    },
    sql: explained(sqlOf(pool as unknown as pg.ClientBase), place),
    async connect() {
      const client = new pg.Client({ ...config, idle_in_transaction_session_timeout: 0 })
      client.on('error', () => {})
      try {
        await client.connect()
        return client
      } catch (error) {
        throw cannotUse(place, error)
      }
    },
    close: () => pool.end(),
  }
}

function cannotRollBack(client: pg.PoolClient): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => false,
    () => true,
  )
}

/** A statement that found its connection lost has not been done, or is one that reads: it is tried once more. */
function explained(sql: Sql, place: string): Sql {
  const attempt = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work().catch((error) => (isLost(error) ? work() : Promise.reject(error)))
    } catch (error) {
      throw cannotUse(place, error)
    }
  }
  return {
    all: (text, ...parameters) => attempt(() => sql.all(text, ...parameters)),
    run: (text, ...parameters) => attempt(() => sql.run(text, ...parameters)),
    script: (text) => attempt(() => sql.script(text)),
  }
}
