/**
 * The way of a usage through real Prometheus servers: two sites with a Prometheus each, a portal that federates them, a proxy
 * that asks for a token, and the worker. Beside it a worker that scrapes the exporters directly, and one that does both.
 */
import { request } from 'node:http'
import Big from 'big.js'
import { expect, onTestFinished, suite, test } from 'vitest'
import { type Exporter, startExporter } from '#src/demo/exporter/exporter.ts'
import { startPeer } from '../helpers/peer.ts'
import { type RealPrometheus, startPrometheus, whyNoPrometheus } from '../helpers/prometheus.ts'
import { startWorker, type TestWorker, until } from '../helpers/worker.ts'

const why = whyNoPrometheus()
if (why !== undefined) process.stderr.write(`NOT TESTED: federation by a real Prometheus (${why})\n`)

const TOKEN = 'token-of-the-portal'
const MATCH = '{__name__=~"project_(vcpu|mb)_usage"}'

/** The cloud's hours pass in seconds, as in the demo. */
const prices = `
meters:
  - { metric: project_vcpu_usage, name: cpu, unit: vCPU·h, max_growth_per_hour: 100000000, prices: [{ price: 1 }] }
  - { metric: project_mb_usage, name: ram, unit: GiB·h, max_growth_per_hour: 100000000, prices: [{ price: 0.3 }] }
`

/** "Both" is at both sites. */
const cloud = (own: string) => `
[research]
domain_id = "d1"
[[research.projects]]
project_id = "p1"
project_name = ${JSON.stringify(own)}
machines = [{ cpus = 3, ram = 7, instance_id = "1" }]
[[research.projects]]
project_id = "p2"
project_name = "Both"
machines = [{ cpus = 5, ram = 16, instance_id = "1" }, { cpus = 2, ram = 3, instance_id = "2" }]
`

interface Site {
  readonly id: string
  readonly exporter: Exporter
}

/** All totals of the exporters: of each project, in credits. */
async function totals(sites: readonly Site[]): Promise<Map<string, Big>> {
  const price: Record<string, string> = { vcpu: '1', mb: '0.3' }
  const sums = new Map<string, Big>()
  for (const { exporter } of sites) {
    const text = await (await fetch(exporter.url)).text()
    for (const [, what, escaped, digits] of text.matchAll(
      /^project_(vcpu|mb)_usage\{.*project_name="((?:[^"\\]|\\.)+)"\} (\S+)$/gm,
    )) {
      const name = JSON.parse(`"${escaped}"`) as string
      sums.set(name, (sums.get(name) ?? new Big(0)).plus(new Big(digits!).times(price[what!]!)))
    }
  }
  return sums
}

