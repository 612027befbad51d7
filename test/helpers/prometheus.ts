/** A real Prometheus: Debian's, or the one that PROMETHEUS names. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { until } from './worker.ts'

const program = process.env.PROMETHEUS ?? 'prometheus'

/** Why there is none, if so. */
export function whyNoPrometheus(): string | undefined {
  const { error, status, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  if (error !== undefined)
    return `${program} cannot be run: ${error.message}; PROMETHEUS names it where it is elsewhere`
  return status === 0 ? undefined : `${program} --version ends with ${status}: ${stderr.slice(0, 200)}`
}

export interface RealPrometheus extends AsyncDisposable {
  readonly url: string
  /** Ends it as an operator does, and starts it again with what it has stored. */
  restart(): Promise<void>
  /** What it says about itself. */
  query(expression: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]>
}

/** Scrapes each second. It answers when the promise resolves. */
export async function startPrometheus(scrapeConfigs: readonly object[]): Promise<RealPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: scrapeConfigs }
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child = await run(folder, port)
  return {
    url,
    async restart() {
      await end(child)
      child = await run(folder, port)
    },
    async query(expression) {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`)
      const { data } = (await answer.json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] }
      }
      return data.result
    },
    async [Symbol.asyncDispose]() {
      await end(child)
      rmSync(folder, { recursive: true })
    },
  }
}

async function run(folder: string, port: number): Promise<ChildProcess> {
  const child = spawn(
    program,
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const isReady = () =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until('Prometheus is ready', () => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}`)
    return isReady()
  })
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
