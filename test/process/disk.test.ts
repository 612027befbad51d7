/** A ledger on a disk that is full, read-only or breaks down, under the real worker. */
import { copyFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Big from 'big.js'
import { expect, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { type PerunSimulator, startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { expositionOf, projectName } from '../helpers/cloud.ts'
import { startPeer } from '../helpers/peer.ts'
import { until } from '../helpers/worker.ts'
import { breakableDisk, fill, limitFiles, makeReadOnly, smallDisk, tellSkipped } from './disks.ts'
import { perunSettings, runWorker, temporaryFolder, type WorkerProcess, workerSettings } from './processes.ts'

const PROJECTS = 40
const prices = '{"project_vcpu_usage":1,"project_mb_usage":0.3}'
const FIRST = 100

/** A cloud in which a hundredth of an hour passes with each scrape until it stands still. */
async function startGrowingCloud() {
  const cloud = { hundredths: FIRST * 100, grows: true }
  const peer = await startPeer((_, response) => {
    if (cloud.grows) cloud.hundredths += 1
    response.end(expositionOf({ projects: PROJECTS, hours: cloud.hundredths / 100 }))
  })
  return Object.assign(cloud, { url: `${peer.url}/metrics`, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() })
}

async function startFilledPerun() {
  const perun = await startPerun()
  for (let index = 0; index < PROJECTS; index += 1)
    perun.addGroup({ name: projectName(index), granted: '1000000', resources: [8676] })
  return perun
}

type Cloud = Awaited<ReturnType<typeof startGrowingCloud>>

/** What each group has used: hours of its vCPUs at 1 credit and of four times as many GiB at 0.3. */
function truth({ hundredths }: Cloud, since: number): Big[] {
  const value = (total: number, factor: number) => new Big((total / 100) * factor)
  return Array.from({ length: PROJECTS }, (_, index) => {
    const cpu = value(hundredths, 1 + (index % 64)).minus(value(since, 1 + (index % 64)))
    const ram = value(hundredths, 4 * (1 + (index % 64))).minus(value(since, 4 * (1 + (index % 64))))
    return cpu.round(6, Big.roundDown).plus(ram.times('0.3').round(6, Big.roundDown))
  })
}

async function untilPublished(perun: PerunSimulator, expected: readonly Big[]): Promise<void> {
  const published = expected.map((used) => used.toFixed(2, Big.roundHalfEven))
  const isRight = () => perun.readAll().every(({ used }, index) => used === published[index])
  await until('Perun shows what was used', isRight).catch(() => {})
  expect(perun.readAll().map(({ used }) => used)).toEqual(published)
}

async function expectLedger(path: string, expected: readonly Big[]): Promise<void> {
  const ledger = openSqliteLedger(path)
  for (const [index, used] of expected.entries()) {
    const name = projectName(index)
    const entries = await ledger.entries(name, { limit: 1_000 })
    expect(formatCredits((await ledger.account(name))!.used)).toBe(used.toFixed())
    expect(formatCredits(entries.reduce((sum, { amount }) => sum + amount, 0n))).toBe(used.toFixed())
    expect(entries.filter(({ kind }) => kind === 'adjustment')).toEqual([])
  }
  expect(await ledger.holds({ limit: 1_000 })).toEqual([])
  await ledger.close()
}

async function readiness(url: string): Promise<{ status: number; reasons: string }> {
  const response = await fetch(`${url}/readyz`)
  return { status: response.status, reasons: JSON.stringify(await response.json()) }
}

const metric = async (url: string, line: RegExp) => Number(line.exec(await (await fetch(`${url}/metrics`)).text())?.[1])

/** That the worker says once what is wrong, wherever one looks, and lives. */
async function expectTrouble(worker: WorkerProcess, url: string, words: RegExp): Promise<void> {
  await until('readings are refused', () => worker.says('A delivery was not recorded') !== undefined)
  const undelivered = () => metric(url, /^os_credits_scrapes_total\{.*outcome="undelivered"\} (\d+)$/m)
  const before = await undelivered()
  await until('they are refused again and again', async () => (await undelivered()) > before + 5)
  expect(await readiness(url)).toMatchObject({ status: 503, reasons: expect.stringMatching(words) })
  const stats = (await (await fetch(`${url}/stats`)).json()) as { targets: { last_error: string }[] }
  expect(stats.targets[0]!.last_error).toMatch(words)
  expect(await metric(url, /^os_credits_ledger_writable (\d)$/m)).toBe(0)
  const loud = worker.log().filter(({ level, msg }) => level === 'error' && msg === 'A delivery was not recorded')
  // A new reason may come in between, such as that of a commit instead of that of a statement.
  expect(loud.length).toBeLessThanOrEqual(3)
  expect((loud.at(-1)!.err as { message: string }).message).toMatch(words)
  expect(worker.hasEnded()).toBe(false)
}

/** What is on the disk, looked at beside the worker: whole, and each total the sum of its entries. */
function expectWhole(path: string): void {
  const db = new DatabaseSync(path, { readOnly: true })
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  const wrong = db.prepare(
    'SELECT name FROM groups WHERE used <> (SELECT coalesce(sum(amount), 0) FROM entries WHERE group_name = name)',
  )
  expect(wrong.all()).toEqual([])
  db.close()
}

suite('a full disk', () => {
  test('refuses readings and loses none: with space again, all is charged once', async ({ skip }) => {
    const disk = smallDisk('6m')
    if (disk === undefined) return skip(tellSkipped('a full disk refuses readings and loses none'))
    await using cloud = await startGrowingCloud()
    await using perun = await startFilledPerun()
    cloud.grows = false
    const settings = { ...workerSettings(disk, cloud.url), ...perunSettings(perun), METRICS_TO_BILL: prices }
    let worker = runWorker(settings)
    let url = await worker.url()
    await until('all groups are opened', () => perun.readAll().every(({ used }) => used === '0.00'))
    const path = join(disk, 'credits.db')
    const free = fill(disk)
    cloud.grows = true
    await expectTrouble(worker, url, /the disk is full/)
    expectWhole(path)

    // Killed and started on the full disk, it says why it cannot; stopped there, it ends as usual.
    worker.signal('SIGKILL')
    await worker.ended()
    const refused = runWorker(settings)
    expect(await refused.exit()).toBe(74)
    expect(refused.log().at(-1)!.msg).toMatch(/credits\.db cannot be opened: the disk is full .*Free some space/)
    expect(refused.output()).not.toContain('    at ')
    free()
    worker = runWorker(settings)
    url = await worker.url()
    const freeAgain = fill(disk)
    await expectTrouble(worker, url, /the disk is full/)
    expectWhole(path)

    freeAgain()
    await until('it is ready', async () => (await readiness(url)).status === 200)
    await until('it says so', () => worker.says('Deliveries are recorded again') !== undefined)
    cloud.grows = false
    const expected = truth(cloud, FIRST * 100)
    await untilPublished(perun, expected)
    const last = fill(disk)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    last()
    await expectLedger(path, expected)
  })

  // Needs no mount, so that at least this runs everywhere.
  test('is not the only thing that keeps a file from growing', async ({ skip }) => {
    await using cloud = await startGrowingCloud()
    await using perun = await startFilledPerun()
    cloud.grows = false
    const folder = temporaryFolder()
    const settings = { ...workerSettings(folder, cloud.url), ...perunSettings(perun), METRICS_TO_BILL: prices }
    const worker = runWorker(settings)
    const url = await worker.url()
    await until('all groups are opened', () => perun.readAll().every(({ used }) => used === '0.00'))
    const path = join(folder, 'credits.db')
    if (!limitFiles(worker.pid, statSync(`${path}-wal`).size))
      return skip(tellSkipped('a file that may not grow', 'there is no prlimit here.'))
    cloud.grows = true
    await expectTrouble(worker, url, /the disk fails|the disk is full/)
    expectWhole(path)
    limitFiles(worker.pid, 'unlimited')
    await until('it is ready', async () => (await readiness(url)).status === 200)
    cloud.grows = false
    const expected = truth(cloud, FIRST * 100)
    await untilPublished(perun, expected)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    await expectLedger(path, expected)
  })

  test('ends the start with 74 when there is no ledger yet', async ({ skip }) => {
    const disk = smallDisk('1m')
    if (disk === undefined) return skip(tellSkipped('a full disk ends the start with 74'))
    fill(disk)
    const worker = runWorker(workerSettings(disk, 'http://127.0.0.1:1/metrics'))
    expect(await worker.exit()).toBe(74)
    expect(worker.log().at(-1)!.msg).toMatch(/credits\.db cannot be opened: the disk is full .*Free some space/)
  })
})

suite('a read-only disk', () => {
  test('ends the start with 74', async ({ skip }) => {
    const disk = smallDisk('6m')
    if (disk === undefined) return skip(tellSkipped('a read-only disk ends the start with 74'))
    const settings = workerSettings(disk, 'http://127.0.0.1:1/metrics')
    const first = runWorker(settings)
    await first.url()
    first.signal('SIGTERM')
    expect(await first.exit()).toBe(0)
    makeReadOnly(disk)
    const second = runWorker(settings)
    expect(await second.exit()).toBe(74)
    expect(second.log().at(-1)!.msg).toMatch(/credits\.db cannot be opened: .*read-only/)
    expect(second.output()).not.toContain('    at ')
  })

  test('that became so under the worker refuses readings, and the ledger on it is whole', async ({ skip }) => {
    const disk = breakableDisk()
    if (disk === undefined) return skip(tellSkipped('a disk that becomes read-only'))
    await using cloud = await startGrowingCloud()
    await using perun = await startFilledPerun()
    cloud.grows = false
    const settings = { ...workerSettings(disk.folder, cloud.url), ...perunSettings(perun), METRICS_TO_BILL: prices }
    const worker = runWorker(settings)
    const url = await worker.url()
    await until('all groups are opened', () => perun.readAll().every(({ used }) => used === '0.00'))
    cloud.grows = true
    await until('growth is published', () => perun.readAll().every(({ used }) => used !== '0.00'))
    disk.breakDown()
    await expectTrouble(worker, url, /the disk fails|read-only/)
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    cloud.grows = false

    // What is left of it goes to a sound disk and goes on there.
    const folder = temporaryFolder()
    for (const name of readdirSync(disk.folder).filter((each) => each.startsWith('credits.db')))
      copyFileSync(join(disk.folder, name), join(folder, name))
    expect(statSync(join(folder, 'credits.db-wal')).size).toBeGreaterThan(0)
    const second = runWorker({ ...workerSettings(folder, cloud.url), ...perunSettings(perun), METRICS_TO_BILL: prices })
    await second.url()
    const expected = truth(cloud, FIRST * 100)
    await untilPublished(perun, expected)
    second.signal('SIGTERM')
    expect(await second.exit()).toBe(0)
    await expectLedger(join(folder, 'credits.db'), expected)
  })
})
