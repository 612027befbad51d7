import { expect, suite, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { expositionOf, projectName } from '../helpers/cloud.ts'
import { startPeer } from '../helpers/peer.ts'
import { until } from '../helpers/worker.ts'
import { perunSettings, runWorker, temporaryFolder, workerSettings } from './processes.ts'

const PROJECTS = 40

/** A cloud whose machines have run for as many hours as a test says. */
async function startCloud() {
  const cloud = { hours: 100 }
  const peer = await startPeer((_, response) => response.end(expositionOf({ projects: PROJECTS, hours: cloud.hours })))
  return Object.assign(cloud, { url: `${peer.url}/metrics`, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() })
}

async function startFilledPerun(options: Parameters<typeof startPerun>[0] = {}) {
  const perun = await startPerun(options)
  for (let index = 0; index < PROJECTS; index += 1)
    perun.addGroup({ name: projectName(index), granted: '1000', resources: [8676] })
  return perun
}

/** One hour more of `vcpus` vCPUs at 1 credit and four times as many GiB at 0.3. */
const anHourOf = (index: number) => (2.2 * (1 + (index % 64))).toFixed(2)

suite('SIGTERM', () => {
  test('lets a slow Perun have all that was scraped, then ends the worker with 0', async () => {
    await using cloud = await startCloud()
    await using perun = await startFilledPerun()
    const folder = temporaryFolder()
    const settings = { ...workerSettings(folder, cloud.url), ...perunSettings(perun), OS_CREDITS_WORKERS: '2' }
    const worker = runWorker(settings)
    await worker.url()
    await until('all groups are opened', () => perun.readAll().every(({ used }) => used === '0.00'))
    perun.faults.latency(40)
    cloud.hours += 1
    await until('the growth is being published', () => perun.readAll().some(({ used }) => used !== '0.00'))
    const before = perun.readAll().filter(({ used }) => used === '0.00').length
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    // Else there was nothing left to wait for.
    expect(before).toBeGreaterThan(10)
    expect(perun.readAll().map(({ used }) => used)).toEqual(perun.readAll().map((_, index) => anHourOf(index)))
    expect(worker.log().at(-1)).toMatchObject({ msg: 'Stopped' })
    const ledger = openSqliteLedger(`${folder}/credits.db`)
    expect(await ledger.dirtyGroups()).toEqual([])
    await ledger.close()
  })

  test('during the start ends the worker with 0 too, as soon as it has started', async () => {
    await using cloud = await startCloud()
    await using perun = await startFilledPerun()
    const worker = runWorker({ ...workerSettings(temporaryFolder(), cloud.url), ...perunSettings(perun) })
    await until('it has read its settings', () => worker.says('Credits worker') !== undefined, 20_000, 1)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    expect(worker.log().at(-1)).toMatchObject({ msg: 'Stopped' })
  })

  test('is not kept waiting by a Perun that is down', async () => {
    await using cloud = await startCloud()
    await using perun = await startFilledPerun()
    const worker = runWorker({ ...workerSettings(temporaryFolder(), cloud.url), ...perunSettings(perun) })
    await worker.url()
    perun.faults.fail({ how: 'html-503', times: null })
    await until('publishing pauses', () => worker.says('Nothing is published for') !== undefined)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })

  // Without an end of its own, this stop would take the two minutes that a stop may take, and the test would fail.
  test('is not kept waiting by a Perun that goes down meanwhile', async () => {
    await using cloud = await startCloud()
    await using perun = await startFilledPerun({ latency: 40 })
    const settings = { ...workerSettings(temporaryFolder(), cloud.url), OS_CREDITS_WORKERS: '1' }
    const worker = runWorker({ ...settings, ...perunSettings(perun) })
    await worker.url()
    await until('publishing has begun', () => perun.readAll().some(({ used }) => used !== null))
    worker.signal('SIGTERM')
    await until('the worker stops', () => worker.says('Stopping') !== undefined)
    perun.faults.fail({ how: 'html-503', times: null })
    expect(await worker.exit()).toBe(0)
    expect(worker.says('Nothing more is published before the end')).toMatchObject({ level: 'warn' })
    expect(perun.readAll().some(({ used }) => used === null)).toBe(true)
  })

  test('is not kept waiting by an exporter that does not answer', async () => {
    await using exporter = await startPeer(() => {})
    const settings = workerSettings(temporaryFolder(), exporter.url)
    const worker = runWorker({ ...settings, OS_CREDITS_SCRAPE_INTERVAL: '60m', OS_CREDITS_SCRAPE_TIMEOUT: '50m' })
    await worker.url()
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })

  test('a second time ends the worker at once, with 1', async () => {
    await using cloud = await startCloud()
    await using perun = await startFilledPerun()
    const worker = runWorker({ ...workerSettings(temporaryFolder(), cloud.url), ...perunSettings(perun) })
    perun.faults.fail({ how: 'hang', times: null })
    await worker.url()
    await until('a call hangs', () => perun.calls.total > 0)
    worker.signal('SIGINT')
    await until('it stops', () => worker.says('Stopping') !== undefined)
    expect(worker.hasEnded()).toBe(false)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(1)
    expect(worker.says('SIGTERM again: ending at once')).toMatchObject({ level: 'warn' })
  })
})
