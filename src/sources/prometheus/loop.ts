/**
 * The source that scrapes usage exporters and federating Prometheus servers.
 *
 * Each target has a loop of its own: scrape, deliver, wait. So scrapes of one target never overlap, its deliveries come
 * in order, and a target that is slow or broken only ever delays itself. A failing target is asked less and less often;
 * the log tells when it began to fail and when it was back, `targets()` how it stands now. Where several workers share the
 * targets, a loop scrapes while it is its worker's turn, and waits for the next one otherwise.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import PQueue from 'p-queue'
import type { AdmissionRules } from '../../core/admit.ts'
import { type Clock, formatInstant, type Instant } from '../../core/time.ts'
import { withTask } from '../../telemetry/context.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { targetLabel } from '../../telemetry/metrics.ts'
import type { Deliver, Delivery, Lateness, Source } from '../source.ts'
import type { TargetsChange } from '../targetsFile.ts'
import type { Scraper, Turn, Turns } from '../turns.ts'
import { KnownTexts } from './knownTexts.ts'
import { createRoom, NoRoomError, ROOM, type Room, type Share } from './room.ts'
import { type FetchExposition, type Scrape, ScrapeError, scrape } from './scrape.ts'
import {
  afterDelivery,
  afterFailure,
  afterSuccess,
  hasComplaints,
  newStatus,
  offsetOf,
  outOfSight,
  pauseAfter,
  type TargetConfig,
  type TargetStatus,
  type Timing,
} from './target.ts'

export interface PrometheusSourceOptions extends Pick<AdmissionRules, 'meters' | 'whitelist' | 'site'> {
  readonly targets: readonly TargetConfig[]
  /** Between the beginnings of two scrapes of a target, in milliseconds. */
  readonly interval: number
  /** For one scrape, in milliseconds. Shorter than `interval`. */
  readonly timeout: number
  /** Bearer token for targets without a login in their URL. */
  readonly token?: string | undefined
  readonly userAgent?: string | undefined
  /** Awaited before the target is scraped again. */
  readonly deliver: Deliver
  readonly newTaskId: () => string
  readonly clock: Clock
  readonly logger: Logger
  readonly observer?: ScrapeObserver | undefined
  /** Who scrapes which target where several workers share them; all are scraped here if not given. */
  readonly turns?: Turns | undefined
  /** Asks a target; over HTTP if not given. */
  readonly fetch?: FetchExposition | undefined
  /** How many readings of all targets may wait to be recorded; as many as one may show, if not given. */
  readonly room?: number | undefined
  /** From 0 up to 1, for the pauses after failures; `Math.random` if not given. */
  readonly random?: (() => number) | undefined
  /** Resolves after `ms` or once `signal` is aborted; a timer if not given. */
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined
}

/** Is told about each scrape, for metrics. Must not throw. */
interface ScrapeObserver {
  scraped(report: ScrapeReport): void
  /** No target that is scraped here has this address, without login and query, any more. */
  left?(target: string): void
}

export interface ScrapeReport {
  /** Its address without login and query. */
  readonly target: string
  /** `failed`: there was no exposition. `undelivered`: there was, but nobody took it over. */
  readonly outcome: 'delivered' | 'undelivered' | 'failed'
  /** Of the scrape alone, in milliseconds. */
  readonly duration: number
  /** What it brought, unless it failed. */
  readonly scrape: Scrape | undefined
}

/** How a target stands, and who scrapes it. */
export interface ScrapedTarget extends TargetStatus {
  readonly scraper: Scraper
}

export interface PrometheusSource extends Source {
  targets(): ScrapedTarget[]
  /** Their whole addresses, which may hold logins. */
  urls(): string[]
  /**
   * Exchanges the targets; those that stay keep their state and take over new labels.
   *
   * @throws {RangeError} if a URL occurs twice or is none of HTTP; nothing has changed then.
   */
  setTargets(targets: readonly TargetConfig[]): TargetsChange
}

/** Scrapes at the same time: more would only compete for the network and for the one thread that parses. */
const AT_ONCE = 8

