/**
 * The work of groups that several workers share, in the queue of graphile-worker.
 *
 * A group is a job with a key, so that what is asked for twice is done once, and belongs to a named queue, of which one job is
 * done at a time. There are as many queues as keep two groups out of each other's way, and not one for each group: whoever looks
 * for jobs locks all queues that are free.
 */
import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { runMigrations } from 'graphile-worker'
import type { SharedWork } from '../sharedWork.ts'
import type { Database } from './database.ts'
import { type Engine, engineLogger, SCHEMA, startEngine, TASK } from './engine.ts'
import { locks } from './locks.ts'
import { orGiveUp } from './patience.ts'
import type { Sql } from './sql.ts'
import { decodeText } from './text.ts'

export interface Work extends SharedWork {
  /** Makes what is missing in the database. */
  prepare(): Promise<void>
  /** Asks for the work of groups that the caller holds, in its transaction. */
  ask(sql: Sql, groups: readonly string[]): Promise<void>
  /** Gives back what replicas had begun that are no more, by the names under which they took it. */
  giveBack(sql: Sql, pools: readonly string[]): Promise<void>
  /** The groups that are worked on, with the name under which somebody took them. */
  underWay(sql: Sql): Promise<{ readonly pool: string; readonly group: string }[]>
  /** This process is one of the replicas, or not any more. */
  joined(): void
  lost(): void
  /** Resolves when no work that was begun here goes on. */
  settled(): Promise<void>
  close(): Promise<void>
}

export interface WorkOptions {
  /** Makes known under which name work is taken, before any is done. */
  readonly register: (pool: string) => Promise<void>
  /** Forgets a name under which nothing is taken any more. */
  readonly unregister: (pool: string) => Promise<void>
  readonly isAlone: () => Promise<boolean>
  /** Whoever is none of the replicas takes no work. */
  readonly isMember: () => boolean
  /** Told what the engine says of trouble. */
  readonly onTrouble?: ((message: string) => void) | undefined
}

const QUEUES = 256

/** A table that was small when it was looked at last is read and sorted as a whole for each look, however many jobs it has by now. */
const IN_ORDER = 'SET enable_sort = off; SET enable_seqscan = off'

/** Connections of the engine: it listens on one. */
const CONNECTIONS = 3

/** Milliseconds: until what failed is tried again, and until what waits is counted again. */
const periods = { retry: 1_000, count: 2_000 }

export function createWork(database: Database, options: WorkOptions): Work {
  const { register, unregister, isAlone, isMember, onTrouble } = options
  const connections = database.pool(CONNECTIONS, IN_ORDER)
  const underWay = new Set<Promise<void>>()
  let wanted: { readonly workers: number; readonly work: (group: string, look: boolean) => Promise<void> } | undefined
  let engine: Engine | undefined
  let ending: Promise<unknown> = Promise.resolve()
  let isClosed = false
  let later: NodeJS.Timeout | undefined
  let waiting = 0
  let countedAt = Number.NEGATIVE_INFINITY

  /** Takes work out of the queue until it is stopped, unless it does already. */
  function start(): void {
    clearTimeout(later)
    if (wanted === undefined || engine !== undefined || isClosed) return
    if (!isMember()) {
      // Where its lease only seems to be over, as the clock was set, it does not join anew.
      later = setTimeout(start, periods.retry).unref()
      return
    }
    const { workers, work } = wanted
    const task = async (payload: unknown) => {
      const { group: text, look = false } = payload as { group: string; look?: boolean }
      const group = decodeText(text)
      // Taken in the moment of the end: somebody else does it.
      if (engine !== mine) return request([group], look)
      const done = work(group, look)
      underWay.add(done)
      await done.finally(() => underWay.delete(done))
    }
    const mine = startEngine({ connections, workers, task, isWaiting, onTrouble })
    engine = mine
    register(mine.name).then(mine.open, (error) => {
      onTrouble?.(String(error))
      mine.disown()
    })
    const over = mine.ended.then(settled).then(() => release(mine.name))
    ending = Promise.all([ending, over])
    void over.then(() => sleep(periods.retry, undefined, { ref: false })).then(() => again(mine))
  }

  function again(ended: Engine): void {
    if (engine !== ended) return
    engine = undefined
    start()
  }

  function stop(): void {
    engine?.end()
    engine = undefined
  }

  /** Nothing is done under this name any more. What it may have left is given back here: others do so only for those that are gone. */
  async function release(name: string): Promise<void> {
    do {
      try {
        await database.transact((sql) => giveBack(sql, [name]))
        return await unregister(name)
      } catch (error) {
        onTrouble?.(String(error))
      }
      await sleep(periods.retry, undefined, { ref: false })
    } while (!isClosed)
  }

  async function giveBack(sql: Sql, pools: readonly string[]): Promise<void> {
    const known = [...pools, ...(await sql.all<{ name: string }>(ORPHANS)).map(({ name }) => name)]
    if (known.length > 0) await sql.all(`SELECT ${SCHEMA}.force_unlock_workers($1::text[])`, known)
    // What was asked for once more while it was done is another job since.
    await sql.all(`SELECT ${SCHEMA}.complete_jobs(ARRAY(SELECT id FROM ${SCHEMA}._private_jobs
      WHERE key IS NULL AND locked_at IS NULL))`)
    await sql.all(FREE_QUEUES)
  }

  async function pause(): Promise<void> {
    wanted = undefined
    stop()
    await settled()
  }

  async function settled(): Promise<void> {
    await Promise.allSettled(underWay)
  }

  async function ask(sql: Sql, groups: readonly string[], look = false): Promise<void> {
    const keys = groups.map((group) => hash('sha256', group, 'base64url'))
    // Those that wait already are kept from beginning before this transaction ends, so they will see it.
    const kept = new Set(look ? [] : (await sql.all<{ key: string }>(KEEP_WAITING, keys)).map(({ key }) => key))
    const fresh = groups.flatMap((group, index) => (kept.has(keys[index]!) ? [] : [{ group, key: keys[index]! }]))
    if (fresh.length === 0) return
    const rows = await sql.all<{ key: string }>(
      ADD_JOBS,
      fresh.map(({ group }) => JSON.stringify(look ? { group, look } : { group })),
      fresh.map(({ key }) => queueOf(key)),
      fresh.map(({ key }) => key),
    )
    const asked = new Set(rows.map(({ key }) => key))
    const missed = fresh.flatMap(({ group, key }) => (asked.has(key) ? [] : [group]))
    // They were taken in this very moment, perhaps before what is asked for now: asked again, they are done once more.
    if (missed.length > 0) await ask(sql, missed, look)
  }

  function request(groups: readonly string[], look = false): Promise<void> {
    return database.transact((sql) => ask(sql, groups, look))
  }

  async function isWaiting(): Promise<boolean> {
    const [row] = await database.sql.all<{ waits: boolean }>(WAITS)
    return row!.waits
  }

  async function count(): Promise<void> {
    countedAt = performance.now()
    const [row] = await database.sql.all<{ jobs: bigint }>(COUNT)
    waiting = Number(row!.jobs)
  }

  return {
    async prepare() {
      await database.transact(async (sql) => {
        await sql.all('SELECT pg_advisory_xact_lock($1, 0)', locks.engine)
        await runMigrations({
          pgPool: connections,
          schema: SCHEMA,
          logger: engineLogger((message) => onTrouble?.(message)),
        })
        const names = Array.from({ length: QUEUES }, (_, index) => `${TASK}/${index}`)
        await sql.all(MAKE_QUEUES, names)
      })
    },
    ask,
    request,
    begin(workers, work) {
      wanted = { workers, work }
      start()
    },
    pause,
    joined: start,
    lost() {
      engine?.disown()
      engine = undefined
    },
    settled,
    isAlone,
    get waiting() {
      if (performance.now() - countedAt > periods.count) void count().catch(() => {})
      return waiting
    },
    giveBack,
    async underWay(sql) {
      const rows = await sql.all<{ pool: string; payload: string }>(UNDER_WAY)
      return rows.map(({ pool, payload }) => ({ pool, group: JSON.parse(payload).group }))
    },
    async close() {
      await pause()
      isClosed = true
      // Otherwise others find out that there is nothing to do.
      await orGiveUp(ending)
      await orGiveUp(connections.end())
    },
  }
}

