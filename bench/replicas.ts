/**
 * How much faster several replicas on one ledger in PostgreSQL publish than one: the same work for 1, 2 and 4 of them.
 *
 *   node bench/replicas.ts [groups=1000] [latency in ms, several with commas = 20,100] [replicas = 1,2,4] [rounds=3]
 *
 * Each round all groups have grown, and it ends when Perun shows all of it. It is measured from the first write that comes to
 * Perun, so without the scrape. Workers, PostgreSQL (which waits for its disk) and the Perun simulator are processes of their
 * own; each worker has 10 lanes. The floor is what no program with so many lanes can beat: writes × latency ÷ lanes. "busy" is
 * how much of all cores was in use, by anybody: near 100 % the machine is the limit, and more replicas on it cannot be faster.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expositionOf, projectName } from '../test/helpers/cloud.ts'
import { startPostgres } from '../test/helpers/postgres.ts'
import { SITE, spawnPerun } from './perun.ts'
import { describeMachine, median, table } from './report.ts'
import { cpuSeconds, machine, spawnWorker, type WorkerProcess } from './workers.ts'

const groups = Number(process.argv[2] ?? 1_000)
const latencies = (process.argv[3] ?? '20,100').split(',').map(Number)
const counts = (process.argv[4] ?? '1,2,4').split(',').map(Number)
const rounds = Number(process.argv[5] ?? 3)

const LANES = 10
const HOUR = 3_600_000
/** When totals were zero: what is told in this run is some days old. */
const BEGIN = Math.floor(Date.now() / HOUR - 1_100) * HOUR
/** Groups are told by several targets, so that replicas have them to share. */
const TARGETS = 4

/** The default. Rounds are a minute apart, so what was read of Perun in the last one is too old in the next; here they wait. */
const MAX_AGE = 10_000

/** Hours pass in seconds here: no growth is too fast. */
const METERS = [
  { metric: 'project_vcpu_usage', max_growth_per_hour: 1e9, prices: [{ price: '1' }] },
  { metric: 'project_mb_usage', max_growth_per_hour: 1e9, prices: [{ price: '0.3' }] },
]

console.log(`${groups} groups, all changed, ${LANES} lanes of each replica, ${rounds} rounds. ${describeMachine()}`)
const server = await startPostgres({ isDurable: true })
const head = [
  'latency',
  'replicas',
  'seconds',
  'floor',
  'publishes/s',
  'faster than one',
  'CPU s of workers',
  'of PostgreSQL',
  'of Perun',
  'busy',
]
const rows: string[][] = []
for (const latency of latencies) {
  let ofOne: number | undefined
  for (const count of counts) {
    const measured = await measure(count, latency)
    const seconds = median(measured.map((round) => round.seconds))
    if (count === 1) ofOne = seconds
    const middle = measured.find((round) => round.seconds === seconds) ?? measured[0]!
    rows.push([
      `${latency} ms`,
      String(count),
      `${seconds.toFixed(2)} (${measured.map((round) => round.seconds.toFixed(2)).join(', ')})`,
      ((groups * latency) / 1_000 / LANES / count).toFixed(2),
      (groups / seconds).toFixed(0),
      ofOne === undefined ? '–' : `${(ofOne / seconds).toFixed(2)} ×`,
      middle.workers.map((cpu) => cpu.toFixed(1)).join(' + '),
      middle.postgres.toFixed(1),
      middle.perun.toFixed(1),
      `${Math.round(middle.busy * 100)} %`,
    ])
  }
}
await server.stop()
table([head, ...rows])

