/**
 * A real Prometheus scrapes beside the worker. The worker is stopped, a project comes and goes meanwhile, and after the start
 * all of it is charged.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

// PROMETHEUS names the program where it is not in the path.
const program = process.env.PROMETHEUS ?? 'prometheus'
const isMissing = spawnSync(program, ['--version']).error !== undefined
if (isMissing) {
  process.stderr.write(
    'NOT TESTED: whether an outage is bridged by a real Prometheus (prometheus is not in the path, and PROMETHEUS does not name it)\n',
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Scrapes this address five times a second. */
async function startPrometheus(target: string) {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const port = await freePort()
  const job = `{ job_name: exporter, static_configs: [{ targets: ["${new URL(target).host}"], labels: { location_id: "8676" } }] }`
  writeFileSync(
    `${folder}/prometheus.yml`,
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }\nscrape_configs: [${job}]\n`,
  )
  const words = [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const child = spawn(program, words, { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  /** The values that it has of a project, the oldest first. */
  async function values(project: string): Promise<string[]> {
    const query = encodeURIComponent(`project_vcpu_usage{project_name="${project}"}[10m]`)
    const answer = await fetch(`${url}/api/v1/query?query=${query}`).catch(() => undefined)
    if (answer?.ok !== true) return []
    const { data } = (await answer.json()) as { data: { result: { values: [number, string][] }[] } }
    return data.result.flatMap((series) => series.values.map(([, value]) => value))
  }
  return { url, values }
}

suite.skipIf(isMissing)('with a real Prometheus beside it', () => {
  test('an outage is bridged: what came and went is charged, and nothing twice', async () => {
    const totals = new Map([['steady', '1000.25']])
    const exporter = await startPeer((_, response) => {
      const lines = [...totals].map(
        ([name, value]) => `project_vcpu_usage{project_id="id",project_name="${name}"} ${value}\n`,
      )
      response
        .setHeader('content-type', 'text/plain; version=0.0.4')
        .end(`# TYPE project_vcpu_usage gauge\n${lines.join('')}`)
    })
    onTestFinished(() => exporter[Symbol.asyncDispose]())
    const prometheus = await startPrometheus(exporter.url)
    const worker = await startWorker({
      env: {
        USAGE_EXPORTER_URLS: `${exporter.url}/metrics`,
        OS_CREDITS_LOCATION_ID: '8676',
        OS_CREDITS_SCRAPE_INTERVAL: '100ms',
        OS_CREDITS_SCRAPE_TIMEOUT: '99ms',
        PROMETHEUS_URL: prometheus.url,
      },
    })
    onTestFinished(() => worker[Symbol.asyncDispose]())
    const used = async (group: string) => {
      const answer = await worker.get(`/api/groups/${group}`)
      return answer.ok ? ((await answer.json()) as { used: string }).used : undefined
    }
    const scraped = (project: string, value: string) =>
      until(`Prometheus has ${value} of ${project}`, async () => (await prometheus.values(project)).includes(value))

    await scraped('steady', '1000.25')
    await until('the worker has begun', async () => (await used('steady')) === '0')
    totals.set('steady', '1001.5')
    await until('growth is charged', async () => (await used('steady')) === '1.25')
    await worker.stop()

    for (const [steady, short] of [
      ['1002', '10'],
      ['1003.125', '11.0625'],
      ['1004', '12.5'],
    ] as const) {
      totals.set('steady', steady).set('short', short)
      await scraped('short', short)
    }
    totals.delete('short')
    totals.set('steady', '1010')
    await scraped('steady', '1010')
    await worker.restart()

    await until(
      'the worker is up to date',
      async () => ((await (await worker.get('/readyz')).json()) as { ready: boolean }).ready,
    )
    expect([await used('steady'), await used('short')]).toEqual(['9.75', '2.5'])
    const { catching_up: caughtUp } = (await (await worker.get('/stats')).json()) as { catching_up: object }
    expect(caughtUp).toMatchObject({ state: 'done' })
    const { items } = (await (await worker.get('/api/groups/short/entries')).json()) as { items: { amount: string }[] }
    expect(items.map(({ amount }) => Number(amount)).reduce((sum, each) => sum + each, 0)).toBe(2.5)
  })
})
