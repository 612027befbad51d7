/** A Perun, or something in front of it, that answers what no Perun answers; and values that other people put there. */
import { request } from 'node:http'
import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { createGroups } from '#src/publish/perun/groups.ts'
import { createPerunPublisher } from '#src/publish/perun/publisher.ts'
import { createPerunRpc, type PerunRpc } from '#src/publish/perun/rpc.ts'
import { type Measured, recorder, silent, T0, testClock } from '../../helpers/billing.ts'
import { startPeer } from '../../helpers/peer.ts'

const SITE = 8676
const names = {
  used: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
  granted: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
  timestamps: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
}

/** A publisher, and between it and Perun somebody who exchanges the answers of some methods. */
async function setUp() {
  const clock = testClock()
  const perun = await startPerun({ clock })
  const instead = new Map<string, string>()
  const proxy = await startPeer((incoming, response) => {
    const body = instead.get(incoming.url!.split('/').at(-1)!)
    if (body !== undefined) {
      incoming.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(body))
      return
    }
    const { method, headers } = incoming
    const url = new URL(incoming.url!, perun.home)
    const onwards = request(url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    incoming.pipe(onwards)
  })
  const ledger = openSqliteLedger(':memory:')
  const url = `${proxy.url}/ba/rpc/json`
  const rpc = createPerunRpc({ url, login: 'credits', password: 'secret', timeout: 10_000, connections: 4 })
  const publisher = createPerunPublisher({
    rpc,
    ledger,
    voId: perun.voId,
    names,
    maxAge: 10 * SECOND,
    precision: 2,
    clock,
    logger: silent,
    demand: () => 0,
    writers: 4,
  })
  onTestFinished(async () => {
    await publisher.close()
    await proxy[Symbol.asyncDispose]()
    await perun.close()
    await ledger.close()
  })
  const record = recorder(ledger, clock)
  async function measure(at: number, ...measured: Omit<Measured, 'at'>[]): Promise<void> {
    clock.at = Math.max(clock.at, T0 + at)
    await record(...measured.map((each) => ({ ...each, at: T0 + at })))
  }
  const holds = async () =>
    (await ledger.holds({ limit: 100 })).map(({ kind, group, reason }) => ({ kind, group, reason }))
  return { clock, perun, instead, publisher, measure, holds }
}

const shapes = ['null', '[]', '{}', '5', '"text"', 'true', '[null]', '[5,"x"]', '[[]]', '[{}]', '{"id":"1"}', '']
const methods = ['getAttributeDefinition', 'getRichGroupsAssignedToResourceWithAttributesByNames', 'getAttributes']

suite('an answer of another shape', () => {
  test.each(methods)('of %s writes nothing wrong, and ends in a known outcome', async (method) => {
    for (const shape of shapes) {
      const { clock, perun, instead, publisher, measure } = await setUp()
      perun.addGroup({ name: 'p', granted: '200', used: '7.00', resources: [SITE] })
      await measure(0, { project: 'p', value: '100' })
      if (method === 'getAttributes') {
        await publisher.publish('p')
        clock.pass(11 * SECOND)
        await measure(MINUTE, { project: 'p', value: '102' })
      }
      instead.set(method, shape)
      const { kind } = await publisher.publish('p')
      expect(['unavailable', 'held'], `${method} answers ${shape}`).toContain(kind)
      instead.clear()
      clock.pass(10 * MINUTE)
      await measure(HOUR, { project: 'p', value: '103' })
      expect(await publisher.publish('p')).toMatchObject({ kind: 'written' })
      expect(Number(perun.read('p').used)).toBeGreaterThanOrEqual(7)
    }
  })

  test.each(['null', '5', '[5]', '{"id":1,"name":7,"voId":412}', '{"id":1,"name":"p","voId":412}'])(
    'in the list of a site is not taken for a site without groups: %s',
    async (element) => {
      const { perun, instead, publisher, measure, holds } = await setUp()
      perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
      await measure(0, { project: 'p', value: '100' })
      instead.set(methods[1]!, `[${element}]`)
      expect(await publisher.publish('p')).toMatchObject({ kind: 'unavailable', everyone: true })
      expect(await holds()).toEqual([])
    },
  )

  // It is missing without a word when we may not read it; to take that for 0 would overwrite it.
  test.each(['used', 'granted', 'timestamps'] as const)('that lacks %s is no group without it', async (name) => {
    const { perun, publisher, measure, holds } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', used: '50.00', resources: [SITE] })
    await measure(0, { project: 'p', value: '100' })
    perun.setRights(name, { readable: false })
    expect(await publisher.publish('p')).toEqual({ kind: 'held' })
    expect(await holds()).toMatchObject([
      { kind: 'refused', reason: expect.stringContaining(`${names[name]} may not be read`) },
    ])
    expect(perun.read('p').used).toBe('50.00')
  })
})

