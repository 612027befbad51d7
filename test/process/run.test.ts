import { expect, suite, test } from 'vitest'
import { startExporter } from '#src/demo/exporter/exporter.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import type { LogLine } from '../helpers/log.ts'
import { until } from '../helpers/worker.ts'
import { perunSettings, runWorker, temporaryFolder, workerSettings } from './processes.ts'

const cloud = `[domain]
projects = [
  { project_id = "1", project_name = "alpha", machines = [{ cpus = 2, ram = 4, instance_id = "a" }] },
  { project_id = "2", project_name = "erika@example.org", machines = [{ cpus = 8, ram = 4, instance_id = "b" }] },
]`

/** Prices of a cloud that is as fast as this one. */
const limits = { METRICS_TO_BILL: '{"project_vcpu_usage":1,"project_mb_usage":0.3}' }

/** A cloud in which an hour is a tenth of a second. */
const startCloud = () => startExporter({ cloud, timeFactor: 36_000 })

async function startFilledPerun(options: Parameters<typeof startPerun>[0] = {}) {
  const perun = await startPerun(options)
  for (const name of ['alpha', 'erika@example.org'])
    perun.addGroup({ name, granted: '100000', email: ['owner@example.org'], resources: [8676] })
  return perun
}

type Json = Record<string, unknown>

async function statsOf(url: string, headers: Record<string, string> = {}): Promise<Json & { perun: Json }> {
  return (await (await fetch(`${url}/stats`, { headers })).json()) as Json & { perun: Json }
}

/** How often a target was scraped well, from the worker's own metrics. */
async function scrapesOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^os_credits_scrapes_total\{.*outcome="delivered".*\} (\d+)$/m.exec(text)?.[1] ?? 0)
}

async function scrapesGoOn(url: string): Promise<void> {
  const before = await scrapesOf(url)
  await until('scrapes go on', async () => (await scrapesOf(url)) > before + 3)
}

suite('a worker whose Perun is down', () => {
  test('scrapes and is ready all the same, and publishes all of it when Perun is back', async () => {
    await using exporter = await startCloud()
    await using perun = await startFilledPerun()
    perun.faults.fail({ how: 'html-503', times: null })
    const worker = runWorker({ ...workerSettings(temporaryFolder(), exporter.url), ...perunSettings(perun), ...limits })
    const url = await worker.url()
    await scrapesGoOn(url)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect((await statsOf(url)).perun).toMatchObject({ state: 'waiting', reason: expect.stringContaining('HTTP 503') })
    expect(perun.readAll().map(({ used }) => used)).toEqual([null, null])
    await scrapesGoOn(url)
    perun.faults.clear()
    await until('Perun shows credits', () => perun.readAll().every(({ used }) => Number(used) > 0))
    const read_to_write_seconds = { last: expect.any(Number), longest: expect.any(Number) }
    expect((await statsOf(url)).perun).toEqual({ state: 'publishing', read_to_write_seconds })
    expect(worker.says('Publishing works again')).toMatchObject({ level: 'info' })
  })

  test('so that nobody listens there either', async () => {
    await using exporter = await startCloud()
    const settings = perunSettings({ url: 'http://127.0.0.1:1/ba/rpc/json', voId: 412 })
    const worker = runWorker({ ...workerSettings(temporaryFolder(), exporter.url), ...settings, ...limits })
    const url = await worker.url()
    await scrapesGoOn(url)
    expect((await statsOf(url)).perun).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })
})

