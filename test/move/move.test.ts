/** A ledger that is moved is the same one: between SQLite and PostgreSQL, there and back. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { type Ledger, LedgerError, type StoredEntry } from '#src/ledger/ledger.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { type MoveOptions, move } from '#src/move/move.ts'
import { openPostgresStore } from '#src/move/postgres.ts'
import { openSqliteStore, openSqliteTarget } from '#src/move/sqlite.ts'
import { MoveError } from '#src/move/store.ts'
import { T0 } from '../helpers/billing.ts'
import { follow } from '../helpers/ledger.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { audit } from '../ledger/contract/audit.ts'
import { adjustment, hold } from '../ledger/contract/settling.ts'
import { run } from './program.ts'

const notifyAt = [50]
const groups = ['alpha', "o'brien", 'o\u0000dd \ufdd0 🧬', 'é']

suite.skipIf(missing !== undefined)('A ledger', () => {
  let server: TestServer
  let folder: string
  let file: string
  let url: string
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'move-'))
    file = join(folder, 'credits.db')
    url = await server.createDatabase()
    const ledger = openSqliteLedger(file, { notifyAt })
    await live(ledger)
    await ledger.close()
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** Something of everything. */
  async function live(ledger: Ledger): Promise<void> {
    for (const group of groups) {
      const hours = Array.from({ length: 30 }, (_, hour) => [hour * 60, String(100 + hour * 1.5)] as const)
      await follow(ledger, group, [...hours, [1_800, '90'], [1_860, '91.1234567']])
      const opening = {
        kind: 'opening',
        id: `opening/${group}`,
        group,
        site: '8676',
        amount: 0n,
        recordedAt: T0,
        reason: '',
      } as const
      const contacts = [{ site: '8676', contact: 'active' }] as const
      const intended = [{ number: 1, site: '8676', used: 1n, upTo: T0 }]
      const drifts = [{ site: '8676', shown: 5n, modifiedBy: 'somebody' }]
      await ledger.settle({
        group,
        at: T0,
        granted: '60',
        contacts,
        intended,
        drifts,
        entries: [opening],
        holds: [hold(group, group)],
      })
      await follow(ledger, group, [[1_890, '91.2']])
      await ledger.notice({ group, kind: 'runs out', line: 14, granted: '60', used: 5n, at: T0 })
      await ledger.addressNotice(1, {
        at: T0,
        to: [{ channel: 'mail', to: `${group}@example.org` }],
        state: 'addressed',
      })
      await ledger.mute({ group, at: T0, actor: 'erika', reason: 'On holiday' })
    }
    const [{ number, hash }] = (await ledger.entries('alpha', { limit: 1 })) as StoredEntry[] as [StoredEntry]
    const [{ series }] = (await ledger.seriesOf('8676', 'project_vcpu_usage')) as never as [{ series: never }]
    const [stored] = await ledger.stored([series])
    const place = { series, seriesNumber: stored!.number, first: number, last: number, lastHash: hash }
    const what = {
      id: 'r1',
      metric: 'project_vcpu_usage',
      period: { from: T0, to: T0 + HOUR },
      perUnit: { digits: 15n, scale: 1 },
    }
    await ledger.savePreview({ ...what, reason: 'x', actor: 'y', previewedAt: T0, seenEntry: 3 }, [
      { ...place, consumption: { digits: 1n, scale: 0 }, amount: 7n },
    ])
    await ledger.correct(() => ({ entries: [adjustment('fee', 7n)] }))
  }

  /** All that a ledger answers about these groups. */
  async function told(ledger: Ledger): Promise<unknown> {
    const each = groups.map(async (group) => [
      await ledger.group(group),
      await ledger.account(group),
      await ledger.entries(group, { limit: 999 }),
      await ledger.notes(group, 99),
      await ledger.breakdown(group),
      await ledger.muted(group),
      await ledger.consumption(group, [T0 - 1, T0 + 10 * HOUR, T0 + 50 * HOUR]),
    ])
    const all = [
      ledger.summary(),
      ledger.holds({ filter: 'all', limit: 99 }),
      ledger.notices({ limit: 99 }),
      ledger.drifts({ limit: 99 }),
    ]
    return Promise.all([...each, ...all, ledger.repricings(), ledger.tellings([1]), ledger.messageCounts()])
  }

  async function moveToPostgres(options: MoveOptions = {}): Promise<string[]> {
    await using stack = new AsyncDisposableStack()
    const source = openSqliteStore(file)
    stack.defer(() => source.close())
    const target = await openPostgresStore(url)
    stack.defer(() => target.close())
    return await move(source, target, options)
  }

  async function moveBack(path: string, options: MoveOptions = {}): Promise<string[]> {
    await using stack = new AsyncDisposableStack()
    const source = await openPostgresStore(url)
    stack.defer(() => source.close())
    const target = openSqliteTarget(path)
    stack.defer(() => target.close())
    return await move(source, target, options)
  }

  const inFile = async <Result>(path: string, work: (ledger: Ledger) => Promise<Result>) => {
    const ledger = openSqliteLedger(path, { notifyAt })
    return work(ledger).finally(() => ledger.close())
  }
  const inPostgres = async <Result>(work: (ledger: Ledger) => Promise<Result>) => {
    const ledger = await openPostgresLedger(url, { notifyAt })
    return work(ledger).finally(() => ledger.close())
  }

  test('is the same in PostgreSQL, goes on there, and is the same again in a file, which the check finds sound', async () => {
    const before = await inFile(file, told)
    expect(await moveToPostgres({ batch: 7 })).toEqual([])
    expect(await inPostgres(told)).toEqual(before)
    await inPostgres(async (ledger) => {
      for (const group of groups) await follow(ledger, group, [[1_920, '95']])
      await ledger.settle({ group: 'alpha', at: T0, holds: [hold('new', 'alpha')], entries: [adjustment('gift', -1n)] })
      await audit(ledger)
    })
    const after = await inPostgres(told)
    const back = join(folder, 'back.db')
    expect(await moveBack(back, { batch: 7 })).toEqual([])
    expect(existsSync(`${back}.moving`)).toBe(false)
    expect(await run('../../src/verify/main.ts', back)).toMatchObject({ code: 0 })
    expect(await inFile(back, told)).toEqual(after)
  })

  test('that was moved in part is opened by no worker, and its move goes on where it was', async () => {
    const before = await inFile(file, told)
    const copied: string[] = []
    const dies = (table: string, rows: number) => {
      copied.push(`${table} ${rows}`)
      if (table === 'entries' && rows === 9 && copied.length > 15) throw new Error('killed')
    }
    await expect(moveToPostgres({ batch: 9, tell: { copied: dies, checked: () => {} } })).rejects.toThrow('killed')
    await expect(openPostgresLedger(url)).rejects.toThrow(/moved in part only/)
    const done = copied.length
    const tell = { copied: (table: string, rows: number) => copied.push(`${table} ${rows}`), checked: () => {} }
    expect(await moveToPostgres({ batch: 9, tell: tell as never })).toEqual([])
    expect(copied[done]).toMatch(/^entries /)
    expect(await inPostgres(told)).toEqual(before)
  })

  test('that changed meanwhile is moved anew, if that is wanted', async () => {
    const dies = () => {
      throw new Error('killed')
    }
    await expect(moveToPostgres({ tell: { copied: dies, checked: () => {} } })).rejects.toThrow('killed')
    await inFile(file, (ledger) => follow(ledger, 'alpha', [[2_000, '99']]))
    await expect(moveToPostgres()).rejects.toThrow(/has changed since.*--anew/)
    expect(await moveToPostgres({ isAnew: true })).toEqual([])
    expect(await inPostgres(told)).toEqual(await inFile(file, told))
  })

  test('is moved into an empty one only, and while nobody has either open', async () => {
    await inPostgres((ledger) => follow(ledger, 'beta', [[0, '1']]))
    await expect(moveToPostgres()).rejects.toThrow(MoveError)
    const worker = await openPostgresLedger(url)
    await expect(moveToPostgres()).rejects.toThrow(/in use by another worker/)
    await worker.close()
    const other = openSqliteLedger(file)
    await expect(moveToPostgres()).rejects.toThrow(LedgerError)
    await other.close()
    await expect(moveBack(file)).rejects.toThrow(/is not empty/)
    const mover = await openPostgresStore(url)
    await expect(openPostgresLedger(url)).rejects.toThrow(/in use by `os-credits migrate-ledger`/)
    await mover.close()
  })

  test.each([
    ['an amount', 'UPDATE entries SET amount = amount + 1 WHERE number = 5', /entries \["5"\] differs in amount/],
    ['a hash', "UPDATE entries SET hash = 'x' WHERE number = 5", /entries \["5"\] differs in hash/],
    ['a total', "UPDATE groups SET used = used + 1 WHERE name = 'alpha'", /groups \["alpha"\] differs in used/],
    ['a row that is missing', 'DELETE FROM drifts WHERE id = 1', /drifts has 3 rows instead of 4/],
  ])('of which %s did not arrive as it was is no ledger', async (_, damage, problem) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    let isDamaged = false
    const checked = () => {}
    const source = openSqliteStore(file)
    const target = await openPostgresStore(url)
    const damaging = {
      ...target,
      async count(table: never) {
        if (!isDamaged) await client.query(damage)
        isDamaged = true
        return target.count(table)
      },
    }
    const problems = await move(source, damaging, { tell: { copied: () => {}, checked } })
    expect(problems.join('\n')).toMatch(problem)
    await source.close()
    await target.close()
    await client.end()
    await expect(openPostgresLedger(url)).rejects.toThrow(/moved in part only/)
  })

  test.each([
    ['a seal', "UPDATE notes SET seal = 'x' WHERE id = 1", /notes \["1"\] differs in seal/],
    ['an amount and its total', 'UPDATE entries SET amount = amount + 1 WHERE number = 5', /used .*, its entries are/],
  ])('of which %s was wrong before is not moved without a word', async (_, damage, problem) => {
    const db = new DatabaseSync(file)
    db.exec(damage.includes('notes') ? `DROP TRIGGER notes_updated; ${damage}` : damage)
    db.close()
    expect((await moveToPostgres()).join('\n')).toMatch(problem)
  })

  test('is moved by the command, which takes addresses from files and tells no password', async () => {
    const address = new URL(url)
    address.password = 'hunter2'
    writeFileSync(join(folder, 'to'), `${address}\n`)
    const command = ['migrate-ledger', `sqlite:${file}`, `@${join(folder, 'to')}`]
    const moved = await run('../../src/cli/main.ts', ...command)
    expect(moved).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Moved .*credits.db to postgres:\/\/.*compared/),
    })
    expect(moved.err).toMatch(/Copying entries: \d+ rows/)
    expect(moved.out + moved.err).not.toContain('hunter2')
    expect(await run('../../src/cli/main.ts', ...command)).toMatchObject({
      code: 74,
      err: expect.stringContaining('not empty'),
    })
    expect(await run('../../src/move/main.ts', `sqlite:${file}`)).toMatchObject({ code: 64 })
    expect(await run('../../src/move/main.ts', 'sqlite:none.db', 'sqlite:other.db')).toMatchObject({ code: 74 })
  })
})