function queueOf(key: string): string {
  return `${TASK}/${Buffer.from(key, 'base64url').readUInt16BE() % QUEUES}`
}

/** By their keys: the index of all that waits does not fit the condition as it is put. */
const KEEP_WAITING = `SELECT key FROM ${SCHEMA}._private_jobs WHERE key = ANY($1::text[]) AND (is_available AND run_at <= now()) IS TRUE
  FOR UPDATE SKIP LOCKED`

const ADD_JOBS = `SELECT key FROM ${SCHEMA}.add_jobs(ARRAY(
  SELECT ROW('${TASK}', payload, queue, NULL, NULL, key, NULL, NULL)::${SCHEMA}.job_spec
  FROM unnest($1::json[], $2::text[], $3::text[]) AS wanted (payload, queue, key)))`

const MAKE_QUEUES = `INSERT INTO ${SCHEMA}._private_job_queues (queue_name) SELECT name FROM unnest($1::text[]) AS wanted (name)
  WHERE NOT EXISTS (SELECT 1 FROM ${SCHEMA}._private_job_queues WHERE queue_name = wanted.name) ON CONFLICT DO NOTHING`

const COUNT = `SELECT count(*) AS jobs FROM ${SCHEMA}._private_jobs WHERE is_available`

const WAITS = `SELECT EXISTS (SELECT 1 FROM ${SCHEMA}._private_jobs AS job
  JOIN ${SCHEMA}._private_job_queues AS queue ON queue.id = job.job_queue_id
  WHERE job.is_available AND job.run_at <= now() AND queue.is_available) AS waits`

/** Its view of jobs does not have what they are about. */
const UNDER_WAY = `SELECT locked_by AS pool, payload FROM ${SCHEMA}._private_jobs WHERE locked_at IS NOT NULL`

/** Taken by somebody who died before he could make his name known. */
const ORPHANS = `SELECT DISTINCT locked_by AS name FROM (
    SELECT locked_by, locked_at FROM ${SCHEMA}._private_jobs
    UNION ALL SELECT locked_by, locked_at FROM ${SCHEMA}._private_job_queues) AS taken
  WHERE locked_at < now() - interval '1 minute' AND NOT EXISTS (SELECT 1 FROM replicas WHERE locked_by = ANY (pools))`

/** Whoever says late that a job is done removes it also if it is another one's by now, whose queue stays locked then. */
const FREE_QUEUES = `UPDATE ${SCHEMA}._private_job_queues AS queue SET locked_by = NULL, locked_at = NULL
  WHERE locked_at < now() - interval '1 minute' AND NOT EXISTS (
    SELECT 1 FROM ${SCHEMA}._private_jobs WHERE job_queue_id = queue.id AND locked_at IS NOT NULL)`
