/**
 * The service: the worker with its face. Builds both from the settings and takes them down again.
 *
 * It answers before it scrapes, and goes on answering while it stops; the ledger closes last.
 */
import { describeSettings } from './config/settings.ts'
import { SECOND, systemClock } from './core/time.ts'
import { createHttpServer } from './http/app.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Logging } from './telemetry/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'
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
  const worker = assembleWorker(parts)
  const { ledger, source, lanes, outbox } = worker
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
    targets: () => source.targets(),
    lanes: lanes ?? idleLanes,
    outbox,
    writeWindow: () => worker.writeWindow(),
    decideHold: worker.decideHold,
    corrections: worker.corrections,
    notifyAt: settings.notifyAt,
    stopping: () => stopping,
    describeSettings: () => describeSettings(settings),
  })
  provideMetrics(metrics, ledger, lanes)
  const address = await http.listen().catch(async (error: unknown) => {
    await worker.close()
    throw error
  })
  await worker.start()
  log.info({ url: address.url, targets: settings.targets.length }, `Listening on ${address.url}`)

  async function stop(grace: number): Promise<void> {
    stopping = true
    log.info('Stopping: no more scrapes, finishing what is under way')
    await worker.finish(grace)
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

function provideMetrics(metrics: Metrics, ledger: Ledger, lanes: Worker['lanes']): void {
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

const idleLanes = { waiting: 0, working: 0, status: () => [] }
