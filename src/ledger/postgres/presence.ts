/**
 * Locks that a process holds for as long as it is there: that it has the ledger open, and which targets it scrapes. They
 * belong to one connection; PostgreSQL drops them when that ends, however it ends.
 */
import { hash } from 'node:crypto'
import type pg from 'pg'
import type { Claim, Claims } from '../claims.ts'
import { LedgerError } from '../ledger.ts'
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { cannotUse, isLost } from './trouble.ts'

export interface Presence extends Claims {
  /** @throws {LedgerError} if somebody has the ledger for himself, or, to have it so, if somebody has it open. */
  begin(how: 'shared' | 'alone'): Promise<void>
  end(): Promise<void>
}

/** How long until a connection that was lost is made anew, in milliseconds. */
const PAUSE = 1_000

/** A connection with what is claimed by it. */
interface Held {
  readonly client: pg.Client
  readonly claims: Map<string, AbortController>
  lose(): void
}

export function createPresence(database: Database): Presence {
  let held: Promise<Held> | undefined
  let how: 'shared' | 'alone' = 'shared'
  let isOver = false

  async function connect(): Promise<Held> {
    const client = await database.connect()
    const claims = new Map<string, AbortController>()
    const lose = () => {
      held = undefined
      if (!isOver) comeBack()
      for (const controller of claims.values()) controller.abort()
      claims.clear()
    }
    for (const event of ['error', 'end'] as const) client.once(event, lose)
    const lock = how === 'alone' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared'
    if (await lockWith(client, lock, locks.presence, 0)) return { client, claims, lose }
    await client.end()
    throw new LedgerError(inUse(database.place, how))
  }

  /** Whoever moves the ledger must not find it free for long. */
  function comeBack(): void {
    const again = () => current().catch(() => isOver || comeBack())
    const timer = setTimeout(() => {
      if (held === undefined) void again()
    }, PAUSE)
    timer.unref()
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
      if (isLost(error)) by.lose()
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
    async end() {
      isOver = true
      const last = await held?.catch(() => undefined)
      await last?.client.end()
    },
  }
}

async function lockWith(client: pg.Client, what: string, first: number, second: number): Promise<boolean> {
  const { rows } = await client.query(`SELECT ${what}($1, $2) AS done`, [first, second])
  return rows[0].done === true
}

/** A number of 32 bits. Two targets that share one are scraped by one replica after all. */
function keyOf(target: string): number {
  return Buffer.from(hash('sha256', target, 'hex'), 'hex').readInt32BE()
}

function inUse(place: string, how: 'shared' | 'alone'): string {
  return how === 'alone'
    ? `The ledger ${place} is in use by another worker: stop all of them first.`
    : `The ledger ${place} is in use by \`os-credits migrate-ledger\` or \`backfill\`: wait until that is done.`
}
