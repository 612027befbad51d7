/**
 * Has the engine look for work again soon where it can do more and more is there. Whoever looks holds all queues for that
 * moment, so another one that looks meanwhile finds nothing; and of several jobs of one queue a look takes one. By itself the
 * engine looks again only when somebody asks for work, or at its next poll.
 */
import type { WorkerEvents } from 'graphile-worker'

export interface SecondLookOptions {
  readonly events: WorkerEvents
  /** How much it does at a time. */
  readonly workers: number
  /** Whether there is something that could be taken. Asked only where it could be done. */
  readonly isWaiting: () => Promise<boolean>
  readonly look: () => void
}

export interface SecondLook {
  /** It looks no more. */
  end(): void
}

/** Milliseconds: the first pause, varied so that not all come at once again, and the longest one, as others may be in the way for long. */
const pauses = { first: 25, longest: 1_000 }

export function createSecondLook({ events, workers, isWaiting, look }: SecondLookOptions): SecondLook {
  let timer: NodeJS.Timeout | undefined
  let busy = 0
  /** Second looks since something was found. */
  let inVain = 0
  let isOver = false

  function soon(): void {
    if (isOver || timer !== undefined) return
    const pause = Math.min(pauses.first * 2 ** inVain, pauses.longest)
    timer = setTimeout(() => void again(), pause * (0.8 + 1.2 * Math.random()))
    timer.unref()
  }

  async function again(): Promise<void> {
    const isFree = busy < workers
    const isWorth = isFree && (await isWaiting().catch(() => false))
    timer = undefined
    if (!isWorth) inVain = 0
    if (!isWorth || isOver) return
    inVain += 1
    look()
  }

  events.on('localQueue:getJobs:complete', ({ jobs }) => {
    if (jobs.length > 0) inVain = 0
    if (jobs.length < workers) soon()
  })
  events.on('job:start', () => {
    busy += 1
  })
  // Its queue is free with that.
  events.on('job:complete', () => {
    busy -= 1
    soon()
  })

  return {
    end() {
      isOver = true
      clearTimeout(timer)
    },
  }
}
