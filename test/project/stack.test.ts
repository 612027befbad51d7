/**
 * The Compose profile `stack` without containers: real Prometheus servers of two sites and of the portal, with the files of
 * `deploy/` and the commands of docker-compose.yml, and the worker as that file sets it up. The demo's exporter stands in
 * for the real one, from the same clouds. What is changed: names of hosts become ports of this machine, paths in a container
 * become files here, and everything is asked each second, so that minutes become seconds.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseCloud } from '#src/demo/exporter/cloud.ts'
import { type Exporter, startExporter } from '#src/demo/exporter/exporter.ts'
import { startDemoPerun } from '#src/demo/world.ts'
import { until } from '../helpers/worker.ts'
import { runWorker, temporaryFolder } from '../process/processes.ts'
import { compose, environmentOf, inRepository, mountsOf, type Service, services } from './compose.ts'
import { read, root } from './repository.ts'

const KEY = 'key-of-the-stack'
const SITES = ['site-a', 'site-b']
const exporterOf = (site: string): Service => compose.services[`${site}-exporter`]!

suite('The clouds of the sites', () => {
  test.each(SITES)('of %s is one that the exporter is told to read', (site) => {
    const service = exporterOf(site)
    const { USAGE_EXPORTER_DUMMY_FILE: path, USAGE_EXPORTER_PROJECT_DOMAINS: domains } = service.environment!
    const cloud = read(inRepository(service, path!))
    // In dummy mode an empty list of domains has the file read once for each project.
    expect(Object.keys(parseDomains(cloud))).toEqual([domains])
    expect(parseCloud(cloud).length).toBeGreaterThan(2)
    // The real one ends at a date with a zone, and at tags in one line.
    expect(cloud.replace(/^#.*$/gm, '')).not.toMatch(/\dZ|[+-]\d\d:\d\d|metadata/)
  })

  test('are of groups that the Perun simulator has, but one', async () => {
    const perun = await startDemoPerun()
    onTestFinished(() => perun.close())
    const names = new Set(SITES.flatMap((site) => parseCloud(cloudOf(site)).map(({ projectName }) => projectName)))
    const known = new Set(perun.readAll().map(({ name }) => name))
    expect([...names].filter((name) => !known.has(name))).toEqual(['UnknownToPerun'])
  })

  test('are at sites that the portal knows by the numbers of their resources', async () => {
    const perun = await startDemoPerun()
    onTestFinished(() => perun.close())
    const ids = [...read('deploy/prometheus.yml').matchAll(/location_id: "(\d+)"/g)].map((match) => Number(match[1]))
    expect(ids).toEqual(perun.read('BioVis').resources)
  })
})

const isMissing = ['prometheus', 'promtool'].some((name) => spawnSync(name, ['--version']).error !== undefined)
if (isMissing) {
  process.stderr.write(
    'NOT TESTED: whether Prometheus understands deploy/prometheus.yml and deploy/sites/prometheus.yml, and whether the Compose ' +
      'profile "stack" charges (prometheus and promtool are not in the path; on Debian: apt-get install prometheus)\n',
  )
}

suite.skipIf(isMissing)('The stack', () => {
  test.each(['deploy/prometheus.yml', 'deploy/sites/prometheus.yml'])(
    'has a %s that Prometheus understands',
    (path) => {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', path], {
        cwd: root,
        encoding: 'utf8',
      })
      expect({ status, output: stdout + stderr }).toMatchObject({
        status: 0,
        output: expect.stringContaining('SUCCESS'),
      })
    },
  )

  test('charges what two sites use, and Perun shows it', async () => {
    const stack = await startStack()
    const { perun, worker, portal } = stack
    const seen = () => Object.fromEntries(perun.readAll().map(({ name, used }) => [name, Number(used ?? 0)]))
    const growing = ['BioVis', 'GenomeAssembly', 'Großes Mikroskop']
    await until('Perun shows used credits', () => growing.every((name) => seen()[name]! > 0), 25_000)

    const sites = Object.keys(perun.read('BioVis').timestamps)
    expect(sites).toEqual(['8676', '8677'])
    const headers = { 'X-API-KEY': KEY }
    const stats = (await (await fetch(`${worker}/stats`, { headers })).json()) as Stats
    expect(stats.targets.map(({ up }) => up)).toEqual([true])
    expect(stats.notifying.mail).toEqual({ state: 'on' })
    // Small sites that grow as they did are held back nowhere.
    const held = Object.entries(stats.ledger.holds).filter(([kind, count]) => count > 0 && kind !== 'unknown group')
    expect({ held, drifts: stats.ledger.drifts }).toEqual({ held: [], drifts: 0 })
    expect((await fetch(`${worker}/stats`)).status).toBe(401)

    // What Grafana and the alerts ask for.
    const asAtTheSite = 'project_vcpu_usage{job="project_usages",location="site-b",project_name="BioVis"}'
    expect((await query(portal, asAtTheSite)).length).toBe(1)
    await until('the portal sees the worker', async () => (await query(portal, 'up{job="credits_worker"}'))[0] === '1')
    expect((await query(portal, 'os_credits_group_used_credits{group="BioVis"}')).length).toBe(1)
    const { data } = (await (await fetch(`${portal}/api/v1/rules`)).json()) as {
      data: { groups: { rules: unknown[] }[] }
    }
    expect(data.groups.flatMap(({ rules }) => rules).length).toBeGreaterThan(10)
  }, 60_000)
})

interface Stats {
  readonly targets: readonly { readonly up: boolean }[]
  readonly ledger: { readonly holds: Readonly<Record<string, number>>; readonly drifts: number }
  readonly notifying: { readonly mail: { readonly state: string } }
}

async function startStack() {
  const folder = temporaryFolder()
  const [perun, ...exporters] = await Promise.all([startDemoPerun(), ...SITES.map(startSite)])
  onTestFinished(() => perun.close())
  const [portA, portB, portPortal, portWorker] = (await Promise.all([1, 2, 3, 4].map(freePort))) as [
    number,
    number,
    number,
    number,
  ]
  const here = (port: number) => `127.0.0.1:${port}`
  const places = {
    'site-a-prometheus:9090': here(portA),
    'site-b-prometheus:9090': here(portB),
    'prometheus:9090': here(portPortal),
    'stack-worker:8000': here(portWorker),
    'perun:8081': new URL(perun.home).host,
  }
  const siteHosts = exporters.map(({ url }) => ({ 'usage-exporter:8080': new URL(url).host }))
  await Promise.all([
    startPrometheus('site-a-prometheus', portA, siteHosts[0]!, folder),
    startPrometheus('site-b-prometheus', portB, siteHosts[1]!, folder),
    startPrometheus('prometheus', portPortal, places, folder),
  ])
  const worker = runWorker(workerEnvironment(places, portWorker, folder))
  return { perun, worker: await worker.url(), portal: `http://${here(portPortal)}` }
}

async function startSite(site: string): Promise<Exporter> {
  const exporter = await startExporter({ cloud: cloudOf(site), startDate: Date.parse('2026-01-01') })
  onTestFinished(() => exporter.close())
  return exporter
}

function cloudOf(site: string): string {
  const service = exporterOf(site)
  return read(inRepository(service, service.environment!.USAGE_EXPORTER_DUMMY_FILE!))
}

function parseDomains(cloud: string): Record<string, true> {
  return Object.fromEntries([...cloud.matchAll(/^\[(\w+)\]$/gm)].map((match) => [match[1]!, true]))
}

/** Runs the server as the compose file does, and waits as its health check does. */
async function startPrometheus(name: string, port: number, places: Readonly<Record<string, string>>, folder: string) {
  const service = compose.services[name]!
  const own = join(folder, name)
  mkdirSync(own)
  for (const { source, target, isFile } of mountsOf(service)) {
    if (!isFile) continue
    const to = join(own, target.slice(target.lastIndexOf('/') + 1))
    if (to.endsWith('prometheus.yml')) writeFileSync(to, hastened(moved(read(source), places)))
    else copyFileSync(join(root, source), to)
  }
  const words = service.command!.map((word) =>
    word.replace('=/etc/prometheus/', `=${own}/`).replace('=/prometheus', `=${own}/data`),
  )
  const child = spawn('prometheus', [...words, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const health = new URL(service.healthcheck!.test.at(-1)!)
  const isWell = () =>
    fetch(`http://127.0.0.1:${port}${health.pathname}`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(`${name} is well`, isWell, 15_000)
}

function moved(text: string, places: Readonly<Record<string, string>>): string {
  // Longer names first: one is the end of another.
  const names = Object.keys(places).toSorted((a, b) => b.length - a.length)
  return names.reduce((result, name) => result.replaceAll(name, places[name]!), text)
}

function hastened(config: string): string {
  const { global, ...others } = parse(config) as { global: object }
  return stringify({ global: { ...global, scrape_interval: '1s', scrape_timeout: '900ms' }, ...others })
}

function workerEnvironment(
  places: Readonly<Record<string, string>>,
  port: number,
  folder: string,
): Record<string, string> {
  const service = compose.services['stack-worker']!
  for (const name of service.secrets!) writeFileSync(join(folder, name), `${KEY}\n`)
  const paths = (value: string) =>
    value
      .replace('/run/secrets/', `${folder}/`)
      .replace('sqlite:/data/', `sqlite:${folder}/`)
      .replace(/^\/config\/.*/, (path) => join(root, inRepository(service, path)))
  const given = Object.entries(environmentOf(service)).map(([name, value]) => [name, paths(moved(value, places))])
  const pace = { OS_CREDITS_SCRAPE_INTERVAL: '1s', OS_CREDITS_SCRAPE_TIMEOUT: '900ms', OS_CREDITS_PERUN_MAX_AGE: '1s' }
  return { ...Object.fromEntries(given), ...pace, CREDITS_HOST: '127.0.0.1', CREDITS_PORT: `${port}` }
}

/** The values of an instant query. */
async function query(prometheus: string, expression: string): Promise<string[]> {
  const answer = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`)
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
  return data.result.map(({ value }) => value[1])
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

test('The stack has all services of its profile that this file stands in for', () => {
  const names = services.filter(([, { profiles }]) => profiles.includes('stack')).map(([name]) => name)
  const unseen = ['grafana', 'mail']
  const seen = [
    'perun',
    'site-a-exporter',
    'site-b-exporter',
    'site-a-prometheus',
    'site-b-prometheus',
    'prometheus',
    'stack-worker',
  ]
  expect(names.toSorted()).toEqual([...seen, ...unseen].toSorted())
})
