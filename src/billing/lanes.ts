/**
 * One lane per group: work on the same group never overlaps, while different groups are worked on side by side.
 *
 * Perun offers no transactions, so "read the group, decide, write it" is only safe when nobody else works on that group in
 * between. A lane is that guarantee. It holds for this process only: where several workers
 * share a ledger, `sharedLanes.ts` gives it for all of them.
 *
 * Work that is asked for while a group waits is the same work, so a slow Perun means fewer writes and never a longer queue
 * than there are groups.
 */
import PQueue from 'p-queue'

export interface LaneStatus {
  readonly group: string
  readonly state: 'waiting' | 'working'
  /** Whether it was asked for again while it was being worked on. */
  readonly again: boolean
}

export interface Lanes {
  /** Asks for work on a group. @param look Handed on to whoever does it, where that may be somebody else. */
  request(group: string, look?: boolean): void
  /** Starts no further work until `resume`; what is under way goes on. */
  pause(): void
  resume(): void
  readonly paused: boolean
  /** Groups that wait for their turn. */
  readonly waiting: number
  readonly working: number
  status(): LaneStatus[]
  /** Resolves when no group waits or is worked on. */
  idle(): Promise<void>
  /** Forgets the groups that wait, takes no further ones, and resolves when nothing is worked on. */
  stop(): Promise<void>
}

export interface LaneOptions {
  /** At most this many groups are worked on at a time, 1 or more. */
  readonly workers: number
  /** Works on one group. Must not reject: it takes care of its failures itself. */
  readonly work: (group: string, look?: boolean) => Promise<void>
}

export function createLanes({ workers, work }: LaneOptions): Lanes {
  const queue = new PQueue({ concurrency: workers })
  const lanes = new Map<string, { state: LaneStatus['state']; again: boolean }>()
  let isStopped = false

  async function run(group: string): Promise<void> {
    const lane = lanes.get(group)
    if (lane === undefined) return
    lane.state = 'working'
    try {
      await work(group)
    } finally {
      lanes.delete(group)
      if (lane.again) request(group)
    }
  }

  function request(group: string): void {
    if (isStopped) return
    const lane = lanes.get(group)
    if (lane !== undefined) {
      lane.again ||= lane.state === 'working'
      return
    }
    lanes.set(group, { state: 'waiting', again: false })
    void queue.add(() => run(group))
  }

  return {
    request,
    pause: () => queue.pause(),
    resume: () => void queue.start(),
    get paused() {
      return queue.isPaused
    },
    get waiting() {
      return queue.size
    },
    get working() {
      return queue.pending
    },
    status: () => [...lanes].map(([group, lane]) => ({ group, ...lane })),
    idle: () => queue.onIdle(),
    async stop() {
      isStopped = true
      queue.clear()
      while (queue.pending > 0) await queue.onPendingZero()
      lanes.clear()
    },
  }
}