test('a worker with a wrong password says so once, stops publishing and scrapes on', async () => {
  await using exporter = await startCloud()
  await using perun = await startFilledPerun({ password: 'another' })
  const worker = runWorker({ ...workerSettings(temporaryFolder(), exporter.url), ...perunSettings(perun), ...limits })
  const url = await worker.url()
  await until('it has tried', () => worker.says('Nothing is published for 900 s') !== undefined)
  await scrapesGoOn(url)
  const loud = worker.log().filter(({ level, logger }) => level !== 'debug' && /perun|publish/.test(String(logger)))
  expect(loud).toHaveLength(1)
  expect(loud[0]).toMatchObject({ level: 'warn', reason: expect.stringContaining('HTTP 401') })
  expect((await statsOf(url)).perun).toMatchObject({ state: 'stopped', reason: expect.stringContaining('HTTP 401') })
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

suite('the log of a worker at work', () => {
  const password = 'correct horse battery staple'
  const token = 'exporter-token-1234'
  const key = 'operator-key-5678'

  /** One that meets with everything: growth, a drift, a hold, a Perun that fails, an exporter that fails. */
  async function eventfulLog() {
    await using exporter = await startExporter({ cloud, timeFactor: 36_000, token })
    await using other = await startExporter({ cloud, timeFactor: 36_000, token })
    await using perun = await startFilledPerun({ password })
    const worker = runWorker({
      ...workerSettings(temporaryFolder(), `${exporter.url};${other.url.replace('//', `//user:${token}@`)}`),
      ...perunSettings(perun),
      ...limits,
      OS_CREDITS_PERUN_PASSWORD: password,
      // Credits are written many times a second: an edit is seen only if each write is preceded by a look.
      OS_CREDITS_PERUN_MAX_AGE: '0s',
      USAGE_EXPORTER_TOKEN: token,
      API_KEY: key,
      LOG_LEVEL: 'trace',
    })
    const url = await worker.url()
    await until('credits are shown', () => Number(perun.read('alpha').used) > 0)
    // One that falls between a look and the write after it is written over.
    await until('an edit is followed', () => {
      perun.edit('erika@example.org', { used: '1.00' }, 'max@example.org')
      return worker.says('edited there') !== undefined
    })
    perun.edit('alpha', { granted: null })
    await until('the grant is missed', () => worker.says('no granted credits') !== undefined)
    perun.faults.fail({ how: 'html-503', times: 2 })
    await until('Perun failed', () => worker.says('Nothing is published for') !== undefined)
    await until('there were some publishes', () => worker.log().filter(({ msg }) => msg === 'Published').length > 3)
    await until('there were many deliveries', () => worker.log().filter(({ msg }) => msg === 'Delivered').length > 20)
    exporter.fail('error')
    await until('a scrape failed', () => worker.says('Scrape failed') !== undefined)
    await fetch(`${url}/stats?verbose=true`, { headers: { 'x-api-key': key } })
    await fetch(`${url}/stats?key=${key}`, { headers: { 'x-api-key': 'wrong' } })
    worker.signal('SIGTERM')
    await worker.ended()
    return worker
  }

  test('is JSON, without a secret or a mail address, and tells which lines belong together', async () => {
    const worker = await eventfulLog()
    expect(worker.errors()).toBe('')
    const lines = worker.log()
    expect(lines.length).toBeGreaterThan(20)
    for (const line of lines) {
      expect(line).toMatchObject({ level: expect.any(String), time: expect.any(String), logger: expect.any(String) })
      expect(line.level).not.toMatch(/error|fatal/)
    }
    const output = worker.output()
    for (const secret of [password, token, key]) {
      expect(output).not.toContain(secret)
      expect(output).not.toContain(encodeURIComponent(secret))
    }
    expect(output).not.toContain(Buffer.from(`credits:${password}`).toString('base64'))
    expect(output).not.toMatch(/[\w.]+@example\.org/)
    expectTasks(lines)
  })

  function expectTasks(lines: readonly LogLine[]): void {
    const delivered = lines.filter(({ msg }) => msg === 'Delivered')
    expect(delivered.length).toBeGreaterThan(3)
    for (const { id, task } of delivered) {
      expect(id).toBe(task)
      const own = lines.filter((line) => line.task === task).map(({ logger, msg }) => `${logger}: ${msg}`)
      expect(own).toEqual(expect.arrayContaining(['billing: Delivery recorded', 'scrape: Delivered']))
      expect(own.filter((line) => line === 'scrape: Delivered')).toHaveLength(1)
    }
    const published = lines.filter(({ msg }) => msg === 'Published')
    expect(published.length).toBeGreaterThan(2)
    for (const { task } of published) expect(task).toMatch(/^publish-/)
    expect(new Set(published.map(({ task }) => task)).size).toBe(published.length)
  }
})
