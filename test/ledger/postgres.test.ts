import { afterAll, beforeAll, suite } from 'vitest'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { ledgerContract } from './contract.ts'

suite.skipIf(missing !== undefined)('in PostgreSQL:', () => {
  let server: TestServer
  let template: string
  beforeAll(async () => {
    server = await startPostgres()
    template = await server.createDatabase()
    await (await openPostgresLedger(template, { notifyAt: [50, 80, 100] })).close()
  })
  afterAll(() => server.stop(), 120_000)

  ledgerContract('the PostgreSQL ledger', async () =>
    openPostgresLedger(await server.createDatabase(template), { notifyAt: [50, 80, 100] }),
  )
})
