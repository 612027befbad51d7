/**
 * Sees to it that every group whose total moved is published, however long it takes.
 *
 * What has to be published is in the ledger (its groups are "dirty" until published), so nothing is lost when the process
 * ends. Here is only when: at once when a total moves, again later when it failed, and a look at all dirty groups now and
 * then, and at those with a write that was never answered (see `watch.ts`). While nothing can be published the lanes are paused; readings go on being recorded.
 */
import type { Clock, Instant } from '../core/time.ts'
import { MINUTE, SECOND } from '../core/time.ts'
import { type Ledger, LedgerError } from '../ledger/ledger.ts'
import { newTaskId, withTask } from '../telemetry/context.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Publisher, PublishOutcome } from './publisher.ts'
import { createWatch } from './watch.ts'

/** The part of the lanes that is needed here. */
interface Lanes {
  /** @param look Whether it is looked at although the ledger knows of nothing to show. */
  request(group: string, look?: boolean): void
  pause(): void
  resume(): void
  /** Forgets the groups that wait. */
  stop(): Promise<void>
}

export interface OutboxOptions {
  readonly ledger: Pick<Ledger, 'dirtyGroups' | 'doubtfulGroups'>
  readonly publisher: Publisher
  readonly lanes: () => Lanes
  readonly clock: Clock
  readonly logger: Logger
  /** Whether it is up to this worker to look after all groups, and not to another one; always if not given. */
  readonly looksAfterAll?: (() => boolean) | undefined
  /** How often all groups are looked at, in milliseconds; never if not given. */
  readonly surveyEvery?: number | undefined
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
  /** Begins no group until `resume`, whatever happens meanwhile. What it was asked for stays asked for. */
  pause(): void
  resume(): void
  /** The work of a lane. Never rejects. */
  work(group: string, look?: boolean): Promise<void>
  readonly status: OutboxState
  /** Starts nothing further by itself. */
  stop(): void
}

/** How often all dirty groups are looked at, for those whose retry is due, and some of those in doubt. */
const SWEEP = MINUTE
const FIRST_BACKOFF = SECOND
const LONGEST_BACKOFF = MINUTE
/** A login that was refused is not tried again before: too many attempts may lock it. */
const FORBIDDEN_RETRY = 15 * MINUTE

