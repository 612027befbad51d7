/**
 * Builds the worker from its settings and takes it down again: the one place that knows all parts.
 *
 * They are built in the order of the flow and started from its end: first what takes, then what gives. They stop the other
 * way round: no new scrape, then what was scraped is recorded, then lanes finish, then the ledger closes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createCorrectionDesk } from './billing/corrections.ts'
import { createHoldDesk } from './billing/holds.ts'
import { createIntake, type Intake } from './billing/intake.ts'
import { createLanes, type Lanes } from './billing/lanes.ts'
import { describeSettings, type PerunSettings, type Settings } from './config/settings.ts'
import { formatCredits } from './core/credits.ts'
import { type Clock, SECOND, systemClock } from './core/time.ts'
import { createHttpServer } from './http/app.ts'
import { createForecasts } from './ledger/forecasts.ts'
import type { Ledger } from './ledger/ledger.ts'
import { openSqliteLedger } from './ledger/sqlite/ledger.ts'
import { createOutbox, type Outbox } from './publish/outbox.ts'
import { createPerunPublisher } from './publish/perun/publisher.ts'
import { createPerunRpc } from './publish/perun/rpc.ts'
import { createWriteWindow, type WriteWindow } from './publish/writeWindow.ts'
import { type PrometheusSource, prometheusSource, type ScrapeReport } from './sources/prometheus/loop.ts'
import { newTaskId } from './telemetry/context.ts'
import type { Logging } from './telemetry/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'

export interface ServiceParts {
  readonly settings: Settings
  readonly version: string
  readonly logging: Logging
  readonly metrics: Metrics
  readonly clock?: Clock
}

export interface Service {
  /** Where it answers: `http://127.0.0.1:8000`. */
  readonly url: string
  /**
   * Stops scraping, finishes what was scraped and publishes what can be, for `grace` milliseconds at most. What is not
   * published then is in the ledger and published after the next start.
   */
  stop(grace?: number): Promise<void>
}

/** How long a stop may take; what runs the worker should wait a little longer before it kills it. */
export const STOP_GRACE = 120 * SECOND

/**
 * Starts a worker; it answers and scrapes when the promise resolves.
 *
 * @throws {LedgerError} if the ledger cannot be opened.
 * @throws {HttpListenError} if the port cannot be had.
 */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { settings, logging, metrics, clock = systemClock } = parts
  const log = logging.logger('service')
  const ledger = openSqliteLedger(settings.ledger.path, {
    onCommit: (seconds) => metrics.commitSeconds.observe(seconds),
    notifyAt: settings.notifyAt,
  })
  const publishing = settings.perun === undefined ? undefined : buildPublishing(parts, settings.perun, ledger, clock)
  const { groups, entries, dirty } = await ledger.summary()
  logging.logger('ledger').info({ path: settings.ledger.path, groups, entries, dirty }, 'Ledger opened')
  const onChanged = (groups: readonly string[]) => publishing?.outbox.wake(groups)
  const intake = buildIntake(parts, ledger, clock, onChanged)
  const decideHold = createHoldDesk({
    ledger,
    meters: settings.meters,
    clock,
    logger: logging.logger('billing'),
    onChanged,
  })
  const corrections = createCorrectionDesk({ ledger, clock, logger: logging.logger('billing'), onChanged })
  const source = buildSource(parts, intake, clock)
  let stopping = false
  const http = createHttpServer({
    ...settings.http,
    workers: settings.workers,
    precision: settings.precision,
    version: parts.version,
    startedAt: clock.now(),
    clock,
    logger: logging.logger('http'),
    logging,
    metrics,
    ledger,
    meters: settings.meters,
    forecasts: createForecasts({ ledger, clock }),
    targets: () => source.targets(),
    lanes: publishing?.lanes ?? idleLanes,
    outbox: publishing?.outbox,
    writeWindow: () => publishing?.writeWindow() ?? {},
    decideHold,
    corrections,
    notifyAt: settings.notifyAt,
    stopping: () => stopping,
    describeSettings: () => describeSettings(settings),
  })
  provideMetrics(metrics, ledger, publishing?.lanes)
  const address = await http.listen().catch(async (error: unknown) => {
    await ledger.close()
    throw error
  })
  await publishing?.outbox.start()
  source.start()
  log.info({ url: address.url, targets: settings.targets.length }, `Listening on ${address.url}`)

  async function stop(grace: number): Promise<void> {
    stopping = true
    log.info('Stopping: no more scrapes, finishing what is under way')
    await source.stop()
    await intake.idle()
    if (publishing !== undefined) await drain(publishing, grace)
    await http.stop(SECOND)
    await publishing?.close()
    await ledger.close()
    log.info('Stopped')
  }

  let stopped: Promise<void> | undefined
  return {
    url: address.url,
    stop(grace = STOP_GRACE) {
      stopped ??= stop(grace)
      return stopped
    },
  }
}

