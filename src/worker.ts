/**
 * The worker itself, without its face: builds its parts in the order of the flow and takes them down again.
 *
 * They are started from the end of the flow: first what takes, then what gives. They stop the other way round: no new
 * scrape, then what was scraped is recorded, then lanes finish, then the ledger closes.
 *
 * Everything that it touches outside of the process can be given, so that a simulation runs the very same composition.
 */
import { type CatchUp, createCatchUp, type Turn } from './billing/catchUp.ts'
import { createCorrectionDesk } from './billing/corrections.ts'
import { createHoldDesk } from './billing/holds.ts'
import { createIntake, type Intake } from './billing/intake.ts'
import { createLanes, type LaneOptions, type Lanes } from './billing/lanes.ts'
import { createLead, type Lead } from './billing/lead.ts'
import { createSharedLanes } from './billing/sharedLanes.ts'
import { describeLedger } from './config/ledgerLocation.ts'
import type { PerunSettings, Settings } from './config/settings.ts'
import { formatCredits } from './core/credits.ts'
import { type Clock, SECOND, systemClock } from './core/time.ts'
import type { CorrectionDesk } from './ledger/corrections.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Replicas } from './ledger/replicas.ts'
import type { Sharing } from './ledger/sharing.ts'
import type { Connect } from './ledger/sqlite/database.ts'
import { openSqliteLedger } from './ledger/sqlite/ledger.ts'
import { archiveOf, sitesOf } from './past.ts'
import { createOutbox, type Outbox } from './publish/outbox.ts'
import { createPeople } from './publish/perun/people.ts'
import { createPredecessor } from './publish/perun/predecessor.ts'
import { createPerunPublisher } from './publish/perun/publisher.ts'
import { createPerunRpc, type PerunRpcOptions } from './publish/perun/rpc.ts'
import type { PerunTransport } from './publish/perun/transport.ts'
import type { Predecessor } from './publish/predecessor.ts'
import { createWriteWindow, type WriteWindow } from './publish/writeWindow.ts'
import { createReplicaTable, type ReplicaTable } from './replicaTable.ts'
import type { Archive } from './sources/archive.ts'
import { decodeLines } from './sources/influx/decode.ts'
import { type PrometheusSource, prometheusSource, type ScrapeReport } from './sources/prometheus/loop.ts'
import type { FetchExposition } from './sources/prometheus/scrape.ts'
import { createPushBudget, type PushBudget } from './sources/pushBudget.ts'
import { createReceiver, type Decode, type PushReport } from './sources/receiver.ts'
import { decodeRemoteWrite } from './sources/remoteWrite/decode.ts'
import { createSharedTargets, type SharedTargets } from './sources/sharedTargets.ts'
import type { Deliver, Receiver } from './sources/source.ts'
import { newTaskId } from './telemetry/context.ts'
import type { Logger, Logging } from './telemetry/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'

export interface WorkerParts {
  readonly settings: Settings
  readonly version: string
  readonly logging: Pick<Logging, 'logger'>
  readonly metrics: Metrics
  readonly clock?: Clock
}

/** What a worker has to do with outside of itself, where it is not the real thing. */
export interface Outside {
  readonly connect?: Connect
  /** The ledger, if it is open already. */
  readonly ledger?: Ledger | undefined
  /** What it shares with other workers, if there may be any. */
  readonly sharing?: Sharing | undefined
  readonly perun?: PerunTransport
  readonly fetch?: FetchExposition
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
  readonly archive?: Archive
  /** Readings recorded in one transaction. */
  readonly part?: number
}

/** What takes pushes. */
export interface Pushes {
  readonly remoteWrite: Receiver
  readonly influx: Receiver
  readonly budget: PushBudget
}

