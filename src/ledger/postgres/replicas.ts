/** Who shares the ledger, and what becomes of the work of those that are gone. */
import { LedgerError } from '../ledger.ts'
import type { Replica, Replicas } from '../replicas.ts'
import { dirtyGroups } from './accounts.ts'
import type { ReplicaOptions } from './company.ts'
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { orGiveUp } from './patience.ts'
import { keyOf, type Presence } from './presence.ts'
import type { Sql } from './sql.ts'
import type { Work } from './work.ts'

export interface PostgresReplicas extends Replicas {
  /** Makes known under which name this replica takes work. */
  register(pool: string): Promise<void>
  /** Nothing is taken under this name any more, and nothing under way. */
  unregister(pool: string): Promise<void>
  /** Whether there is no other one. */
  isAlone(): Promise<boolean>
  /** Looks after the others from now on. */
  begin(): void
  end(): Promise<void>
}

/** How often the others are looked after, in milliseconds: also those with a longer lease may have died. */
const LONGEST_PERIOD = 5_000

export function createReplicas(
  database: Database,
  presence: Presence,
  work: Work,
  { lease, onTrouble }: ReplicaOptions,
): PostgresReplicas {
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> = Promise.resolve()
  let isOver = false

  /** Those that are silent are gone at once, those that are gone lose their work once nothing of it can go on. */
  async function relieve(): Promise<void> {
    // One that sleeps in a transaction keeps others from groups, and from taking it for dead.
    await attempt(() => database.sql.all(HANG_UP_ON_SLEEPERS))
    await attempt(() => database.sql.run(TAKE_FOR_DEAD))
    // What it has claimed is free with that, if it only sleeps.
    await attempt(() => database.sql.all(HANG_UP))
    await attempt(inherit)
  }

  /** One that cannot be done keeps no other from being. */
  async function attempt(step: () => Promise<unknown>): Promise<void> {
    if (!isOver) await step().catch((error: unknown) => onTrouble?.(String(error)))
  }

  async function inherit(): Promise<void> {
    const isSomebodyOver = await database.transact(async (sql) => {
      const over = await sql.all<{ pools: string }>(FORGET)
      await work.giveBack(
        sql,
        over.flatMap(({ pools }) => namesIn(pools)),
      )
      return over.length > 0
    })
    // It may have meant to try some of them again later.
    if (isSomebodyOver) await work.request(await dirtyGroups(database.sql))
  }

  return {
    claim: presence.claim,
    isMember: presence.isMember,
    async register(pool) {
      const update = 'UPDATE replicas SET pools = pools || $1::text WHERE id = $2'
      if ((await database.sql.run(update, pool, presence.id())) === 0)
        throw new LedgerError('This worker is none of those that share the ledger just now.')
    },
    async unregister(pool) {
      await database.sql.run(
        'UPDATE replicas SET pools = array_remove(pools, $1::text) WHERE id = $2',
        pool,
        presence.id(),
      )
    },
    async isAlone() {
      const others = await database.sql.all(
        'SELECT 1 FROM replicas WHERE gone_at IS NULL AND id IS DISTINCT FROM $1',
        presence.id(),
      )
      return others.length === 0
    },
    list: (names, { withWork = false } = {}) => database.transact((sql) => list(sql, names, withWork), 'snapshot'),
    begin() {
      const period = Math.min(lease / 2, LONGEST_PERIOD)
      let isLooking = false
      timer = setInterval(() => {
        // One look at a time: while something keeps it, more of them would only take more connections.
        if (isLooking) return
        isLooking = true
        looking = relieve().finally(() => {
          isLooking = false
        })
      }, period)
      timer.unref()
    },
    async end() {
      isOver = true
      clearInterval(timer)
      await orGiveUp(looking)
    },
  }

  async function list(sql: Sql, names: readonly string[], withWork: boolean): Promise<Replica[]> {
    const rows = await sql.all<ReplicaRow>(SELECT)
    const held = await sql.all<{ id: bigint; key: bigint }>(SELECT_CLAIMS)
    const groups = withWork ? await work.underWay(sql) : []
    const byKey = new Map(names.map((name) => [keyOf(name) >>> 0, name]))
    return rows.map(({ id, name, version, started_at, seen_at, is_gone, pools }) => ({
      id: Number(id),
      name,
      version,
      startedAt: Number(started_at),
      seenAt: Number(seen_at),
      state: is_gone ? 'gone' : 'working',
      isSelf: Number(id) === presence.id(),
      claims: held.flatMap((each) => (each.id === id ? (byKey.get(Number(each.key)) ?? []) : [])),
      publishing: groups.flatMap(({ pool, group }) => (namesIn(pools).includes(pool) ? [group] : [])),
    }))
  }
}

interface ReplicaRow {
  readonly id: bigint
  readonly name: string
  readonly version: string
  readonly started_at: bigint
  readonly seen_at: bigint
  readonly is_gone: boolean
  /** JSON. */
  readonly pools: string
}

function namesIn(pools: string): string[] {
  return JSON.parse(pools)
}

/** Locks of this database by their first number; PostgreSQL shows the two numbers of a lock as classid and objid. */
const held = (lock: number) =>
  `SELECT pid, objid::bigint AS number FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = ${lock} AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Also what a sleeper is in the middle of. One that has woken up meanwhile is another replica, and is left alone. */
const HANG_UP_ON_SLEEPERS = `SELECT pg_terminate_backend(theirs.pid, 1000) FROM replicas
  JOIN pg_stat_activity AS theirs ON theirs.application_name = replicas.session AND theirs.datname = current_database()
  WHERE seen_at + lease < clock_timestamp() AND theirs.backend_start < seen_at + lease
  AND NOT EXISTS (SELECT 1 FROM replicas AS later WHERE later.session = replicas.session AND later.id > replicas.id)`

/** A row that somebody still settles by is left for the next look. */
const TAKE_FOR_DEAD = `UPDATE replicas SET gone_at = clock_timestamp() WHERE id IN (
  SELECT id FROM replicas WHERE gone_at IS NULL
    AND (seen_at + lease < clock_timestamp() OR id NOT IN (SELECT number FROM (${held(locks.replica)}) AS present))
  FOR UPDATE SKIP LOCKED)`

const HANG_UP = `SELECT pg_terminate_backend(present.pid) FROM (${held(locks.replica)}) AS present
  JOIN replicas ON replicas.id = present.number WHERE gone_at IS NOT NULL`

/** One whose connection broke may trust in its lease as long as it lasts, and begin a write in its last moment. */
const FORGET = `DELETE FROM replicas WHERE greatest(gone_at, seen_at + lease) + lingers < clock_timestamp() AND gone_at IS NOT NULL
  RETURNING to_json(pools) AS pools`

const millis = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint AS ${column}`

const SELECT = `SELECT id, name, version, ${millis('started_at')}, ${millis('seen_at')}, gone_at IS NOT NULL AS is_gone, to_json(pools) AS pools
  FROM replicas ORDER BY id`

const SELECT_CLAIMS = `SELECT present.number AS id, claimed.number AS key FROM (${held(locks.replica)}) AS present
  JOIN (${held(locks.target)}) AS claimed ON claimed.pid = present.pid`
