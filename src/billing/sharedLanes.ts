/**
 * Lanes of groups that several workers share: work on the same group never overlaps, whichever of them does it, and what one of
 * them asks for may be done by another.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SharedWork } from '../ledger/sharedWork.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { LaneOptions, Lanes } from './lanes.ts'

export interface SharedLaneOptions extends LaneOptions {
  readonly shared: SharedWork
  readonly logger: Logger
}

/** How often it is looked whether something waits, in milliseconds. */
const LOOK = 250

/** Begins with a pause: see `resume`. */
export function createSharedLanes({ shared, workers, work, logger }: SharedLaneOptions): Lanes {
  const working = new Set<string>()
  /** Whether they are to be looked at, whatever the ledger knows. */
  const asked = new Map<string, boolean>()
  let isFlushing = false
  let isPaused = true
  let isStopped = false

  async function run(group: string, look: boolean): Promise<void> {
    working.add(group)
    await work(group, look).finally(() => working.delete(group))
  }

  async function flush(): Promise<void> {
    isFlushing = false
    const groups = [...asked]
    asked.clear()
    try {
      for (const [look, some] of Map.groupBy(groups, ([, look]) => look)) {
        await shared.request(
          some.map(([group]) => group),
          look,
        )
      }
    } catch (err) {
      // They are dirty as before: whoever looks at those next asks again.
      logger.debug({ groups: groups.length, err }, 'Groups could not be asked for')
    }
  }

  async function pause(): Promise<void> {
    isPaused = true
    await shared.pause()
  }

  return {
    request(group, look = false) {
      if (isStopped) return
      asked.set(group, look || asked.get(group) === true)
      if (!isFlushing) setImmediate(() => void flush())
      isFlushing = true
    },
    pause: () => void pause(),
    resume() {
      if (isStopped) return
      isPaused = false
      shared.begin(workers, run)
    },
    get paused() {
      return isPaused
    },
    get waiting() {
      return shared.waiting
    },
    get working() {
      return working.size
    },
    status: () => [...working].map((group) => ({ group, state: 'working', again: false })),
    async idle() {
      // What others can do need not be waited for.
      while (!isPaused && (await shared.isAlone().catch(() => false))) {
        await sleep(LOOK)
        if (shared.waiting === 0 && working.size === 0) return
      }
    },
    async stop() {
      isStopped = true
      await pause()
    },
  }
}
