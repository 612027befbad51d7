/**
 * One seed's world from beginning to end: a worker that lives and dies, and everything that is done to it.
 *
 * What crashes cover: the code between two awaits has no effect on anybody but through statements of SQLite, calls of Perun,
 * fetches and timers. A process may die before and after each statement and each call, and at any instant between two
 * events. So there is no await, and no place between two statements, where it cannot die. Then its open transaction is
 * rolled back, its calls go unanswered (Perun may still do what they ask for) and its timers never fire.
 */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pino } from 'pino'
import { loadSettings } from '#src/config/settings.ts'
import type { Meter } from '#src/core/meters.ts'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { assembleWorker, type Worker } from '#src/worker.ts'
import { Cloud } from './cloud.ts'
import { type Configuration, configurationOf, QUIET } from './configuration.ts'
import { checkCorrections } from './correctionOracle.ts'
import { Disk, type DiskFaults, type SqliteFault } from './disk.ts'
import { checkHolds } from './holdOracle.ts'
import { LedgerOracle } from './ledgerOracle.ts'
import { Operators } from './operators.ts'
import { People } from './people.ts'
import { SimulatedPerun, TIMEOUT, VO } from './perun.ts'
import { PerunOracle } from './perunOracle.ts'
import { pricesFile, pricesOf } from './prices.ts'
import { Random } from './random.ts'
import { Scrapes } from './scrapes.ts'
import { watchSettlements } from './settlementOracle.ts'
import { Story, Verdict, type Violation } from './story.ts'
import { type Life, live, ProcessDied, Timeline } from './timeline.ts'
import { MAX_AGE } from './writeWindowOracle.ts'

export interface Outcome {
  readonly seed: number
  readonly configuration: Configuration
  readonly violation: Violation | undefined
  /** The last lines of what happened. */
  readonly story: readonly string[]
  readonly fingerprint: string
  readonly counts: ReadonlyMap<string, number>
}

const START = Date.UTC(2026, 1, 1)
const metrics = createMetrics({ version: 'simulation' })