async function measure(count: number, latency: number) {
  const folder = mkdtempSync(join(tmpdir(), 'replicas-'))
  await using perun = await spawnPerun(Array.from({ length: groups }, (_, index) => projectName(index)))
  const home = new URL('/', perun.url).href
  const exporter = await startExporter()
  const file = join(folder, 'targets.json')
  const targets = Array.from({ length: TARGETS }, (_, index) => `${exporter.url}/${index}/metrics`)
  writeFileSync(file, JSON.stringify([{ targets, labels: { location_id: `${SITE}` } }]))
  const prices = join(folder, 'prices.json')
  writeFileSync(prices, JSON.stringify({ meters: METERS }))
  const database = await server.createDatabase()
  const env = {
    USAGE_EXPORTER_TARGETS_FILE: file,
    OS_CREDITS_SCRAPE_INTERVAL: '500ms',
    OS_CREDITS_SCRAPE_TIMEOUT: '400ms',
    OS_CREDITS_SMALL_SITES: 'charge',
    OS_CREDITS_PRICES_FILE: prices,
    OS_CREDITS_LEDGER: database,
    OS_CREDITS_WORKERS: String(LANES),
    OS_CREDITS_PERUN_URL: perun.url,
    OS_CREDITS_PERUN_LOGIN: perun.login,
    OS_CREDITS_PERUN_PASSWORD: perun.password,
    OS_CREDITS_PERUN_VO_ID: String(perun.voId),
    OS_CREDITS_PERUN_MAX_AGE: `${MAX_AGE}ms`,
    CREDITS_PORT: '0',
    LOG_LEVEL: 'info',
  }
  const workers: WorkerProcess[] = []
  for (let index = 0; index < count; index += 1) workers.push(await spawnWorker(env))
  await perun.setLatency(0)
  await until(async () => (await shown(home)).every(({ used }) => used !== null))
  await perun.setLatency(latency)
  const measured = []
  for (let round = 1; round <= rounds; round += 1) {
    const before = await shown(home)
    await sleep(MAX_AGE)
    await perun.resetCalls()
    const usage = () => ({
      workers: workers.map(({ pid }) => cpuSeconds(pid)),
      postgres: cpuSeconds(server.pid ?? Number.NaN),
      perun: cpuSeconds(perun.pid),
      machine: machine(),
    })
    const first = usage()
    exporter.hours += 1
    await until(async () => (await writesOf(perun)) > 0)
    const begun = performance.now()
    await until(async () => (await writesOf(perun)) >= groups)
    await until(async () => (await shown(home)).every(({ used }, index) => used !== before[index]!.used))
    const seconds = (performance.now() - begun) / 1_000
    const last = usage()
    measured.push({
      seconds,
      workers: last.workers.map((cpu, index) => cpu - first.workers[index]!),
      postgres: last.postgres - first.postgres,
      perun: last.perun - first.perun,
      busy: (last.machine.busy - first.machine.busy) / (last.machine.all - first.machine.all),
    })
  }
  await Promise.all(workers.map((worker) => worker.stop()))
  await exporter.close()
  rmSync(folder, { recursive: true })
  return measured
}

/**
 * Tells each target its part of the groups, once an hour; else it shows none of them. Scrapes are frequent here so that all growth
 * comes at once, and those that bring nothing new would cost what no worker spends that scrapes each minute.
 */
async function startExporter() {
  const site = { hours: 1_000 }
  let [made, parts] = [0, [] as string[]]
  const told = new Map<number, number>()
  const answer = (part: number) => {
    if (told.get(part) === site.hours) return '# Nothing new'
    told.set(part, site.hours)
    if (made !== site.hours) {
      made = site.hours
      // Each total with its time: an hour of growth in a second would be held.
      const at = BEGIN + made * HOUR
      const lines = expositionOf({ projects: groups, hours: made })
        .split('\n')
        .map((line) => (line.startsWith('project_') ? `${line} ${at}` : line))
      parts = Array.from({ length: TARGETS }, (_, index) =>
        lines.filter((line) => line.startsWith('#') || partOf(line) === index).join('\n'),
      )
    }
    return parts[part]
  }
  const peer = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    response.end(`${answer(Number(request.url!.split('/')[1]))}\n`)
  })
  peer.listen(0, '127.0.0.1')
  await new Promise((resolve) => peer.once('listening', resolve))
  return Object.assign(site, {
    url: `http://127.0.0.1:${(peer.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => peer.close(resolve).closeAllConnections()),
  })
}

function partOf(line: string): number {
  return Number(/project_id="id-(\d+)"/.exec(line)?.[1]) % TARGETS
}

async function writesOf(perun: { calls(): Promise<Record<string, number>> }): Promise<number> {
  return (await perun.calls()).setAttributes ?? 0
}

async function shown(home: string) {
  const answer = await fetch(`${home}-/groups`)
  const all = (await answer.json()) as { readonly name: string; readonly used: string | null }[]
  // The others are those of the demo.
  return all.filter(({ name }) => name.startsWith('project-'))
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(50)
}