export interface Worker {
  readonly ledger: Ledger
  readonly lanes: Lanes | undefined
  readonly outbox: Outbox | undefined
  readonly source: PrometheusSource
  readonly pushes: Pushes
  /** Absent if there is no archive to read missed readings from. */
  readonly catchUp: CatchUp | undefined
  /** Absent if the ledger is nobody else's: then all is up to this worker. Stopped by whoever does its work. */
  readonly lead: Lead | undefined
  /** The workers that share the ledger; absent if that is this one alone. */
  readonly replicas: ReplicaTable | undefined
  readonly decideHold: ReturnType<typeof createHoldDesk>
  readonly corrections: CorrectionDesk
  /** How long before a write what it replaces was read. */
  writeWindow(): WriteWindow
  /** What Perun holds as the mail addresses of a group's people; absent if nothing is published. */
  readonly peopleOf: ((group: string) => Promise<readonly unknown[]>) | undefined
  /** Has a listener told whenever totals changed. */
  onChanged(listener: () => void): void
  /** To be called once. */
  start(): Promise<void>
  /** Ends scrapes, records what was scraped, and publishes what can be, for `grace` milliseconds at most. */
  finish(grace: number): Promise<void>
  close(): Promise<void>
}

/** @throws {LedgerError} if the ledger cannot be opened. */
export function assembleWorker(parts: WorkerParts, outside: Outside = {}): Worker {
  const { settings, logging, clock = systemClock } = parts
  const ledger = outside.ledger ?? openSqlite(parts, outside)
  const replicas = outside.sharing?.replicas
  const lead = replicas && createLead({ replicas, clock, logger: logging.logger('service') })
  const sharedTargets =
    replicas && createSharedTargets({ replicas, urls: () => source.urls(), logger: logging.logger('scrape') })
  const publishing =
    settings.perun === undefined
      ? undefined
      : buildPublishing(
          parts,
          settings.perun,
          {
            ...{ ledger, clock },
            isWithheld: (group) => catchUp?.withholds(group) ?? false,
            looksAfterAll: () => lead?.isHeld() ?? true,
          },
          outside,
        )
  const listeners: (() => void)[] = []
  const onChanged = (groups: readonly string[]) => {
    // A ledger that is shared has asked for their work already.
    if (outside.sharing === undefined) publishing?.outbox.wake(groups)
    for (const listener of listeners) listener()
  }
  const intake = buildIntake(parts, ledger, clock, onChanged, outside)
  const take: Deliver = (delivery) => intake.take(delivery)
  const catchUp = buildCatchUp(parts, { ledger, publishing, take, claims: replicas, clock }, outside)
  const source = buildSource(parts, { deliver: catchUp?.gate(take) ?? take, turns: sharedTargets, clock }, outside)
  const pushes = buildReceivers(parts, catchUp?.gateOfPushes(take) ?? take, clock)
  const publish = async () => {
    lead?.start()
    publishing?.outbox.resume()
    await publishing?.outbox.start()
  }
  return {
    ledger,
    lanes: publishing?.lanes,
    outbox: publishing?.outbox,
    source,
    pushes,
    catchUp,
    lead,
    replicas: replicas && sharedTargets && createReplicaTable(replicas, sharedTargets),
    decideHold: createHoldDesk({
      ledger,
      meters: settings.meters,
      clock,
      logger: logging.logger('billing'),
      onChanged,
    }),
    corrections: createCorrectionDesk({ ledger, clock, logger: logging.logger('billing'), onChanged }),
    writeWindow: () => publishing?.writeWindow() ?? {},
    peopleOf: publishing?.peopleOf,
    onChanged: (listener) => void listeners.push(listener),
    async start() {
      const { groups, entries, dirty } = await ledger.summary()
      logging.logger('ledger').info({ path: describeLedger(settings.ledger), groups, entries, dirty }, 'Ledger opened')
      sharedTargets?.start()
      // What another replica takes over just now is not to be published: it is waited for.
      if (catchUp === undefined || replicas === undefined) await publish()
      if (catchUp === undefined) source.start()
      else void catchUp.run(() => source.start(), replicas && turnOf(publishing?.outbox, publish))
    },
    async finish(grace) {
      if (catchUp !== undefined) await catchUp.stop()
      await Promise.all([source.stop().then(() => sharedTargets?.stop()), pushes.budget.close()])
      await intake.idle()
      if (publishing !== undefined) await drain(publishing, grace)
    },
    async close() {
      await lead?.stop()
      await publishing?.close()
      await ledger.close()
    },
  }
}

