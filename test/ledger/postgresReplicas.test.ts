/** Several workers at one ledger in PostgreSQL: pools of their own stand for them. */
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import { MINUTE } from '#src/core/time.ts'
import { LedgerError, OvertakenError, type StoredHold } from '#src/ledger/ledger.ts'
import { openPostgresLedger, type PostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { chargeBase, chargeHash, NO_HASH } from '#src/ledger/receipts.ts'
import { type Measured, reading, T0 } from '../helpers/billing.ts'
import { chargesOf, deliver, follow } from '../helpers/ledger.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { until } from '../helpers/worker.ts'
import { audit } from './contract/audit.ts'
import { adjustment, hold } from './contract/settling.ts'

suite.skipIf(missing !== undefined)('Several workers at one ledger', () => {
  let server: TestServer
  let url: string
  let workers: PostgresLedger[]
  let clients: pg.Client[]
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)
  beforeEach(async () => {
    url = await server.createDatabase()
    clients = []
    workers = await Promise.all([1, 2, 3].map(() => openPostgresLedger(url, { notifyAt: [50] })))
  })
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.end()))
    await Promise.all(workers.map((worker) => worker.close()))
  })
  const first = () => workers[0]!
  const everybody = <Result>(work: (worker: PostgresLedger, index: number) => Promise<Result>) =>
    Promise.allSettled(workers.map(work))
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    clients.push(client)
    return client
  }
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return (await client.query(text).finally(() => client.end())).rows
  }

  const groups = ['a', 'b', 'c', 'd', 'e', 'f']
  const at = (minute: number, names = groups): Measured[] =>
    names.map((project) => ({ project, at: T0 + minute * MINUTE, value: String(minute) }))

  test('that record the same deliveries charge each of them once', async () => {
    for (let minute = 0; minute <= 600; minute += 40) {
      const results = await everybody((worker, index) =>
        deliver(worker, ...at(minute, index === 1 ? groups.toReversed() : groups)),
      )
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    }
    for (const group of groups) expect(await first().account(group)).toMatchObject({ used: 600_000_000n })
    await audit(first())
  })

  test('that record different readings of one series take turns, and its chain holds', async () => {
    await deliver(first(), ...at(0))
    for (let minute = 1; minute < 300; minute += 30) {
      await everybody((worker, index) => deliver(worker, ...at(minute + index * 9)))
    }
    await audit(first())
    const charges = await chargesOf(first(), 'a')
    let head = NO_HASH
    for (const charge of charges) {
      head = chargeHash(chargeBase(head, charge), charge.to, charge.carryOut)
      expect(charge.hash).toBe(head)
    }
    const numbers = await query('SELECT number::int FROM entries ORDER BY number')
    expect(numbers.map(({ number }) => number)).toEqual(numbers.map((_, index) => index + 1))
  })

  test('that record, settle and correct at the same time leave a ledger that adds up', async () => {
    await deliver(first(), ...at(0))
    for (let round = 1; round < 12; round += 1) {
      await Promise.all([
        deliver(workers[0]!, ...at(round * 25)),
        ...groups.map((group) =>
          workers[1]!.settle({ group, at: T0, entries: [adjustment(`gift ${group} ${round}`, -5n, group)] }),
        ),
        workers[2]!.correct(() => ({
          entries: groups.toReversed().map((group) => adjustment(`fee ${group} ${round}`, 3n, group)),
        })),
      ])
    }
    for (const group of groups) expect(await first().account(group)).toMatchObject({ used: 275_000_000n - 22n })
    await audit(first())
  })

  test('that intend a write of one group at the same time: one of them does', async () => {
    await follow(first(), 'a', [[0, '1']])
    const write = { number: 1, site: '8676', used: 1n, upTo: T0 }
    const results = await everybody((worker) => worker.settle({ group: 'a', at: T0, intended: [write] }))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(OvertakenError)
    }
    expect(await first().account('a')).toMatchObject({ newestIntention: 1, intended: [{ number: 1 }] })
  })

  test('that find the same hold open it once', async () => {
    await deliver(first(), ...at(0, groups.slice(0, 3)))
    const results = await everybody((worker, index) =>
      worker.settle({ group: groups[index]!, at: T0, holds: [hold('site'), hold('other')] }),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    expect((await first().holds({ limit: 9 })).map(({ key }) => key).toSorted()).toEqual(['other', 'site'])
  })

  test('decide about a hold only with all its groups locked, also those that it got meanwhile', async () => {
    await deliver(first(), ...at(0, ['a', 'b']))
    const nothing = { at: T0, changes: [], notes: [], holds: [], released: [], withdrawn: [], heldGrowths: [] }
    const point = (minute: number) => ({ at: T0 + minute * MINUTE, value: decimal(String(minute)) })
    const holdGrowth = (worker: PostgresLedger, project: string) =>
      worker.record([], () => {
        const { series } = reading({ project, at: T0, value: '0' })
        const growth = { holdKey: 'site', series, from: point(0), to: point(9) }
        return { ...nothing, holds: [hold('site')], heldGrowths: [growth] }
      })
    const waiting = async () => (await query('SELECT 1 FROM pg_locks WHERE NOT granted')).length
    await holdGrowth(first(), 'a')
    const [one, other] = [await connect(), await connect()]
    await one.query('BEGIN')
    await one.query('LOCK TABLE held_growths IN SHARE MODE')
    const holding = holdGrowth(workers[2]!, 'b')
    await until('more growth is about to be held', async () => (await waiting()) === 1)
    const decided: string[][] = []
    const [{ id }] = (await first().holds({ limit: 1 })) as [StoredHold]
    const closing = workers[1]!.closeHold(id, 'Looked at.', ({ growths }) => {
      decided.push(growths.map(({ series }) => series.projectName))
      return nothing
    })
    await until('the decision waits for the hold', async () => (await waiting()) === 2)
    await other.query('BEGIN')
    await other.query(`SELECT 1 FROM groups WHERE name = 'b' FOR UPDATE`)
    await one.query('COMMIT')
    await holding
    await until('it waits for the group that came to it', async () => (await waiting()) > 0)
    expect(decided).toEqual([])
    await other.query('COMMIT')
    await closing
    expect(decided).toEqual([['a', 'b']])
  })

  test('that see the same line crossed, or the same notice, tell it once', async () => {
    await follow(first(), 'a', [[0, '0']])
    const notice = { group: 'a', kind: 'runs out', line: 14, granted: '9', used: 1n, at: T0 } as const
    const results = await everybody((worker) => worker.notice(notice))
    expect(results.filter((result) => result.status === 'fulfilled' && result.value)).toHaveLength(1)
  })

  test('are told where there is no ledger any more', async () => {
    await follow(first(), 'a', [[0, '0']])
    await first().close()
    await expect(first().claim('http://exporter/metrics')).rejects.toThrow(LedgerError)
  })

  suite('a target', () => {
    test('is claimed by one of them, until it lets go', async () => {
      const claims = await Promise.all(workers.map((worker) => worker.claim('http://exporter/metrics')))
      const held = claims.filter((claim) => claim !== undefined)
      expect(held).toHaveLength(1)
      expect(held[0]!.lost.aborted).toBe(false)
      const other = workers.find((_, index) => claims[index] === undefined)!
      expect(await other.claim('http://other/metrics')).toBeDefined()
      expect(await other.claim('http://exporter/metrics')).toBeUndefined()
      await held[0]!.release()
      expect(await other.claim('http://exporter/metrics')).toBeDefined()
    })

    test('is not claimed twice by the same one', async () => {
      expect(await first().claim('x')).toBeDefined()
      expect(await first().claim('x')).toBeUndefined()
    })

    test('is free when the worker that claimed it closes', async () => {
      await first().claim('x')
      await first().close()
      expect(await workers[1]!.claim('x')).toBeDefined()
    })

    test('is lost with the connection, which is told, and claimed anew by whoever comes first', async () => {
      const claim = (await first().claim('x'))!
      await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`)
      await until('the claim is lost', () => claim.lost.aborted)
      // Nobody else has the ledger for himself a moment later.
      const isPresent = async () =>
        (await query('SELECT 1 FROM pg_locks WHERE mode = $$ShareLock$$ AND locktype = $$advisory$$')).length
      await until('all are back', async () => (await isPresent()) === workers.length)
      const again = await workers[1]!.claim('x')
      expect(again).toBeDefined()
      expect(await first().claim('x')).toBeUndefined()
      await claim.release()
      expect(again!.lost.aborted).toBe(false)
    })
  })
})
