import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { LedgerError } from '#src/ledger/ledger.ts'
import { sealOf } from '#src/ledger/receipts.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { T0 } from '../helpers/billing.ts'
import { deliver, follow } from '../helpers/ledger.ts'
import { audit } from './contract/audit.ts'
import { ledgerContract } from './contract.ts'
import { measuredAt } from './worker.ts'

ledgerContract('the SQLite ledger in memory', async () => openSqliteLedger(':memory:', { notifyAt: [50, 80, 100] }))

suite('the SQLite ledger on a disk', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ledger-'))
    path = join(folder, 'data', 'credits.db')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const openingFails = (where: string) => {
    try {
      openSqliteLedger(where)
    } catch (error) {
      return error
    }
    return undefined
  }

  /** A worker of its own; says a line for each thing it did. */
  async function startWorker(...args: string[]) {
    const script = join(import.meta.dirname, 'worker.ts')
    const child = spawn(process.execPath, [script, path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n').filter(Boolean)))
    const said = async (count: number) => {
      while (lines.length < count && child.exitCode === null) await once(child.stdout, 'data')
    }
    await said(1)
    return { child, lines, said }
  }

  async function kill({ child }: { child: ReturnType<typeof spawn> }) {
    child.kill('SIGKILL')
    await once(child, 'close')
  }

  test.each([
    ['was removed', () => undefined],
    ['another file is in its place', () => writeFileSync(path, 'a backup')],
  ])('takes nothing any more when its file %s', async (what, replace) => {
    const ledger = openSqliteLedger(path)
    await follow(ledger, 'alpha', [
      [0, '1'],
      [60, '2'],
    ])
    renameSync(path, `${path}.away`)
    replace()
    await expect(follow(ledger, 'alpha', [[120, '3']])).rejects.toThrow(what)
    expect(await ledger.check()).toMatch(/Stop the worker, .* Nothing is recorded or published any more\.$/)
    // It stays so: nobody knows what happened to the file meanwhile.
    renameSync(`${path}.away`, path)
    await expect(follow(ledger, 'alpha', [[120, '3']])).rejects.toThrow(LedgerError)
    await ledger.close()
    const again = openSqliteLedger(path)
    expect((await again.account('alpha'))!.used).toBe(1_000_000n)
    await again.close()
  })

  test('of version 0.1.0 keeps its unanswered writes, of which no site was recorded', async () => {
    mkdirSync(join(path, '..'), { recursive: true })
    const db = new DatabaseSync(path)
    const first = join(import.meta.dirname, '../../src/ledger/sqlite/migrations/0001.sql')
    db.exec(`${readFileSync(first, 'utf8')}; PRAGMA user_version = 1;
      INSERT INTO groups (name, used, dirty) VALUES ('alpha', 3, 0), ('beta', 0, 0);
      INSERT INTO accounts (group_name, site, published_up_to) VALUES ('alpha', '1', 70), ('alpha', '2', NULL), ('beta', '1', 5);
      INSERT INTO intentions VALUES ('alpha', 3, 20, 0), ('alpha', 2, 10, 1)`)
    db.close()
    const ledger = openSqliteLedger(path)
    const { intended, newestIntention } = (await ledger.account('alpha'))!
    expect(intended.map(({ number, site, used, upTo, at }) => [number, site, used, upTo, at])).toEqual([
      [1, '1', 2n, 70, 10],
      [2, '2', 2n, 0, 10],
      [3, '1', 3n, 70, 20],
      [4, '2', 3n, 0, 20],
    ])
    expect([newestIntention, await ledger.newestIntention('beta')]).toEqual([4, 0])
    expect(await ledger.doubtfulGroups()).toEqual(['alpha'])
    await ledger.close()
  })

  test('of before messages keeps its notices, with their seals', async () => {
    mkdirSync(join(path, '..'), { recursive: true })
    const db = new DatabaseSync(path)
    db.function('seal', { varargs: true, useBigIntArguments: true }, (...values) =>
      sealOf(values as (string | bigint)[]),
    )
    for (const number of [1, 2, 3, 4, 5]) {
      db.exec(readFileSync(join(import.meta.dirname, `../../src/ledger/sqlite/migrations/000${number}.sql`), 'utf8'))
    }
    db.exec(`INSERT INTO groups (name) VALUES ('alpha');
      INSERT INTO notices (group_name, kind, line, granted, used, at, state)
        VALUES ('alpha', 'threshold', 50, '100', 5, 7, 'passed'), ('alpha', 'threshold', 80, '100', 6, 8, 'waiting');
      PRAGMA user_version = 5`)
    const seals = db.prepare('SELECT seal FROM notices').all()
    db.close()
    const ledger = openSqliteLedger(path)
    expect(await ledger.notices({ limit: 9 })).toMatchObject([
      { id: 2, line: 80, used: 6n, state: 'waiting' },
      { id: 1, line: 50, used: 5n, state: 'passed' },
    ])
    expect(await ledger.addressNotice(2, { at: 9, to: [], state: 'no recipient' })).toBe(true)
    await ledger.close()
    const after = new DatabaseSync(path)
    const kept = after.prepare('SELECT seal FROM notices').all()
    expect(kept[0]).toEqual(seals[0])
    expect(kept[1]).not.toEqual(seals[1])
    after.close()
  })

  test('makes its folder, and remembers everything when it is opened again', async () => {
    const first = openSqliteLedger(path)
    await follow(first, 'alpha', [
      [0, '100'],
      [30, '100.5000001'],
      [45, '90'],
      [50, '90.1'],
    ])
    const before = [await first.group('alpha'), await first.entries('alpha', { limit: 9 }), await first.summary()]
    await first.close()
    const second = openSqliteLedger(path)
    expect([await second.group('alpha'), await second.entries('alpha', { limit: 9 }), await second.summary()]).toEqual(
      before,
    )
    await follow(second, 'alpha', [[55, '90.15']])
    expect(await second.entries('alpha', { limit: 9 })).toHaveLength(2)
    await audit(second)
    await second.close()
  })

  test('tells how long commits take', async () => {
    const seconds: number[] = []
    const ledger = openSqliteLedger(path, { onCommit: (each) => seconds.push(each) })
    await follow(ledger, 'alpha', [[0, '100']])
    await Promise.all(['a', 'b'].map((granted) => ledger.settle({ group: 'alpha', at: T0, granted })))
    await ledger.close()
    expect(seconds).toHaveLength(2)
  })

  test('watches other lines of grants when it is opened with others', async () => {
    const opening = { group: 'alpha', site: '8676', recordedAt: T0, reason: 'First contact', amount: 0n }
    const first = openSqliteLedger(path, { notifyAt: [90] })
    await follow(first, 'alpha', [[0, '0']])
    const contacts = [{ site: '8676', contact: 'active' }] as const
    const entries = [{ ...opening, kind: 'opening', id: 'opening/alpha' }] as const
    await first.settle({ group: 'alpha', at: T0, granted: '10', contacts, entries })
    await first.close()
    const second = openSqliteLedger(path, { notifyAt: [30, 60] })
    await follow(second, 'alpha', [[30, '7']])
    expect(await second.waitingNotices()).toMatchObject([{ group: 'alpha', line: 60, used: 7_000_000n }])
    await second.close()
  })

  test('refuses a second worker and names the first', async () => {
    const other = await startWorker('wait')
    const error = openingFails(path)
    expect(error).toBeInstanceOf(LedgerError)
    expect((error as Error).message).toContain(`in use by another worker (process ${other.child.pid}, since 20`)
    expect((error as Error).message).toContain(path)
    await kill(other)
    const ledger = openSqliteLedger(path)
    expect(openingFails(path)).toMatchObject({ message: expect.stringContaining(`process ${process.pid},`) })
    await ledger.close()
    expect(openingFails(path)).toBeUndefined()
  })

  // Not one instant at which a kill may lose or double a charge: whatever is there adds up, and telling it all again
  // ends where an undisturbed worker ends.
  test.each([1, 4, 9])(
    'loses nothing and charges nothing twice when it is killed after %i deliveries',
    async (deliveries) => {
      const worker = await startWorker('bill', '200')
      await worker.said(deliveries)
      await kill(worker)
      const told = worker.lines.length
      const ledger = openSqliteLedger(path)
      await audit(ledger)
      const survived = await ledger.group('project 0')
      // What the worker said it recorded was durable when it said so.
      expect(survived!.lastReadingAt).toBeGreaterThanOrEqual(T0 + (told - 1) * MINUTE)
      for (let minute = 0; minute < 200; minute += 1) await deliver(ledger, ...measuredAt(minute))
      await audit(ledger)
      for (let index = 0; index < 5; index += 1) {
        expect(await ledger.account(`project ${index}`)).toMatchObject({ used: BigInt(199 * (index + 1)) * 100_000n })
      }
      await ledger.close()
    },
  )

  test('refuses a file that a newer program wrote', () => {
    openSqliteLedger(join(folder, 'new.db')).close()
    const db = new DatabaseSync(join(folder, 'new.db'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    const error = openingFails(join(folder, 'new.db'))
    expect(error).toBeInstanceOf(LedgerError)
    expect((error as Error).message).toMatch(/version 99.*newer/)
  })

  test('refuses what it cannot read or write, with the path', () => {
    writeFileSync(join(folder, 'file'), 'This is not a database, whatever its name says. '.repeat(40))
    mkdirSync(join(folder, 'folder'))
    for (const bad of [join(folder, 'file'), join(folder, 'file', 'credits.db'), join(folder, 'folder')]) {
      const error = openingFails(bad)
      expect(error, bad).toBeInstanceOf(LedgerError)
      expect((error as LedgerError).code).toBe('ERR_LEDGER')
      expect((error as Error).message).toContain(bad)
    }
    // A refusal leaves nothing locked.
    rmSync(join(folder, 'file'))
    expect(openingFails(join(folder, 'file'))).toBeUndefined()
  })

  test('is a file that others may read while it is open', async () => {
    const ledger = openSqliteLedger(path)
    await follow(ledger, 'alpha', [
      [0, '100'],
      [60, '101'],
    ])
    const reader = new DatabaseSync(path, { readOnly: true })
    expect(reader.prepare('SELECT sum(amount) AS total FROM entries').get()).toEqual({ total: 1_000_000 })
    expect(reader.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    reader.close()
    expect(await ledger.account('alpha')).toMatchObject({ sites: [{ watermarks: { project_vcpu_usage: T0 + HOUR } }] })
    await ledger.close()
  })

  test('adds up what a total is made of as of one moment, while entries grow', async () => {
    const ledger = openSqliteLedger(path)
    const hours = Array.from({ length: 2_000 }, (_, hour) => [60 * hour, String(hour)] as const)
    await follow(ledger, 'alpha', hours)
    await follow(ledger, 'alpha', [[60 * 1_999 + 30, '1999.5']])
    // More than are read in one go, so that somebody else has a turn in between.
    const adding = ledger.breakdown('alpha')
    await follow(ledger, 'alpha', [[60 * 1_999 + 45, '1999.75']])
    expect(await adding).toMatchObject({ used: 1_999_500_000n, parts: [{ amount: 1_999_500_000n, entries: 2_000 }] })
    expect(await ledger.breakdown('alpha')).toMatchObject({ used: 1_999_750_000n })
    await ledger.close()
  })
})
