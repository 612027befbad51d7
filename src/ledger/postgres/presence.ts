/**
 * What a process holds for as long as it is there: that it has the ledger open, that it is one of the replicas, and what it has
 * claimed. All of it belongs to one connection; PostgreSQL drops it when that ends, however it ends.
 */
import { hash } from 'node:crypto'
import type pg from 'pg'
import type { Claim, Claims } from '../claims.ts'
import { LedgerError } from '../ledger.ts'
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { join, type Member, type Membership } from './membership.ts'
import { orGiveUp } from './patience.ts'
import type { Sql } from './sql.ts'
import { cannotUse, isLost, isUnanswered } from './trouble.ts'

export interface PresenceOptions {
  /** Makes it one of the replicas. */
  readonly membership?: Membership | undefined
  /** Awaited after it was lost: resolves when nothing that was begun before goes on. */
  readonly settled?: () => Promise<void>
  /** Told when it is none of the replicas any more. */
  readonly onLost?: () => void
  /** Told of each time that it became one of the replicas. */
  readonly onJoined?: ((id: number) => void) | undefined
}

export interface Presence extends Claims {
  /** @throws {LedgerError} if somebody has the ledger for himself, or, to have it so, if somebody has it open. */
  begin(how: 'shared' | 'alone'): Promise<void>
  /** Its id among the replicas, unless it is none. */
  id(): number | undefined
  /**
   * Its id among the replicas; `undefined` if it is not meant to be one.
   *
   * @throws {LedgerError} if it is meant to be one, and is none now.
   */
  ownId(): number | undefined
  /** Whether it may do what only one may do; asks nobody. */
  isMember(): boolean
  /**
   * Keeps others from taking it for dead until the transaction ends.
   *
   * @throws {LedgerError} if they have done so already.
   */
  expectMember(sql: Sql): Promise<void>
  end(): Promise<void>
}

/** How long until a connection that was lost is made anew, in milliseconds. */
const PAUSE = 1_000

/** A connection with what is claimed by it. */
interface Held {
  readonly client: pg.Client
  readonly claims: Map<string, AbortController>
  member?: Member
  lose(): void
}

export function createPresence(database: Database, options: PresenceOptions = {}): Presence {
  const { membership, settled = () => Promise.resolve(), onJoined, onLost } = options
  let held: Promise<Held> | undefined
  /** The one of them that is there. */
  let now: Held | undefined
  let how: 'shared' | 'alone' = 'shared'
  let isOver = false
  let isFirst = true

  async function connect(): Promise<Held> {
    if (!isFirst) await settled()
    isFirst = false
    const client = oneByOne(await database.connect())
    const claims = new Map<string, AbortController>()
    let isLostNow = false
    const lose = () => {
      if (isLostNow) return
      isLostNow = true
      held = undefined
      now = undefined
      mine.member?.drop()
      for (const controller of claims.values()) controller.abort()
      claims.clear()
      onLost?.()
      // Whatever it is that it does not answer: nobody else is to be kept from what it has.
      client.end().catch(() => {})
      if (!isOver) comeBack()
    }
    const mine: Held = { client, claims, lose }
    for (const event of ['error', 'end'] as const) client.once(event, lose)
    try {
      await enter(mine)
    } catch (error) {
      // What is not entered is not kept either: it would hold the ledger open for nobody.
      isLostNow = true
      mine.member?.drop()
      client.end().catch(() => {})
      throw error
    }
    now = mine
    if (mine.member !== undefined) onJoined?.(mine.member.id)
    return mine
  }

  async function enter(mine: Held): Promise<void> {
    const { client, lose } = mine
    const lock = how === 'alone' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared'
    if (!(await lockWith(client, lock, locks.presence, 0))) throw new LedgerError(inUse(database.place, how))
    if (membership !== undefined && how === 'shared')
      mine.member = await join(client, { ...membership, session: database.session }, lose)
  }

  /** Whoever moves the ledger must not find it free for long. */
  function comeBack(): void {
    // Whoever needs it may be about to make it, and fail.
    const again = () => current().catch(() => isOver || comeBack())
    setTimeout(again, PAUSE).unref()
  }

  /** A connection that was lost is made anew by whoever needs it first. */
  function current(): Promise<Held> {
    if (isOver) return Promise.reject(new LedgerError(`The ledger ${database.place} is closed.`))
    held ??= connect().catch((error) => {
      held = undefined
      throw error
    })
    return held
  }

  async function claimBy(by: Held, target: string): Promise<Claim | undefined> {
    const { client, claims } = by
    if (claims.has(target)) return undefined
    const controller = new AbortController()
    claims.set(target, controller)
    const key = keyOf(target)
    const isClaimed = await lockWith(client, 'pg_try_advisory_lock', locks.target, key).catch((error) => {
      claims.delete(target)
      // It may have been given to us, and nobody would give it back.
      if (isLost(error) || isUnanswered(error)) by.lose()
      throw error
    })
    if (!isClaimed) {
      claims.delete(target)
      return undefined
    }
    return {
      lost: controller.signal,
      async release() {
        if (claims.get(target) !== controller) return
        claims.delete(target)
        await lockWith(client, 'pg_advisory_unlock', locks.target, key).catch(() => by.lose())
      },
    }
  }

  function ownId(): number | undefined {
    if (membership === undefined || how === 'alone') return undefined
    const id = now?.member?.id
    if (id === undefined) throw new LedgerError(takenForDead)
    return id
  }

  return {
    async begin(wanted) {
      how = wanted
      await current()
    },
    async claim(target) {
      try {
        return await claimBy(await current(), target)
      } catch (error) {
        if (!isLost(error)) throw cannotUse(database.place, error)
        // That it is lost is often only found out by using it.
        return claimBy(await current(), target)
      }
    },
    id: () => now?.member?.id,
    isMember: () => now?.member?.isValid() ?? false,
    ownId,
    async expectMember(sql) {
      const id = ownId()
      if (id === undefined) return
      // The weakest lock: our own sign of life must not wait for this transaction. Whoever takes us for dead asks for the strongest.
      const select = 'SELECT 1 FROM replicas WHERE id = $1 AND gone_at IS NULL FOR KEY SHARE'
      if ((await sql.all(select, id)).length === 0) throw new LedgerError(takenForDead)
    },
    async end() {
      isOver = true
      const last = await held?.catch(() => undefined)
      await orGiveUp(last?.member?.leave())
      await orGiveUp(last?.client.end())
    },
  }
}

export const takenForDead =
  'This worker could not be heard for a while, so others take over what it was at. It joins them again by itself.'

/** Signs of life and claims share a connection, which takes one statement at a time. */
function oneByOne(client: pg.Client): pg.Client {
  const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>
  let last: Promise<unknown> = Promise.resolve()
  const next = (...given: unknown[]) => {
    const result = last.then(() => query(...given))
    last = result.catch(() => {})
    return result
  }
  return Object.assign(client, { query: next })
}

async function lockWith(client: pg.Client, what: string, first: number, second: number): Promise<boolean> {
  const { rows } = await client.query(`SELECT ${what}($1, $2) AS done`, [first, second])
  return rows[0].done === true
}

/** A number of 32 bits. Two targets that share one are scraped by one replica after all. */
export function keyOf(target: string): number {
  return Buffer.from(hash('sha256', target, 'hex'), 'hex').readInt32BE()
}

function inUse(place: string, how: 'shared' | 'alone'): string {
  return how === 'alone'
    ? `The ledger ${place} is in use by another worker: stop all of them first.`
    : `The ledger ${place} is in use by \`os-credits migrate-ledger\` or \`backfill\`: wait until that is done.`
}
