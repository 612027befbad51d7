/** What a killed worker answered as taken is there, and what it did not answer may be pushed again. */
import { expect, test } from 'vitest'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { remoteWriteHeaders, snappy, usage, version1 } from '../helpers/pushes.ts'
import { runWorker, temporaryFolder, workerSettings } from './processes.ts'

test('A push that was answered is durable, when the worker is killed at once', async () => {
  const folder = temporaryFolder()
  const { USAGE_EXPORTER_URLS: _, ...settings } = workerSettings(folder, '')
  const env = { ...settings, API_WRITER_KEY: 'writer-key' }
  const begin = Date.now() - 100_000
  let answered = 0
  for (let run = 0; run < 3; run += 1) {
    const worker = runWorker(env)
    const url = await worker.url()
    const push = async (count: number) => {
      const body = new Uint8Array(snappy(version1([usage('BioVis', [[begin + count * 1_000, 100 + count]])])))
      const headers = { ...remoteWriteHeaders, 'X-API-KEY': 'writer-key' }
      const { status } = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body })
      expect(status).toBe(204)
      answered = count
    }
    for (let count = answered; count <= run * 10 + 10; count += 1) await push(count)
    // One more is under way.
    void push(answered + 1).catch(() => undefined)
    worker.signal('SIGKILL')
    await worker.ended()
  }
  const ledger = openSqliteLedger(`${folder}/credits.db`)
  const used = (await ledger.account('BioVis'))?.used ?? 0n
  await ledger.close()
  expect([answered, answered + 1].map((count) => BigInt(count) * 1_000_000n)).toContain(used)
}, 60_000)
