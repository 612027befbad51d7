/** A whole worker with its ledger in PostgreSQL. `TEST_LEDGER=postgres` runs all others of this folder so, too. */
import { afterAll, beforeAll, expect, onTestFinished, suite, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { startPeer } from '../helpers/peer.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { startWorker, type TestWorker, until } from '../helpers/worker.ts'

suite.skipIf(missing !== undefined)('A worker whose ledger is in PostgreSQL', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)

  const database = async () => {
    const url = new URL(await server.createDatabase())
    url.password = 'hunter2'
    return String(url)
  }

  async function startExporter(value: number) {
    const shown = { value }
    const peer = await startPeer((_, response) =>
      response.end(`project_vcpu_usage{project_id="id",project_name="p",location_id="1"} ${shown.value}\n`),
    )
    onTestFinished(() => peer[Symbol.asyncDispose]())
    return Object.assign(shown, {
      env: {
        USAGE_EXPORTER_URLS: `${peer.url}/metrics`,
        OS_CREDITS_SCRAPE_INTERVAL: '50ms',
        OS_CREDITS_SCRAPE_TIMEOUT: '49ms',
      },
    })
  }

  const json = async (worker: TestWorker, path: string) =>
    (await (await worker.get(path)).json()) as Record<string, unknown>
  const used = (worker: TestWorker, credits: string) =>
    until(`${credits} are charged`, async () => (await json(worker, '/api/groups/p')).used === credits)

  test('charges, publishes, answers and goes on after a restart; its password is shown nowhere', async () => {
    const perun = await startPerun()
    onTestFinished(() => perun.close())
    perun.addGroup({ name: 'p', granted: '1000', resources: [1] })
    const exporter = await startExporter(100)
    const env = { ...exporter.env, OS_CREDITS_LEDGER: await database(), OS_CREDITS_GROUP_METRICS: 'on' }
    const worker = await startWorker({ perun, env })
    onTestFinished(() => worker[Symbol.asyncDispose]())
    const shows = (credits: string) => until(`Perun shows ${credits}`, () => perun.read('p').used === credits)

    await shows('0.00')
    exporter.value = 103.5
    await shows('3.50')
    await worker.restart()
    exporter.value = 110
    await shows('10.00')

    const adjusted = await fetch(`${worker.url}/api/groups/p/adjustments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ amount: '-2.5', reason: 'A gift', actor: 'ann' }),
    })
    expect(adjusted.status).toBeLessThan(300)
    await shows('7.50')
    for (const path of ['/api/groups/p/explain', '/api/groups/p/history', '/api/groups', '/', '/groups/p', '/stats']) {
      expect((await worker.get(path)).status, path).toBe(200)
    }
    const metrics = await (await worker.get('/metrics')).text()
    expect(metrics).toMatch(/^os_credits_ledger_bytes [1-9]/m)
    expect(metrics).toMatch(/^os_credits_ledger_writable 1$/m)
    expect(metrics).not.toMatch(/^os_credits_ledger_free_bytes \d/m)
    const all = JSON.stringify([worker.log(), await json(worker, '/stats')])
    expect(all).toContain('postgres://')
    expect(all).not.toContain('hunter2')
  })

  test('charges what another worker at the same ledger has charged no second time', async () => {
    const exporter = await startExporter(100)
    const env = { ...exporter.env, OS_CREDITS_LEDGER: await database() }
    const workers = [await startWorker({ env }), await startWorker({ env })]
    for (const worker of workers) onTestFinished(() => worker[Symbol.asyncDispose]())
    await until('it is known', async () => (await workers[0]!.get('/api/groups/p')).status === 200)
    for (let step = 1; step <= 20; step += 1) {
      exporter.value = 100 + step
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
    for (const worker of workers) await used(worker, '20')
  })
})
