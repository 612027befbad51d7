/** Programs that work on a ledger by themselves, when that is in PostgreSQL. */
import { afterAll, beforeAll, expect, onTestFinished, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { formatInstant, HOUR, MINUTE } from '#src/core/time.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { oldSample, servePrometheus } from '../helpers/oldPrometheus.ts'
import { missing, startPostgres, type TestServer } from '../helpers/postgres.ts'
import { typed } from './typed.ts'

const NOW = Date.now()
const samples = Array.from({ length: 60 }, (_, index) =>
  oldSample('steady', NOW - HOUR + index * MINUTE, String(100 + index)),
)

suite.skipIf(missing !== undefined)('a backfill of a ledger in PostgreSQL', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop(), 120_000)

  async function setUp() {
    const prometheus = await servePrometheus(samples)
    onTestFinished(() => prometheus[Symbol.asyncDispose]())
    const url = await server.createDatabase()
    const env = { OS_CREDITS_LEDGER: url, PROMETHEUS_URL: prometheus.url, OS_CREDITS_SMALL_SITES: 'charge' }
    return { url, env, words: ['backfill', '--from', formatInstant(NOW - 2 * HOUR)] }
  }

  test('charges what was missed, once', async () => {
    const { url, env, words } = await setUp()
    const first = await typed([...words, '--json'], env)
    expect(JSON.parse(first.stdout)).toMatchObject({ groups: [{ group: 'steady', before: '0', after: '59' }] })
    const again = await typed([...words, '--json', '--ledger', url], { ...env, OS_CREDITS_LEDGER: 'sqlite:none.db' })
    expect(JSON.parse(again.stdout)).toMatchObject({ groups: [] })
    const ledger = await openPostgresLedger(url)
    expect(formatCredits((await ledger.group('steady'))!.used)).toBe('59')
    await ledger.close()
  })

  test('waits for no worker: one that has it open is to be stopped first', async () => {
    const { url, env, words } = await setUp()
    const worker = await openPostgresLedger(url)
    const { code, stderr } = await typed(words, env)
    expect({ code, stderr }).toMatchObject({ code: 74, stderr: expect.stringContaining('Stop the worker first.') })
    await worker.close()
  })

  test('has no dry run', async () => {
    const { env, words } = await setUp()
    const { code, stderr } = await typed([...words, '--dry-run'], env)
    expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining('There is no dry run') })
  })
})

const url = 'postgres://ann:hunter2@db/credits'

test.each([
  [['verify', url], 'migrate-ledger'],
  [['replay', '--ledger', url, 'package.json'], 'name a new one'],
])('%j says that it is about files, without the password', async (words, message) => {
  const { code, stderr } = await typed(words)
  expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining(message) })
  expect(stderr).not.toContain('hunter2')
})
