/**
 * How fast readings become credits: from the text of an exposition to a ledger on disk.
 *
 *   node bench/ingest.ts [projects=10000 …] [ledger=sqlite …]
 *
 * A ledger is `sqlite` (a file with synchronous=FULL in a temporary folder), `postgres` (a server that is started for this,
 * with fsync) or the address of an empty database `postgres://…`. Each size is measured with each ledger, in a process of its
 * own, so that the peaks of memory are its own, too. A project has two series; sites have 50,000 projects at most, and each site
 * is a delivery. The first deliveries open all series, the second ones append an entry to each, the further ones extend it:
 * that is what a worker does most of the time. The first deliveries of an hour close each entry and append the next.
 *
 * The columns of µs are for each reading: to parse it, to record it, and of that the work of the processor. The text is made
 * before the time is taken. The longest stall is how long nothing else had its turn while a delivery was recorded.
 */
import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { expositionOf } from '../test/helpers/cloud.ts'
import { missing, startPostgres } from '../test/helpers/postgres.ts'
import { readings as source } from './readings.ts'
import { describeMachine, median, mib, table } from './report.ts'

const start = Date.UTC(2026, 0, 1)
const MOST_PROJECTS = 50_000
const METERS = 2

/** Minutes after the start at which all sites are scraped, by what that is a measure of. */
const STEPS = [
  { what: 'first delivery', minutes: [0], how: 'opens every series' },
  { what: 'second delivery', minutes: [1], how: 'appends an entry to every series' },
  { what: 'further deliveries', minutes: [2, 3, 4], how: 'extends every entry' },
  { what: 'next hour', minutes: [70, 130], how: 'closes every entry, appends the next' },
]

/** What one round over all sites took. */
interface Round {
  /** Seconds. */
  parsing: number
  recording: number
  /** Seconds that the processor was at work for this thread while it recorded; less uncertain where machines are shared. */
  processor: number
  /** Milliseconds. */
  stall: number
  /** Bytes. */
  rss: number
}

const parameters = process.argv.slice(2)
if (parameters[0] === '--one') console.log(JSON.stringify(await measure(Number(parameters[1]), parameters[2]!)))
else report(parameters)

function report(given: readonly string[]): void {
  const isSize = (text: string) => /^\d+$/.test(text)
  const [sizes, ledgers] = [given.filter(isSize), given.filter((each) => !isSize(each))]
  console.log(`Ingest of two series of each project. ${describeMachine()}`)
  const rows: string[][] = []
  for (const ledger of ledgers.length > 0 ? ledgers : ['sqlite']) {
    if (ledger === 'postgres' && missing !== undefined) continue
    for (const size of sizes.length > 0 ? sizes : ['10000']) rows.push(...inProcess(size, ledger))
  }
  table([
    ['ledger', 'series', 'what', 'seconds', 'readings/s', 'parse µs', 'record µs', 'CPU µs', 'stall ms', 'RSS', 'how'],
    ...rows,
  ])
}

function inProcess(size: string, ledger: string): string[][] {
  const { status, stdout } = spawnSync(
    process.execPath,
    [...process.execArgv, import.meta.filename, '--one', size, ledger],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1e8 },
  )
  if (status !== 0) throw new Error(`Measuring ${size} projects with ${ledger} failed`)
  return JSON.parse(stdout) as string[][]
}

async function measure(projects: number, which: string): Promise<string[][]> {
  const { ledger, close } = await open(which)
  let now = start
  const intake = createIntake({
    ...source.billing,
    ledger,
    clock: { now: () => now },
    logger: pino({ level: 'silent' }),
    onChanged: () => {},
  })
  const name = which.replace(/:.*/, '')
  const rows: string[][] = []
  for (const { what, minutes, how } of STEPS) {
    const rounds: Round[] = []
    for (const minute of minutes) {
      now = start + minute * 60_000
      const round: Round = { parsing: 0, recording: 0, processor: 0, stall: 0, rss: 0 }
      for (let first = 0; first < projects; first += MOST_PROJECTS)
        await deliver(
          { first, projects: Math.min(MOST_PROJECTS, projects - first), hours: 1_000.1234567 + minute / 60 },
          round,
        )
      rounds.push(round)
    }
    rows.push([
      name,
      String(projects * METERS),
      what,
      ...figures(rounds, projects * METERS),
      `${how}; median of ${rounds.length}`,
    ])
  }
  await close()
  return rows

  async function deliver(of: { first: number; projects: number; hours: number }, round: Round): Promise<void> {
    const text = expositionOf({ ...of, projectId: (index) => hash('md5', String(index)) })
    const begun = performance.now()
    const delivery = source.from(text, now, 1_000 + of.first / MOST_PROJECTS)
    const parsed = performance.now()
    const delays = monitorEventLoopDelay({ resolution: 1 })
    await nextTurn()
    delays.enable()
    const before = process.threadCpuUsage()
    await intake.take(delivery)
    const { user, system } = process.threadCpuUsage(before)
    await nextTurn()
    delays.disable()
    round.parsing += (parsed - begun) / 1_000
    round.recording += (performance.now() - parsed) / 1_000
    round.processor += (user + system) / 1e6
    round.stall = Math.max(round.stall, delays.max / 1e6)
    round.rss = process.resourceUsage().maxRSS * 1_024
  }
}

function figures(rounds: readonly Round[], readings: number): string[] {
  const parsing = median(rounds.map((each) => each.parsing))
  const recording = median(rounds.map((each) => each.recording))
  const seconds = parsing + recording
  return [
    seconds.toFixed(2),
    Math.round(readings / seconds).toLocaleString('en'),
    ((parsing / readings) * 1e6).toFixed(1),
    ((recording / readings) * 1e6).toFixed(1),
    ((median(rounds.map((each) => each.processor)) / readings) * 1e6).toFixed(1),
    Math.max(...rounds.map(({ stall }) => stall)).toFixed(0),
    mib(Math.max(...rounds.map(({ rss }) => rss))),
  ]
}

async function open(which: string): Promise<{ ledger: Ledger; close(): Promise<void> }> {
  if (which === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'ingest-'))
    const ledger = openSqliteLedger(join(folder, 'credits.db'))
    return { ledger, close: () => ledger.close().then(() => rmSync(folder, { recursive: true })) }
  }
  const server = which === 'postgres' ? await startPostgres({ isDurable: true }) : undefined
  const ledger = await openPostgresLedger((await server?.createDatabase()) ?? which)
  return { ledger, close: () => ledger.close().then(() => server?.stop()) }
}
