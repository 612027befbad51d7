/**
 * The engine that takes work out of the queue, from its start to its end. It has a name under which it takes work, and takes none
 * before that is known to others: whoever dies has to be found by it.
 */
import { EventEmitter } from 'node:events'
import { Logger, runTaskList, type WorkerEvents } from 'graphile-worker'
import type pg from 'pg'
import { createEnginePool } from './enginePool.ts'
import { createSecondLook } from './secondLook.ts'

export interface Engine {
  readonly name: string
  /** Begins to take work. */
  open(): void
  /** Takes no more, and gives back what is not begun. */
  end(): void
  /** The same, but tells the database nothing any more: others give back what it had, and may be at it already. */
  disown(): void
  /** Resolves when nothing that it has begun goes on. It ends by itself too, but only in trouble. */
  readonly ended: Promise<void>
}

export interface EngineOptions {
  readonly connections: pg.Pool
  /** How much it does at a time. */
  readonly workers: number
  /** Given what the work is about. What rejects is tried again later. */
  readonly task: (payload: unknown) => Promise<void>
  /** Whether there is work that could be taken. */
  readonly isWaiting: () => Promise<boolean>
  readonly onTrouble?: ((message: string) => void) | undefined
}

/** Where the engine has its tables, and what it calls all of the work. */
export const SCHEMA = 'graphile_worker'
export const TASK = 'publish'

/**
 * Milliseconds: between two looks if nobody calls, until several that are done are told of together, and from the end of the last
 * work until the engine has told of it at the latest.
 */
const periods = { look: 1_000, tell: 20, end: 1_000 }

/** What it says when nothing that it has begun goes on. */
const overs = ['gracefulShutdown:complete', 'forcefulShutdown:complete', 'forcefulShutdown:error'] as const

const EXIT_OF_ENGINE = 57

export function startEngine({ connections, workers, task, isWaiting, onTrouble }: EngineOptions): Engine {
  const { pool, open, forgive, disown } = createEnginePool(connections)
  let isDisowned = false
  let isEnding = false
  const logger = engineLogger((message) => isDisowned || onTrouble?.(message))
  const events: WorkerEvents = new EventEmitter()
  const secondLook = createSecondLook({ events, workers, isWaiting, look: () => running.nudge(1) })
  events.on('pool:gracefulShutdown', () => {
    isEnding = true
    secondLook.end()
    forgive()
    // It sets that when a newer worker has changed its tables. How the process ends is not up to it.
    if (process.exitCode === EXIT_OF_ENGINE) process.exitCode = undefined
  })
  // Where it could not tell of something, it may count wrongly what is left to tell, and wait for that for ever.
  const over = Promise.withResolvers<void>()
  for (const each of overs) events.on(`pool:${each}`, () => setTimeout(over.resolve, periods.end).unref())
  const running = runTaskList({ schema: SCHEMA, logger, events, ...presetFor(workers) }, { [TASK]: task }, pool)

  function end(): void {
    if (isEnding) return
    // Whatever it rejects with is what `running` rejects with.
    Promise.resolve(running.gracefulShutdown()).catch(() => {})
  }

  function keepOff(): void {
    isDisowned = true
    disown()
  }

  const stopped = running.promise.catch((error: unknown) => onTrouble?.(String(error)))
  return {
    name: running.id,
    open,
    end,
    disown() {
      keepOff()
      end()
    },
    ended: Promise.race([stopped, over.promise]).then(keepOff),
  }
}

export function engineLogger(onTrouble: (message: string) => void): Logger {
  return new Logger(() => (level, message) => {
    if (level === 'error' || level === 'warning') onTrouble(message)
  })
}

function presetFor(workers: number) {
  const worker = {
    pollInterval: periods.look,
    completeJobBatchDelay: periods.tell,
    // Without it a failure that cannot be told rejects a promise that nobody can catch.
    failJobBatchDelay: periods.tell,
    // As many as are worked on are taken ahead: each look locks all queues that are free, and whoever looks meanwhile finds none.
    localQueue: { size: workers },
  }
  return { noHandleSignals: true, concurrency: workers, preset: { worker } }
}
