/** A ledger in PostgreSQL: its tables, its seals, and a server that is not as it should be. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, suite, test, vi } from 'vitest'
import { LARGEST_TOTAL } from '#src/core/credits.ts'
import { MINUTE } from '#src/core/time.ts'
import { type Ledger, LedgerError } from '#src/ledger/ledger.ts'
import { type Database, openDatabase } from '#src/ledger/postgres/database.ts'
import { openPostgresLedger, type PostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { createNumbers } from '#src/ledger/postgres/numbers.ts'
import { sqlOf } from '#src/ledger/postgres/sql.ts'
import { sealOf } from '#src/ledger/receipts.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { T0 } from '../helpers/billing.ts'
import { deliver, follow } from '../helpers/ledger.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { audit } from './contract/audit.ts'
import { adjustment, hold } from './contract/settling.ts'
import { measuredAt } from './worker.ts'

suite.skipIf(missing !== undefined)('A ledger in PostgreSQL', () => {
  let server: TestServer
  let url: string
  let client: pg.Client
  let ledger: PostgresLedger | undefined
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)
  beforeEach(async () => {
    url = await server.createDatabase()
    client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect()
  })
  afterEach(async () => {
    await ledger?.close()
    ledger = undefined
    await client.end()
  })
  const open = async () => {
    ledger = await openPostgresLedger(url, { notifyAt: [50] })
    return ledger
  }
  const openingFails = async (address = url) => {
    try {
      await (await openPostgresLedger(address)).close()
    } catch (error) {
      return error as Error
    }
    throw new Error('It could be opened')
  }

  test('gets its tables once, whichever of several processes comes first', async () => {
    const script = join(import.meta.dirname, 'opener.ts')
    const openers = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [script, url], { stdio: ['pipe', 'pipe', 'inherit'] }),
    )
    const said = await Promise.all(openers.map(async ({ stdout }) => String((await once(stdout, 'data'))[0])))
    expect(said).toEqual(openers.map(() => 'open\n'))
    for (const opener of openers) opener.stdin.end()
    const codes = await Promise.all(openers.map(async (opener) => (await once(opener, 'exit'))[0]))
    expect(codes).toEqual([0, 0, 0, 0])
    expect((await client.query('SELECT version::int FROM migrations')).rows).toEqual([{ version: 1 }, { version: 2 }])
  })

  test('remembers everything when it is opened again', async () => {
    const first = await open()
    await follow(first, 'alpha', [
      [0, '100'],
      [30, '100.5000001'],
      [45, '90'],
      [50, '90.1'],
    ])
    const state = async (of: Ledger) => [
      await of.group('alpha'),
      await of.entries('alpha', { limit: 9 }),
      await of.summary(),
    ]
    const before = await state(first)
    await first.close()
    const second = await open()
    expect(await state(second)).toEqual(before)
    await follow(second, 'alpha', [[55, '90.15']])
    await audit(second)
  })

  test('watches other lines of grants when it is opened with others', async () => {
    const opening = { group: 'alpha', site: '8676', recordedAt: T0, reason: 'First contact', amount: 0n }
    const first = await open()
    await follow(first, 'alpha', [[0, '0']])
    const contacts = [{ site: '8676', contact: 'active' }] as const
    const entries = [{ ...opening, kind: 'opening', id: 'opening/alpha' }] as const
    await first.settle({ group: 'alpha', at: T0, granted: '10', contacts, entries })
    await first.close()
    ledger = await openPostgresLedger(url, { notifyAt: [30, 60] })
    await follow(ledger, 'alpha', [[30, '7']])
    expect(await ledger.waitingNotices()).toMatchObject([{ group: 'alpha', line: 60, used: 7_000_000n }])
  })

  test('has the same entries, hashes and totals as SQLite for the same story', async () => {
    const others = openSqliteLedger(':memory:', { notifyAt: [50] })
    const stories = [await open(), others].map(async (each) => {
      await tell(each)
      const entries = await Promise.all(
        ['alpha', 'o\u0000dd \ufdd0 🧬'].map((group) => each.entries(group, { limit: 99 })),
      )
      return [
        entries,
        await each.summary(),
        await each.holds({ filter: 'all', limit: 9 }),
        await each.notices({ limit: 9 }),
      ]
    })
    const [here, there] = await Promise.all(stories)
    expect(here).toEqual(there)
    await others.close()
  })

  /** The columns of each seal, as the triggers have them. */
  const sealed: Readonly<Record<string, string>> = {
    groups: 'name, opened, granted, published, published_at, newest_intention, head, next_line',
    accounts: 'group_name, site, contact, retry_at, published_up_to',
    intentions: 'group_name, number, site, used, up_to, at, overtaken',
    notes: 'id, kind, series_id, at, text',
    holds: 'id, key, kind, site, group_name, reason, opened_at, seen_at, closed_at, closed_why',
    days: 'group_name, day, kind, site, metric, entries, amount, consumption',
    series: `site, metric, project_id, project_name, opened_by, at, value, origin, carry, pace, still_since, former_lines,
      open_number, open_window, open_price, open_base, head`,
  }
  test.each(Object.entries(sealed))(
    'seals each row of %s as the program would, whatever its texts',
    async (table, columns) => {
      await tell(await open())
      const rows = await sqlOf(client).all<Record<string, string>>(`SELECT ${columns}, seal FROM ${table}`)
      expect(rows.length).toBeGreaterThan(0)
      for (const { seal, ...facts } of rows) expect(seal).toBe(sealOf(Object.values(facts)))
    },
  )

  /** A story with odd names in which most tables get rows. */
  async function tell(of: Ledger): Promise<void> {
    for (const name of ['alpha', 'o\u0000dd \ufdd0 🧬']) {
      await follow(of, name, [
        [0, '100.000000000000001'],
        [30, '101.25'],
        [90, '103'],
        [150, '90'],
        [180, '91'],
      ])
    }
    const fee = { ...adjustment('fee', 7n), reason: 'Größe 🧬 \u0000' }
    const write = { number: 1, site: '8676', used: 1n, upTo: T0 }
    const contacts = [{ site: '8676', contact: 'active' }] as const
    const opening = {
      kind: 'opening',
      id: 'opening',
      group: 'alpha',
      site: '8676',
      amount: 9n,
      recordedAt: T0,
      reason: '',
    } as const
    await of.settle({
      group: 'alpha',
      at: T0,
      granted: '5',
      contacts,
      entries: [opening, fee],
      intended: [write],
      holds: [hold('🧬', 'alpha')],
    })
    await follow(of, 'alpha', [[240, '95']])
  }

  // Whatever is there adds up, and telling it all again ends where an undisturbed worker ends.
  test.each([1, 6])(
    'loses nothing and charges nothing twice when a worker is killed after %i deliveries',
    async (count) => {
      const script = join(import.meta.dirname, 'worker.ts')
      const worker = spawn(process.execPath, [script, url, 'bill', '200'], { stdio: ['pipe', 'pipe', 'inherit'] })
      let told = 0
      for await (const text of worker.stdout.setEncoding('utf8')) {
        told += String(text).split('\n').length - 1
        if (told >= count) worker.kill('SIGKILL')
      }
      expect(told).toBeLessThan(200)
      const each = await open()
      await audit(each)
      expect((await each.group('project 0'))!.lastReadingAt).toBeGreaterThanOrEqual(T0 + (told - 1) * MINUTE)
      for (let minute = 0; minute < 200; minute += 1) await deliver(each, ...measuredAt(minute))
      await audit(each)
      for (let index = 0; index < 5; index += 1) {
        expect(await each.account(`project ${index}`)).toMatchObject({ used: BigInt(199 * (index + 1)) * 100_000n })
      }
    },
  )

  test('takes a part of a delivery with a handful of statements', async () => {
    const each = await open()
    const part = (minute: number) =>
      Array.from({ length: 2_000 }, (_, index) => ({
        project: `group ${index}`,
        at: T0 + minute * MINUTE,
        value: `${minute}`,
      }))
    const counts: number[] = []
    for (const minute of [0, 30, 40, 90]) {
      const spy = vi.spyOn(pg.Client.prototype, 'query')
      await deliver(each, ...part(minute))
      counts.push(spy.mock.calls.length)
      spy.mockRestore()
    }
    for (const count of counts) expect(count).toBeLessThan(25)
    expect(await each.summary()).toMatchObject({ entries: 4_000, used: 2_000n * 90_000_000n })
  })

  test('numbers entries on from one partition to the next', async () => {
    const first = await open()
    await follow(first, 'alpha', [
      [0, '0'],
      [30, '1'],
    ])
    await client.query("UPDATE counters SET value = 3999998 WHERE name = 'entries'")
    for (let hour = 1; hour < 5; hour += 1) await follow(first, 'alpha', [[hour * 60 + 30, String(hour + 1)]])
    expect((await first.entries('alpha', { limit: 9 })).map(({ number }) => number)).toEqual([
      ...[4_000_002, 4_000_001, 4_000_000, 3_999_999, 1],
    ])
    const { rows } = await client.query("SELECT relname FROM pg_class WHERE relname ~ '^entries_\\d+$' ORDER BY 1")
    expect(rows.map(({ relname }) => relname)).toEqual(['entries_0', 'entries_1', 'entries_2'])
    await audit(first)
  })

  test('makes partitions ahead while a dump reads the entries', async () => {
    await open()
    await client.query('BEGIN')
    await client.query('LOCK TABLE entries IN ACCESS SHARE MODE')
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    try {
      await other.query("SET lock_timeout = '3s'")
      await other.query('SELECT make_partitions(6000000)')
      const { rows } = await other.query("SELECT relname FROM pg_class WHERE relname ~ '^entries_\\d+$' ORDER BY 1")
      expect(rows.map(({ relname }) => relname)).toEqual(['entries_0', 'entries_1', 'entries_2', 'entries_3'])
    } finally {
      await other.end()
      await client.query('ROLLBACK')
    }
  })

  test('makes partitions again that were not committed', async () => {
    await open()
    const database = openDatabase(url)
    try {
      let isCut = true
      const transact: Database['transact'] = (work, mode) =>
        database.transact(async (sql) => {
          const result = await work(sql)
          if (isCut) throw new Error('The connection is cut')
          return result
        }, mode)
      const numbers = createNumbers({ ...database, transact })
      await client.query("UPDATE counters SET value = 2500000 WHERE name = 'entries'")
      await expect(numbers.prepare()).rejects.toThrow('cut')
      isCut = false
      await numbers.prepare()
      const { rows } = await client.query("SELECT to_regclass('entries_2') AS made")
      expect(rows[0].made).toBe('entries_2')
    } finally {
      await database.close()
    }
  })

  test('loses nothing of an amount or an instant', async () => {
    const each = await open()
    await follow(each, 'alpha', [[0, '1']])
    for (const [id, amount] of [
      ['most', LARGEST_TOTAL],
      ['back', -LARGEST_TOTAL + 1n],
    ] as const) {
      await each.settle({
        group: 'alpha',
        at: 8_640_000_000_000_000,
        entries: [{ ...adjustment(id, amount), recordedAt: 8_640_000_000_000_000 }],
      })
    }
    expect(await each.entries('alpha', { limit: 9 })).toMatchObject([
      { amount: -LARGEST_TOTAL + 1n, at: 8_640_000_000_000_000 },
      { amount: LARGEST_TOTAL },
    ])
  })

  suite('is refused', () => {
    test('when a newer program wrote it', async () => {
      await (await openPostgresLedger(url)).close()
      await client.query('INSERT INTO migrations (version) VALUES (99)')
      expect(await openingFails()).toMatchObject({ message: expect.stringMatching(/version 99.*newer/) })
    })

    test('when its server cannot be reached, its database or its user is unknown, without telling the password', async () => {
      const address = new URL(url)
      address.password = 'hunter2'
      const bad = (changes: Partial<URL>) => String(Object.assign(new URL(String(address)), changes))
      for (const [where, why] of [
        [bad({ port: '1' }), 'its server cannot be reached'],
        [bad({ pathname: '/none' }), 'there is no such database'],
        [bad({ username: 'nobody' }), 'the server refuses the login'],
        [bad({ search: '?sslmode=require' }), 'does not support SSL'],
      ] as const) {
        const error = await openingFails(where)
        expect(error).toBeInstanceOf(LedgerError)
        expect(error.message).toContain('cannot be opened: ')
        expect(error.message).toContain(why)
        expect(error.message).toContain(new URL(where).host)
        expect(`${error.message} ${error.stack}`).not.toContain('hunter2')
      }
    })

    test('when names could not be written in it', async () => {
      const name = `latin_${process.pid}_${Date.now()}`
      await client.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`)
      const address = new URL(url)
      address.pathname = `/${name}`
      expect(await openingFails(String(address))).toMatchObject({
        message: expect.stringContaining('encoded in LATIN1'),
      })
      await client.query(`DROP DATABASE ${name}`)
    })
  })

  suite('that is in trouble', () => {
    const cutConnections = () =>
      client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`)

    test('goes on when its connections were cut while nobody used them', async () => {
      const each = await open()
      await follow(each, 'alpha', [[0, '1']])
      await cutConnections()
      await follow(each, 'alpha', [[60, '2']])
      await cutConnections()
      expect(await each.account('alpha')).toMatchObject({ used: 1_000_000n })
    })

    test('reads a snapshot once more when its connection is cut, and not for ever', async () => {
      const database = openDatabase(url)
      const snapshot = (cuts: number) => {
        let times = 0
        return database.transact(async (sql) => {
          times += 1
          if (times <= cuts) await cutConnections()
          return { times, rows: await sql.all('SELECT 1 AS one') }
        }, 'snapshot')
      }
      expect(await snapshot(1)).toEqual({ times: 2, rows: [{ one: 1n }] })
      await expect(snapshot(Number.POSITIVE_INFINITY)).rejects.toThrow(LedgerError)
      await database.close()
    })

    test('goes on when a connection is cut in the moment in which a transaction begins', async () => {
      const { hostname, port } = new URL(url)
      // What the server says between the beginning of a transaction and its end comes all at once.
      const between = createServer((near) => {
        const held: Buffer[] = []
        let isHeld = false
        const far = createConnection(Number(port), hostname)
        near
          .on('error', () => far.destroy())
          .on('data', (data) => {
            isHeld ||= data.includes('BEGIN')
            far.write(data)
          })
        far.on('data', (data: Buffer) => (isHeld ? held.push(data) : near.write(data)))
        far.on('error', () => {}).on('close', () => near.end(Buffer.concat(held)))
      })
      await once(between.listen(0, '127.0.0.1'), 'listening')
      const address = new URL(url)
      address.port = String((between.address() as AddressInfo).port)
      const database = openDatabase(String(address))
      const answer = database.transact((sql) => sql.all('SELECT 1')).catch((error: unknown) => error)
      await vi.waitUntil(async () => {
        const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND state = 'idle in transaction'`
        return (await client.query(cut)).rowCount === 1
      }, 20_000)
      expect(await answer).toBeInstanceOf(LedgerError)
      expect(await database.sql.all('SELECT 1 AS one')).toEqual([{ one: 1n }])
      await database.close()
      between.close()
    })

    test('says so when a connection is cut in the middle, has nothing of it, and takes it again', async () => {
      const each = await open()
      await follow(each, 'alpha', [[0, '1']])
      const cuts: Promise<unknown>[] = []
      const cut = each.correct((facts) => {
        facts.used('alpha')
        cuts.push(cutConnections())
        return { entries: [adjustment('fee', 1n)] }
      })
      await expect(cut).rejects.toThrow(/connection was lost|the server stops/)
      await Promise.all(cuts)
      expect(await each.account('alpha')).toMatchObject({ used: 0n })
      await each.correct(() => ({ entries: [adjustment('fee', 1n)] }))
      expect(await each.account('alpha')).toMatchObject({ used: 1n })
    })

    test.skipIf(process.env.TEST_POSTGRES_URL !== undefined)('says why it cannot be written', async () => {
      const other = await startPostgres()
      const each = await openPostgresLedger(await other.createDatabase())
      expect(await each.check()).toBeUndefined()
      expect(await each.bytes()).toBeGreaterThan(1_000_000)
      await other.stop()
      // What was found is true for 2 s.
      await setTimeout(2_100)
      expect(await each.check()).toMatch(/postgres:.* cannot be used: .*(reached|lost|stops)/)
      await expect(follow(each, 'alpha', [[0, '1']])).rejects.toThrow(LedgerError)
      await each.close()
    })
  })

  test('confirms no commit that is not on the disk, whatever the database says', async () => {
    await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`)
    const each = await open()
    const spy = vi.spyOn(pg.Client.prototype, 'query')
    await follow(each, 'alpha', [[0, '1']])
    const used = spy.mock.contexts.at(-1) as pg.Client
    spy.mockRestore()
    expect((await used.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }])
  })
})
