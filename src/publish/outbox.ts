/**
 * Sees to it that every group whose total moved is published, however long it takes.
 *
 * What has to be published is in the ledger (its groups are "dirty" until published), so nothing is lost when the process
 * ends. Here is only when: at once when a total moves, again later when it failed, and a look at all dirty groups now and
 * then. While nothing can be published the lanes are paused; readings go on being recorded.
 */
import type { Clock, Instant } from '../core/time.ts'
import { MINUTE, SECOND } from '../core/time.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { newTaskId, withTask } from '../telemetry/context.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Publisher, PublishOutcome } from './publisher.ts'

/** The part of the lanes that is needed here. */
interface Lanes {
  request(group: string): void
  pause(): void
  resume(): void
}

export interface OutboxOptions {
  readonly ledger: Pick<Ledger, 'dirtyGroups'>
  readonly publisher: Publisher
  readonly lanes: () => Lanes
  readonly clock: Clock
  readonly logger: Logger
  readonly onPublished?: (outcome: PublishOutcome['kind'] | 'failed', seconds: number) => void
}

export type OutboxState =
  | { readonly state: 'publishing' }
  /** Nothing can be published; tried again at `until`. */
  | { readonly state: 'waiting' | 'stopped'; readonly reason: string; readonly since: Instant; readonly until: Instant }

export interface Outbox {
  start(): Promise<void>
  /** Groups whose total moved. */
  wake(groups: readonly string[]): void
  /** The work of a lane. Never rejects. */
  work(group: string): Promise<void>
  readonly status: OutboxState
  /** Starts nothing further by itself. */
  stop(): void
}

/** How often all dirty groups are looked at, for those whose retry is due. */
const SWEEP = MINUTE
const FIRST_BACKOFF = SECOND
const LONGEST_BACKOFF = MINUTE
/** A login that was refused is not tried again before: too many attempts may lock it. */
const FORBIDDEN_RETRY = 15 * MINUTE

export function createOutbox({ ledger, publisher, lanes, clock, logger, onPublished }: OutboxOptions): Outbox {
  const timers = new Set<NodeJS.Timeout>()
  let failures = 0
  let status: OutboxState = { state: 'publishing' }
  let stopped = false

  async function work(group: string): Promise<void> {
    const begun = performance.now()
    await withTask(newTaskId('publish'), async () => {
      const outcome = await attempt(group)
      onPublished?.(outcome, (performance.now() - begun) / SECOND)
    })
  }

  async function attempt(group: string): Promise<PublishOutcome['kind'] | 'failed'> {
    try {
      const outcome = await publisher.publish(group)
      if (outcome.kind === 'unavailable') retry(group, outcome)
      else if (outcome.kind === 'forbidden') halt('stopped', outcome.reason, FORBIDDEN_RETRY, group)
      else succeeded()
      return outcome.kind
    } catch (error) {
      logger.error({ group, err: error }, 'Publishing a group failed for a reason that was not expected')
      later(SWEEP, () => lanes().request(group))
      return 'failed'
    }
  }

  function succeeded(): void {
    failures = 0
  }

  function retry(group: string, { reason, everyone }: { reason: string; everyone: boolean }): void {
    failures += 1
    const delay = backoff(failures)
    if (everyone) halt('waiting', reason, delay, group)
    else later(delay, () => lanes().request(group))
  }

  /** Pauses all lanes; whoever comes first begins the pause, the others join it. */
  function halt(state: 'waiting' | 'stopped', reason: string, delay: number, group: string): void {
    if (status.state === 'publishing') {
      const now = clock.now()
      status = { state, reason, since: now, until: now + delay }
      lanes().pause()
      const seconds = Math.round(delay / SECOND)
      logger.warn(
        { reason, retryInSeconds: seconds },
        `Nothing is published for ${seconds} s: ${reason}. Readings go on being recorded.`,
      )
      later(delay, carryOn)
    }
    if (!stopped) lanes().request(group)
  }

  function carryOn(): void {
    status = { state: 'publishing' }
    lanes().resume()
  }

  function later(delay: number, action: () => void): void {
    if (stopped) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, delay)
    timers.add(timer)
  }

  async function sweep(): Promise<void> {
    try {
      for (const group of await ledger.dirtyGroups()) lanes().request(group)
    } catch (error) {
      logger.error({ err: error }, 'The ledger could not say what has to be published')
    }
    later(SWEEP, () => void sweep())
  }

  return {
    start: sweep,
    wake(groups) {
      if (stopped) return
      for (const group of groups) lanes().request(group)
    },
    work,
    get status() {
      return status
    },
    stop() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

/** 1 s, 2 s, 4 s … up to a minute, each between half and all of it, so that many workers do not come back at once. */
function backoff(failures: number): number {
  const full = Math.min(FIRST_BACKOFF * 2 ** (failures - 1), LONGEST_BACKOFF)
  return full * (0.5 + Math.random() / 2)
}