export function createOutbox({
  ledger,
  publisher,
  lanes,
  clock,
  logger,
  looksAfterAll = () => true,
  surveyEvery,
  onPublished,
}: OutboxOptions): Outbox {
  const timers = new Set<NodeJS.Timeout>()
  const watch = createWatch()
  /** Of each group that is to be tried again, the one timer that waits for it. */
  const retries = new Map<string, NodeJS.Timeout>()
  /** Pauses since something was published, and how often each group failed by itself. */
  let pauses = 0
  const failures = new Map<string, number>()
  let status: OutboxState = { state: 'publishing' }
  /** Why nothing is published, as it was last told. */
  let said: string | undefined
  let paused = false
  let stopped = false

  async function work(group: string, look = false): Promise<void> {
    const begun = performance.now()
    await withTask(newTaskId('publish'), async () => {
      const outcome = await attempt(group, look)
      onPublished?.(outcome, (performance.now() - begun) / SECOND)
    })
  }

  async function attempt(group: string, look: boolean): Promise<PublishOutcome['kind'] | 'failed'> {
    try {
      const outcome = await publisher.publish(group, look)
      if (outcome.kind === 'unavailable') retry(group, outcome)
      else if (outcome.kind === 'forbidden') halt('stopped', outcome.reason, group, () => FORBIDDEN_RETRY)
      else succeeded(group, outcome)
      return outcome.kind
    } catch (error) {
      if (error instanceof LedgerError) {
        halt('waiting', error.message, group, () => backoff(pauses))
        return 'unavailable'
      }
      logger.error({ group, err: error }, 'Publishing a group failed for a reason that was not expected')
      tryAgain(group, SWEEP)
      return 'failed'
    }
  }

  function succeeded(group: string, { kind }: PublishOutcome): void {
    failures.delete(group)
    // Groups without news are done without asking anybody, so only a write shows that writing works.
    if (kind !== 'written' || pauses === 0) return
    pauses = 0
    said = undefined
    logger.info('Publishing works again')
  }

  function retry(group: string, { reason, everyone }: { reason: string; everyone: boolean }): void {
    if (everyone) {
      halt('waiting', reason, group, () => backoff(pauses))
      return
    }
    const count = (failures.get(group) ?? 0) + 1
    failures.set(group, count)
    tryAgain(group, backoff(count))
  }

  function tryAgain(group: string, delay: number): void {
    const before = retries.get(group)
    if (before !== undefined) cancel(before)
    const timer = later(delay, () => {
      retries.delete(group)
      lanes().request(group)
    })
    if (timer !== undefined) retries.set(group, timer)
  }

  /** Pauses all lanes; whoever comes first begins the pause, the others only join it. */
  function halt(state: 'waiting' | 'stopped', reason: string, group: string, howLong: () => number): void {
    if (stopped) {
      giveUp(reason)
      return
    }
    if (status.state === 'publishing') {
      pauses += 1
      const [now, delay] = [clock.now(), howLong()]
      status = { state, reason, since: now, until: now + delay }
      lanes().pause()
      const seconds = Math.round(delay / SECOND)
      // A ledger that cannot be written may stay so for days: the reason is said when it is new.
      const level = reason === said ? 'debug' : 'warn'
      said = reason
      logger[level]({ reason, retryInSeconds: seconds }, `Nothing is published for ${seconds} s: ${explained(reason)}`)
      later(delay, carryOn)
    }
    lanes().request(group)
  }

  /** While the worker stops there is no later: what is dirty in the ledger is published after the next start. */
  function giveUp(reason: string): void {
    if (status.state !== 'publishing') return
    const now = clock.now()
    status = { state: 'stopped', reason, since: now, until: now }
    logger.warn({ reason }, `Nothing more is published before the end: ${reason}. It will be after the next start.`)
    void lanes().stop()
  }

  function carryOn(): void {
    status = { state: 'publishing' }
    if (!paused) lanes().resume()
  }

  function cancel(timer: NodeJS.Timeout): void {
    clearTimeout(timer)
    timers.delete(timer)
  }

  function later(delay: number, action: () => void): NodeJS.Timeout | undefined {
    if (stopped) return undefined
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, delay)
    timers.add(timer)
    return timer
  }

  async function sweep(): Promise<void> {
    if (looksAfterAll()) await askForAll()
    later(SWEEP, () => void sweep())
  }

  async function askForAll(): Promise<void> {
    try {
      const dirty = await ledger.dirtyGroups()
      const inDoubt = watch(await ledger.doubtfulGroups())
      if (!stopped) for (const group of new Set([...dirty, ...inDoubt])) lanes().request(group)
    } catch (error) {
      const isLedgers = error instanceof LedgerError
      // Trouble with the ledger is said aloud by whoever records readings.
      const level = !isLedgers ? 'error' : error.message === said ? 'debug' : 'warn'
      if (isLedgers) said = error.message
      logger[level]({ err: error }, 'The ledger could not say what has to be published')
    }
  }

  /** An edit of a group that does not grow would not be noticed otherwise. */
  async function survey(every: number): Promise<void> {
    try {
      const strays = status.state === 'publishing' && looksAfterAll() ? await publisher.survey() : []
      if (!stopped) for (const group of strays) lanes().request(group, true)
    } catch (error) {
      logger.debug({ err: error }, 'The groups could not be looked at')
    }
    later(every, () => void survey(every))
  }

  return {
    async start() {
      await askForAll()
      later(SWEEP, () => void sweep())
      if (surveyEvery !== undefined) later(surveyEvery, () => void survey(surveyEvery))
    },
    wake(groups) {
      if (stopped) return
      for (const group of groups) lanes().request(group)
    },
    pause() {
      paused = true
      lanes().pause()
    },
    resume() {
      paused = false
      if (status.state === 'publishing') lanes().resume()
    },
    work,
    get status() {
      return status
    },
    stop() {
      stopped = true
      for (const timer of timers) cancel(timer)
      retries.clear()
    },
  }
}

/** A ledger in trouble says in sentences what that means; without one, only publishing stands still. */
function explained(reason: string): string {
  return reason.endsWith('.') ? reason : `${reason}. Readings go on being recorded.`
}

/** 1 s, 2 s, 4 s … up to a minute, each between half and all of it, so that many workers do not come back at once. */
function backoff(failures: number): number {
  const full = Math.min(FIRST_BACKOFF * 2 ** (failures - 1), LONGEST_BACKOFF)
  return full * (0.5 + Math.random() / 2)
}