/** @throws {RangeError} as `setTargets` does. */
export function prometheusSource(options: PrometheusSourceOptions): PrometheusSource {
  const queue = new PQueue({ concurrency: AT_ONCE })
  const room = createRoom(options.room ?? ROOM)
  const loops = new Map<string, TargetLoop>()
  /** The end of each loop of a target that was taken away, until it has come. */
  const leaving = new Map<string, Promise<void>>()
  let isRunning = false

  function setTargets(configs: readonly TargetConfig[]): TargetsChange {
    const wanted = byUrl(configs)
    const change: TargetsChange = { added: [], removed: [], relabelled: [] }
    for (const [url, loop] of loops) {
      if (wanted.has(url)) continue
      leave(url, loop)
      change.removed.push(targetLabel(url))
    }
    for (const [url, config] of wanted) {
      const loop = loops.get(url)
      if (loop === undefined) enter(url, new TargetLoop(config, options, { queue, room, left: tellLeft }))
      if (loop === undefined) change.added.push(targetLabel(url))
      else if (loop.relabel(config)) change.relabelled.push(targetLabel(url))
    }
    return change
  }

  function enter(url: string, loop: TargetLoop): void {
    loops.set(url, loop)
    if (isRunning) loop.start(leaving.get(url))
  }

  function leave(url: string, loop: TargetLoop): void {
    loops.delete(url)
    const end = Promise.all([leaving.get(url), loop.stop()]).then(() => {
      if (leaving.get(url) === end) leaving.delete(url)
      tellLeft(targetLabel(url))
    })
    leaving.set(url, end)
  }

  function tellLeft(label: string): void {
    const isThere = [...loops].some(([url, { isHere }]) => isHere && targetLabel(url) === label)
    if (!isThere) options.observer?.left?.(label)
  }

  setTargets(options.targets)
  return {
    start() {
      isRunning = true
      for (const loop of loops.values()) loop.start()
    },
    async stop() {
      isRunning = false
      await Promise.all([...leaving.values(), ...[...loops.values()].map((loop) => loop.stop())])
    },
    targets: () => [...loops].map(([, loop]) => ({ ...loop.status, scraper: loop.scraper })),
    urls: () => [...loops.keys()],
    setTargets,
  }
}

function byUrl(configs: readonly TargetConfig[]): Map<string, TargetConfig> {
  const targets = new Map<string, TargetConfig>()
  for (const config of configs) {
    const url = URL.parse(config.url)
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new RangeError(`Expected an http or https URL as a target, got ${targetLabel(config.url)}`)
    }
    if (targets.has(url.href)) throw new RangeError(`Expected each target once, got ${targetLabel(url.href)} twice`)
    targets.set(url.href, config)
  }
  return targets
}

/** What all loops have in common. */
interface Common {
  readonly queue: PQueue
  readonly room: Room
  /** Told when a target is not scraped here any more, by its address without login and query. */
  readonly left: (label: string) => void
}

class TargetLoop {
  status: TargetStatus
  private config: TargetConfig
  private readonly options: PrometheusSourceOptions
  private readonly queue: PQueue
  private readonly left: (label: string) => void
  private readonly room: Room
  private readonly known = new KnownTexts()
  /** How many readings it shows, as far as that is known. */
  private expected: number | undefined
  private readonly stopping = new AbortController()
  /** Ends a scrape at once, and a pause. */
  private ending: AbortSignal = this.stopping.signal
  private pausing: AbortSignal = this.stopping.signal
  /** While it is this worker's turn. */
  private turn: Turn | undefined
  private ended: Promise<void> = Promise.resolve()
  /** Why what the last scrape brought was not taken over, if it was not. */
  private refusal: string | undefined

  constructor(config: TargetConfig, options: PrometheusSourceOptions, { queue, room, left }: Common) {
    this.config = config
    this.options = options
    this.queue = queue
    this.room = room
    this.left = left
    this.status = newStatus(config)
  }

  get scraper(): Scraper {
    return this.options.turns?.scraperOf(this.config.url) ?? { kind: 'here' }
  }

  get isHere(): boolean {
    return this.options.turns === undefined || this.turn !== undefined
  }

  /** @param after What must have ended before: the former loop of the same URL. */
  start(after?: Promise<void>): void {
    this.ended = this.run(after)
  }

  /** Ends a scrape at once, and waits for a delivery. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await this.ended
  }

  /** Returns whether its labels are others now. */
  relabel(config: TargetConfig): boolean {
    const isSame = isDeepStrictEqual(config.labels, this.config.labels)
    this.config = config
    this.status = { ...this.status, labels: config.labels }
    return !isSame
  }

  private async run(after: Promise<void> | undefined): Promise<void> {
    await after
    const { turns } = this.options
    await (turns === undefined ? this.repeat() : this.takeTurns(turns))
  }

  private async takeTurns(turns: Turns): Promise<void> {
    const { signal } = this.stopping
    for (;;) {
      const turn = await turns.next(this.config.url, signal)
      if (turn === undefined) return
      this.turn = turn
      this.ending = AbortSignal.any([signal, turn.lost])
      this.pausing = AbortSignal.any([this.ending, turn.ending])
      await this.repeat()
      this.turn = undefined
      this.status = outOfSight(this.status)
      this.left(this.status.target)
      await turn.release()
    }
  }

  private async repeat(): Promise<void> {
    const { interval, random = Math.random, newTaskId, clock } = this.options
    await this.pause(offsetOf(this.config.url, interval))
    while (!this.pausing.aborted) {
      const began = clock.now()
      const id = newTaskId()
      this.status = { ...this.status, next: undefined }
      await withTask(id, () => this.scrapeAndDeliver(id))
      const pause = pauseAfter(this.status.failures, interval, random())
      await this.pause(Math.max(0, pause - since(began, clock)))
    }
  }

  private async pause(ms: number): Promise<void> {
    const { clock, wait = timer } = this.options
    this.status = { ...this.status, next: clock.now() + ms }
    await wait(ms, this.pausing)
  }

