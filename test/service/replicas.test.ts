/** Whole workers that share a ledger in PostgreSQL: each target is scraped by one of them, whatever becomes of the others. */
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, suite, test } from 'vitest'
import { CATCH_UP } from '#src/billing/catchUp.ts'
import { LEAD } from '#src/billing/lead.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { servePrometheus } from '../helpers/oldPrometheus.ts'
import { startPeer } from '../helpers/peer.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { startWorker, type TestWorker, until } from '../helpers/worker.ts'

interface Row {
  readonly id: number
  readonly answers: boolean
  readonly lead: boolean
  readonly targets: readonly string[]
}

interface Stats {
  readonly catching_up: { readonly reason?: string }
  readonly replicas: readonly Row[]
  readonly targets: readonly {
    readonly url: string
    readonly scraped: { readonly by: string; readonly name?: string; readonly reason?: string }
    readonly up: boolean | null
  }[]
}

suite.skipIf(missing !== undefined)('Workers that share a ledger', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)

  /** An exporter with so many addresses, each of a site of its own. */
  async function startExporter(count: number) {
    const state = { total: 100 }
    /** Scrapes under way of each address, and the most that there were at a time. */
    const underWay = new Map<string, number>()
    let most = 0
    const peer = await startPeer((request, response) => {
      const path = request.url!
      const now = (underWay.get(path) ?? 0) + 1
      underWay.set(path, now)
      most = Math.max(most, now)
      setTimeout(() => {
        underWay.set(path, underWay.get(path)! - 1)
        const site = path.slice(1)
        response.end(`project_vcpu_usage{project_id="id",project_name="p",location_id="${site}"} ${state.total}\n`)
      }, 5)
    })
    onTestFinished(() => peer[Symbol.asyncDispose]())
    const urls = Array.from({ length: count }, (_, index) => `${peer.url}/${index + 1}`)
    return {
      urls,
      state,
      peer,
      get most() {
        return most
      },
      scrapes: () => peer.requests.length,
    }
  }

  async function setUp(count: number, more: Readonly<Record<string, string>> = {}) {
    const exporter = await startExporter(count)
    const database = await server.createDatabase()
    const env = {
      USAGE_EXPORTER_URLS: exporter.urls.join(';'),
      OS_CREDITS_SCRAPE_INTERVAL: '500ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '499ms',
      OS_CREDITS_LEDGER: database,
      OS_CREDITS_REPLICA_LEASE: '2s',
      ...more,
    }
    const start = async (options: Omit<Parameters<typeof startWorker>[0], 'env'> = {}) => {
      const worker = await startWorker({ env, ...options })
      onTestFinished(() => worker[Symbol.asyncDispose]())
      return worker
    }
    const query = async (text: string) => {
      const client = new pg.Client({ connectionString: database })
      await client.connect()
      return (await client.query(text).finally(() => client.end())).rows as Record<string, unknown>[]
    }
    return { exporter, database, start, query }
  }

  const stats = async (worker: TestWorker) => (await (await worker.get('/stats')).json()) as Stats
  const own = async (worker: TestWorker) => (await stats(worker)).replicas.find(({ answers }) => answers)!
  const shares = async (worker: TestWorker) => (await stats(worker)).replicas.map(({ targets }) => targets.length)
  const isReady = async (worker: TestWorker) => (await worker.get('/readyz')).status === 200
  const used = async (worker: TestWorker) =>
    ((await (await worker.get('/api/groups/p')).json()) as { used?: string }).used
  /** The targets of which its metrics tell. */
  const gauges = async (worker: TestWorker) => {
    const text = await (await worker.get('/metrics')).text()
    return [...text.matchAll(/^os_credits_target_up\{target="([^"]*)"\} [01]$/gm)].map((match) => match[1]!).sort()
  }

  test('share out the targets; each shows who scrapes which, and one that stands by is ready', async () => {
    const { exporter, start } = await setUp(4)
    const first = await start()
    await until('the first has all', async () => (await shares(first)).join() === '4')
    const second = await start()
    await until('they share', async () => (await shares(first)).join() === '2,2')
    await until('all were scraped', async () => (await gauges(first)).length + (await gauges(second)).length === 4)
    const [one, two] = [await stats(first), await stats(second)]
    expect(one.replicas.map(({ targets }) => targets)).toEqual(two.replicas.map(({ targets }) => targets))
    expect(one.replicas.flatMap(({ targets }) => targets).sort()).toEqual(exporter.urls)
    expect(one.replicas.map(({ answers }) => answers)).toEqual([true, false])
    expect(two.replicas.map(({ answers }) => answers)).toEqual([false, true])
    expect(one.replicas.filter(({ lead }) => lead)).toHaveLength(1)
    for (const worker of [first, second]) {
      // Each looks once a second.
      await until('it shows who scrapes which', async () => {
        const { targets } = await stats(worker)
        const here = targets.filter(({ scraped, up }) => scraped.by === 'this worker' && up !== null)
        const elsewhere = targets.filter(({ scraped, up }) => scraped.by === 'another worker' && up === null)
        return here.length === 2 && elsewhere.length === 2
      })
    }
    // What somebody else scrapes is shown there.
    expect((await gauges(first)).concat(await gauges(second)).sort()).toEqual(exporter.urls)
    expect(await gauges(first)).toEqual([...(await own(first)).targets].sort())
    expect(await (await first.get('/metrics')).text()).toMatch(/^os_credits_replicas\{state="working"\} 2$/m)
    expect(await (await first.get('/')).text()).toContain('The workers that share this ledger.')

    const rest = [await start(), await start(), await start()]
    await until('they share', async () => (await shares(first)).toSorted().join() === '0,1,1,1,1')
    for (const worker of rest) await until('it is ready', () => isReady(worker))
    exporter.state.total = 110
    await until('all is charged', async () => (await used(first)) === '40')
    expect(exporter.most).toBe(1)
  })

  test('take over what one had that stops, within seconds', async () => {
    const { exporter, start } = await setUp(3, { OS_CREDITS_SCRAPE_INTERVAL: '60s', OS_CREDITS_SCRAPE_TIMEOUT: '5s' })
    const [first, second] = [await start(), await start()]
    await until('they share', async () => (await shares(first)).toSorted().join() === '1,2')
    await until('all were scraped', async () => (await gauges(first)).length + (await gauges(second)).length === 3)
    const before = exporter.scrapes()
    await first.stop()
    await until('the other has all', async () => (await own(second)).targets.length === 3)
    await until('it has scraped them', async () => (await gauges(second)).length === 3)
    expect((await stats(second)).replicas).toHaveLength(1)
    // Not again what it had already.
    expect(exporter.scrapes() - before).toBeLessThanOrEqual(2)
  })

  test('take over what one had whose connection broke, which ends its scrapes and joins again', async () => {
    const { exporter, start, query } = await setUp(4)
    const [first, second] = [await start(), await start()]
    await until('they share', async () => (await shares(first)).join() === '2,2')
    const before = await own(first)
    // Nobody hangs up for it as long as it holds its place.
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND objid::bigint = ${before.id}`,
    )
    await until('it has another place', async () => {
      const { replicas } = await stats(first)
      return replicas.every(({ id }) => id !== before.id) && replicas.length === 2
    })
    await until('they share again', async () => (await shares(second)).toSorted().join() === '2,2')
    exporter.state.total = 107
    await until('all is charged', async () => (await used(second)) === '28')
    expect((await stats(second)).replicas.flatMap(({ targets }) => targets).sort()).toEqual(exporter.urls)
    for (const worker of [first, second]) await until('it is ready', () => isReady(worker))
  })

  test('have one that looks for edits in Perun and tells people, and another one when that stops', async () => {
    const perun = await startPerun()
    onTestFinished(() => perun.close())
    perun.addGroup({ name: 'p', granted: '1000', resources: [1] })
    const { start } = await setUp(1, { OS_CREDITS_PERUN_LOOK: '100ms', OS_CREDITS_PERUN_MAX_AGE: '1s' })
    const workers = [await start({ perun }), await start({ perun })]
    const leads = async () => (await stats(workers[0]!)).replicas.filter(({ lead }) => lead)
    await until('one has the lead', async () => (await leads()).length === 1)
    await until('it is published', () => perun.read('p').used === '0.00')
    perun.edit('p', { used: '7' }, 'erika')
    await until('the edit is followed', async () => (await used(workers[0]!)) === '7')
    const lead = (await own(workers[0]!)).lead ? 0 : 1
    const [other] = workers.toSpliced(lead, 1)
    await workers[lead]!.stop()
    await until('the other has it', async () => (await own(other!)).lead)
    perun.edit('p', { used: '9' }, 'erika')
    await until('the edit is followed', async () => (await used(other!)) === '9')
  })
  test('leave the lead to those that publish while they wait for their turn to catch up', async () => {
    const prometheus = await servePrometheus([])
    onTestFinished(() => prometheus[Symbol.asyncDispose]())
    const { start, database } = await setUp(1, { PROMETHEUS_URL: prometheus.url })
    const replica = { name: 'other', version: '1', lease: 60_000, lingers: 0 }
    const other = await openPostgresLedger(database, { replica })
    onTestFinished(() => other.close())
    const turn = await other.claim(CATCH_UP)
    const worker = await start()
    await until('it waits', async () => (await stats(worker)).catching_up.reason === 'Another worker is at it.')
    const lead = await other.claim(LEAD)
    expect(lead).toBeDefined()
    await Promise.all([turn!.release(), lead!.release()])
    await until('it has the lead', async () => (await own(worker)).lead)
  })
})
