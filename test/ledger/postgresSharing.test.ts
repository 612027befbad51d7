/** Workers that share a ledger in PostgreSQL: who is there, who does what, and what becomes of one that is gone. */
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, suite, test } from 'vitest'
import { MINUTE } from '#src/core/time.ts'
import { openPostgresLedger, type PostgresLedger } from '#src/ledger/postgres/ledger.ts'
import type { Replica } from '#src/ledger/replicas.ts'
import { T0 } from '../helpers/billing.ts'
import { deliver } from '../helpers/ledger.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { until } from '../helpers/worker.ts'

const lease = 2_000
const lingers = 300

suite.skipIf(missing !== undefined)('Workers that share a ledger', () => {
  let server: TestServer
  let url: string
  let open: PostgresLedger[]
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)
  beforeEach(async () => {
    url = await server.createDatabase()
    open = []
  })
  afterEach(async () => {
    await Promise.all(open.map((worker) => worker.close()))
  })

  async function join(name: string, options = {}): Promise<PostgresLedger & { sharing: object }> {
    const ledger = await openPostgresLedger(url, { replica: { name, version: '1', lease, lingers, ...options } })
    open.push(ledger)
    return ledger as PostgresLedger & { sharing: object }
  }
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return (await client.query(text).finally(() => client.end())).rows
  }
  const list = (worker: PostgresLedger, names: string[] = []) => worker.sharing!.replicas.list(names)
  const brief = (replicas: Replica[]) =>
    replicas.map(({ name, state, isSelf }) => `${name} ${state}${isSelf ? ' *' : ''}`)
  /** Cuts the connection by which a worker is there; the process goes on. */
  const cut = (id: number) =>
    query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = ${id} AND objsubid = 2
      AND classid = ${0x6f_73_63_07} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
  const idOf = async (worker: PostgresLedger) => (await list(worker)).find(({ isSelf }) => isSelf)!.id

  test('know each other, and what each has claimed', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await a.claim('http://one/')
    await b.claim('http://two/')
    expect(brief(await list(a))).toEqual(['a working *', 'b working'])
    expect(brief(await list(b))).toEqual(['a working', 'b working *'])
    const claims = (await list(a, ['http://one/', 'http://two/', 'http://three/'])).map(({ claims }) => claims)
    expect(claims).toEqual([['http://one/'], ['http://two/']])
    await b.close()
    expect(brief(await list(a))).toEqual(['a working *'])
    expect(await a.sharing!.work.isAlone()).toBe(true)
  })

  test('that are many begin at the same time in an empty database', async () => {
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => join(name)))
    expect(await list(open[0]!)).toHaveLength(5)
  })

  test('do the work of each group one after another, and what is asked for meanwhile once more', async () => {
    const workers = [await join('a'), await join('b'), await join('c')]
    const groups = Array.from({ length: 60 }, (_, index) => `group ${index}`)
    const done: string[] = []
    const busy = new Set<string>()
    const overlaps: string[] = []
    for (const [index, worker] of workers.entries()) {
      worker.sharing!.work.begin(4, async (group) => {
        if (busy.has(group)) overlaps.push(group)
        busy.add(group)
        await new Promise((resolve) => setTimeout(resolve, 5))
        busy.delete(group)
        done.push(`${index} ${group}`)
      })
    }
    for (const worker of workers) await worker.sharing!.work.request(groups)
    await until('all groups are done', () => groups.every((group) => done.some((each) => each.endsWith(` ${group}`))))
    expect(overlaps).toEqual([])
    expect(new Set(done.map((each) => each[0])).size).toBe(3)
    // Folded while they waited.
    expect(done.length).toBeLessThan(3 * groups.length)
  })

  test('do work that readings ask for in their transaction, whoever recorded them', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const done: string[] = []
    b.sharing!.work.begin(2, async (group) => void done.push(group))
    const names = ['plain', 'with \u{fdd0} and \0', 'Grüße, "quoted" \\ 日本']
    await deliver(a, ...names.map((project) => ({ project, at: T0, value: '1' })))
    await until('three groups are done', () => done.length >= 3)
    expect(new Set(done)).toEqual(new Set(names))
    await deliver(a, { project: 'plain', at: T0 + MINUTE, value: '2' })
    await until('the fourth is done', () => done.length >= 4)
    expect(done.at(-1)).toBe('plain')
  })

  test('tell whoever does it that a group is to be looked at, also if it was asked for before', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await a.sharing!.work.request(['p', 'q'])
    await a.sharing!.work.request(['p'], true)
    await a.sharing!.work.request(['p', 'q'])
    const done: string[] = []
    b.sharing!.work.begin(2, async (group, look) => void done.push(`${group} ${look}`))
    await until('both are done', () => done.length >= 2)
    expect(done.toSorted()).toEqual(['p true', 'q false'])
  })

  test('take over what one had begun that is gone, once nothing of it can go on', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const { promise: never, resolve: end } = Promise.withResolvers<void>()
    const begun: string[] = []
    a.sharing!.work.begin(1, (group) => {
      begun.push(`a ${group}`)
      return never
    })
    await a.sharing!.work.request(['stuck'])
    await until('the work is begun', () => begun.length === 1)
    b.sharing!.work.begin(1, async (group) => void begun.push(`b ${group}`))
    const id = await idOf(a)
    expect((await b.sharing!.replicas.list([], { withWork: true })).map(({ publishing }) => publishing)).toEqual([
      ['stuck'],
      [],
    ])
    await cut(id)
    await until('one is gone', async () => (await list(b)).some(({ state }) => state === 'gone'))
    expect(a.sharing!.replicas.isMember()).toBe(false)
    await until('the other one does it', () => begun.includes('b stuck'))
    expect(await query(`SELECT id FROM replicas WHERE id = ${id}`)).toEqual([])
    end()
    // It comes back under another number, when what it was at has ended.
    await until('it is back', async () => brief(await list(a)).includes('a working *'))
    expect(await idOf(a)).not.toBe(id)
  })

  test('tell when it was recorded what Perun shows, by the clock of the database', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await deliver(a, { project: 'p', at: T0, value: '1' })
    expect((await b.account('p'))?.publishedAgo).toBeUndefined()
    await a.settle({ group: 'p', at: T0, published: { used: 0n, sites: [] } })
    await query("UPDATE groups SET settled_at = settled_at - interval '1 hour'")
    const { publishedAgo } = (await b.account('p'))!
    expect(publishedAgo).toBeGreaterThanOrEqual(3_600_000)
    expect(publishedAgo).toBeLessThan(3_700_000)
  })

  test('take over the work of one that lost its connection only when its lease is over too: it may not know yet', async () => {
    const [a] = [await join('a', { lease: 60_000 }), await join('b')]
    const id = await idOf(a)
    await cut(id)
    const row = () => query(`SELECT id FROM replicas WHERE id = ${id} AND gone_at IS NOT NULL`)
    await until('one is gone', async () => (await row()).length === 1)
    await query(`UPDATE replicas SET gone_at = gone_at - lingers WHERE id = ${id}`)
    await new Promise((resolve) => setTimeout(resolve, 2 * lease))
    expect(await row()).toHaveLength(1)
    await query(`UPDATE replicas SET seen_at = seen_at - lease WHERE id = ${id}`)
    await until('it is forgotten', async () => (await row()).length === 0)
  })

  test('refuse the settlement of one that they took for dead, and the last look before it writes', async () => {
    const a = await join('a')
    await deliver(a, { project: 'p', at: T0, value: '1' })
    await a.settle({ group: 'p', at: T0, granted: '10' })
    await a.settle({ group: 'p', at: T0, intended: [{ number: 1, site: '8676', used: 1n, upTo: T0 }] })
    expect(await a.newestIntention('p')).toBe(1)
    await query('UPDATE replicas SET gone_at = clock_timestamp()')
    await expect(a.newestIntention('p')).rejects.toThrow('could not be heard for a while')
    await expect(a.settle({ group: 'p', at: T0, granted: '20' })).rejects.toThrow('could not be heard for a while')
    await until('it is back', async () => brief(await list(a)).includes('a working *'))
    await a.settle({ group: 'p', at: T0, granted: '30' })
    expect((await a.group('p'))?.granted).toBe('30')
  })

  test('take one for dead that renews its lease no more, and hang up on it', async () => {
    const [a, b] = [await join('a', { lease: 60_000 }), await join('b')]
    const claim = await a.claim('http://one/')
    expect(await b.claim('http://one/')).toBeUndefined()
    await query(`UPDATE replicas SET seen_at = clock_timestamp() - interval '2 minutes' WHERE name = 'a'`)
    await until('the claim is free', async () => (await b.claim('http://one/')) !== undefined)
    await until('the former holder knows', () => claim!.lost.aborted)
    await until('the other one is back', async () => brief(await list(b)).includes('a working'))
  })

  test('that cannot join leave no connection behind, and join when they can', async () => {
    const a = await join('a')
    const present = async () =>
      (
        await query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = ${0x6f_73_63_05} AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
      ).length
    // As with a full disk: what writes fails, and its connection stays.
    await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`)
    await query('CREATE TRIGGER refusing BEFORE INSERT OR UPDATE ON replicas EXECUTE FUNCTION refuse()')
    // Until then it hangs up itself on what it began before.
    const isOver = async () =>
      (await query('SELECT 1 FROM replicas WHERE seen_at + lease < clock_timestamp()')).length > 0
    await until('its lease is over', isOver)
    for (let times = 1; times <= 3; times += 1) await expect(a.claim('http://one/')).rejects.toThrow('disk is full')
    await until('nobody is present', async () => (await present()) === 0)
    await query('DROP TRIGGER refusing ON replicas')
    await until('it is back', () => a.sharing!.replicas.isMember())
    expect(await present()).toBe(1)
    expect(await a.claim('http://one/')).toBeDefined()
  })

  test('end the transactions of one that sleeps, which would keep them from its groups, and from taking it for dead', async () => {
    const [a, b] = [await join('a', { lease: 60_000 }), await join('b')]
    const claim = await a.claim('http://one/')
    const [{ session }] = (await query(`SELECT session FROM replicas WHERE name = 'a'`)) as [{ session: string }]
    const sleeper = new pg.Client({ connectionString: url, application_name: session })
    const ended = new Promise((resolve) => sleeper.on('error', resolve))
    await sleeper.connect()
    await sleeper.query('BEGIN')
    await sleeper.query(`SELECT 1 FROM replicas WHERE name = 'a' FOR KEY SHARE`)
    await query(`UPDATE replicas SET seen_at = clock_timestamp() - lease + interval '500 ms' WHERE name = 'a'`)
    await ended
    await until('the claim is free', async () => (await b.claim('http://one/')) !== undefined)
    await until('the former holder knows', () => claim!.lost.aborted)
  })

  test('take one for dead also where its transactions cannot be ended, and tell of that', async () => {
    const troubles: string[] = []
    const b = await join('b', { onTrouble: (message: string) => troubles.push(message) })
    const a = await join('a', { lease: 60_000 })
    await a.claim('http://one/')
    await query(`CREATE FUNCTION pg_terminate_backend(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'must be a superuser to terminate' USING ERRCODE = '42501'; END $$`)
    await query(`UPDATE replicas SET seen_at = clock_timestamp() - lease + interval '500 ms' WHERE name = 'a'`)
    await until('the claim is free', async () => (await b.claim('http://one/')) !== undefined)
    expect(troubles.join()).toContain('the user lacks a right')
  })

  test('keep their place while one of their settlements waits for a group', async () => {
    const a = await join('a')
    await join('b')
    await deliver(a, { project: 'one', at: T0, value: '1' })
    const [{ id }] = (await query(`SELECT id FROM replicas WHERE name = 'a'`)) as [{ id: number }]
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    await other.query('BEGIN')
    await other.query(`SELECT 1 FROM groups WHERE name = 'one' FOR UPDATE`)
    const settled = a.settle({ group: 'one', at: T0, granted: '10' })
    await new Promise((resolve) => setTimeout(resolve, 2.5 * lease))
    expect(await query('SELECT id FROM replicas WHERE gone_at IS NULL ORDER BY id')).toContainEqual({ id })
    expect(a.sharing!.replicas.isMember()).toBe(true)
    await other.query('ROLLBACK')
    await settled
    await other.end()
  })

  test('go on with what was asked for while nobody worked', async () => {
    const a = await join('a')
    await a.sharing!.work.request(['one', 'two'])
    await until('both are counted', () => a.sharing!.work.waiting === 2)
    const done: string[] = []
    const work = async (group: string) => void done.push(group)
    a.sharing!.work.begin(2, work)
    await until('both are done', () => done.length === 2)
    await a.sharing!.work.pause()
    await a.sharing!.work.request(['three'])
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(done).not.toContain('three')
    a.sharing!.work.begin(2, work)
    await until('the third is done', () => done.includes('three'))
  })
})
