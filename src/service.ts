/**
 * The service: the worker with its face. Builds both from the settings and takes them down again.
 *
 * It answers before it scrapes, and goes on answering while it stops; the ledger closes last.
 */
import type { LedgerLocation } from './config/ledgerLocation.ts'
import { describeSettings } from './config/settings.ts'
import { formatCredits } from './core/credits.ts'
import { approximate, parseDecimal } from './core/decimals.ts'
import { SECOND, systemClock } from './core/time.ts'
import { createHttpServer } from './http/app.ts'
import { createForecasts } from './ledger/forecasts.ts'
import type { Ledger } from './ledger/ledger.ts'
import { openPostgresLedger, type PostgresLedger } from './ledger/postgres/ledger.ts'
import { type Space, spaceOf } from './ledger/sqlite/space.ts'
import { assembleNotifying } from './notifying.ts'
import type { Logging } from './telemetry/logger.ts'
import { type GroupNumbers, shared } from './telemetry/metrics.ts'
import { assembleWorker, type Worker, type WorkerParts } from './worker.ts'

export interface ServiceParts extends WorkerParts {
  readonly logging: Logging
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
  const served = await openShared(parts)
  const worker = assembleWorker(parts, { ledger: served })
  const { ledger, source, lanes, outbox } = worker
  const forecasts = createForecasts({ ledger, clock })
  const notifying = assembleNotifying(parts, ledger, forecasts, worker.peopleOf)
  worker.onChanged(() => notifying.teller.wake())
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
    forecasts,
    targets: () => source.targets(),
    lanes: lanes ?? idleLanes,
    outbox,
    writeWindow: () => worker.writeWindow(),
    decideHold: worker.decideHold,
    corrections: worker.corrections,
    notifyAt: settings.notifyAt,
    notifying: notifying.status,
    previewDigest: notifying.preview,
    stopping: () => stopping,
    describeSettings: () => describeSettings(settings),
  })
  provideMetrics(parts, worker, () => spaceOfLedger(settings.ledger, served))
  const address = await http.listen().catch(async (error: unknown) => {
    await worker.close()
    throw error
  })
  await worker.start()
  notifying.start()
  log.info({ url: address.url, targets: settings.targets.length }, `Listening on ${address.url}`)

  async function stop(grace: number): Promise<void> {
    stopping = true
    log.info('Stopping: no more scrapes, finishing what is under way')
    await Promise.all([worker.finish(grace), within(grace, notifying.stop())])
    await http.stop(SECOND)
    await worker.close()
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

/** Does not wait longer than that: what is left is in the ledger. */
async function within(grace: number, work: Promise<void>): Promise<void> {
  const { promise: deadline, resolve: over } = Promise.withResolvers<void>()
  const timer = setTimeout(over, grace)
  await Promise.race([work, deadline])
  clearTimeout(timer)
}

/** A ledger of a server, which takes a while to open; that of a file is opened by the worker. */
async function openShared({ settings, metrics }: ServiceParts): Promise<PostgresLedger | undefined> {
  if (settings.ledger.kind !== 'postgres') return undefined
  const onCommit = (seconds: number) => metrics.commitSeconds.observe(seconds)
  const connections = settings.workers + OTHER_CONNECTIONS
  return openPostgresLedger(settings.ledger.url, { onCommit, notifyAt: settings.notifyAt, connections })
}

/** For scrapes, pages and whoever tells people, beside a connection for each group that is published. */
const OTHER_CONNECTIONS = 4

/** A server's disk cannot be seen from here. */
async function spaceOfLedger(
  location: LedgerLocation,
  served: PostgresLedger | undefined,
): Promise<Partial<Space> | undefined> {
  if (location.kind === 'sqlite') return spaceOf(location.path)
  return { bytes: await served!.bytes() }
}

function provideMetrics(
  { metrics, settings }: ServiceParts,
  { ledger, lanes, outbox }: Worker,
  readSpace: () => Promise<Partial<Space> | undefined>,
): void {
  // A ledger in trouble must not hide all other metrics.
  const summary = shared(() => ledger.summary().catch(() => undefined))
  const space = shared(() => readSpace().catch(() => undefined))
  metrics.provide({
    queueSize: () => lanes?.waiting ?? 0,
    lanes: () => lanes?.working ?? 0,
    ledgerWritable: async () => (await ledger.check()) === undefined,
    ledgerBytes: async () => (await space())?.bytes,
    ledgerFreeBytes: async () => (await space())?.free,
    groups: async () => ({ ...(await summary())?.contacts }),
    holds: async () => ({ ...(await summary())?.holds }),
    dirtyGroups: async () => (await summary())?.dirty,
    publishing: () => ({ [outbox?.status.state ?? 'off']: 1 }),
  })
  if (settings.groupMetrics) metrics.showGroups(() => groupNumbers(ledger))
}

/** A time series each, and two of them for a group: more would be too much for most Prometheus servers. */
const MOST_GROUPS = 20_000

async function groupNumbers(ledger: Ledger): Promise<GroupNumbers> {
  const { rows, total } = await ledger.credits(MOST_GROUPS).catch(() => ({ rows: [], total: 0 }))
  const groups = rows.map(({ group, used, granted }) => ({
    group,
    used: Number(formatCredits(used)),
    granted: numberOf(granted),
  }))
  return { groups, leftOut: total - rows.length }
}

/** Perun's text may be no number: then nothing is shown. */
function numberOf(text: string | undefined): number | undefined {
  const number = text === undefined ? undefined : parseDecimal(text)
  return number === undefined ? undefined : approximate(number)
}

const idleLanes = { waiting: 0, working: 0, status: () => [] }
