import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { MINUTE, SECOND } from '#src/core/time.ts'
import { type PerunSimulator, startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { createPerunPublisher } from '#src/publish/perun/publisher.ts'
import { createPerunRpc } from '#src/publish/perun/rpc.ts'
import { recorder, silent, T0, testClock } from '../../helpers/billing.ts'
import { startPeer } from '../../helpers/peer.ts'

const names = {
  used: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
  granted: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
  timestamps: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
}

/** What stands before a Perun whose database has trouble with one site only. */
async function startTroubleAt(site: number, perun: PerunSimulator) {
  const trouble = '{"errorId":"1a","type":"InternalErrorException","message":"SQLException"}'
  const peer = await startPeer(async (request, response) => {
    const body = await text(request)
    const isWrite = request.url!.endsWith('/setAttributes')
    if (isWrite && (JSON.parse(body) as { resource: number }).resource === site)
      return response.writeHead(400, { 'content-type': 'application/json' }).end(trouble)
    const headers = { authorization: request.headers.authorization!, 'content-type': 'application/json' }
    const answer = await fetch(new URL(request.url!, perun.url), { method: 'POST', headers, body })
    return response.writeHead(answer.status).end(await answer.text())
  })
  onTestFinished(() => peer[Symbol.asyncDispose]())
  return `${peer.url}${new URL(perun.url).pathname}`
}

test('a group that Perun cannot store at its second site is held there, and shown at the first', async () => {
  const clock = testClock()
  const perun = await startPerun({ clock })
  perun.addGroup({ name: 'p', granted: '200', resources: [1, 2] })
  const url = await startTroubleAt(2, perun)
  const ledger = openSqliteLedger(':memory:')
  const rpc = createPerunRpc({ url, login: 'credits', password: 'secret', timeout: 5_000, connections: 1 })
  const options = { voId: perun.voId, names, maxAge: 10 * SECOND, precision: 2, demand: () => 0, writers: 4 }
  const publisher = createPerunPublisher({ rpc, ledger, clock, logger: silent, ...options })
  onTestFinished(async () => {
    await publisher.close()
    await perun.close()
    await ledger.close()
  })
  const record = recorder(ledger, clock)
  const measure = (value: string) =>
    record({ project: 'p', at: clock.at, value, site: '1' }, { project: 'p', at: clock.at, value, site: '2' })
  const holds = async () => (await ledger.holds({ limit: 10 })).map(({ kind, site }) => `${kind} at ${site}`)

  await measure('5')
  for (let attempt = 1; attempt < 5; attempt += 1)
    expect(await publisher.publish('p')).toMatchObject({ kind: 'unavailable', everyone: false })
  expect(await publisher.publish('p')).toEqual({ kind: 'held' })
  expect(await holds()).toEqual(['refused at 2'])
  clock.pass(MINUTE)
  await measure('6')
  expect(await publisher.publish('p')).toMatchObject({ kind: 'written' })
  expect(perun.read('p').used).toBe('2.00')
  expect(perun.read('p').timestamps).toEqual({ 1: { project_vcpu_usage: '2026-01-01 00:01:00.000000' } })
  expect(clock.at).toBe(T0 + MINUTE)
})

// A line break and a colon in one value of one group: real Perun then fails to read all groups of the site at once.
test('a value that Perun cannot decode holds its own group, and no other', async () => {
  const clock = testClock()
  const perun = await startPerun({ clock })
  for (const name of ['broken', 'well']) perun.addGroup({ name, granted: '200', resources: [1] })
  const damaged = { 1: { 'new\nline': '2026-01-01 00:00:00' } }
  perun.edit('broken', { timestamps: damaged })
  const ledger = openSqliteLedger(':memory:')
  const rpc = createPerunRpc({ url: perun.url, login: 'credits', password: 'secret', timeout: 5_000, connections: 1 })
  const options = { voId: perun.voId, names, maxAge: 10 * SECOND, precision: 2, demand: () => 0, writers: 4 }
  const publisher = createPerunPublisher({ rpc, ledger, clock, logger: silent, ...options })
  onTestFinished(async () => {
    await publisher.close()
    await perun.close()
    await ledger.close()
  })
  const record = recorder(ledger, clock)
  await record(...['broken', 'well'].map((project) => ({ project, at: clock.at, value: '5', site: '1' })))
  const outcomes: string[] = []
  for (let attempt = 1; attempt <= 10; attempt += 1) outcomes.push((await publisher.publish('broken')).kind)
  expect(outcomes.at(-1)).toBe('held')
  expect(await publisher.publish('well')).toMatchObject({ kind: 'written' })
  expect(perun.read('well').used).toBe('0.00')
  expect((await ledger.holds({ limit: 10 })).map(({ kind, group }) => `${kind}: ${group}`)).toEqual(['refused: broken'])

  perun.edit('broken', { timestamps: { 1: null } })
  clock.pass(6 * MINUTE)
  expect(await publisher.publish('broken')).toMatchObject({ kind: 'written' })
  expect(await ledger.holds({ limit: 10 })).toEqual([])
})
