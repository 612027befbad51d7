/** Ledgers whose bytes were changed, under the real worker: it must not charge from garbage, and say what to do. */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, suite, test } from 'vitest'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { T0 } from '../helpers/billing.ts'
import { expositionOf } from '../helpers/cloud.ts'
import { follow } from '../helpers/ledger.ts'
import { startPeer } from '../helpers/peer.ts'
import { until } from '../helpers/worker.ts'
import { runWorker, temporaryFolder, workerSettings } from './processes.ts'

const nowhere = 'http://127.0.0.1:1/metrics'
const PAGE = 4_096

/** A ledger with some hundred pages of entries, closed; `path` is its file. */
async function writtenLedger(folder: string, entries = 2_000): Promise<string> {
  const path = join(folder, 'credits.db')
  const ledger = openSqliteLedger(path)
  await follow(ledger, 'alpha', [
    [0, '100'],
    [1, '100.5'],
  ])
  await ledger.close()
  const db = new DatabaseSync(path)
  db.exec(`WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers LIMIT ${entries})
    INSERT INTO entries (id, kind, group_name, at, amount, recorded_at, reason, actor)
    SELECT 'adjustment/' || value, 'adjustment', 'alpha', ${T0}, 0, ${T0}, printf('%.200c', 'x'), 'test'
    FROM numbers`)
  db.close()
  return path
}

const rootPage = (path: string, table: string): number => {
  const db = new DatabaseSync(path, { readOnly: true })
  const { rootpage } = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)!
  db.close()
  return Number(rootpage)
}

/** Writes garbage over bytes of a file, as a disk may do that lies. */
function scribble(path: string, at: number, length: number): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(length, 0xa5), 0, length, at)
  closeSync(file)
}

suite('a ledger that was damaged while no worker ran', () => {
  test.each([
    ['its header', (path: string) => scribble(path, 0, 100)],
    ['the page of its series', (path: string) => scribble(path, (rootPage(path, 'series') - 1) * PAGE, PAGE)],
    ['its second half', (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2 / PAGE) * PAGE)],
  ])('ends the start with 74: %s', async (_, damage) => {
    const folder = temporaryFolder()
    const path = await writtenLedger(folder)
    damage(path)
    const before = readFileSync(path)
    const worker = runWorker(workerSettings(folder, nowhere))
    expect(await worker.exit()).toBe(74)
    const { level, msg } = worker.log().at(-1)!
    expect(level).toBe('fatal')
    expect(msg).toMatch(
      /credits\.db cannot be opened: the file is damaged .*npm run verify.* put a backup in its place/,
    )
    expect(worker.output()).not.toContain('    at ')
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  // The pages of old entries are not needed for a start: only a look at all of them finds it.
  test('ends the start after a crash with 74 also if the page is not needed yet', async () => {
    const folder = temporaryFolder()
    const path = await writtenLedger(folder)
    scribble(path, (rootPage(path, 'entries') - 1) * PAGE, PAGE)
    writeFileSync(`${path}-wal`, '')
    const worker = runWorker(workerSettings(folder, nowhere))
    expect(await worker.exit()).toBe(74)
    expect(worker.log().at(-1)!.msg).toMatch(/credits\.db cannot be opened: the file is damaged .*put a backup/)
  })

  test('ends the start with 74 when transactions in its log were damaged after a crash', async () => {
    await using cloud = await startPeer((_, response) => response.end(expositionOf({ projects: 5, hours: 100 })))
    const folder = temporaryFolder()
    const settings = workerSettings(folder, `${cloud.url}/metrics`)
    const first = runWorker(settings)
    await first.url()
    await until('something was recorded', () => first.says('Delivery recorded') !== undefined)
    await until('something more was', () => first.log().filter(({ msg }) => msg === 'Delivery recorded').length > 2)
    first.signal('SIGKILL')
    await first.ended()
    const log = join(folder, 'credits.db-wal')
    scribble(log, 32 + 24 + 1_000, 8)
    const before = readFileSync(log)
    const second = runWorker(settings)
    expect(await second.exit()).toBe(74)
    expect(second.log().at(-1)!.msg).toMatch(
      /the file is damaged \(a committed transaction in its -wal file is wrong\)/,
    )
    expect(readFileSync(log).equals(before)).toBe(true)
  })
})

test('a ledger that is damaged under a running worker: it says so once, records nothing more and lives', async () => {
  const cloud = { hours: 100 }
  await using peer = await startPeer((_, response) => {
    cloud.hours += 0.01
    response.end(expositionOf({ projects: 5, hours: cloud.hours }))
  })
  const folder = temporaryFolder()
  // More than its cache holds, so that it has to read from the file.
  const path = await writtenLedger(folder, 60_000)
  expect(statSync(path).size).toBeGreaterThan(12_000_000)
  const worker = runWorker(workerSettings(folder, `${peer.url}/metrics`))
  const url = await worker.url()
  await until('something was recorded', () => worker.says('Delivery recorded') !== undefined)
  scribble(path, PAGE, statSync(path).size - PAGE)

  const answer = await fetch(`${url}/api/groups/alpha/entries?limit=1000`)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ detail: expect.stringMatching(/credits\.db .*the file is damaged/) })
  await until('readings are refused', () => worker.says('A delivery was not recorded') !== undefined)
  const size = existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0
  const scrapes = peer.requests.length
  await until('it has scraped on', () => peer.requests.length > scrapes + 10)
  const ready = await fetch(`${url}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toMatch(/the file is damaged .*npm run verify.*Nothing is recorded or published any more/)
  const loud = worker.log().filter(({ level }) => level === 'error' || level === 'fatal')
  expect(loud).toMatchObject([{ msg: 'A delivery was not recorded', err: { message: expect.stringContaining(path) } }])
  expect(statSync(`${path}-wal`).size).toBe(size)
  expect((await fetch(`${url}/metrics`)).status).toBe(200)
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)
})

test('a ledger that is removed under a running worker: it says so and records nothing more', async () => {
  const cloud = { hours: 100 }
  await using peer = await startPeer((_, response) => {
    cloud.hours += 0.01
    response.end(expositionOf({ projects: 5, hours: cloud.hours }))
  })
  const folder = temporaryFolder()
  const worker = runWorker(workerSettings(folder, `${peer.url}/metrics`))
  const url = await worker.url()
  await until('something was recorded', () => worker.says('Delivery recorded') !== undefined)
  rmSync(join(folder, 'credits.db'))
  await until('readings are refused', () => worker.says('A delivery was not recorded') !== undefined)
  const recorded = worker.log().filter(({ msg }) => msg === 'Delivery recorded').length
  const scrapes = peer.requests.length
  await until('it has scraped on', () => peer.requests.length > scrapes + 5)
  expect(worker.log().filter(({ msg }) => msg === 'Delivery recorded')).toHaveLength(recorded)
  const ready = await fetch(`${url}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('the file was removed while')])
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)
})
