/** The worker as a program of its own, as an operator runs it: an environment in, lines of log and an exit code out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { onTestFinished } from 'vitest'
import type { PerunSimulator } from '#src/demo/perun/simulator.ts'
import type { LogLine } from '../helpers/log.ts'
import { until } from '../helpers/worker.ts'

const main = join(import.meta.dirname, '../../src/main.ts')

/** A folder of its own, removed when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'process-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What a worker needs to publish to this Perun, with the simulator's usual login. */
export function perunSettings({ url, voId }: Pick<PerunSimulator, 'url' | 'voId'>): Record<string, string> {
  return {
    OS_CREDITS_PERUN_URL: url,
    OS_CREDITS_PERUN_LOGIN: 'credits',
    OS_CREDITS_PERUN_PASSWORD: 'secret',
    OS_CREDITS_PERUN_VO_ID: `${voId}`,
    OS_CREDITS_PERUN_MAX_AGE: '1s',
  }
}

/** Settings of a worker that scrapes an exporter often and listens on any free port. */
export function workerSettings(folder: string, exporterUrl: string): Record<string, string> {
  return {
    USAGE_EXPORTER_URLS: exporterUrl,
    OS_CREDITS_LOCATION_ID: '8676',
    OS_CREDITS_SCRAPE_INTERVAL: '50ms',
    OS_CREDITS_SCRAPE_TIMEOUT: '40ms',
    OS_CREDITS_LEDGER: `sqlite:${folder}/credits.db`,
    CREDITS_PORT: '0',
    // Tests ask again and again until something is so.
    OS_CREDITS_RATE_LIMIT: '0',
    OS_CREDITS_SMALL_SITES: 'charge',
    LOG_LEVEL: 'debug',
  }
}

export type WorkerProcess = ReturnType<typeof runWorker>

/**
 * Starts one with this environment and no other; it is killed when the test is over, if it has not ended before.
 *
 * @param preload A module that Node loads before it.
 * @param command What Node is given instead: options and a program.
 */
export function runWorker(
  env: Readonly<Record<string, string>>,
  preload?: string,
  command: readonly string[] = [main],
) {
  const options = preload === undefined ? [] : ['--import', preload]
  const child = spawn(process.execPath, [...options, ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stdout = linesOf(child.stdout)
  const stderr = linesOf(child.stderr)
  const ended = once(child, 'close').then(
    ([code, signal]) => ({ code, signal }) as { code: number | null; signal: string | null },
  )
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const log = () => stdout.map((line) => JSON.parse(line) as LogLine)
  const says = (text: string | RegExp) =>
    log().find(({ msg }) => (typeof text === 'string' ? msg.includes(text) : text.test(msg)))

  return {
    pid: child.pid!,
    /** All it wrote, as it wrote it. */
    output: () => [...stdout, ...stderr].join('\n'),
    errors: () => stderr.join('\n'),
    log,
    says,
    /** Resolves to its address when it listens. */
    async url(): Promise<string> {
      await until('the worker listens', () => says('Listening on') !== undefined || child.exitCode !== null)
      const line = says('Listening on')
      if (line === undefined)
        throw new Error(`The worker ended before it listened:\n${[...stdout, ...stderr].join('\n')}`)
      return String(line.url)
    },
    signal: (name: NodeJS.Signals) => child.kill(name),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    /** How it ended; its output is complete then. */
    ended: () => ended,
    /** Its exit code, or the signal that ended it. */
    exit: async () => {
      const { code, signal } = await ended
      return code ?? signal
    },
  }
}

function linesOf(stream: Readable): string[] {
  const lines: string[] = []
  createInterface({ input: stream }).on('line', (line) => lines.push(line))
  return lines
}
