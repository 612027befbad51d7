/** Connections to a database, and transactions in it that are repeated when another one was in the way. */
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { placeOf, readAddress } from './address.ts'
import { orGiveUp } from './patience.ts'
import { type Sql, sqlOf } from './sql.ts'
import { cannotUse, isInTheWay, isLost, isUnanswered } from './trouble.ts'

/** Where statements are done. */
export interface Connections {
  /** Does work in a transaction, perhaps more than once: work must change nothing but the database. */
  transact<Result>(work: (sql: Sql) => Promise<Result>, mode?: TransactionMode): Promise<Result>
  /** Single statements. */
  readonly sql: Sql
}

export interface Database extends Connections {
  /** Connections for statements that find each row by its key, as publishing and recording do: they are planned once. */
  readonly keyed: Connections
  /** The address without the password. */
  readonly place: string
  /** The `application_name` of all its connections, and of no others. */
  readonly session: string
  /** A connection that is none of the pool; its owner ends it. */
  connect(): Promise<pg.Client>
  /** Connections for an engine that brings its own statements; its owner ends them. @param setup A statement for each of them. */
  pool(connections: number, setup: string): pg.Pool
  close(): Promise<void>
}

type Work<Result> = (sql: Sql) => Promise<Result>

/** `snapshot`: reads only, and all of it as of one moment. */
export type TransactionMode = 'write' | 'snapshot'

export interface DatabaseOptions {
  /** Connections at most. */
  readonly connections?: number
  /** How long the answer to a statement is waited for, in milliseconds; longer than the server may take if not given. */
  readonly patience?: number
  /** Told how long each transaction that writes took, in seconds. */
  readonly onCommit?: ((seconds: number) => void) | undefined
}

const CONNECTIONS = 10
/** So many of them are for statements that are planned once, and no more than half of them. */
const KEYED = 6
/** So many are for all others at least: one may be in a transaction while something else is asked. */
const LEAST = 2

/** Milliseconds. A statement that takes longer, or a row that is locked for longer, is an accident. */
const limits = { connect: 10_000, statement: 120_000, lock: 15_000, idle: 60_000 }

/**
 * Milliseconds, more than the server takes at most. That there is no server any more, or a network that swallows everything, the
 * system tells only after a quarter of an hour.
 */
export const PATIENCE = limits.statement + 10_000

/** How often a transaction is tried, and how long it waits before the second time, in milliseconds. */
const TRIES = 6
const PAUSE = 20

/** What holds in each connection. A server that confirms commits before they are on the disk is overruled, a stricter one not. */
const setup = (settings: Readonly<Record<string, string>>) => `SELECT ${Object.entries(settings)
  .map(([name, value]) => `set_config('${name}', '${value}', false)`)
  .join(', ')},
  CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN set_config('synchronous_commit', 'on', false) END`

/** Planned each time: a plan that was made while tables were empty would be kept while 20,000 series come. */
const PLANNED_EACH_TIME = setup({ plan_cache_mode: 'force_custom_plan' })

/** To plan them takes longer than to do them. By a key each row is found alike, however many there are. */
const PLANNED_ONCE = setup({
  plan_cache_mode: 'force_generic_plan',
  // A plan that seems to cost much because it does what is off would be compiled, each time.
  jit: 'off',
  ...{ enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' },
})

const BEGIN: Readonly<Record<TransactionMode, string>> = {
  write: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
  snapshot: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
}

export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const place = placeOf(url)
  const session = `credits-worker ${randomUUID()}`
  const config = {
    ...readAddress(url),
    connectionTimeoutMillis: limits.connect,
    statement_timeout: limits.statement,
    query_timeout: options.patience ?? PATIENCE,
    lock_timeout: limits.lock,
    idle_in_transaction_session_timeout: limits.idle,
    application_name: session,
    keepAlive: true,
  }
  function makePool(max: number, setup: string): pg.Pool {
    const pool = new pg.Pool({
      ...config,
      max,
      // Before the connection is given to anybody.
      verify: (client: pg.PoolClient, done: (error?: Error) => void) =>
        void client.query(setup).then(() => done(), done),
    } as pg.PoolConfig)
    // A connection that is lost while nobody uses it: the pool makes another one.
    pool.on('error', () => {})
    // Or between two statements, even between an answer and whoever waits for it: the next statement tells of it.
    pool.on('connect', (client) => void client.on('error', () => {}))
    return pool
  }
  const most = options.connections ?? CONNECTIONS
  const ofKeyed = Math.max(1, Math.min(KEYED, Math.ceil(most / 2), most - LEAST))
  const pool = makePool(Math.max(LEAST, most - ofKeyed), PLANNED_EACH_TIME)
  const keyed = makePool(ofKeyed, PLANNED_ONCE)

  async function acquire(pool: pg.Pool, mode: TransactionMode): Promise<pg.PoolClient> {
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

  async function once<Result>(pool: pg.Pool, work: Work<Result>, mode: TransactionMode): Promise<Result> {
    const client = await acquire(pool, mode)
    let broken = false
    try {
      const result = await work(sqlOf(client))
      await client.query('COMMIT')
      return result
    } catch (error) {
      broken = isLost(error) || isUnanswered(error) || (await cannotRollBack(client))
      throw error
    } finally {
      client.release(broken)
    }
  }

  async function transact<Result>(pool: pg.Pool, work: Work<Result>, mode: TransactionMode): Promise<Result> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await once(pool, work, mode)
      } catch (error) {
        // What writes may have been done although the answer was lost; what reads may be done again.
        const isUnheard = mode === 'snapshot' && tried === 1 && isLost(error)
        if (tried === TRIES || !(isUnheard || isInTheWay(error))) throw cannotUse(place, error)
        // Not all of them at once again.
        await wait(PAUSE * 2 ** tried * (0.5 + Math.random()))
      }
    }
  }

  const connectionsOf = (pool: pg.Pool): Connections => ({
    async transact(work, mode = 'write') {
      const begun = performance.now()
      const result = await transact(pool, work, mode)
      if (mode === 'write') options.onCommit?.((performance.now() - begun) / 1_000)
      return result
    },
    sql: explained(sqlOf(pool as unknown as pg.ClientBase), place),
  })

  return {
    place,
    session,
    ...connectionsOf(pool),
    keyed: connectionsOf(keyed),
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
    pool: makePool,
    close: () => orGiveUp(Promise.all([pool.end(), keyed.end()])),
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
