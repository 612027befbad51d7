/**
 * A real Prometheus scrapes an exporter and pushes to workers. One is only pushed to, one only scrapes, one has both: all of
 * them charge the same, and exactly what the exporter says it was. The one that is only pushed to is started anew meanwhile.
 */
import Big from 'big.js'
import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { startExporter } from '#src/demo/exporter/exporter.ts'
import { findProgram, freePort, runProgram } from '../helpers/programs.ts'
import { startWorker, type TestWorker, until } from '../helpers/worker.ts'

const prometheus = findProgram(
  'prometheus',
  '--version',
  'PROMETHEUS',
  'whether a real Prometheus can push to the worker',
)

const KEY = 'key-of-writers'
const BEGIN = Date.UTC(2026, 0, 1)

const machines = `
[biology]
domain_id = "d1"
[[biology.projects]]
project_id = "p1"
project_name = "BioVis"
machines = [{ cpus = 2, ram = 4, instance_id = "web" }]
[[biology.projects]]
project_id = "p2"
project_name = "Genome, \\"Assembly\\""
machines = [{ cpus = 28, ram = 64, instance_id = "assembler" }]
[[biology.projects]]
project_id = "p3"
project_name = "Großes Mikroskop"
machines = [{ cpus = 7, ram = 24, instance_id = "scope" }]
`

/** A clock that stands still, runs, and stands still again. */
function startStopClock(factor: number) {
  let [shown, since]: [number, number | undefined] = [BEGIN + 100 * HOUR, undefined]
  return {
    now: () => shown + (since === undefined ? 0 : (performance.now() - since) * factor),
    run() {
      since = performance.now()
    },
    stop() {
      shown = this.now()
      since = undefined
    },
  }
}

/** What each project has used, in credits, as its exporter says it now. */
async function usedOf(url: string): Promise<Map<string, Big>> {
  const text = await (await fetch(url)).text()
  const price: Record<string, string> = { project_vcpu_usage: '1', project_mb_usage: '0.3' }
  const used = new Map<string, Big>()
  for (const [, metric, escaped, value] of text.matchAll(
    /^(project_\w+)\{.*project_name="((?:[^"\\]|\\.)*)".*\} (\S+)$/gm,
  )) {
    const project = JSON.parse(`"${escaped}"`) as string
    used.set(project, (used.get(project) ?? new Big(0)).plus(new Big(value!).times(price[metric!]!)))
  }
  return used
}

interface Stats {
  readonly pushes: readonly { readonly taken: number; readonly last_error: string | null }[]
  readonly ledger: { readonly holds: Readonly<Record<string, number>> }
}

async function ofWorker<T>(worker: TestWorker, path: string): Promise<T> {
  return (await worker.get(path)).json() as Promise<T>
}

async function totals(worker: TestWorker): Promise<Map<string, string>> {
  const { groups } = await ofWorker<{ groups: { group: string; used: string }[] }>(worker, '/api/groups')
  return new Map(groups.map(({ group, used }) => [group, used]))
}

suite.skipIf(prometheus.isMissing)('A real Prometheus', () => {
  test('may push what is scraped, too: it is charged once', { timeout: 120_000 }, async () => {
    const clock = startStopClock(3_600)
    const exporter = await startExporter({ cloud: machines, clock, startDate: BEGIN })
    onTestFinished(() => exporter.close())
    const [port, fixed] = [await freePort(), await freePort()]
    const common = { OS_CREDITS_LOCATION_ID: '8676', API_WRITER_KEY: KEY }
    const scraping = {
      USAGE_EXPORTER_URLS: exporter.url,
      OS_CREDITS_SCRAPE_INTERVAL: '1s',
      OS_CREDITS_SCRAPE_TIMEOUT: '900ms',
    }
    await using pushed = await startWorker({ env: { ...common, CREDITS_PORT: String(fixed) } })
    await using scraped = await startWorker({ env: { ...common, ...scraping } })
    await using both = await startWorker({ env: { ...common, ...scraping } })
    const program = runProgram(
      prometheus.path,
      { 'prometheus.yml': configuration(exporter.url, [pushed.url, both.url]) },
      (folder) => [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
    )
    await program.answers(`http://127.0.0.1:${port}/-/ready`)
    const workers = [pushed, scraped, both]
    const before = await usedOf(exporter.url)
    expect(before.size).toBeGreaterThan(2)
    await until('all have the first readings', async () => {
      const series = await Promise.all(workers.map((each) => ofWorker<{ ledger: { series: number } }>(each, '/stats')))
      return series.every(({ ledger }) => ledger.series === 2 * before.size)
    })
    const takenOf = async () => (await ofWorker<Stats>(both, '/stats')).pushes[0]!.taken
    const pushesMore = async (count: number) => {
      const taken = await takenOf()
      await until(`${count} more pushes were taken`, async () => (await takenOf()) >= taken + count, 40_000)
    }
    clock.run()
    await pushesMore(3)
    await pushed.restart()
    await pushesMore(3)
    clock.stop()
    const after = await usedOf(exporter.url)
    const expected = new Map([...after].map(([project, used]) => [project, used.minus(before.get(project)!)]))
    const isSo = (found: Map<string, string>) =>
      [...expected].every(([project, used]) =>
        used
          .minus(found.get(project) ?? 0)
          .abs()
          .lt('0.000002'),
      )
    await pushesMore(3)
    for (const worker of workers) {
      await until('it charged all', async () => isSo(await totals(worker)), 40_000).catch(() => undefined)
      const found = await totals(worker)
      expect([...found].toSorted(), program.output()).toEqual([...(await totals(both))].toSorted())
      expect(isSo(found), JSON.stringify([...found])).toBe(true)
      expect((await ofWorker<Stats>(worker, '/stats')).ledger.holds).toEqual({})
    }
  })
})

function configuration(exporterUrl: string, workers: readonly string[]): string {
  const { host, pathname } = new URL(exporterUrl)
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '900ms' },
    scrape_configs: [
      {
        job_name: 'usage',
        metrics_path: pathname,
        static_configs: [{ targets: [host], labels: { location_id: '8676' } }],
      },
    ],
    remote_write: workers.map((url, index) => ({
      name: `worker-${index}`,
      url: `${url}/api/v1/write`,
      authorization: { credentials: KEY },
      queue_config: { batch_send_deadline: '200ms', max_shards: 1 },
    })),
  }
  // JSON is YAML.
  return JSON.stringify(config)
}
