/** A whole worker between exporters and a Perun: what its parts can only do together. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import type { Clock } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, type TestWorker, until } from '../helpers/worker.ts'

interface Sample {
  readonly project: string
  readonly value: number
  readonly metric?: string
  readonly at?: number
  readonly labels?: Readonly<Record<string, string>>
}

/** An exporter, or a Prometheus behind it, that shows what a test says; what it shows may depend on the moment. */
async function startShowing(samples: readonly Sample[] | (() => readonly Sample[])) {
  const shown = { samples, scrapes: 0 }
  const peer = await startPeer((_, response) => {
    const now = typeof shown.samples === 'function' ? shown.samples() : shown.samples
    response.end(`${now.map(render).join('\n')}\n`)
    shown.scrapes += 1
  })
  onTestFinished(() => peer[Symbol.asyncDispose]())
  return Object.assign(shown, {
    url: `${peer.url}/metrics`,
    /** Resolves when what it shows now was scraped, and taken over: another scrape begins only then. */
    async wasTakenOver() {
      const before = shown.scrapes
      await until('it was scraped', () => shown.scrapes > before + 1)
    },
  })
}

function render({ project, value, metric = 'project_vcpu_usage', at, labels = {} }: Sample): string {
  const all = Object.entries({ project_id: `id-${project}`, project_name: project, ...labels })
  return `${metric}{${all.map(([name, text]) => `${name}="${text}"`).join(',')}} ${value}${at === undefined ? '' : ` ${at}`}`
}

interface Target {
  readonly url: string
  readonly site?: string
}

interface Circumstances {
  readonly targets: readonly Target[]
  /** Groups in Perun and the sites they are at. */
  readonly groups: Readonly<Record<string, readonly number[]>>
  readonly env?: Readonly<Record<string, string>>
  readonly clock?: Clock
  readonly latency?: number
}

async function setUp({ targets, groups, env = {}, clock, latency = 0 }: Circumstances) {
  const perun = await startPerun({ latency })
  onTestFinished(() => perun.close())
  for (const [name, resources] of Object.entries(groups)) perun.addGroup({ name, granted: '1000', resources })
  const list = targets.map(({ url, site }) => ({
    targets: [url],
    labels: site === undefined ? {} : { location_id: site },
  }))
  const worker = await startWorker({
    perun,
    files: { targets: JSON.stringify(list) },
    env: {
      USAGE_EXPORTER_TARGETS_FILE: 'targets',
      OS_CREDITS_SCRAPE_INTERVAL: '30ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '29ms',
      OS_CREDITS_PERUN_MAX_AGE: '1s',
      ...env,
    },
    ...(clock !== undefined && { clock }),
  })
  onTestFinished(() => worker[Symbol.asyncDispose]())
  return {
    perun,
    worker,
    shows: (group: string, used: string) =>
      until(`Perun shows ${used} of ${group}, not ${perun.read(group).used}`, () => perun.read(group).used === used),
  }
}

async function json(worker: TestWorker, path: string): Promise<Record<string, unknown>> {
  return (await (await worker.get(path)).json()) as Record<string, unknown>
}

