/** A whole worker before a Perun that comes to a write when it is too late for it. */
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

/** What stands before Perun: a write can be kept there, while the worker is told that the way is broken. */
async function startSlowWay() {
  const perun = await startPerun()
  const kept: (() => Promise<unknown>)[] = []
  const way = { keepsWrites: false }
  const peer = await startPeer(async (request, response) => {
    const body = await text(request)
    const headers = { authorization: request.headers.authorization!, 'content-type': 'application/json' }
    const pass = () => fetch(new URL(request.url!, perun.url), { method: 'POST', headers, body })
    if (way.keepsWrites && request.url!.endsWith('/setAttributes')) {
      way.keepsWrites = false
      kept.push(pass)
      return response.writeHead(502).end('Bad Gateway')
    }
    const answer = await pass()
    return response.writeHead(answer.status).end(await answer.text())
  })
  onTestFinished(async () => {
    await peer[Symbol.asyncDispose]()
    await perun.close()
  })
  return { perun, kept, way, url: `${peer.url}${new URL(perun.url).pathname}` }
}

test('what Perun comes to after a newer value is written over, though nothing grows any more', async () => {
  const { perun, kept, way, url } = await startSlowWay()
  perun.addGroup({ name: 'p', granted: '1000', resources: [1] })
  let value = 100
  const exporter = await startPeer((_, response) =>
    response.end(`project_vcpu_usage{project_id="id",project_name="p",location_id="1"} ${value}\n`),
  )
  onTestFinished(() => exporter[Symbol.asyncDispose]())
  const env = {
    USAGE_EXPORTER_URLS: `${exporter.url}/metrics`,
    OS_CREDITS_SCRAPE_INTERVAL: '30ms',
    OS_CREDITS_SCRAPE_TIMEOUT: '29ms',
  }
  await using worker = await startWorker({ perun: { url, voId: perun.voId }, env })
  const shows = (used: string) => until(`Perun shows ${used}`, () => perun.read('p').used === used)

  await shows('0.00')
  way.keepsWrites = true
  value = 110
  await until('a write is under way', () => kept.length === 1)
  value = 111
  await shows('11.00')
  await kept[0]!()
  expect(perun.read('p').used).toBe('10.00')
  await worker.restart()
  await shows('11.00')
  const counted = async () => (await (await worker.get('/metrics')).text()).split('\n')
  const late = 'os_credits_perun_doubtful_write_seconds_count{outcome="late"} 1'
  await until('that is counted', async () => (await counted()).includes(late))
  expect(worker.log().filter(({ msg }) => `${msg}`.includes('given up'))).toMatchObject([{ level: 'warn', group: 'p' }])
})
