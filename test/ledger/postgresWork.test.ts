/** The queue of work in PostgreSQL when something goes wrong with it: no group is left, and none is at two workers. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, suite, test } from 'vitest'
import { openDatabase } from '#src/ledger/postgres/database.ts'
import { openPostgresLedger, type PostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { locks } from '#src/ledger/postgres/locks.ts'
import { createWork } from '#src/ledger/postgres/work.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { until } from '../helpers/worker.ts'

suite.skipIf(missing !== undefined)('The queue of work', () => {
  let server: TestServer
  let url: string
  let ends: (() => Promise<unknown>)[]
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)
  beforeEach(async () => {
    url = await server.createDatabase()
    ends = []
  })
  afterEach(async () => {
    for (const end of ends.toReversed()) await end()
  })

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect()
    ends.push(() => client.end())
    return client
  }
  async function query(text: string) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return (await client.query(text).finally(() => client.end())).rows
  }
  async function join(name: string, options = {}): Promise<PostgresLedger> {
    const replica = { name, version: '1', lease: 60_000, lingers: 300, ...options }
    const ledger = await openPostgresLedger(url, { replica })
    ends.push(() => ledger.close())
    return ledger
  }
  /** Cuts the connection by which a worker is there; the process goes on. */
  const cut = (name: string) =>
    query(`SELECT pg_terminate_backend(pid) FROM pg_locks JOIN replicas ON objid = replicas.id
      WHERE name = '${name}' AND locktype = 'advisory' AND objsubid = 2 AND classid = ${locks.replica}
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
  const locked = () => query('SELECT queue_name FROM graphile_worker._private_job_queues WHERE locked_by IS NOT NULL')
  const jobs = () => query('SELECT id FROM graphile_worker._private_jobs')

  test('goes on with a group although it could not be told once that it was done', async () => {
    const troubles: string[] = []
    const a = await join('a', { onTrouble: (message: string) => void troubles.push(message) })
    await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '40P01'; END $$`)
    await query(`CREATE TRIGGER refuses BEFORE DELETE ON graphile_worker._private_jobs
      FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
    const done: string[] = []
    a.sharing!.work.begin(2, async (group) => void done.push(group))
    await a.sharing!.work.request(['p'])
    await until('it is refused', () => troubles.some((each) => each.includes('in the way')))
    await query('DROP TRIGGER refuses ON graphile_worker._private_jobs')
    const before = done.length
    await a.sharing!.work.request(['p'])
    await until('it is done again', () => done.length > before, 20_000)
    await until('nothing is left', async () => (await jobs()).length + (await locked()).length === 0, 20_000)
    // Only what is taken now has a name.
    expect((await query('SELECT cardinality(pools) AS names FROM replicas'))[0].names).toBe(1)
  })

  test.each([2, 5])(
    'goes on although it could not be told of one group while %i others were under way',
    async (others) => {
      const troubles: string[] = []
      const a = await join('a', { onTrouble: (message: string) => void troubles.push(message) })
      const names = Array.from({ length: others + 1 }, (_, index) => `p${index}`)
      const ends = new Map(names.map((name) => [name, Promise.withResolvers<void>()]))
      const begun: string[] = []
      a.sharing!.work.begin(8, (group) => {
        begun.push(group)
        return ends.get(group)?.promise ?? Promise.resolve()
      })
      await a.sharing!.work.request(names)
      await until('all are begun', () => begun.length === names.length)
      await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'not now'; END $$`)
      await query(`CREATE TRIGGER refuses BEFORE DELETE ON graphile_worker._private_jobs
      FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
      ends.get('p0')!.resolve()
      await until('it is refused', () => troubles.some((each) => each.includes('not now')))
      await query('DROP TRIGGER refuses ON graphile_worker._private_jobs')
      for (const name of names.slice(1)) {
        ends.get(name)!.resolve()
        await sleep(100)
      }
      await a.sharing!.work.request(['later'])
      await until('what is asked for later is done', () => begun.includes('later'), 20_000)
      await until('nothing is left', async () => (await jobs()).length + (await locked()).length === 0, 20_000)
    },
  )

  test('is told of a group once more when others were in the way', async () => {
    const troubles: string[] = []
    const a = await join('a', { onTrouble: (message: string) => void troubles.push(message) })
    await query('CREATE SEQUENCE tries')
    await query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF nextval('tries') < 3 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40P01'; END IF; RETURN NULL; END $$`)
    await query(`CREATE TRIGGER refuses BEFORE DELETE ON graphile_worker._private_jobs
      FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
    const done: string[] = []
    a.sharing!.work.begin(2, async (group) => void done.push(group))
    await a.sharing!.work.request(['p'])
    await until('nothing is left', async () => (await jobs()).length + (await locked()).length === 0, 20_000)
    expect([done, troubles]).toEqual([['p'], []])
    expect((await query('SELECT last_value FROM tries'))[0].last_value).toBe('3')
  })

  test('is begun as soon as its worker is a member again whose lease only seemed to be over', async () => {
    const database = openDatabase(url)
    ends.push(() => database.close())
    await join('a')
    let isMember = false
    const nothing = { register: async () => {}, unregister: async () => {}, isAlone: async () => true }
    const work = createWork(database, { ...nothing, isMember: () => isMember })
    ends.push(() => work.close())
    const done: string[] = []
    work.begin(1, async (group) => void done.push(group))
    await work.request(['p'])
    await sleep(1_500)
    expect(done).toEqual([])
    isMember = true
    await until('it is done', () => done.length === 1, 20_000)
  })

  test('is not taken from by somebody whose name for it could not be made known', async () => {
    const first = openDatabase(url)
    ends.push(() => first.close())
    await join('a')
    let times = 0
    const register = async () => {
      times += 1
      if (times === 1) throw new Error('too many connections')
    }
    const nobody = { unregister: async () => {}, isAlone: async () => true, isMember: () => true }
    const troubles: string[] = []
    const work = createWork(first, { ...nobody, register, onTrouble: (message) => void troubles.push(message) })
    ends.push(() => work.close())
    await work.request(['p', 'q'])
    const done: string[] = []
    work.begin(2, async (group) => void done.push(group))
    await until('both are done', () => done.length === 2, 20_000)
    await until('nothing is left', async () => (await jobs()).length === 0)
    expect(times).toBe(2)
    expect(troubles).toEqual(['Error: too many connections'])
  })

  test('keeps a group for its heir when the worker that had it ends with it late', async () => {
    // Who is cut off may trust in its lease as long as it lasts.
    const [a, b] = [await join('a', { lease: 4_000 }), await join('b', { lease: 4_000 })]
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    ends.push(async () => void [first.resolve(), second.resolve()])
    const said: string[] = []
    a.sharing!.work.begin(1, (group) => {
      said.push(`a ${group}`)
      return first.promise
    })
    await a.sharing!.work.request(['p'])
    await until('it is begun', () => said.includes('a p'))
    await cut('a')
    b.sharing!.work.begin(1, (group) => {
      said.push(`b ${group}`)
      return second.promise
    })
    await until('the heir has begun', () => said.includes('b p'), 20_000)
    first.resolve()
    // It joins them again once it has ended what it was at.
    await until('it is back', () => a.sharing!.replicas.isMember(), 20_000)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await jobs()).toHaveLength(1)
    second.resolve()
    await until('nothing is left', async () => (await jobs()).length + (await locked()).length === 0, 20_000)
  })

  test('frees what is locked for a job that is no more', async () => {
    const a = await join('a', { lease: 1_000 })
    a.sharing!.work.begin(1, async () => {})
    await until('it has a name', async () => (await query('SELECT pools[1] FROM replicas'))[0].pools !== null)
    await query(`UPDATE graphile_worker._private_job_queues SET locked_by = pools[1], locked_at = now() - interval '1 hour'
      FROM replicas WHERE queue_name = 'publish/7'`)
    await query(
      `UPDATE graphile_worker._private_job_queues SET locked_by = 'gone', locked_at = now() WHERE queue_name = 'publish/8'`,
    )
    const names = async () => (await locked()).map(({ queue_name }) => queue_name)
    await until('it is free', async () => !(await names()).includes('publish/7'), 20_000)
    expect(await names()).toEqual(['publish/8'])
  })

  test('has a group done once more that is asked for in the moment in which it is taken', async () => {
    const a = await join('a')
    await a.sharing!.work.request(['p', 'q'])
    const other = await connect()
    await other.query('BEGIN')
    await other.query(`UPDATE graphile_worker._private_jobs SET attempts = 1, locked_by = 'other', locked_at = now()`)
    const asked = a.sharing!.work.request(['p', 'q'])
    await until('it waits', async () => (await query('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0)
    await other.query('COMMIT')
    await asked
    expect(await query('SELECT 1 FROM graphile_worker._private_jobs WHERE is_available')).toHaveLength(2)
  })
  test('leaves the exit code of the worker alone when its tables are changed by a newer one', async () => {
    const troubles: string[] = []
    const a = await join('a', { onTrouble: (message: string) => void troubles.push(message) })
    const done: string[] = []
    a.sharing!.work.begin(1, async (group) => void done.push(group))
    await a.sharing!.work.request(['p'])
    await until('it is done', () => done.length === 1)
    await query(`NOTIFY "worker:migrate", '{"migrationNumber":99,"breaking":true}'`)
    await until('it is told', () => troubles.some((each) => each.includes('breaking migration')))
    await a.sharing!.work.request(['p'])
    await until('it goes on', () => done.length === 2)
    expect(process.exitCode).toBeUndefined()
  })
})