suite('a group', () => {
  test('at two sites is charged the sum of both, and told the times of each', async () => {
    const one = await startShowing([{ project: 'p', value: 100 }])
    const two = await startShowing([{ project: 'p', value: 7 }])
    const targets = [
      { url: one.url, site: '1' },
      { url: two.url, site: '2' },
    ]
    const { perun, shows } = await setUp({ targets, groups: { p: [1, 2] } })
    await shows('p', '0.00')
    // A site that is slow to be scraped would begin with what comes next.
    await until('both sites have begun', () => Object.keys(perun.read('p').timestamps).join() === '1,2')
    one.samples = [{ project: 'p', value: 103 }]
    two.samples = [{ project: 'p', value: 11.5 }]
    await shows('p', '7.50')
    await until('both sites have their time', () => Object.keys(perun.read('p').timestamps).join() === '1,2')
  })

  test('whose project is reported by two exporters of one site is charged once', async () => {
    let value = 100
    const growing = () => [{ project: 'p', value }]
    const [one, two] = [await startShowing(growing), await startShowing(growing)]
    const targets = [
      { url: one.url, site: '1' },
      { url: two.url, site: '1' },
    ]
    const { perun, worker, shows } = await setUp({ targets, groups: { p: [1] } })
    await shows('p', '0.00')
    for (let step = 0; step < 5; step += 1) {
      value += 2
      await Promise.all([one.wasTakenOver(), two.wasTakenOver()])
    }
    await shows('p', '10.00')
    await Promise.all([one.wasTakenOver(), two.wasTakenOver()])
    await worker.stop()
    expect(perun.read('p').used).toBe('10.00')
  })

  // Each of the lagging exporter's values looks like a fall of the other's, which comes back at once.
  test('is charged once although one of the exporters lags behind the other', async () => {
    const begin = Date.now()
    // Some seconds of the cloud between two scrapes, in which ten machines with one vCPU run.
    const clock = { now: () => begin + (Date.now() - begin) * 100 }
    let end: number | undefined
    const valueAt = (at: number) => 100 + (10 * (Math.min(at, end ?? at) - begin)) / 3_600_000
    const one = await startShowing(() => [{ project: 'p', value: valueAt(clock.now()) }])
    const two = await startShowing(() => [{ project: 'p', value: valueAt(clock.now() - 60_000) }])
    const targets = [
      { url: one.url, site: '1' },
      { url: two.url, site: '1' },
    ]
    const { worker, perun } = await setUp({ targets, groups: { p: [1] }, clock })
    await until('it is opened', () => perun.read('p').used !== null)
    const { notes } = (await (await worker.get('/api/groups/p')).json()) as { notes: { kind: string; text: string }[] }
    const first = Number(/^First reading: (\S+)/.exec(notes.find(({ kind }) => kind === 'opened')!.text)![1])
    const opened = clock.now()
    await until('five minutes have passed', () => clock.now() > opened + 300_000)
    end = clock.now()
    await until('the one that lags has come there', () => clock.now() > end! + 100_000)
    await Promise.all([one.wasTakenOver(), two.wasTakenOver()])
    await worker.stop()
    expect(Math.abs(Number(perun.read('p').used) - (valueAt(end) - first))).toBeLessThan(0.006)
  })

  test('whose project is scraped and federated as well is charged once', async () => {
    let value = 100
    const exporter = await startShowing(() => [{ project: 'p', value }])
    let scraped = { value, at: Date.now() }
    const prometheus = await startShowing(() => {
      const labels = { location: 'site', location_id: '1', instance: 'exporter:8080', job: 'usage', domain_id: 'd' }
      const sample = { project: 'p', value: scraped.value, at: scraped.at, labels }
      if (Math.random() < 0.3) scraped = { value, at: Date.now() }
      return [sample]
    })
    const targets = [{ url: exporter.url, site: '1' }, { url: prometheus.url }]
    const { worker, shows } = await setUp({ targets, groups: { p: [1] } })
    await shows('p', '0.00')
    for (let step = 0; step < 10; step += 1) {
      value += 1
      await Promise.all([exporter.wasTakenOver(), prometheus.wasTakenOver()])
    }
    await shows('p', '10.00')
    const { series } = (await json(worker, '/api/groups/p')) as { series: unknown[] }
    expect(series).toHaveLength(1)
  })
})

