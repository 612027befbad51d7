/**
 * What the worker does about the past when it starts, if it has an archive: it bridges the gap since it last ran, and takes
 * over groups that another service has charged.
 *
 * 1. Sites that were taken over are read again from where the ledger ends. Scrapes begin only after that: a scrape brings all
 *    growth at once, and what is read later than it changes nothing any more.
 * 2. Sites that were not taken over yet wait at the gate until Perun has told what the other service left, and the readings
 *    since then are recorded. Scrapes of them would begin their groups at a wrong instant. Waiting loses nothing: the archive
 *    has it all. The other sites are scraped meanwhile.
 *
 * An archive that does not answer is given up after some minutes: scrapes bring all growth of known series anyway.
 *
 * Of several replicas one does this at a time. The others wait for their turn, and neither scrape nor take pushes before it: what
 * they brought would make later what is being read. Nor do they publish. When it comes there is nothing left to do, as a rule.
 */
import { type CatchUpPlan, planCatchUp, type SiteStanding, stepFor, type Takeover } from '../core/catchUp.ts'
import type { Meters } from '../core/meters.ts'
import { type Clock, DAY, formatInstant, type Instant, MINUTE } from '../core/time.ts'
import type { Claims } from '../ledger/claims.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Predecessor } from '../publish/predecessor.ts'
import { type Archive, ArchiveError } from '../sources/archive.ts'
import { type Deliver, type Delivery, PushRefusal } from '../sources/source.ts'
import type { Logger } from '../telemetry/logger.ts'
import { patient, pauseOf } from './patience.ts'
import { readAgain } from './readAgain.ts'
import { handedOver, ownStanding } from './standings.ts'
import { awaitTurn } from './turn.ts'

export interface CatchUpOptions {
  readonly ledger: Pick<Ledger, 'chargedUpTo' | 'takenOver' | 'noteTakenOver' | 'seriesOf'>
  readonly archive: Archive
  /** Absent if nothing is published: then nothing is taken over. */
  readonly predecessor?: Predecessor | undefined
  /** Sites that are known from the settings. */
  readonly sites: readonly string[]
  readonly meters: Meters
  readonly take: Deliver
  /** Where several replicas may want to do it: one does at a time. */
  readonly claims?: Pick<Claims, 'claim'> | undefined
  /** A gap that is not longer, in milliseconds, is left to the next scrape. */
  readonly least: number
  readonly clock: Clock
  readonly newTaskId: () => string
  /** Told which groups were taken over: now they can be published. */
  readonly onTakenOver: (groups: readonly string[]) => void
  readonly logger: Logger
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined
}

export type CatchUpStatus =
  | { readonly state: 'waiting'; readonly reason: string; readonly since: Instant; readonly sites: readonly string[] }
  | {
      readonly state: 'reading'
      readonly after: Instant
      readonly upTo: Instant
      /** All until then is recorded. */
      readonly at: Instant
      readonly readings: number
    }
  | { readonly state: 'done'; readonly readings: number }
  | { readonly state: 'given up'; readonly reason: string; readonly readings: number }

export interface CatchUp {
  readonly status: CatchUpStatus
  /** Hands a delivery on without what has to wait. */
  gate(deliver: Deliver): Deliver
  /**
   * The same for what is pushed: refused until scrapes begin, as what is read later than it would change nothing, and where
   * something of it has to wait.
   */
  gateOfPushes(deliver: Deliver): Deliver
  /**
   * Whether a group is just being taken over, or may be by another replica: what Perun shows of it is not to be met before all its
   * series have begun.
   */
  withholds(group: string): boolean
  /**
   * Resolves when there is nothing to do any more, it was given up or stopped. To be called once.
   *
   * @param begin Called when scrapes may begin.
   */
  run(begin: () => void, turn?: Turn): Promise<void>
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
}

/** What is to be done where several replicas take turns. */
export interface Turn {
  /** Called before scrapes may begin, when no other replica is at it any more; again after a turn that was lost. */
  had(): void
  /** Called when another replica may be at it again: no group is to be begun before the next turn. */
  lost(): void
}

/** The name of the claim of the replica that does it. */
export const CATCH_UP = 'catch up'

/** How long an archive may be silent. */
export const PATIENCE = 5 * MINUTE

/** How far back sites are looked for. */
const LOOK_BACK = 30 * DAY

/** Lists in the log are cut here. */
const MOST_TOLD = 20