/** Runs a seed. Never throws: what goes wrong is its outcome. */
export async function simulate(seed: number, { print = false } = {}): Promise<Outcome> {
  const configuration = configurationOf(seed)
  const folder = mkdtempSync(join(scratch(), 'simulation-'))
  const simulation = new Simulation(configuration, join(folder, 'credits.db'), print)
  try {
    await simulation.run()
  } finally {
    simulation.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
  return simulation.outcome()
}

/** Where files are in memory, if there is such a place. */
function scratch(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

class Simulation {
  readonly #configuration: Configuration
  readonly #timeline = new Timeline(START)
  readonly #random: Random
  readonly #story: Story
  readonly #verdict = new Verdict()
  readonly #cloud: Cloud
  readonly #scrapes: Scrapes
  readonly #perun: SimulatedPerun
  readonly #people: People
  readonly #operators: Operators
  readonly #ledgerOracle: LedgerOracle
  readonly #perunOracle: PerunOracle
  readonly #path: string
  readonly #prices
  readonly #restore: () => void
  /** How far the worker's clock is off. */
  #skew = 0
  #isRough = true
  #isDiskBad = false
  /** After so many statements the process dies. */
  #statementsLeft = Number.POSITIVE_INFINITY
  #life: Life = { number: 0, isDead: true }
  #disk: Disk | undefined
  #worker: Worker | undefined
  #meters: readonly Meter[] = []

  constructor(configuration: Configuration, path: string, print: boolean) {
    this.#configuration = configuration
    this.#path = path
    const random = new Random(configuration.seed)
    this.#random = random.branch('faults')
    const timeline = this.#timeline
    const story = new Story(() => timeline.now, dirname(path), print)
    this.#story = story
    this.#prices = pricesOf(configuration, START)
    this.#cloud = new Cloud(configuration, timeline, random.branch('cloud'), story)
    this.#scrapes = new Scrapes({
      cloud: this.#cloud,
      timeline,
      configuration,
      random: random.branch('scrapes'),
      story,
    })
    this.#perun = new SimulatedPerun({
      timeline,
      configuration,
      random: random.branch('perun'),
      story,
      verdict: this.#verdict,
    })
    this.#people = new People({ perun: this.#perun, cloud: this.#cloud, random: random.branch('people'), story })
    const verdict = this.#verdict
    this.#operators = new Operators({
      random: random.branch('operators'),
      story,
      verdict,
      groups: this.#cloud.projectNames,
      start: START,
    })
    this.#ledgerOracle = new LedgerOracle({
      path,
      cloud: this.#cloud,
      configuration,
      prices: this.#prices,
      verdict,
      clock: this.#clock,
      now: () => timeline.now,
    })
    this.#perunOracle = new PerunOracle({ perun: this.#perun, configuration, story, verdict })
    this.#perun.published = (group) => this.#ledgerOracle.published(group)
    this.#restore = this.#timeline.install(random.branch('dice').next)
    process.on('unhandledRejection', this.#rejected)
    process.on('uncaughtException', this.#rejected)
  }

  #clock = { now: () => Math.floor(this.#timeline.now + this.#skew) }

  #rejected = (error: unknown): void => {
    if (isDeath(error)) return
    this.#verdict.fail(
      'no rejection is unhandled',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    )
  }

  async run(): Promise<void> {
    const { duration, staysBusy } = this.#configuration
    this.#people.begin()
    this.#every(this.#configuration.update, () => {
      for (const site of this.#cloud.siteNames) this.#cloud.update(site)
    })
    this.#every(this.#configuration.interval, () => {
      for (const site of this.#cloud.siteNames) this.#scrapes.keep(site)
    })
    this.#planFaults()
    this.#begin()
    const isOver = () => this.#verdict.first !== undefined
    await this.#timeline.runUntil(START + duration, isOver)
    if (isOver()) return
    this.#story.tell('quiet: nothing goes wrong any more')
    this.#mend()
    if (!staysBusy) this.#cloud.stop()
    await this.#timeline.runUntil(START + duration + QUIET / 2, isOver)
    this.#cloud.stop()
    await this.#timeline.runUntil(START + duration + QUIET, isOver)
    // Groups on hold are looked at now and then, for ever; in between nothing is under way.
    for (let waited = 0; waited < MINUTE && !isOver() && !this.#isIdle(); waited += SECOND) {
      await this.#timeline.runUntil(this.#timeline.now + SECOND, isOver)
    }
    if (!isOver()) this.#atRest()
  }

  #isIdle(): boolean {
    const lanes = this.#worker?.lanes
    return lanes === undefined || (lanes.waiting === 0 && lanes.working === 0)
  }

  #atRest(): void {
    this.#verdict.check(
      !this.#life.isDead && this.#worker !== undefined,
      'the worker lives',
      () => 'it is dead at rest',
    )
    if (this.#verdict.first !== undefined) return
    const { lanes, outbox, source } = this.#worker!
    this.#verdict.check(
      this.#isIdle() && outbox!.status.state === 'publishing',
      'nothing waits for ever',
      () => `lanes: ${lanes!.waiting} wait, ${lanes!.working} work; outbox: ${JSON.stringify(outbox!.status)}`,
    )
    for (const { target, up, lastError } of source.targets()) {
      this.#verdict.check(up === true && lastError === undefined, 'a target recovers', () => `${target}: ${lastError}`)
    }
    this.#ledgerOracle.rest()
    const db = new DatabaseSync(this.#path, { readOnly: true })
    this.#perunOracle.rest(db, this.#clock.now())
    checkHolds(db, this.#cloud, this.#verdict)
    checkCorrections(db, this.#operators.asked, this.#verdict)
    db.close()
    const { problems } = verifyLedger(this.#path, { precision: this.#configuration.precision })
    this.#verdict.check(problems.length === 0, 'the check of the ledger is content', () => JSON.stringify(problems))
    this.#story.tell(`at rest: ${this.#ledgerOracle.size} entries`)
    this.#story.count('entries', this.#ledgerOracle.size)
  }

  dispose(): void {
    this.#disk?.die()
    this.#ledgerOracle.close()
    this.#restore()
    process.off('unhandledRejection', this.#rejected)
    process.off('uncaughtException', this.#rejected)
  }

  outcome(): Outcome {
    return {
      seed: this.#configuration.seed,
      configuration: this.#configuration,
      violation: this.#verdict.first,
      story: this.#story.end,
      fingerprint: this.#story.fingerprint(),
      counts: this.#story.counts,
    }
  }

  // The worker

  #begin(): void {
    if (!this.#life.isDead) return
    const life: Life = { number: this.#life.number + 1, isDead: false }
    this.#life = life
    this.#disk = new Disk(life, this.#diskFaults(life))
    this.#story.tell(`the worker starts (life ${life.number})`)
    live(life, () => {
      try {
        this.#worker = this.#assemble(life, this.#disk!)
        this.#worker.start().catch((error: unknown) => this.#ended(life, error))
      } catch (error) {
        this.#ended(life, error)
      }
    })
  }

  /** The process ends by itself, because it cannot go on. */
  #ended(life: Life, error: unknown): void {
    if (life.isDead) return
    this.#story.tell(`the worker cannot start: ${error instanceof Error ? error.message : String(error)}`)
    this.#kill('start failed')
  }

  #assemble(life: Life, disk: Disk): Worker {
    const { workers, precision, part, interval, maxGrowth, maxSeries } = this.#configuration
    const files: Record<string, string> = {
      targets: JSON.stringify(
        this.#scrapes.targets.map(({ url, site }) => ({ targets: [url], labels: { location_id: site } })),
      ),
      prices: pricesFile(this.#prices, maxGrowth),
    }
    const { settings } = loadSettings(
      {
        USAGE_EXPORTER_TARGETS_FILE: 'targets',
        OS_CREDITS_PRICES_FILE: 'prices',
        OS_CREDITS_SCRAPE_INTERVAL: `${interval / SECOND}s`,
        OS_CREDITS_LEDGER: `sqlite:${this.#path}`,
        OS_CREDITS_PERUN_URL: 'http://perun.example/ba/rpc/json',
        OS_CREDITS_PERUN_LOGIN: 'credits',
        OS_CREDITS_PERUN_PASSWORD: 'secret',
        OS_CREDITS_PERUN_VO_ID: `${VO}`,
        OS_CREDITS_PERUN_MAX_AGE: `${MAX_AGE / SECOND}s`,
        OS_CREDITS_PERUN_TIMEOUT: `${TIMEOUT / SECOND}s`,
        OS_CREDITS_MAX_SERIES: `${maxSeries}`,
        OS_CREDITS_SMALL_SITES: 'charge',
        OS_CREDITS_WORKERS: `${workers}`,
        OS_CREDITS_PRECISION: `${precision}`,
      },
      (path) => files[path]!,
    )
    this.#meters = [...settings.meters.values()]
    const lines = { write: (line: string) => this.#logged(line) }
    const logging = { logger: (name: string) => pino({ name, level: 'warn', base: null, timestamp: false }, lines) }
    const worker = assembleWorker(
      { settings, version: 'simulation', logging, metrics, clock: this.#clock },
      {
        connect: disk.connect,
        perun: this.#perun.transportFor(life, (when) => this.#mayDie(life, when)),
        fetch: this.#scrapes.fetchFor(life, this.#clock),
        wait: (ms, signal) =>
          new Promise((resolve) => {
            setTimeout(resolve, ms)
            signal.addEventListener('abort', () => resolve())
          }),
        part,
      },
    )
    watchSettlements(worker.ledger, { life, reader: this.#ledgerOracle.reader, verdict: this.#verdict })
    return worker
  }

  #logged(line: string): void {
    const { msg, err } = JSON.parse(line) as { msg: string; err?: { type: string; message: string; stack: string } }
    const isKnown = err === undefined || err.type === 'ProcessDied' || /database|disk/.test(err.message)
    if (!isKnown && /unexpected|not expected/.test(msg))
      this.#verdict.fail('an error is one that is expected', err.stack)
    this.#story.tell(`  log: ${msg}${err === undefined ? '' : ` (${err.message})`}`)
  }

  #diskFaults(life: Life): DiskFaults {
    return {
      dies: (when, what) => {
        if (this.#isRough) this.#statementsLeft -= 1
        if (this.#isRough && this.#statementsLeft === 0) return this.#dying(life, `${when} ${what}`)
        const { crash } = this.#configuration.faults
        // There is one migration in a world, and many statements.
        const chance = when === 'within' ? 100 * crash : crash
        return !life.isDead && this.#isRough && this.#random.chance(chance) && this.#dying(life, `${when} ${what}`)
      },
      fails: (what) => this.#sqliteFault(what),
      committed: (tables) => {
        this.#story.count('commits')
        const waiting = this.#worker?.lanes?.waiting ?? 0
        const { projects } = this.#configuration
        this.#verdict.check(waiting <= projects, 'a queue is bounded', () => `${waiting} wait of ${projects} groups`)
        this.#ledgerOracle.look(tables)
      },
    }
  }

  #sqliteFault(what: string): SqliteFault | undefined {
    if (!this.#isRough || what === 'ROLLBACK') return undefined
    const { disk } = this.#configuration.faults
    if (!this.#random.chance(this.#isDiskBad ? 0.3 : disk)) return undefined
    const fault = what === 'BEGIN' ? 'busy' : this.#random.pick(['full', 'io', 'busy'] as const)
    this.#story.fault(`sqlite ${fault}`, what)
    return fault
  }

  /** Whether the process dies at a call of Perun; it is dead when this returns true. */
  #mayDie(life: Life, when: string): boolean {
    if (life.isDead) return true
    const { crash } = this.#configuration.faults
    if (!this.#isRough || !this.#random.chance(crash * 3) || !this.#dying(life, when)) return false
    this.#disk!.die()
    return true
  }

  #dying(life: Life, when: string): boolean {
    this.#story.fault('crash', `life ${life.number} ${when}`)
    this.#beginLater()
    return true
  }

  #kill(how: string): void {
    if (this.#life.isDead) return
    this.#story.fault(how, `life ${this.#life.number}`)
    this.#disk!.die()
    this.#beginLater()
  }

  #beginLater(): void {
    const { interval } = this.#configuration
    this.#timeline.after(this.#random.whole(1, this.#isRough ? 2 * interval : MINUTE), () => this.#begin())
  }

  /** SIGTERM: what is under way is finished, if that is possible. */
  #stop(): void {
    const [life, worker] = [this.#life, this.#worker]
    if (life.isDead || worker === undefined) return
    this.#story.fault('stop', `life ${life.number}`)
    live(life, () => {
      worker
        .finish(this.#random.pick([SECOND, 120 * SECOND]))
        .then(() => worker.close())
        .then(() => this.#kill('stopped'))
        .catch(this.#rejected)
    })
  }

  // What is done to it

  #planFaults(): void {
    const { faults, isWeightedAnew, duration } = this.#configuration
    const later = (ms: number, action: () => void) => void this.#timeline.after(ms, action)
    this.#often(faults.killsPerHour, () => this.#kill('kill'))
    this.#often(faults.stopsPerHour, () => this.#stop())
    this.#often(faults.perunWindowsPerHour, () => this.#perun.changeMood())
    this.#often(6, () => this.#perun.renewSession())
    this.#often(faults.editsPerHour, () => this.#people.edit())
    this.#often(faults.changesPerHour, () => this.#people.change(later))
    this.#often(faults.distortionsPerHour, () => this.#cloud.distort(this.#scrapes.isTwin))
    if (isWeightedAnew) later(0.7 * duration, () => this.#weightAnew())
    else this.#often(6, () => this.#cloud.live())
    this.#often(faults.clockStepsPerHour, () => this.#stepClock())
    this.#often(faults.decisionsPerHour, () => this.#operate())
    const badDisk = () => {
      this.#story.fault('disk trouble')
      this.#isDiskBad = true
      later(this.#random.whole(30, 600) * SECOND, () => {
        this.#isDiskBad = false
      })
    }
    this.#often(faults.diskWindowsPerHour, badDisk)
    // New series are recorded at the beginning.
    if (faults.diskWindowsPerHour > 0 && this.#random.chance(0.3)) badDisk()
  }

  /** The process often dies while it records what that makes of the site. */
  #weightAnew(): void {
    this.#cloud.weightAnew()
    if (this.#random.chance(0.7)) this.#statementsLeft = this.#random.whole(1, 200)
  }

  #stepClock(): void {
    this.#skew = this.#random.pick([0, -2 * MINUTE, 4 * MINUTE, -20 * MINUTE, 20 * MINUTE, 3 * HOUR])
    this.#story.fault('clock step', `${this.#skew / SECOND} s off`)
  }

  #operate(): void {
    const [life, worker] = [this.#life, this.#worker]
    if (life.isDead || worker === undefined) return
    live(life, () => void this.#operators.act(worker, this.#meters, this.#clock.now()))
  }

  #mend(): void {
    this.#isRough = false
    this.#isDiskBad = false
    this.#skew = 0
    this.#scrapes.isRough = false
    this.#perun.mend()
    this.#people.mend()
  }

  #every(ms: number, action: () => void): void {
    action()
    this.#timeline.after(ms, () => this.#every(ms, action))
  }

  /** About so often an hour, as long as there are faults. */
  #often(perHour: number, action: () => void): void {
    if (perHour === 0) return
    const pause = (-Math.log(1 - this.#random.next()) / perHour) * HOUR
    this.#timeline.after(pause, () => {
      if (!this.#isRough) return
      action()
      this.#often(perHour, action)
    })
  }
}

/** Whether an error is only the echo of a process's death. */
function isDeath(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error instanceof ProcessDied || isDeath(error.cause)
}
