/**
 * The demo as a program: `make run`.
 *
 *   node src/demo/main.ts            a cloud, a Perun and a worker, and in plain words what they do
 *   node src/demo/main.ts exporter   only the cloud's usage exporter     (--host, --port)
 *   node src/demo/main.ts perun      only the Perun simulator            (--host, --port)
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Exporter } from './exporter/exporter.ts'
import { createNarrator, type GroupReport } from './narrator.ts'
import type { PerunSimulator } from './perun/simulator.ts'
import { SITE, startDemoExporter, startDemoPerun } from './world.ts'

const FOLDERS = 'data/demo'
/** Each run has its own, so that two of them do not meet in one ledger. */
const FOLDER = `${FOLDERS}/${process.pid}`
const LOG = `${FOLDER}/worker.log`
const USUAL_PORT = 8_000
const LOOK_EVERY_MS = 4_000
const LOG_EVERY_MS = 50

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { host: { type: 'string' }, port: { type: 'string' } },
})
const place = {
  ...(values.host !== undefined && { host: values.host }),
  ...(values.port !== undefined && { port: Number(values.port) }),
}

if (positionals[0] === 'exporter') await serve(await startDemoExporter(place), ({ url }) => url)
else if (positionals[0] === 'perun') await serve(await startDemoPerun(place), ({ url }) => url)
else if (positionals[0] === undefined) await demonstrate()
else {
  console.error(`Expected nothing, "exporter" or "perun", got "${positionals[0]}"`)
  process.exitCode = 64
}

/** Runs one of the two until a signal comes. */
async function serve<Server extends { close(): Promise<void> }>(server: Server, where: (server: Server) => string) {
  console.log(`Listening on ${where(server)}`)
  await aSignal()
  await server.close()
}

async function demonstrate(): Promise<void> {
  makeFolder()
  const stopping = aSignal().then(() => 'stopped' as const)
  const [exporter, perun] = await Promise.all([startDemoExporter(), startDemoPerun()])
  const { worker, ended, port } = await startOnFreePort(exporter, perun)
  introduce(exporter, perun, port)
  const telling = tellWhatHappens(perun, exporter, port)
  if ((await Promise.race([stopping, ended, telling])) === 'ended') {
    console.error(`\nThe worker ended by itself; the end of ${LOG} says why:\n${tail(LOG)}`)
    process.exitCode = 1
  } else {
    console.log('\nStopping: the worker publishes what is left …')
    worker.kill('SIGTERM')
    await ended
  }
  await Promise.all([exporter.close(), perun.close()])
  console.log('All stopped.')
  process.exit()
}

/** An empty folder for this run; those of runs that are over are removed. */
function makeFolder(): void {
  mkdirSync(FOLDERS, { recursive: true })
  const over = readdirSync(FOLDERS).filter((name) => name === String(process.pid) || !isRunning(Number(name)))
  for (const name of over) rmSync(join(FOLDERS, name), { recursive: true, force: true })
  mkdirSync(FOLDER)
}

/** Whether a process has this number; what is no number is none. */
function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    // Somebody else's is running too.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

interface Started {
  readonly worker: ChildProcess
  readonly ended: Promise<'ended'>
  readonly port: number
}

/** A port that was free may be taken by another demo before the worker listens there: then it is started once more. */
async function startOnFreePort(exporter: Exporter, perun: PerunSimulator, wanted = USUAL_PORT): Promise<Started> {
  const port = await freePort(wanted)
  const worker = startWorker(exporter, perun, port)
  // Whatever ends this program, an error too, ends the worker.
  process.once('exit', () => worker.kill('SIGTERM'))
  const ended = once(worker, 'exit').then(() => 'ended' as const)
  while (worker.exitCode === null && worker.signalCode === null && !/Listening on/.test(readFileSync(LOG, 'utf8')))
    await sleep(LOG_EVERY_MS)
  const isTaken = worker.exitCode !== null && /another program does already/.test(readFileSync(LOG, 'utf8'))
  return isTaken && wanted !== 0 ? startOnFreePort(exporter, perun, 0) : { worker, ended, port }
}