export function createCatchUp(options: CatchUpOptions): CatchUp {
  const { ledger, predecessor, clock, logger, least, claims, wait = timer } = options
  const stopping = new AbortController()
  /** Of what is under way: the end, or that another replica may be at it. */
  let { signal } = stopping
  let isOursToDo = claims === undefined
  const archive = patient(options.archive, { clock, limit: PATIENCE, wait, onWait: waitFor })
  let running: Promise<void> = Promise.resolve()
  let status: CatchUpStatus = { state: 'waiting', reason: 'It has just begun.', since: clock.now(), sites: [] }
  let pending: ReadonlySet<string> = new Set()
  let withheld: ReadonlySet<string> = new Set()
  /** Whether some site could be asked about: then one that may not be is foreign, and not all rights are missing. */
  let mayAsk = false
  let hasBegun = false
  let readings = 0

  function waitFor(reason: string, level: 'warn' | 'info' = 'warn'): void {
    if (status.state === 'waiting' && status.reason === reason) return
    status = { state: 'waiting', reason, since: clock.now(), sites: [...pending] }
    logger[level]({ sites: status.sites }, `Catching up waits: ${reason}`)
  }

  async function inTurn(begin: () => void, { had, lost }: Turn): Promise<void> {
    if (claims === undefined) return run(begin)
    const onWait = (trouble?: string) =>
      trouble === undefined ? waitFor('Another worker is at it.', 'info') : waitFor(trouble)
    const onLost = () => {
      isOursToDo = false
      lost()
    }
    while (!stopping.signal.aborted) {
      const turn = await awaitTurn({ claims, name: CATCH_UP, wait, onWait }, stopping.signal)
      if (turn === undefined) return
      signal = AbortSignal.any([stopping.signal, turn.lost])
      isOursToDo = true
      had()
      turn.lost.addEventListener('abort', onLost)
      await run(begin)
      await turn.release().catch((err: unknown) => logger.debug({ err }, 'A claim could not be released'))
      turn.lost.removeEventListener('abort', onLost)
      if (!turn.lost.aborted) return
    }
  }

  async function run(begin: () => void): Promise<void> {
    try {
      const sites = await knownSites()
      const taken = new Set((await ledger.takenOver()).map(({ site }) => site))
      mayAsk = taken.size > 0
      pending = new Set(predecessor === undefined ? [] : sites.filter((site) => !taken.has(site)))
      await bridge(sites.filter((site) => !pending.has(site)))
      if (signal.aborted) return
      begin()
      await takeOver()
      if (signal.aborted) return
      status = { state: 'done', readings }
      letGo()
    } catch (error) {
      if (signal.aborted) return
      giveUp(error)
      pending = new Set()
      letGo()
      begin()
    }
  }

  function letGo(): void {
    const groups = [...withheld]
    withheld = new Set()
    if (groups.length > 0) options.onTakenOver(groups)
  }

  function giveUp(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    status = { state: 'given up', reason, readings }
    const consequence =
      'Scrapes bring all growth of series that are there; what began and ended in the gap is not charged'
    if (error instanceof ArchiveError) logger.error(`Catching up was given up: ${reason}. ${consequence}.`)
    else logger.error({ err: error }, `Catching up ended in an error. ${consequence}.`)
  }

  async function knownSites(): Promise<readonly string[]> {
    const now = clock.now()
    const found = await archive.sites({ after: now - LOOK_BACK, upTo: now }, signal)
    return [...new Set([...found, ...options.sites, ...(await ledger.chargedUpTo()).keys()])].sort()
  }

  async function bridge(sites: readonly string[]): Promise<void> {
    const charged = await ledger.chargedUpTo()
    const now = clock.now()
    const plan = planCatchUp(
      sites.map((site) => ownStanding(site, charged.get(site))),
      { now, least },
    )
    if (plan !== undefined) await follow(plan, sites)
  }

  /** Site after site becomes known, or is left as it is because Perun refuses it. */
  async function takeOver(): Promise<void> {
    for (let failures = 0; pending.size > 0 && !signal.aborted; ) {
      const { standings, reason } = await askPredecessor([...pending])
      if (standings.length > 0) await takeOverFrom(standings)
      if (reason === undefined) continue
      failures += 1
      waitFor(reason)
      await wait(pauseOf(failures), signal)
    }
  }

  async function askPredecessor(sites: readonly string[]) {
    const charged = await ledger.chargedUpTo()
    const standings: SiteStanding[] = []
    let reason: string | undefined
    for (const site of sites) {
      const legacy = await predecessor!.chargedAt(site)
      if (legacy.kind === 'unavailable' || (legacy.kind === 'forbidden' && !mayAsk)) reason = legacy.reason
      else if (legacy.kind !== 'known') leave(site, legacy.reason)
      else {
        mayAsk = true
        const facts = { ledger, meters: options.meters, now: clock.now() }
        const { standing, ahead } = await handedOver(site, legacy.groups, charged.get(site), facts)
        if (ahead.length > 0) tellAhead(site, ahead)
        standings.push(standing)
      }
    }
    return { standings, reason }
  }

  function leave(site: string, reason: string): void {
    logger.warn({ site }, `Nothing can be taken over at site ${site}: ${reason}`)
    release([site])
  }

  async function takeOverFrom(standings: readonly SiteStanding[]): Promise<void> {
    const sites = standings.map(({ site }) => site)
    const now = clock.now()
    const plan = planCatchUp(standings, { now, least })
    withheld = new Set(plan?.takeovers.map(({ group }) => group))
    const missing = plan === undefined ? [] : await follow(plan, sites)
    if (signal.aborted) return
    for (const { site, takeovers } of standings) {
      const lost = missing.filter((each) => each.site === site).length
      await ledger.noteTakenOver({ site, at: now, begun: takeovers.length - lost, missing: lost })
    }
    release(sites)
    letGo()
  }

  function release(sites: readonly string[]): void {
    pending = new Set([...pending].filter((site) => !sites.includes(site)))
  }

  /** @returns The takeovers whose reading could not be had. */
  async function follow(plan: CatchUpPlan, sites: readonly string[]): Promise<readonly Takeover[]> {
    const { after, upTo } = plan.period
    const before = readings
    const tell = createTeller(plan, logger)
    const show = (at: Instant, count: number) => {
      readings = before + count
      status = { state: 'reading', after, upTo, at, readings }
    }
    show(after, 0)
    const about = { sites, takeovers: plan.takeovers.length }
    logger.info(about, `Catching up: reading from ${formatInstant(after)} until ${formatInstant(upTo)} again`)
    const { take, newTaskId } = options
    const onProgress = ({ upTo: at, readings: count }: { upTo: Instant; readings: number }) => {
      show(at, count)
      tell(at, count)
    }
    const result = await readAgain(
      plan,
      { archive, take, clock, newTaskId, step: stepFor(plan.period), onProgress },
      signal,
    )
    if (signal.aborted) return []
    const { missing, rejected } = result
    logger.info({ ...about, readings: result.readings, missing: missing.length, rejected }, 'Caught up')
    if (missing.length > 0) tellMissing(missing)
    return missing
  }

  function tellMissing(missing: readonly Takeover[]): void {
    const groups = missing.slice(0, MOST_TOLD).map(describe)
    logger.warn(
      { groups, missing: missing.length },
      'Prometheus does not have the reading up to which another service charged these groups: they are charged from the first reading after it',
    )
  }

  function tellAhead(site: string, ahead: readonly Takeover[]): void {
    const groups = ahead.slice(0, MOST_TOLD).map(describe)
    logger.warn(
      { site, groups, ahead: ahead.length },
      'Perun shows times that lie ahead, perhaps written in local time: these groups are charged from the first scrape',
    )
  }

  const gate = (deliver: Deliver): Deliver => {
    return (delivery) => deliver(pending.size === 0 ? delivery : without(delivery, pending))
  }

  return {
    get status() {
      return status
    },
    gate,
    gateOfPushes: (deliver) => async (delivery) => {
      if (!hasBegun) throw new PushRefusal('busy', 'The worker reads what it missed, and takes pushes after that.')
      const passed = pending.size === 0 ? delivery : without(delivery, pending)
      const lateness = await deliver(passed)
      // A success would say that they are on the disk. Pushed again, what was recorded just now changes nothing.
      if (passed.readings.length < delivery.readings.length)
        throw new PushRefusal('busy', 'Some of it is of sites that are being taken over from another service.')
      return lateness
    },
    withholds: (group) => !isOursToDo || withheld.has(group),
    run(begin, turn = { had() {}, lost() {} }) {
      running = inTurn(() => {
        if (!hasBegun) begin()
        hasBegun = true
      }, turn)
      return running
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** What is left out comes again with each scrape, until it is taken. */
function without(delivery: Delivery, pending: ReadonlySet<string>): Delivery {
  return { ...delivery, readings: delivery.readings.filter(({ series }) => !pending.has(series.site)) }
}

/** Says how far it is each tenth of the way. */
function createTeller({ period: { after, upTo } }: CatchUpPlan, logger: Logger) {
  let told = 0
  return (at: Instant, readings: number) => {
    const tenth = Math.floor((10 * (at - after)) / (upTo - after))
    if (tenth > told && tenth < 10)
      logger.info({ readings }, `Catching up: ${10 * tenth} %, until ${formatInstant(at)}`)
    told = tenth
  }
}

function describe({ site, metric, group, at }: Takeover): string {
  return `${group} (${metric} at site ${site}) ${formatInstant(at)}`
}

function timer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(handle)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const handle = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