interface Publishing {
  readonly lanes: Lanes
  readonly outbox: Outbox
  writeWindow(): WriteWindow
  close(): Promise<void>
}

function buildPublishing(
  { settings, logging, metrics }: ServiceParts,
  perun: PerunSettings,
  ledger: Ledger,
  clock: Clock,
): Publishing {
  const lanes = createLanes({ workers: settings.workers, work: (group) => outbox.work(group) })
  const writeWindow = createWriteWindow()
  const rpc = createPerunRpc({
    ...perun,
    connections: settings.workers + 2,
    onCall: ({ method, outcome, seconds }) => {
      metrics.perunCalls.inc({ method, outcome })
      metrics.perunCallSeconds.observe({ method }, seconds)
    },
  })
  const publisher = createPerunPublisher({
    ...perun,
    names: perun.attributes,
    rpc,
    ledger,
    precision: settings.precision,
    clock,
    logger: logging.logger('perun'),
    demand: () => lanes.waiting,
    onEntry: ({ kind, isDrift }) => {
      metrics.entries.inc({ kind })
      if (isDrift) metrics.drifts.inc()
    },
    onWrite: (secondsSinceRead) => {
      metrics.readToWrite.observe(secondsSinceRead)
      writeWindow.observe(secondsSinceRead)
    },
    onDoubtResolved: (outcome, seconds) => metrics.doubtfulWrites.observe({ outcome }, seconds),
  })
  const outbox = createOutbox({
    ledger,
    publisher,
    lanes: () => lanes,
    clock,
    logger: logging.logger('publish'),
    onPublished: (outcome, seconds) => {
      metrics.publishes.inc({ outcome })
      metrics.publishSeconds.observe(seconds)
    },
  })
  return { lanes, outbox, writeWindow: () => writeWindow.now, close: () => publisher.close() }
}

function buildIntake(
  { settings, logging, metrics }: ServiceParts,
  ledger: Ledger,
  clock: Clock,
  onChanged: (groups: readonly string[]) => void,
): Intake {
  return createIntake({
    ledger,
    maxSeries: settings.maxSeries,
    meters: settings.meters,
    clock,
    logger: logging.logger('billing'),
    onChanged,
    onBilled: ({ outcomes, charged, begun }) => {
      metrics.chargedCredits.inc(Number(formatCredits(charged)))
      metrics.entries.inc({ kind: 'charge' }, begun)
      for (const [decision, count] of Object.entries(outcomes)) metrics.readings.inc({ decision }, count)
    },
    onRejected: (rejected) => {
      for (const [reason, count] of Object.entries(rejected)) metrics.rejectedSamples.inc({ reason }, count)
    },
  })
}

function buildSource(
  { settings, version, logging, metrics }: ServiceParts,
  intake: Intake,
  clock: Clock,
): PrometheusSource {
  return prometheusSource({
    targets: settings.targets,
    ...settings.scrape,
    meters: settings.meters,
    whitelist: settings.whitelist,
    site: settings.site,
    userAgent: `credits-worker/${version}`,
    deliver: (delivery) => intake.take(delivery),
    newTaskId: () => newTaskId('scrape'),
    clock,
    logger: logging.logger('scrape'),
    observer: { scraped: (report) => observeScrape(metrics, report) },
  })
}

function observeScrape(metrics: Metrics, { target, outcome, duration, scrape }: ScrapeReport): void {
  metrics.scrapes.inc({ target, outcome })
  metrics.targetUp.set({ target }, outcome === 'delivered' ? 1 : 0)
  metrics.scrapeSeconds.observe({ target }, duration / SECOND)
  if (scrape !== undefined) metrics.parseErrors.inc(scrape.rejected.unreadable)
}

function provideMetrics(metrics: Metrics, ledger: Ledger, lanes: Lanes | undefined): void {
  metrics.provide({
    queueSize: () => lanes?.waiting ?? 0,
    lanes: () => lanes?.working ?? 0,
    ledgerWritable: async () => (await ledger.check()) === undefined,
    // A ledger in trouble must not hide all other metrics.
    groups: () => ledger.summary().then(({ contacts }) => contacts as Record<string, number>, none),
    holds: () => ledger.summary().then(({ holds }) => holds as Record<string, number>, none),
  })
}

const none = () => ({})

/** Lets lanes finish as long as something can be published; a Perun that is down is not waited for. */
async function drain({ lanes, outbox }: Publishing, grace: number): Promise<void> {
  outbox.stop()
  const timer = new AbortController()
  const deadline = sleep(grace, undefined, { signal: timer.signal }).catch(() => undefined)
  if (!lanes.paused) await Promise.race([lanes.idle(), deadline])
  await Promise.race([lanes.stop(), deadline])
  timer.abort()
}

const idleLanes = { waiting: 0, working: 0, status: () => [] }
