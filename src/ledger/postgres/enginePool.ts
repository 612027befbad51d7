/**
 * Connections as the engine of work takes them. When it ends it gives back what it had taken ahead, and where the database is
 * gone by then it rejects a promise that nobody can catch. So from its end on nothing fails for it: what it could not give back
 * is given back by others.
 */
import type pg from 'pg'
import { isInTheWay, isUnanswered } from './trouble.ts'

export interface EnginePool {
  readonly pool: pg.Pool
  /** Gives connections out. Whoever asked before that waits. */
  open(): void
  /** Has all that it asks from now on answered with nothing if it fails. */
  forgive(): void
  /** Has all that it asks from now on answered with nothing, and sends none of it. */
  disown(): void
}

type Given = (error: Error | undefined, client: pg.PoolClient | undefined, release: () => void) => void

const nothing = { rows: [], rowCount: 0, command: '', oid: 0, fields: [] }

export function createEnginePool(pool: pg.Pool): EnginePool {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  let isForgiving = false
  let isDisowned = false

  function orNothing<Result>(result: Promise<Result>, instead: Result): Promise<Result> {
    return result.catch((error: unknown) => (isForgiving ? instead : Promise.reject(error)))
  }

  function watched(client: pg.PoolClient): pg.PoolClient {
    let isBroken = false
    const query = (...given: Parameters<pg.PoolClient['query']>) => {
      if (isDisowned) return Promise.resolve(nothing)
      const result = insistently(() => client.query(...given) as unknown as Promise<pg.QueryResult>)
      result.catch((error: unknown) => {
        isBroken ||= isUnanswered(error)
      })
      return orNothing(result, nothing)
    }
    // It may listen still, or wait for an answer that nobody waits for any more.
    return overriding(client, { query, release: () => client.release(isDisowned || isBroken) })
  }

  const nobody = overriding({} as pg.PoolClient, {
    query: async () => nothing,
    release() {},
    on() {},
    removeListener() {},
  })

  async function take(): Promise<pg.PoolClient> {
    await opened
    return isDisowned ? nobody : watched(await pool.connect())
  }

  function connect(given?: Given): Promise<pg.PoolClient> | undefined {
    const client = orNothing(take(), nobody)
    if (given === undefined) return client
    client.then(
      (each) => given(undefined, each, () => each.release()),
      (error: Error) => given(error, undefined, () => {}),
    )
    return undefined
  }

  return {
    pool: overriding(pool, { connect }),
    open,
    forgive() {
      isForgiving = true
    },
    disown() {
      isForgiving = true
      isDisowned = true
      open()
    },
  }
}

/** Each statement of the engine is a transaction: where another one was in the way, nothing of it was done. It gives up for less. */
async function insistently<Result>(ask: () => Promise<Result>, tries = 6): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (tries === 1 || !isInTheWay(error)) throw error
    return insistently(ask, tries - 1)
  }
}

/** The same object, but for these methods. */
function overriding<Whole extends object>(whole: Whole, methods: Record<string, unknown>): Whole {
  return new Proxy(whole, {
    get(target, name) {
      if (typeof name === 'string' && Object.hasOwn(methods, name)) return methods[name]
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