function startWorker(exporter: Exporter, perun: PerunSimulator, port: number): ChildProcess {
  const log = openSync(LOG, 'w')
  return spawn(
    process.execPath,
    ['--import', join(import.meta.dirname, 'leash.ts'), join(import.meta.dirname, '../main.ts')],
    {
      stdio: ['ignore', log, log],
      // A group of its own, so that Ctrl-C reaches this program only, which then stops the worker in order.
      detached: true,
      env: {
        PATH: process.env.PATH,
        USAGE_EXPORTER_URLS: exporter.url,
        OS_CREDITS_LOCATION_ID: String(SITE),
        OS_CREDITS_SCRAPE_INTERVAL: '2s',
        OS_CREDITS_SCRAPE_TIMEOUT: '1s',
        OS_CREDITS_PRICES_FILE: join(import.meta.dirname, 'prices.yaml'),
        OS_CREDITS_LEDGER: `sqlite:${FOLDER}/credits.db`,
        OS_CREDITS_PERUN_URL: perun.url,
        OS_CREDITS_PERUN_LOGIN: 'credits',
        OS_CREDITS_PERUN_PASSWORD: 'secret',
        OS_CREDITS_PERUN_VO_ID: String(perun.voId),
        OS_CREDITS_PERUN_MAX_AGE: '1s',
        OS_CREDITS_SMALL_SITES: 'charge',
        CREDITS_PORT: String(port),
        LOG_LEVEL: 'debug',
      },
    },
  )
}

function introduce(exporter: Exporter, perun: PerunSimulator, port: number): void {
  console.log(`
A cloud whose clock runs 3,600 times faster (a second here is an hour there), the credits worker, and a Perun.
1 credit buys a vCPU for an hour or 3.33 GiB of RAM for an hour.

  the cloud says    ${exporter.url}
  Perun shows       ${perun.home}/
  the worker says   http://127.0.0.1:${port}/stats   /api/groups   /metrics
  and shows         http://127.0.0.1:${port}/   to a browser
  its log           ${LOG}
  break something   curl ${exporter.url.replace('/metrics', '/-/')}   lists what can go wrong in the cloud

Ctrl-C stops all of it.
`)
}

/** Looks at the worker every few seconds, and lets two things happen that would make a lesser program charge wrongly. */
async function tellWhatHappens(perun: PerunSimulator, exporter: Exporter, port: number): Promise<'told'> {
  const narrator = createNarrator(perun)
  for (let look = 1; ; look += 1) {
    await sleep(LOOK_EVERY_MS)
    const lines = narrator.tell(await askWorker(port))
    if (lines.length > 0)
      console.log([`${clock()}  group${' '.repeat(15)}grew${' '.repeat(12)}used`, ...lines].join('\n'))
    if (look === 5) {
      exporter.deleteMachine('GenomeAssembly', 'bigmem')
      say('A machine of GenomeAssembly is deleted: its total falls. What was charged stays, nothing is charged twice.')
    }
    if (look === 9) {
      perun.faults.fail({ how: 'html-503', times: null })
      say('Perun is down. Readings go on being recorded.')
    }
    if (look === 12) {
      perun.faults.clear()
      say('Perun is back. It will soon show all that was used meanwhile.')
    }
  }
}

async function askWorker(port: number): Promise<GroupReport[]> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/api/groups`)
    return ((await answer.json()) as { groups: GroupReport[] }).groups
  } catch {
    return []
  }
}

function say(sentence: string): void {
  console.log(`\n${clock()}  ${sentence}\n`)
}

function clock(): string {
  return new Date().toISOString().slice(11, 19)
}

/** The usual port, or any that is free. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer()
  const listening = once(server, 'listening')
  server.listen(wanted, '127.0.0.1')
  try {
    await listening
  } catch {
    return freePort(0)
  }
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').split('\n').slice(-6).join('\n')
}

/** Resolves at the first signal to end, also that of a terminal that closes; a second one ends the process as usual. */
async function aSignal(): Promise<void> {
  const others = new AbortController()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => once(process, name, { signal: others.signal }))
  await Promise.race(signals)
  others.abort()
}
