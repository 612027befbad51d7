/** A whole worker whose groups stand still, while people change them in Perun. */
import { expect, onTestFinished, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

async function startQuietWorker() {
  const perun = await startPerun()
  for (const name of ['edited', 'granted', 'emptied', 'moved', 'quiet'])
    perun.addGroup({ name, granted: '1000', resources: [1] })
  const names = perun.readAll().map(({ name }) => name)
  const lines = names.map((name) => `project_vcpu_usage{project_id="id",project_name="${name}",location_id="1"} 100\n`)
  const exporter = await startPeer((_, response) => response.end(lines.join('')))
  onTestFinished(async () => {
    await exporter[Symbol.asyncDispose]()
    await perun.close()
  })
  const env = {
    USAGE_EXPORTER_URLS: `${exporter.url}/metrics`,
    OS_CREDITS_SCRAPE_INTERVAL: '50ms',
    OS_CREDITS_SCRAPE_TIMEOUT: '49ms',
    OS_CREDITS_PERUN_LOOK: '100ms',
    OS_CREDITS_PERUN_MAX_AGE: '0s',
  }
  const worker = await startWorker({ perun, env })
  onTestFinished(() => worker[Symbol.asyncDispose]())
  await until('all are published', () => perun.readAll().every(({ used }) => used === '0.00'))
  const json = async (path: string) => (await (await worker.get(path)).json()) as Record<string, unknown>
  return { perun, json }
}

test('what people change of groups that do not grow is followed, told and held', async () => {
  const { perun, json } = await startQuietWorker()
  const before = perun.writes.length
  perun.edit('edited', { used: '7.5' }, 'erika')
  perun.edit('granted', { granted: '2000' })
  perun.edit('emptied', { used: null })
  perun.unassign('moved', 1)

  await until('the edit is followed', async () => (await json('/api/groups/edited')).used === '7.5')
  await until('the grant is seen', async () => (await json('/api/groups/granted')).granted === '2000')
  const holds = async (name: string) => (await json(`/api/groups/${name}`)).holds as string[]
  await until('what is missing is held', async () => (await holds('emptied')).includes('used credits missing'))
  await until('what is not assigned is held', async () => (await holds('moved')).includes('not assigned'))

  const { drifts } = (await json('/api/drifts')) as { drifts: Record<string, unknown>[] }
  expect(drifts.find(({ group }) => group === 'edited')).toMatchObject({
    ...{ expected: '0', shown: '7.5', modified_by: 'erika', modified_at: expect.any(String) },
  })
  expect(drifts.find(({ group }) => group === 'emptied')).toMatchObject({ expected: '0', shown: null, entry: null })
  expect(drifts).toHaveLength(2)
  expect(perun.read('emptied').used).toBeNull()
  expect(perun.writes.slice(before).map(({ group }) => group)).not.toContain('quiet')
})