/** Without its turn a replica publishes nothing, and before the first one leaves the lead to those that do. */
function turnOf(outbox: Outbox | undefined, publish: () => Promise<void>): Turn {
  let isFirst = true
  return {
    had() {
      if (isFirst) void publish()
      else outbox?.resume()
      isFirst = false
    },
    lost: () => outbox?.pause(),
  }
}

function openSqlite({ settings, metrics }: WorkerParts, { connect }: Outside): Ledger {
  if (settings.ledger.kind !== 'sqlite') throw new TypeError('Expected a ledger that is open, or one of SQLite')
  const onCommit = (seconds: number) => metrics.commitSeconds.observe(seconds)
  return openSqliteLedger(settings.ledger.path, { onCommit, notifyAt: settings.notifyAt, connect })
}

/** How many groups are worked on at a time: those that are written, and as many that are prepared meanwhile. */
export function lanesFor({ workers }: Pick<Settings, 'workers'>): number {
  return 2 * workers
}

interface Publishing {
  readonly lanes: Lanes
  readonly outbox: Outbox
  readonly predecessor: Predecessor
  writeWindow(): WriteWindow
  peopleOf(group: string): Promise<readonly unknown[]>
  close(): Promise<void>
}

function buildPublishing(
  { settings, logging, metrics }: WorkerParts,
  perun: PerunSettings,
  {
    ledger,
    clock,
    isWithheld,
    looksAfterAll,
  }: { ledger: Ledger; clock: Clock; isWithheld: (group: string) => boolean; looksAfterAll: () => boolean },
  outside: Outside,
): Publishing {
  const { sharing } = outside
  const options = { workers: lanesFor(settings), work: (group: string, look?: boolean) => outbox.work(group, look) }
  const lanes = createLanesFor(options, sharing, logging.logger('publish'))
  const writeWindow = createWriteWindow()
  const onCall: PerunRpcOptions['onCall'] = ({ method, outcome, seconds }) => {
    metrics.perunCalls.inc({ method, outcome })
    metrics.perunCallSeconds.observe({ method }, seconds)
  }
  // One for each lane, so that no write waits for a connection after its last look; and for looks at whole sites.
  const rpc = createPerunRpc({ ...perun, connections: options.workers + 2, onCall }, outside.perun)
  const publisher = createPerunPublisher({
    ...perun,
    names: perun.attributes,
    rpc,
    ledger,
    precision: settings.precision,
    clock,
    logger: logging.logger('perun'),
    demand: () => lanes.waiting,
    mayWrite: sharing?.replicas.isMember,
    writers: settings.workers,
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
    publisher: {
      ...publisher,
      publish: (group, look) =>
        isWithheld(group) ? Promise.resolve({ kind: 'held' }) : publisher.publish(group, look),
    },
    lanes: () => lanes,
    clock,
    looksAfterAll,
    surveyEvery: perun.lookEvery === 0 ? undefined : perun.lookEvery,
    logger: logging.logger('publish'),
    onPublished: (outcome, seconds) => {
      metrics.publishes.inc({ outcome })
      metrics.publishSeconds.observe(seconds)
    },
  })
  const peopleOf = createPeople({ rpc, voId: perun.voId, attributeName: perun.attributes.email })
  const logger = logging.logger('perun')
  const predecessor = createPredecessor({ ...perun, names: perun.attributes, rpc, clock, logger })
  return { lanes, outbox, predecessor, writeWindow: () => writeWindow.now, peopleOf, close: () => publisher.close() }
}

function createLanesFor(options: LaneOptions, sharing: Sharing | undefined, logger: Logger): Lanes {
  return sharing === undefined ? createLanes(options) : createSharedLanes({ ...options, shared: sharing.work, logger })
}