suite('a sample', () => {
  test('belongs to the site that it names, not to that of its target', async () => {
    const federated = (value: number) => [
      { project: 'a', value, labels: { location_id: '2' } },
      { project: 'b', value },
    ]
    const prometheus = await startShowing(federated(1))
    const { perun, shows } = await setUp({
      targets: [{ url: prometheus.url, site: '1' }],
      groups: { a: [2], b: [1] },
      env: { OS_CREDITS_LOCATION_ID: '3' },
    })
    await Promise.all([shows('a', '0.00'), shows('b', '0.00')])
    prometheus.samples = federated(2)
    await Promise.all([shows('a', '1.00'), shows('b', '1.00')])
    expect([perun.read('a').timestamps, perun.read('b').timestamps].map((each) => Object.keys(each))).toEqual([
      ['2'],
      ['1'],
    ])
  })

  test('without a site, at a target without one, belongs to the site of the settings', async () => {
    const exporter = await startShowing([{ project: 'p', value: 1 }])
    const { shows } = await setUp({
      targets: [exporter],
      groups: { p: [3] },
      env: { OS_CREDITS_LOCATION_ID: '3' },
    })
    await shows('p', '0.00')
  })

  test('of a project that is not on the whitelist is not charged', async () => {
    const both = (value: number) => [
      { project: 'p', value },
      { project: 'other', value },
    ]
    const exporter = await startShowing(both(1))
    const { perun, worker, shows } = await setUp({
      targets: [{ url: exporter.url, site: '1' }],
      groups: { p: [1], other: [1] },
      env: { OS_CREDITS_PROJECT_WHITELIST: 'p; somebody else' },
    })
    await shows('p', '0.00')
    exporter.samples = both(3)
    await shows('p', '2.00')
    expect(perun.read('other').used).toBeNull()
    expect(await json(worker, '/api/groups')).toMatchObject({ total: 1 })
  })

  test('is charged at the price of METRICS_TO_BILL, and not if it is not in it', async () => {
    const all = (value: number) => [
      { project: 'p', value },
      { project: 'p', value, metric: 'project_gpu_usage' },
      { project: 'p', value, metric: 'project_mb_usage' },
    ]
    const exporter = await startShowing(all(1))
    const { shows, worker } = await setUp({
      targets: [{ url: exporter.url, site: '1' }],
      groups: { p: [1] },
      env: { METRICS_TO_BILL: '{"project_vcpu_usage":1.5,"project_gpu_usage":20}', OS_CREDITS_PRECISION: '0' },
    })
    await shows('p', '0')
    exporter.samples = all(3)
    await shows('p', '43')
    const { series } = (await json(worker, '/api/groups/p')) as { series: { metric: string }[] }
    expect(series.map(({ metric }) => metric).sort()).toEqual(['project_gpu_usage', 'project_vcpu_usage'])
  })
})