/** Passes requests with the token on, and refuses others, as an operator's proxy does. */
async function startProxy(portal: RealPrometheus) {
  const answered: number[] = []
  const proxy = await startPeer((incoming, response) => {
    if (incoming.headers.authorization !== `Bearer ${TOKEN}`) {
      answered.push(401)
      response.writeHead(401).end('This portal wants a token.\n')
      return
    }
    const { 'accept-encoding': encoding = 'identity', accept = '*/*' } = incoming.headers
    const headers = { accept, 'accept-encoding': encoding }
    const passed = request(portal.url + incoming.url!, { headers }, (answer) => {
      answered.push(answer.statusCode!)
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    passed.end()
  })
  onTestFinished(() => proxy[Symbol.asyncDispose]())
  return { url: proxy.url, answered }
}

async function startPortal(sites: readonly Site[]) {
  const ofSites: RealPrometheus[] = []
  for (const { exporter } of sites) {
    const { host } = new URL(exporter.url)
    ofSites.push(await startPrometheus([{ job_name: 'project_usages', static_configs: [{ targets: [host] }] }]))
  }
  const portal = await startPrometheus([
    {
      job_name: 'federate',
      honor_labels: true,
      metrics_path: '/federate',
      params: { 'match[]': [MATCH] },
      static_configs: sites.map(({ id }, index) => ({
        targets: [new URL(ofSites[index]!.url).host],
        labels: { location: `site-${id}`, location_id: id },
      })),
    },
  ])
  for (const each of [portal, ...ofSites]) onTestFinished(() => each[Symbol.asyncDispose]())
  return { portal, ofSites }
}

async function startReader(targets: object[], env: Readonly<Record<string, string>> = {}): Promise<TestWorker> {
  const worker = await startWorker({
    files: { 'prices.yaml': prices, 'targets.json': JSON.stringify(targets) },
    env: {
      OS_CREDITS_PRICES_FILE: 'prices.yaml',
      USAGE_EXPORTER_TARGETS_FILE: 'targets.json',
      OS_CREDITS_SCRAPE_INTERVAL: '300ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '290ms',
      ...env,
    },
  })
  onTestFinished(() => worker[Symbol.asyncDispose]())
  return worker
}

async function usedBy(worker: TestWorker): Promise<Map<string, string>> {
  const { groups } = (await (await worker.get('/api/groups')).json()) as { groups: { group: string; used: string }[] }
  return new Map(groups.map(({ group, used }) => [group, used]))
}

async function decisionsOf(worker: TestWorker): Promise<Record<string, number>> {
  const text = await (await worker.get('/metrics')).text()
  const lines = text.matchAll(/^os_credits_readings_total\{decision="([^"]+)"\} (\d+)$/gm)
  return Object.fromEntries([...lines].map(([, decision, count]) => [decision, Number(count)]))
}

/** What the exporters grew by, and whether a worker has charged just that. */
function growth(before: ReadonlyMap<string, Big>, after: ReadonlyMap<string, Big>) {
  const grown = new Map([...after].map(([name, sum]) => [name, sum.minus(before.get(name)!)]))
  // What does not fill a micro-credit is carried by each of four series at most.
  const isEqual = (used: string | undefined, amount: Big) =>
    used !== undefined && amount.minus(used).gte(0) && amount.minus(used).lt('0.000004')
  return {
    isCharged: (used: ReadonlyMap<string, string>) =>
      used.size === grown.size && [...grown].every(([name, amount]) => isEqual(used.get(name), amount)),
    isSomething: [...grown.values()].every((amount) => amount.gt(1)),
  }
}

suite.skipIf(why !== undefined)('behind a real Prometheus that federates two sites', () => {
  test('totals are those of direct scrapes, also over restarts, and for who reads by both ways', async () => {
    const clock = { at: Date.parse('2026-11-21T12:00:00Z'), now: () => clock.at }
    const startDate = clock.at - 50 * 3_600_000
    const sites: Site[] = []
    for (const [id, own] of Object.entries({ 8676: 'Großes "Mikroskop"', 8677: 'Only there' })) {
      const exporter = await startExporter({ cloud: cloud(own), clock, startDate })
      onTestFinished(() => exporter.close())
      sites.push({ id, exporter })
    }
    const { portal, ofSites } = await startPortal(sites)
    const proxy = await startProxy(portal)
    const ofPortal = { targets: [`${proxy.url}/federate?match[]=${MATCH}`] }
    const ofExporters = sites.map(({ id, exporter }) => ({ targets: [exporter.url], labels: { location_id: id } }))
    const federated = await startReader([ofPortal], { USAGE_EXPORTER_TOKEN: TOKEN })
    const direct = await startReader(ofExporters)
    const both = await startReader([ofPortal, ...ofExporters], { USAGE_EXPORTER_TOKEN: TOKEN })
    const readers = [federated, direct, both]
    const hasOpened = async (worker: TestWorker) => (await decisionsOf(worker)).opened === 8
    await until('all have seen all', async () => (await Promise.all(readers.map(hasOpened))).every(Boolean))

    const before = await totals(sites)
    const time = setInterval(() => {
      clock.at += 60_000
    }, 50)
    onTestFinished(() => clearInterval(time))
    const charges = async (count: number) => {
      const { charged = 0 } = await decisionsOf(federated)
      await until('it is charged', async () => ((await decisionsOf(federated)).charged ?? 0) >= charged + count)
    }
    await charges(8)
    sites[0]!.exporter.restart({ startDate })
    await ofSites[0]!.restart()
    await charges(8)
    await portal.restart()
    await charges(8)
    clearInterval(time)

    const grown = growth(before, await totals(sites))
    expect(grown.isSomething).toBe(true)
    for (const [index, worker] of readers.entries()) {
      await until(`reader ${index} has charged the growth`, async () => grown.isCharged(await usedBy(worker)))
    }
    const [viaPortal, , byBoth] = await Promise.all(readers.map(decisionsOf))
    // Samples are read more often than the portal has new ones; by both ways, those of the portal come later.
    expect(viaPortal!.stale).toBeGreaterThan(0)
    expect(byBoth!.late).toBeGreaterThan(0)
    for (const worker of readers) {
      expect(await decisionsOf(worker)).not.toHaveProperty('held')
      expect(await decisionsOf(worker)).not.toHaveProperty('conflict')
      expect(await decisionsOf(worker)).not.toHaveProperty('outdated')
      expect(JSON.stringify(worker.log())).not.toContain(TOKEN)
    }
    const { series } = (await (await federated.get('/api/groups/Both')).json()) as {
      series: { site: string; project_id: string }[]
    }
    expect(series.map(({ site }) => site).toSorted()).toEqual(['8676', '8676', '8677', '8677'])
    expect(proxy.answered.filter((status) => status === 401)).toEqual([])

    const stranger = await startReader([ofPortal])
    await until('it is refused', async () => {
      const { targets } = (await (await stranger.get('/stats')).json()) as { targets: { last_error: string | null }[] }
      return targets[0]!.last_error?.startsWith('Expected HTTP 200, got 401') ?? false
    })
    expect(proxy.answered).toContain(401)
  }, 90_000)
})
