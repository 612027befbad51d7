import { afterAll, beforeAll, suite } from 'vitest'
import type { PostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { emptyLedgers } from '../helpers/emptyLedgers.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { ledgerContract } from './contract.ts'

suite.skipIf(missing !== undefined)('in PostgreSQL:', () => {
  let server: TestServer
  let open: () => Promise<PostgresLedger>
  beforeAll(async () => {
    server = await startPostgres()
    open = emptyLedgers(server, { notifyAt: [50, 80, 100] })
  })
  afterAll(() => server.stop(), 120_000)

  ledgerContract('the PostgreSQL ledger', () => open())
})