suite('a worker', () => {
  test('goes on where it stopped, with what was used meanwhile', async () => {
    const exporter = await startShowing([{ project: 'p', value: 1 }])
    const { shows, worker, perun } = await setUp({ targets: [{ url: exporter.url, site: '1' }], groups: { p: [1] } })
    await shows('p', '0.00')
    exporter.samples = [{ project: 'p', value: 1.123_456_7 }]
    await shows('p', '0.12')
    const before = perun.writes.length
    exporter.samples = [{ project: 'p', value: 4 }]
    await worker.restart()
    await shows('p', '3.00')
    expect(perun.writes.length).toBeLessThanOrEqual(before + 2)
    const { items } = (await json(worker, '/api/groups/p/entries')) as { items: { kind: string }[] }
    expect(new Set(items.map(({ kind }) => kind))).toEqual(new Set(['charge', 'opening']))
    expect(items.filter(({ kind }) => kind === 'opening')).toHaveLength(1)
  })

  test('publishes after its start what it could not before', async () => {
    const exporter = await startShowing([{ project: 'p', value: 1 }])
    const { shows, worker, perun } = await setUp({ targets: [{ url: exporter.url, site: '1' }], groups: { p: [1] } })
    await shows('p', '0.00')
    perun.faults.fail({ how: 'html-503', times: null })
    exporter.samples = [{ project: 'p', value: 6 }]
    await until('it was recorded', async () => (await json(worker, '/api/groups/p')).used === '5')
    exporter.samples = []
    await worker.stop()
    perun.faults.clear()
    await worker.restart()
    await shows('p', '5.00')
  })

  test('is ready once a scrape has worked, and says why not before', async () => {
    let answers = false
    const exporter = await startPeer((_, response) => {
      if (answers) response.end(`${render({ project: 'p', value: 1 })}\n`)
    })
    onTestFinished(() => exporter[Symbol.asyncDispose]())
    const { worker } = await setUp({ targets: [{ url: exporter.url, site: '1' }], groups: { p: [1] } })
    await until('a scrape failed', () => exporter.requests.length > 1)
    const before = await worker.get('/readyz')
    expect(before.status).toBe(503)
    expect(await before.json()).toEqual({ ready: false, reasons: ['No scrape has worked yet.'] })
    expect((await worker.get('/livez')).status).toBe(200)
    answers = true
    await until('it is ready', async () => (await worker.get('/readyz')).status === 200)
    answers = false
    await until('a scrape failed again', async () => {
      const { targets } = (await json(worker, '/stats')) as { targets: { up: boolean }[] }
      return !targets[0]!.up
    })
    expect((await worker.get('/readyz')).status).toBe(200)
  })

  test('asks Perun nothing while nothing changes', async () => {
    const same = Array.from({ length: 20 }, (_, index) => ({ project: `p${index}`, value: 5 + index }))
    const exporter = await startShowing(same)
    const groups = Object.fromEntries(same.map(({ project }) => [project, [1]]))
    const { perun } = await setUp({ targets: [{ url: exporter.url, site: '1' }], groups })
    await until('all are opened', () => perun.readAll().every(({ used }) => used === '0.00'))
    await exporter.wasTakenOver()
    const { total } = perun.calls
    for (let round = 0; round < 3; round += 1) await exporter.wasTakenOver()
    expect(perun.calls.total).toBe(total)
    // All of it took one reading of the site.
    expect(perun.calls.byMethod).toMatchObject({
      getRichGroupsAssignedToResourceWithAttributesByNames: 1,
      setAttributes: 20,
    })
  })

  test('stops in the order of the flow: no scrape, then what was scraped is published, then it answers no more', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'service-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const some = (value: number) => Array.from({ length: 30 }, (_, index) => ({ project: `p${index}`, value }))
    const exporter = await startShowing(some(1))
    const { perun, worker } = await setUp({
      targets: [{ url: exporter.url, site: '1' }],
      groups: Object.fromEntries(some(1).map(({ project }) => [project, [1]])),
      env: { OS_CREDITS_LEDGER: `sqlite:${folder}/credits.db`, OS_CREDITS_WORKERS: '1' },
    })
    await until('all are opened', () => perun.readAll().every(({ used }) => used === '0.00'))
    perun.faults.latency(20)
    exporter.samples = some(3)
    await until('publishing has begun', () => perun.readAll().some(({ used }) => used === '2.00'))
    const stopped = worker.stop()
    const ready = await worker.get('/readyz')
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, reasons: ['The worker is stopping.'] }])
    const scrapes = exporter.scrapes
    expect(await json(worker, '/stats')).toMatchObject({ number_of_locks: 2 })
    await stopped
    expect(exporter.scrapes).toBe(scrapes)
    expect(new Set(perun.readAll().map(({ used }) => used))).toEqual(new Set(['2.00']))
    await expect(worker.get('/livez')).rejects.toThrow('fetch failed')
    expect(worker.log().at(-1)).toMatchObject({ msg: 'Stopped' })
    // The ledger is free, and clean.
    const ledger = openSqliteLedger(`${folder}/credits.db`)
    expect(await ledger.dirtyGroups()).toEqual([])
    await ledger.close()
  })

  test('stopped twice stops once', async () => {
    const exporter = await startShowing([])
    const { worker } = await setUp({ targets: [{ url: exporter.url, site: '1' }], groups: {} })
    await Promise.all([worker.stop(), worker.stop()])
    expect(worker.log().filter(({ msg }) => msg === 'Stopped')).toHaveLength(1)
  })
})

test('A group that is taken off the list and comes back pays for all of it; the log says so at the start', async () => {
  const exporter = await startShowing([{ project: 'p', value: 10 }])
  const { worker, perun } = await setUp({ targets: [{ url: exporter.url, site: '1' }], groups: { p: [1], q: [1] } })
  const shows = (used: string) => until(`Perun shows ${used}`, () => perun.read('p').used === used)
  await shows('0.00')
  await worker.restart({ OS_CREDITS_PROJECT_WHITELIST: 'q' })
  const said = worker.log().filter(({ msg }) => `${msg}`.includes('OS_CREDITS_PROJECT_WHITELIST'))
  expect(said).toMatchObject([{ level: 'warn', groups: 1, first: ['p'] }])
  exporter.samples = [{ project: 'p', value: 15 }]
  await exporter.wasTakenOver()
  expect(perun.read('p').used).toBe('0.00')
  await worker.restart()
  await shows('5.00')
  expect(worker.log().filter(({ msg }) => `${msg}`.includes('OS_CREDITS_PROJECT_WHITELIST'))).toHaveLength(1)
})