  private async scrapeAndDeliver(id: string): Promise<void> {
    const share = await this.room.enter(this.expected, this.ending)
    if (share === undefined) return
    try {
      await this.scrapeWithin(share, id)
    } finally {
      share.leave()
    }
  }

  private async scrapeWithin(share: Share, id: string): Promise<void> {
    const { timing, result } = await this.queue.add(() => this.scrapeOnce(share))
    if (result instanceof NoRoomError) {
      share.leave()
      // It shows more than has come by now, and nobody knows how much.
      this.expected = 2 * result.readings
      return this.scrapeAndDeliver(id)
    }
    if (result instanceof Error) {
      if (!this.ending.aborted) this.failed(timing, result)
      return
    }
    if (this.turn?.lost.aborted) return
    this.expected = result.readings.length
    share.settle(this.expected)
    this.succeeded(timing, result)
    const outcome = (await this.deliver(id, result)) ? 'delivered' : 'undelivered'
    this.report(outcome, timing, result)
  }

  /** Never rejects: what went wrong is a result, with the time it took. */
  private async scrapeOnce({ grow }: Share): Promise<{ timing: Timing; result: Scrape | Error }> {
    const { clock, meters, whitelist, site, timeout, token, userAgent, fetch } = this.options
    const { url, labels } = this.config
    const at = clock.now()
    const rules = { meters, whitelist, site, at, origin: this.status.target, labels: new Map(Object.entries(labels)) }
    const request = { url, timeout, token, userAgent, signal: this.ending }
    const result = await scrape(request, rules, { fetch, known: this.known, onReadings: grow }).catch(asError)
    return { timing: { at, duration: since(at, clock) }, result }
  }

  private failed(timing: Timing, error: Error): void {
    const { logger } = this.options
    const first = this.status.failures === 0
    this.status = afterFailure(this.status, timing, error.message)
    const { target } = this.status
    if (!(error instanceof ScrapeError)) logger.error({ target, err: error }, 'A scrape ended in an unexpected error')
    else logger[first ? 'warn' : 'debug']({ target, reason: error.reason }, `Scrape failed: ${error.message}`)
    this.report('failed', timing, undefined)
  }

  private succeeded(timing: Timing, result: Scrape): void {
    const { logger } = this.options
    const before = this.status
    this.status = afterSuccess(before, timing, result)
    const { target, rejected, errors } = this.status
    if (before.failures > 0) {
      const last = before.lastSuccess === undefined ? 'never' : formatInstant(before.lastSuccess)
      logger.warn({ target, failures: before.failures, lastSuccess: last }, 'Scrapes work again')
    }
    if (hasComplaints(result) && !hasComplaints(before)) {
      logger.warn({ target, rejected, errors }, 'Some samples cannot be used; this is said once until it changes')
    }
  }

  /** Whether it was taken over. If not, the next scrape has it all again. */
  private async deliver(id: string, { readings, rejected }: Scrape): Promise<boolean> {
    const { clock, deliver, logger } = this.options
    const { target, samples } = this.status
    const delivery: Delivery = { id, source: target, receivedAt: clock.now(), readings, rejected }
    try {
      const lateness = await deliver(delivery)
      this.delivered(lateness ?? { late: 0, outdated: 0 })
      logger.debug({ id, target, samples, readings: readings.length, rejected }, 'Delivered')
      if (this.refusal !== undefined) logger.warn({ target }, 'Deliveries are recorded again')
      this.refusal = undefined
      return true
    } catch (error) {
      const { message } = asError(error)
      const level = message === this.refusal ? 'debug' : 'error'
      this.refusal = message
      this.status = { ...this.status, lastError: `Not recorded: ${message}` }
      logger[level]({ id, target, readings: readings.length, err: asError(error) }, 'A delivery was not recorded')
      return false
    }
  }

  /** Says it once when readings begin to be outdated, and when none is any more. */
  private delivered(lateness: Lateness): void {
    const before = this.status.outdated
    this.status = afterDelivery(this.status, lateness)
    const { target, outdated, late } = this.status
    const { logger } = this.options
    if (outdated > 0 && before === 0) {
      const what = 'Some readings are more than an hour earlier than what was charged already, and dropped'
      logger.warn({ target, outdated, late }, `${what}; this is said once until it changes`)
    }
    if (outdated === 0 && before > 0) logger.warn({ target }, 'No readings are outdated any more')
  }

  private report(outcome: ScrapeReport['outcome'], { duration }: Timing, result: Scrape | undefined): void {
    this.options.observer?.scraped({ target: this.status.target, outcome, duration, scrape: result })
  }
}

/** Milliseconds; zero if the clock was set back meanwhile. */
function since(began: Instant, clock: Clock): number {
  return Math.max(0, clock.now() - began)
}

async function timer(ms: number, signal: AbortSignal): Promise<void> {
  // Being stopped is the only way that this fails, and the loop sees that for itself.
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