suite('a value that nobody expects', () => {
  const lineBreak = 'its timestamps hold a line break or another control character: correct them there'
  const manyEntries = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`m${index}`, 'x']))

  test.each<[string, object, string]>([
    ['used credits of a megabyte', { used: '9'.repeat(2 ** 20) }, 'no possible number'],
    ['used credits with a megabyte of zeros before them', { used: `${'0'.repeat(2 ** 20)}1` }, 'no possible number'],
    ['used credits in hexadecimal', { used: '0x10' }, 'no possible number'],
    ['used credits with underscores', { used: '1_000' }, 'no possible number'],
    ['used credits of NaN', { used: 'NaN' }, 'no possible number'],
    ['used credits of infinity', { used: 'Infinity' }, 'no possible number'],
    ['used credits beyond every ledger', { used: '1e308' }, 'no possible number'],
    ['used credits of 400 digits', { used: '1'.repeat(400) }, 'no possible number'],
    ['used credits below every ledger', { used: '-99999999999999' }, 'no possible number'],
    ['used credits with a denormal part', { used: '5e-324' }, 'no possible number'],
    ['a line break in the name of a metric', { timestamps: { [SITE]: { 'a\nb': 'x' } } }, lineBreak],
    ['a line break in a time', { timestamps: { [SITE]: { a: 'x\r' } } }, lineBreak],
    ['a line separator in a time', { timestamps: { [SITE]: { a: 'x\u2028' } } }, lineBreak],
    ['a time that is null', { timestamps: { [SITE]: { a: '\\0' } } }, 'hold something else than text'],
    ['times without end', { timestamps: { [SITE]: manyEntries } }, 'have more than 200 entries'],
    ['a time of a megabyte', { timestamps: { [SITE]: { a: 'x'.repeat(2 ** 20) } } }, 'are too long'],
  ])('holds its group and no other: %s', async (_, values, reason) => {
    const { clock, perun, publisher, measure, holds } = await setUp()
    perun.addGroup({ name: 'good', granted: '200', resources: [SITE] })
    perun.addGroup({ name: 'odd', granted: '200', used: '5.00', resources: [SITE], ...values })
    const before = perun.read('odd')
    await measure(0, { project: 'good', value: '1' }, { project: 'odd', value: '1' })
    expect(await publisher.publish('odd')).toEqual({ kind: 'held' })
    expect(await publisher.publish('good')).toMatchObject({ kind: 'written' })
    expect(await holds()).toEqual([{ kind: 'refused', group: 'odd', reason: expect.stringContaining(reason) }])
    expect((await holds())[0]!.reason.length).toBeLessThan(500)
    expect(perun.read('odd')).toEqual(before)
    perun.edit('odd', { used: '6.00', timestamps: { [SITE]: { other: '2025-01-01 00:00:00' } } })
    clock.pass(6 * MINUTE)
    expect(await publisher.publish('odd')).toMatchObject({ kind: 'written' })
    expect(perun.read('odd')).toMatchObject({ used: '6.00', timestamps: { [SITE]: { other: '2025-01-01 00:00:00' } } })
    expect(await holds()).toEqual([])
  })

  test('in the map of another service is written back as it was, whatever characters it holds', async () => {
    const { perun, publisher, measure } = await setUp()
    const theirs = {
      'a,b:c\\d=e"f': '{"x": [1]},',

      constructor: 'y',
      'ü 日本 😀': '  ',
      '\u202e': '%0A',
    }
    const own = Object.fromEntries(Object.entries(theirs))
    Object.defineProperty(own, '__proto__', { value: 'z', enumerable: true })
    perun.addGroup({ name: 'p', granted: '200', used: '5.00', resources: [SITE], timestamps: { [SITE]: own } })
    await measure(0, { project: 'p', value: '1' })
    expect(await publisher.publish('p')).toMatchObject({ kind: 'written' })
    const shown = perun.read('p').timestamps[SITE]!
    expect(Object.keys(shown).sort()).toEqual([...Object.keys(own), 'project_vcpu_usage'].sort())
    for (const [metric, text] of Object.entries(own)) expect(Object.entries(shown)).toContainEqual([metric, text])
  })
})

// A database of Perun's refuses the question for such a name with the words that it has for being down.
test('names that Perun cannot look for keep nobody else from being published', async () => {
  const { perun, publisher, measure, holds } = await setUp()
  perun.addGroup({ name: 'good', granted: '200', resources: [SITE] })
  const impossible = ['a\0', 'b\0', 'c\0', 'd\0']
  await measure(0, ...[...impossible, 'good'].map((project) => ({ project, value: '1' })))
  for (const name of impossible) expect(await publisher.publish(name)).toEqual({ kind: 'held' })
  expect(await publisher.publish('good')).toMatchObject({ kind: 'written' })
  expect((await holds()).map(({ kind }) => kind)).toEqual(impossible.map(() => 'unknown group'))
})

suite('of a site with very many groups', () => {
  function groupsOf(count: number) {
    const bean = (name: string, value: unknown) => {
      const end = name.lastIndexOf(':')
      return { namespace: name.slice(0, end), friendlyName: name.slice(end + 1), value }
    }
    const attributes = [bean(names.used, '1.00'), bean(names.granted, '9'), bean(names.timestamps, null)]
    const rpc: PerunRpc = {
      call: () => Promise.reject(new Error('nobody asks')),
      async each(_method, _parameters, visit) {
        for (let id = 1; id <= count; id += 1) visit({ id, name: `group ${id}`, voId: 412, attributes })
      },
      close() {},
    }
    return createGroups({ rpc, voId: 412, names, maxAge: 0, clock: testClock(), logger: silent, demand: () => 0 })
  }

  test('a hundred thousand are read', async () => {
    expect(await groupsOf(100_000).view('1', 'group 100000')).toMatchObject({ id: 100_000, used: '1.00' })
  })

  test('a list that never ends is given up', async () => {
    await expect(groupsOf(Number.POSITIVE_INFINITY).view('1', 'group 1')).rejects.toMatchObject({
      failure: 'unavailable',
      exception: 'more than 200000 groups',
    })
  })
})