function buildIntake(
  { settings, logging, metrics }: WorkerParts,
  ledger: Ledger,
  clock: Clock,
  onChanged: (groups: readonly string[]) => void,
  { part }: Outside,
): Intake {
  return createIntake({
    ledger,
    maxSeries: settings.maxSeries,
    smallSites: settings.smallSites,
    meters: settings.meters,
    clock,
    logger: logging.logger('billing'),
    onChanged,
    part,
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

/** A gap of this many scrapes is left to the next one. */
const SCRAPES_LEFT_OUT = 2

function buildCatchUp(
  { settings, version, logging }: WorkerParts,
  {
    publishing,
    ...parts
  }: {
    ledger: Ledger
    publishing: Publishing | undefined
    take: Deliver
    claims: Replicas | undefined
    clock: Clock
  },
  outside: Outside,
): CatchUp | undefined {
  const archive = outside.archive ?? archiveOf(settings, version, parts.clock)
  if (archive === undefined) return undefined
  return createCatchUp({
    ...parts,
    archive,
    predecessor: publishing?.predecessor,
    onTakenOver: (groups) => publishing?.outbox.wake(groups),
    sites: sitesOf(settings),
    meters: settings.meters,
    least: SCRAPES_LEFT_OUT * settings.scrape.interval,
    newTaskId: () => newTaskId('catchup'),
    logger: logging.logger('catchup'),
    wait: outside.wait,
  })
}

function buildSource(
  { settings, version, logging, metrics }: WorkerParts,
  { clock, ...parts }: { deliver: Deliver; turns: SharedTargets | undefined; clock: Clock },
  { fetch, wait }: Outside,
): PrometheusSource {
  return prometheusSource({
    targets: settings.targets,
    ...settings.scrape,
    meters: settings.meters,
    whitelist: settings.whitelist,
    site: settings.site,
    userAgent: `credits-worker/${version}`,
    ...parts,
    newTaskId: () => newTaskId('scrape'),
    clock,
    logger: logging.logger('scrape'),
    fetch,
    wait,
    observer: { scraped: (report) => observeScrape(metrics, report, clock), left: metrics.forgetTarget },
  })
}

function buildReceivers({ settings, logging, metrics }: WorkerParts, deliver: Deliver, clock: Clock): Pushes {
  const budget = createPushBudget()
  const receiver = (protocol: string, decode: Decode) =>
    createReceiver({
      protocol,
      decode,
      budget,
      meters: settings.meters,
      whitelist: settings.whitelist,
      site: settings.site,
      deliver,
      newTaskId: () => newTaskId('push'),
      clock,
      logger: logging.logger('push'),
      observer: (report) => observePush(metrics, report, clock),
    })
  return { budget, remoteWrite: receiver('remote write', decodeRemoteWrite), influx: receiver('influx', decodeLines) }
}

function observePush(metrics: Metrics, { protocol, outcome, duration, decoded }: PushReport, clock: Clock): void {
  metrics.pushes.inc({ protocol, outcome })
  metrics.pushSeconds.observe({ protocol }, duration / SECOND)
  if (decoded === undefined) return
  const { readings, rejected, staleMarkers, ignored } = decoded
  const dropped = Object.values(rejected).reduce((sum, count) => sum + count, 0)
  const kinds = { reading: readings.length, rejected: dropped, 'stale marker': staleMarkers, ignored }
  for (const [kind, count] of Object.entries(kinds)) metrics.pushedSamples.inc({ protocol, kind }, count)
  metrics.lastPush.set({ protocol }, clock.now() / SECOND)
}

function observeScrape(metrics: Metrics, { target, outcome, duration, scrape }: ScrapeReport, clock: Clock): void {
  metrics.scrapes.inc({ target, outcome })
  metrics.targetUp.set({ target }, outcome === 'delivered' ? 1 : 0)
  if (outcome === 'delivered') metrics.lastSuccess.set({ target }, clock.now() / SECOND)
  metrics.scrapeSeconds.observe({ target }, duration / SECOND)
  if (scrape !== undefined) metrics.parseErrors.inc(scrape.rejected.unreadable)
}

/** Lets lanes finish as long as something can be published; a Perun that is down is not waited for. */
async function drain({ lanes, outbox }: Publishing, grace: number): Promise<void> {
  outbox.stop()
  const { promise: deadline, resolve: over } = Promise.withResolvers<void>()
  const timer = setTimeout(over, grace)
  if (!lanes.paused) await Promise.race([lanes.idle(), deadline])
  await Promise.race([lanes.stop(), deadline])
  clearTimeout(timer)
}
