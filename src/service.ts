/**
 * The service: the worker with its face. Builds both from the settings and takes them down again.
 *
 * It answers before it scrapes, and goes on answering while it stops; the ledger closes last.
 */
import { hostname } from 'node:os'
import type { LedgerLocation } from './config/ledgerLocation.ts'
import { describeSettings, secretsOfTargets } from './config/settings.ts'
import { readTargetsAgain } from './config/targets.ts'
import { SECOND, systemClock } from './core/time.ts'
import { createGroupMetrics } from './groupMetrics.ts'
import { createHttpServer } from './http/app.ts'
import { createForecasts } from './ledger/forecasts.ts'
import type { Ledger } from './ledger/ledger.ts'
import { openPostgresLedger, type PostgresLedger } from './ledger/postgres/ledger.ts'
import { type Space, spaceOf } from './ledger/sqlite/space.ts'
import { assembleNotifying } from './notifying.ts'
import { createTargetsFileWatch } from './sources/targetsFile.ts'
import type { Logging } from './telemetry/logger.ts'
import { shared } from './telemetry/metrics.ts'
import { sayNews } from './telemetry/repeats.ts'
import { assembleWorker, type Worker, type WorkerParts } from './worker.ts'

export interface ServiceParts extends WorkerParts {
  readonly logging: Logging
  /** Reads the file of targets again and again; without it, it was read at the start only. */
  readonly readFile?: (path: string) => Promise<string>
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
  const worker = assembleWorker(parts, { ledger: served, sharing: served?.sharing })
  const { ledger, source, pushes, lanes, outbox } = worker
  const forecasts = createForecasts({ ledger, clock })
  const notifying = assembleNotifying(parts, ledger, forecasts, worker)
  worker.onChanged(() => notifying.teller.wake())
  const targetsFile = watchTargets(parts, worker)
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
    targetsFile: () => targetsFile?.status(),
    receivers: { remoteWrite: pushes.remoteWrite, influx: pushes.influx },
    lanes: lanes ?? idleLanes,
    outbox,
    writeWindow: () => worker.writeWindow(),
    decideHold: worker.decideHold,
    corrections: worker.corrections,
    notifyAt: settings.notifyAt,
    notifying: notifying.status,
    catchUp: () => worker.catchUp?.status,
    replicas: worker.replicas,
    previewDigest: notifying.preview,
    stopping: () => stopping,
    describeSettings: () => describeSettings(settings),
  })
  provideMetrics(parts, worker, () => spaceOfLedger(settings.ledger, served))
  metrics.provide({ targetsFileOk: () => targetsFile && targetsFile.status().problems.length === 0 })
  if (settings.groupMetrics !== 'off') {
    const withForecasts = settings.groupMetrics === 'forecasts'
    const { read } = createGroupMetrics({ ledger, forecasts, withForecasts, clock, isStopping: () => stopping })
    metrics.showGroups(read, { withForecasts })
  }
  const address = await http.listen().catch(async (error: unknown) => {
    await worker.close()
    throw error
  })
  await worker.start()
  targetsFile?.start()
  notifying.start()
  await warnOfUnlisted(parts, ledger)
  log.info({ url: address.url, targets: settings.targets.length }, `Listening on ${address.url}`)

  async function stop(grace: number): Promise<void> {
    stopping = true
    targetsFile?.stop()
    log.info('Stopping: no more scrapes, finishing what is under way')
    const told = within(grace, notifying.stop()).then(() => worker.lead?.stop())
    await Promise.all([worker.finish(grace), told])
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

/** Who takes a group off the list should know what happens when it comes back. */
async function warnOfUnlisted({ settings: { whitelist }, logging }: ServiceParts, ledger: Ledger): Promise<void> {
  if (whitelist === undefined) return
  const unlisted = (await ledger.shownGroups()).map(({ group }) => group).filter((group) => !whitelist.has(group))
  if (unlisted.length === 0) return
  logging
    .logger('service')
    .warn(
      { groups: unlisted.length, first: unlisted.slice(0, 10) },
      'Groups that are published are not in OS_CREDITS_PROJECT_WHITELIST: they are not charged, but for all of this time once they are listed again',
    )
}

function watchTargets({ settings, logging, clock = systemClock, readFile }: ServiceParts, { source }: Worker) {
  const { targetsFile } = settings
  if (targetsFile === undefined || readFile === undefined) return undefined
  return createTargetsFileWatch({
    path: targetsFile.path,
    readFile,
    parse: (content) => readTargetsAgain(targetsFile, content),
    apply(targets) {
      logging.redact(secretsOfTargets(targets))
      return source.setTargets(targets)
    },
    clock,
    logger: logging.logger('config'),
  })
}

/** Does not wait longer than that: what is left is in the ledger. */
async function within(grace: number, work: Promise<void>): Promise<void> {
  const { promise: deadline, resolve: over } = Promise.withResolvers<void>()
  const timer = setTimeout(over, grace)
  await Promise.race([work, deadline])
  clearTimeout(timer)
}

/** A ledger of a server, which takes a while to open; that of a file is opened by the worker. */
async function openShared({
  settings,
  version,
  logging,
  metrics,
  clock = systemClock,
}: ServiceParts): Promise<PostgresLedger | undefined> {
  if (settings.ledger.kind !== 'postgres') return undefined
  const logger = logging.logger('ledger')
  const name = `${hostname()}/${process.pid}`
  return openPostgresLedger(settings.ledger.url, {
    onCommit: (seconds) => metrics.commitSeconds.observe(seconds),
    notifyAt: settings.notifyAt,
    connections: settings.workers + OTHER_CONNECTIONS,
    replica: {
      name,
      version,
      lease: settings.replicaLease,
      lingers: settings.perun?.timeout ?? 0,
      onJoined: (id) => logger.info({ replica: id, name }, `This worker is replica ${id} of its ledger`),
      onTrouble: sayNews(logger, clock, 'The queue of work has trouble, or what is done about other workers'),
    },
  })
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
  { metrics }: ServiceParts,
  { ledger, lanes, outbox, pushes, replicas }: Worker,
  readSpace: () => Promise<Partial<Space> | undefined>,
): void {
  // A ledger in trouble must not hide all other metrics.
  const summary = shared(() => ledger.summary().catch(() => undefined))
  const space = shared(() => readSpace().catch(() => undefined))
  metrics.provide({
    pushesUnderWay: () => pushes.budget.size,
    queueSize: () => lanes?.waiting ?? 0,
    lanes: () => lanes?.working ?? 0,
    ledgerWritable: async () => (await ledger.check()) === undefined,
    ledgerBytes: async () => (await space())?.bytes,
    ledgerFreeBytes: async () => (await space())?.free,
    groups: async () => ({ ...(await summary())?.contacts }),
    holds: async () => ({ ...(await summary())?.holds }),
    dirtyGroups: async () => (await summary())?.dirty,
    publishing: () => ({ [outbox?.status.state ?? 'off']: 1 }),
    replicas: async () => countByState((await replicas?.list().catch(() => undefined)) ?? []),
  })
}

function countByState(replicas: readonly { readonly state: string }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { state } of replicas) counts[state] = (counts[state] ?? 0) + 1
  return counts
}

const idleLanes = { waiting: 0, working: 0, status: () => [] }
