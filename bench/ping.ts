/**
 * Whether the worker answers while it takes in much: `GET /ping` every 5 ms, and what a million series take of memory.
 *
 *   node bench/ping.ts [series, several with commas = 10000,100000,1000000] [rounds=3] [sites=5]
 *
 * A real worker with a ledger in SQLite scrapes as many targets as there are sites; they, the worker and whoever asks are
 * processes of their own. First the targets show nothing (idle). In the first round every series is opened, in the second one
 * each gets an entry, in further ones entries are extended. A round lasts from its first scrape until all of it is recorded,
 * without the time in which nothing was under way.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describeMachine, table } from './report.ts'

const sizes = (process.argv[2] ?? '10000,100000,1000000').split(',').map(Number)
const rounds = Number(process.argv[3] ?? 3)
const sites = Number(process.argv[4] ?? 5)

const JSON_TYPE = { 'content-type': 'application/json' }
const IDLE = 5_000
const FLAGS = ['--max-semi-space-size=6', '--heap-growing-percent=30']

console.log(`/ping every 5 ms while ${sites} sites are scraped. ${describeMachine()}`)
const head = columns(
  'series',
  'while',
  'seconds',
  'readings/s',
  'answers',
  'failed',
  '/ping p50',
  'p99',
  'longest',
  'RSS',
  'peak',
)
table([head])
for (const series of sizes) await measure(series)
console.log('Milliseconds of /ping; MiB of the worker (VmRSS and VmHWM).')

async function measure(series: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ping-'))
  const exporter = fork(join(import.meta.dirname, 'sites.ts'), [`${sites}`, `${Math.ceil(series / sites / 2)}`])
  const [{ port }] = (await once(exporter, 'message')) as [{ port: number }]
  const worker = startWorker(folder, `http://127.0.0.1:${port}`, series)
  const url = await worker.url
  await fetch(`${url}/logconfig`, { method: 'POST', headers: JSON_TYPE, body: '{"levels":{"scrape":"debug"}}' })
  const pinger = fork(join(import.meta.dirname, 'pinger.ts'), [url])
  try {
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await pingsOf(pinger)
    await new Promise((resolve) => setTimeout(resolve, IDLE))
    table([row(series, 'idle', [], await pingsOf(pinger), worker)])
    exporter.on('message', ({ asked, at }: { asked: number; at: number }) => worker.asked(asked, at))
    exporter.send('begin')
    for (let round = 1; round <= rounds; round += 1) {
      const scrapes = await worker.round()
      table([row(series, `round ${round}`, scrapes, await pingsOf(pinger), worker)])
    }
  } finally {
    for (const each of [pinger, exporter]) each.disconnect()
    await worker.stop()
    rmSync(folder, { recursive: true })
  }
}

/** When a scrape began and was recorded, in milliseconds, and what it brought. */
interface Recorded {
  readonly from: number
  readonly to: number
  readonly readings: number
}

function startWorker(folder: string, exporter: string, series: number) {
  const timeout = Math.max(5, series / 10_000)
  const child = spawn(process.execPath, [...FLAGS, join(import.meta.dirname, '../src/main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      USAGE_EXPORTER_URLS: Array.from({ length: sites }, (_, index) => `${exporter}/${index + 1}`).join(';'),
      OS_CREDITS_SCRAPE_INTERVAL: `${timeout + 1}s`,
      OS_CREDITS_SCRAPE_TIMEOUT: `${timeout}s`,
      OS_CREDITS_LEDGER: `sqlite:${folder}/credits.db`,
      OS_CREDITS_RATE_LIMIT: '0',
      CREDITS_PORT: '0',
    },
  })
  const { promise: url, resolve: listening } = Promise.withResolvers<string>()
  /** When each site was first asked since it was last recorded. */
  const asked = new Map<string, number>()
  /** Of each target, what it has brought since it shows something. */
  const recorded = new Map<string, Recorded[]>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as { msg: string; url?: string; target?: string; readings?: number; time: string }
    if (line.msg.startsWith('Listening')) listening(line.url!)
    if (line.msg !== 'Delivered' || !(line.readings! > 0)) return
    const own = recorded.get(line.target!) ?? []
    recorded.set(line.target!, own)
    own.push({ from: asked.get(line.target!)!, to: Date.now(), readings: line.readings! })
    asked.delete(line.target!)
  })
  let done = 0
  return {
    url,
    pid: child.pid!,
    asked(site: number, at: number): void {
      const target = `${exporter}/${site}`
      asked.set(target, asked.get(target) ?? at)
    },
    /** Waits until all targets of a further round are recorded. */
    async round(): Promise<Recorded[]> {
      done += 1
      while (recorded.size < sites || [...recorded.values()].some((own) => own.length < done))
        await new Promise((resolve) => setTimeout(resolve, 50))
      return [...recorded.values()].map((own) => own[done - 1]!)
    },
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

interface Pings {
  /** Milliseconds, ascending. */
  readonly times: readonly number[]
  readonly failed: number
}

async function pingsOf(pinger: ChildProcess): Promise<Pings> {
  pinger.send('report')
  const [pings] = (await once(pinger, 'message')) as [Pings]
  return pings
}

function row(
  series: number,
  what: string,
  scrapes: Recorded[],
  { times, failed }: Pings,
  { pid }: { pid: number },
): string[] {
  const seconds = atWork(scrapes) / 1_000
  const readings = scrapes.reduce((sum, each) => sum + each.readings, 0)
  const part = (share: number) => (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const memory = (name: string) => (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024).toFixed(0)
  return columns(
    ...[series.toLocaleString('en'), what, seconds === 0 ? '' : seconds.toFixed(1)],
    ...[seconds === 0 ? '' : Math.round(readings / seconds).toLocaleString('en'), `${times.length}`, `${failed}`],
    ...[part(0.5), part(0.99), part(1), memory('VmRSS'), memory('VmHWM')],
  )
}

/** Rows are printed as they come, so their columns are as wide as their names. */
function columns(...cells: string[]): string[] {
  return cells.map((cell) => cell.padStart(10))
}

/** Milliseconds in which at least one of them was under way. */
function atWork(scrapes: readonly Recorded[]): number {
  let [sum, until] = [0, 0]
  for (const { from, to } of scrapes.toSorted((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, until))
    until = Math.max(until, to)
  }
  return sum
}
