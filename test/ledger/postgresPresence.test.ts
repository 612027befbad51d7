/** A worker whose server vanished: nothing comes back, and no connection ends. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { openDatabase } from '#src/ledger/postgres/database.ts'
import { createEnginePool } from '#src/ledger/postgres/enginePool.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { createPresence } from '#src/ledger/postgres/presence.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'

/** A way to a server that may vanish: what is sent then is swallowed, and neither side hears of an end. */
async function openWay(url: string) {
  const to = new URL(url)
  const sockets: Socket[] = []
  let isGone = false
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: to.hostname, port: Number(to.port), allowHalfOpen: true })
    sockets.push(near, far)
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (data) => isGone || other.write(data))
      from.on('end', () => isGone || other.end())
      from.on('error', () => {})
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way = new URL(url)
  way.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: way.href,
    vanish() {
      isGone = true
    },
    /** What was swallowed stays lost. */
    comeBack() {
      isGone = false
    },
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

suite.skipIf(missing !== undefined)('Where a server vanished', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)

  test('a worker that ends does not wait for it', async () => {
    const url = await server.createDatabase()
    await (await openPostgresLedger(url)).close()
    const way = await openWay(url)
    const database = openDatabase(way.url)
    const membership = { name: 'a', version: '1', lease: 60_000, lingers: 0 }
    const presence = createPresence(database, { membership })
    await presence.begin('shared')
    await database.sql.all('SELECT 1')
    expect(presence.isMember()).toBe(true)
    way.vanish()
    await presence.end()
    await database.close()
    expect(presence.isMember()).toBe(false)
    way.close()
  })

  test('a statement is given up, and nothing waits behind it on its connection', async () => {
    const way = await openWay(await server.createDatabase())
    const database = openDatabase(way.url, { patience: 300 })
    const one = 'SELECT 1 AS one'
    const isGivenUp = async (asking: Promise<unknown>) => {
      await expect(asking).rejects.toMatchObject({
        name: 'LedgerError',
        message: expect.stringContaining('the connection was lost (Query read timeout)'),
      })
      way.comeBack()
    }
    expect(await database.sql.all(one)).toEqual([{ one: 1n }])
    way.vanish()
    await isGivenUp(database.sql.all(one))
    await isGivenUp(
      database.transact(async (sql) => {
        way.vanish()
        return sql.all(one)
      }),
    )
    expect(await database.transact((sql) => sql.all(one))).toEqual([{ one: 1n }])
    const connections = createEnginePool(database.pool(1, one))
    connections.open()
    const client = await connections.pool.connect()
    way.vanish()
    await expect(client.query(one)).rejects.toThrow('Query read timeout')
    client.release()
    way.comeBack()
    const next = await connections.pool.connect()
    expect((await next.query(one)).rows).toEqual([{ one: 1 }])
    next.release()
    await connections.pool.end()
    await database.close()
    way.close()
  })
})
