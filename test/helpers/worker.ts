/** A whole worker inside the test's process, started from settings as `main.ts` does it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSettings, secretsOf } from '#src/config/settings.ts'
import type { Clock } from '#src/core/time.ts'
import type { PerunSimulator } from '#src/demo/perun/simulator.ts'
import { startService } from '#src/service.ts'
import { createLogging } from '#src/telemetry/logger.ts'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { startPostgres, type TestServer } from './postgres.ts'

export interface WorkerOptions {
  readonly env: Readonly<Record<string, string>>
  readonly perun?: Pick<PerunSimulator, 'url' | 'voId'>
  /** Files that the settings name; they are on the disk, at `pathOf(name)`. */
  readonly files?: Readonly<Record<string, string>>
  readonly clock?: Clock
}

export type TestWorker = Awaited<ReturnType<typeof startWorker>>

/** The ledger is in a folder of its own, removed in the end. */
export async function startWorker({ env, perun, files = {}, clock }: WorkerOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'worker-'))
  const lines: string[] = []
  const logging = createLogging({ level: 'debug', destination: { write: (line) => void lines.push(line) } })
  const login = { OS_CREDITS_PERUN_LOGIN: 'credits', OS_CREDITS_PERUN_PASSWORD: 'secret' }
  const publishing =
    perun === undefined ? {} : { ...login, OS_CREDITS_PERUN_URL: perun.url, OS_CREDITS_PERUN_VO_ID: `${perun.voId}` }
  // Tests ask again and again until something is so.
  const defaults = {
    CREDITS_PORT: '0',
    OS_CREDITS_RATE_LIMIT: '0',
    OS_CREDITS_SMALL_SITES: 'charge',
    OS_CREDITS_LEDGER: await ledgerIn(folder),
  }
  const pathOf = (name: string) => join(folder, name)
  for (const [name, content] of Object.entries(files)) writeFileSync(pathOf(name), content)
  const named = Object.entries(env).map(([name, value]) => [name, Object.hasOwn(files, value) ? pathOf(value) : value])
  const load = (changes: Readonly<Record<string, string>>) =>
    loadSettings({ ...defaults, ...publishing, ...Object.fromEntries(named), ...changes }, (path) =>
      readFileSync(path, 'utf8'),
    ).settings
  logging.redact(secretsOf(load({})))
  const start = (changes: Readonly<Record<string, string>> = {}) =>
    startService({
      settings: load(changes),
      version: 'test',
      logging,
      metrics: createMetrics({ version: 'test' }),
      readFile: (path) => readFile(path, 'utf8'),
      ...(clock !== undefined && { clock }),
    })
  let service = await start()
  return {
    get url() {
      return service.url
    },
    pathOf,
    get: (path: string) => fetch(service.url + path),
    /** All that was logged so far. */
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    /** @param changes Of its settings. */
    async restart(changes?: Readonly<Record<string, string>>) {
      await service.stop()
      service = await start(changes)
    },
    stop: () => service.stop(),
    async [Symbol.asyncDispose]() {
      await service.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A file, or with `TEST_LEDGER=postgres` a database of a server that the whole run of a file has. */
async function ledgerIn(folder: string): Promise<string> {
  if (process.env.TEST_LEDGER !== 'postgres') return `sqlite:${folder}/credits.db`
  server ??= startPostgres()
  return (await server).createDatabase()
}

let server: Promise<TestServer> | undefined

/** Looks again and again until it is so; a test that waits in vain fails by its time limit, saying for what. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  limitMs = 60_000,
  everyMs = 20,
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`Waited ${limitMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
