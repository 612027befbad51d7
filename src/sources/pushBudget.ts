/**
 * How much may be under way at a time of what is pushed, so that no sender fills the memory: bodies while they arrive, and
 * readings while they wait to be recorded. What is decoded takes several times as much, so that happens one after another. All
 * receivers share it.
 */
import PQueue from 'p-queue'
import { PushRefusal } from './source.ts'

export interface PushBudget {
  /** @throws {PushRefusal} if there is no room for another push. */
  enter(): Place
  /** Does this when nothing else is decoded. */
  inTurn<Result>(decode: () => Promise<Result>): Promise<Result>
  /** Pushes under way. */
  readonly size: number
  /** From now on nobody enters. Resolves when all have left. */
  close(): Promise<void>
}

/** What one push takes of it. */
export interface Place {
  /** Takes more bytes. @throws {PushRefusal} if that is too much for all together. */
  take(bytes: number): void
  /** Gives all bytes back. */
  empty(): void
  leave(): void
}

export interface PushLimits {
  readonly pushes: number
  readonly bytes: number
}

/** InfluxDB sends 40 at a time and repeats none that is refused. Prometheus sends as many as it has shards, and repeats. */
export const PUSH_LIMITS: PushLimits = { pushes: 64, bytes: 64 * 1_024 * 1_024 }

export function createPushBudget(limits: PushLimits = PUSH_LIMITS): PushBudget {
  let [size, bytes, isClosed] = [0, 0, false]
  const turns = new PQueue({ concurrency: 1 })
  const { promise: left, resolve: allLeft } = Promise.withResolvers<void>()

  function enter(): Place {
    if (isClosed) throw new PushRefusal('stopping', 'The worker is stopping: push it again later.')
    if (size >= limits.pushes) throw busy(`${size} pushes are under way`)
    size += 1
    let own = 0
    const take = (more: number) => {
      if (bytes + more > limits.bytes) throw busy('the pushes that are under way are too large together')
      own += more
      bytes += more
    }
    const empty = () => {
      bytes -= own
      own = 0
    }
    const leave = () => {
      empty()
      size -= 1
      if (isClosed && size === 0) allLeft()
    }
    return { take, empty, leave }
  }

  return {
    enter,
    inTurn: (decode) => turns.add(decode),
    get size() {
      return size
    },
    close() {
      isClosed = true
      if (size === 0) allLeft()
      return left
    },
  }
}

function busy(why: string): PushRefusal {
  return new PushRefusal('busy', `Too much at once, ${why}: push it again later.`)
}
