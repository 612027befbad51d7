import { expect, suite, test } from 'vitest'
import type { How } from '../../src/demo/perun/simulator.ts'
import {
  attribute,
  basic,
  call,
  perunForTest,
  post,
  refusal,
  request,
  SITE,
  set,
  TIMESTAMPS,
  USED,
} from './perunCalls.ts'

suite('before the simulated Perun stands a front end', () => {
  test.for([
    ['a wrong password', { authorization: basic('credits', 'wrong') }],
    ['no password', { authorization: '' }],
  ] as const)('that answers %s with 401 and a page', async ([, headers]) => {
    const perun = await perunForTest()
    const { status, text } = await post(perun, 'utils/getPerunSystemTimeInMillis', {}, headers)
    expect(status).toBe(401)
    expect(text).toMatch(/^<!doctype html>/)
    expect(perun.calls).toMatchObject({ total: 0, sessions: 0 })
  })

  test('that takes other credentials when told so', async () => {
    const perun = await perunForTest({ login: 'ö', password: 'a:b' })
    const authorization = `Basic ${Buffer.from('ö:a:b').toString('base64')}`
    expect((await post(perun, 'utils/getPerunSystemTimeInMillis', {}, { authorization })).status).toBe(200)
  })

  test('that makes a session for every request without its cookie', async () => {
    const perun = await perunForTest()
    const first = await post(perun, 'utils/getPerunSystemTimeInMillis', {})
    const cookie = first.headers.get('set-cookie')!
    expect(cookie).toMatch(/^PERUNSESSION=[0-9A-F]{32}; Path=\/; HttpOnly; SameSite=Strict$/)
    const second = await post(perun, 'utils/getPerunSystemTimeInMillis', {}, { cookie: cookie.split(';')[0] })
    expect(second.headers.get('set-cookie')).toBe(null)
    expect(perun.calls.sessions).toBe(1)
    await post(perun, 'utils/getPerunSystemTimeInMillis', {}, { cookie: 'PERUNSESSION=forgotten' })
    expect(perun.calls.sessions).toBe(2)
  })

  test('that can ask for a CSRF token, which it hands out with the refusal', async () => {
    const perun = await perunForTest({ csrf: true })
    const id = perun.addGroup({ name: 'alpha' })
    const first = await post(perun, 'groupsManager/getGroupById', { id })
    expect([first.status, first.text.startsWith('<')]).toEqual([403, true])
    const cookie = first.headers.getSetCookie().map((line) => line.split(';')[0])
    const token = cookie.find((pair) => pair?.startsWith('XSRF-TOKEN='))!.slice('XSRF-TOKEN='.length)
    const headers = { cookie: cookie.join('; ') }
    expect((await post(perun, 'groupsManager/getGroupById', { id }, headers)).status).toBe(403)
    const wrong = { ...headers, 'x-xsrf-token': 'guess' }
    expect((await post(perun, 'groupsManager/getGroupById', { id }, wrong)).status).toBe(403)
    const right = { ...headers, 'x-xsrf-token': token }
    expect((await post(perun, 'groupsManager/getGroupById', { id }, right)).status).toBe(200)
    expect((await request(`${perun.url}/groupsManager/getGroupById?id=${id}`)).status).toBe(200)
  })

  test('that knows no other verbs and no other paths', async () => {
    const perun = await perunForTest()
    const { status } = await request(`${perun.url}/groupsManager/getGroupById?id=1`, { method: 'DELETE' })
    expect(status).toBe(405)
    expect((await request(`${perun.home}/elsewhere`)).status).toBe(404)
  })
})

suite('the simulated Perun fails on demand', () => {
  /** A Perun whose next write fails, and that write: credits of `alpha` from 1 to 2. */
  async function failing(how: How) {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', resources: [SITE], used: '1' })
    const attributes = [await attribute(perun, USED, '2')]
    perun.faults.fail({ how })
    return { perun, write: () => post(perun, 'attributesManager/setAttributes', { group, attributes }) }
  }

  test.for([
    ['internal-error', 400, { type: 'InternalErrorException' }],
    ['consistency-error', 400, { type: 'ConsistencyErrorException' }],
    ['uncaught', 500, { type: 'UNCATCHED_EXCEPTION' }],
    ['privilege', 400, { name: 'PrivilegeException' }],
    ['attribute-refused', 400, { name: 'WrongAttributeValueException' }],
  ] as const)('%s: once, with status %s, and nothing is written', async ([how, status, error]) => {
    const { perun, write } = await failing(how)
    const answer = await write()
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text)).toMatchObject(error)
    expect(perun.read('alpha').used).toBe('1')
    expect((await write()).status).toBe(200)
    expect(perun.read('alpha').used).toBe('2')
  })

  test.for([
    ['html-502', 502],
    ['html-503', 503],
    ['unauthorized', 401],
    ['not-json-200', 200],
  ] as const)('%s: a page with status %s, and nothing is written', async ([how, status]) => {
    const { perun, write } = await failing(how)
    const answer = await write()
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8'])
    expect(() => JSON.parse(answer.text)).toThrow()
    expect(perun.read('alpha').used).toBe('1')
  })

  test.for([
    ['drop-before', '1'],
    ['drop-after', '2'],
    ['cut-after', '2'],
  ] as const)('%s: the connection is lost, and the credits are %s', async ([how, used]) => {
    const { perun, write } = await failing(how)
    await expect(write()).rejects.toThrow()
    expect(perun.read('alpha').used).toBe(used)
  })

  test('truncated: the JSON ends in the middle, and it is written', async () => {
    const { perun, write } = await failing('truncated')
    expect(await write()).toMatchObject({ status: 200, text: 'nu' })
    expect(perun.read('alpha').used).toBe('2')
  })

  test('hang: no answer until the client gives up, and nothing is written', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'alpha', used: '1' })
    perun.faults.fail({ how: 'hang' })
    const signal = AbortSignal.timeout(100)
    const body = JSON.stringify({ group: id, attributes: [] })
    const hanging = request(`${perun.url}/attributesManager/setAttributes`, { method: 'POST', body, signal })
    await expect(hanging).rejects.toThrow(/timeout/)
    expect(perun.read('alpha').used).toBe('1')
  })

  test('ends what hangs when it is closed', async () => {
    const perun = await perunForTest()
    perun.faults.fail({ how: 'hang' })
    const hanging = post(perun, 'utils/getPerunSystemTimeInMillis', {}).catch(() => 'cut')
    await expect.poll(() => perun.calls.total).toBe(1)
    await perun.close()
    expect(await hanging).toBe('cut')
  })

  test('as often as told, only for the method and the group told', async () => {
    const perun = await perunForTest()
    const [alpha, beta] = [perun.addGroup({ name: 'alpha' }), perun.addGroup({ name: 'beta' })]
    perun.faults.fail({ how: 'internal-error', times: 2, method: 'setAttributes', group: 'alpha' })
    expect((await set(perun, beta, USED, '1')).status).toBe(200)
    await call(perun, 'groupsManager/getGroupById', { id: alpha })
    const statuses = [
      await set(perun, alpha, USED, '1'),
      await set(perun, alpha, USED, '1'),
      await set(perun, alpha, USED, '1'),
    ]
    expect(statuses.map(({ status }) => status)).toEqual([400, 400, 200])
  })

  test('without end, until it is cleared', async () => {
    const perun = await perunForTest()
    perun.faults.fail({ how: 'html-503', times: Number.POSITIVE_INFINITY })
    for (const _ of [1, 2, 3]) expect((await post(perun, 'utils/getPerunSystemTimeInMillis', {})).status).toBe(503)
    perun.faults.clear()
    expect((await post(perun, 'utils/getPerunSystemTimeInMillis', {})).status).toBe(200)
  })

  test('refuses to fail in a way it does not know', async () => {
    const perun = await perunForTest()
    expect(() => perun.faults.fail({ how: 'explode' as How })).toThrow(/drop-after/)
  })

  test('read-only: what would change something fails, the rest works', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    perun.faults.readOnly(true)
    expect(JSON.parse((await set(perun, group, USED, '2')).text).type).toBe('InternalErrorException')
    expect((await set(perun, group, USED, '1')).status).toBe(200)
    perun.faults.readOnly(false)
    expect((await set(perun, group, USED, '2')).status).toBe(200)
  })

  test('latency: many calls are under way at once', async () => {
    const perun = await perunForTest({ latency: 50 })
    await Promise.all([1, 2, 3].map(() => post(perun, 'utils/getPerunSystemTimeInMillis', {})))
    expect(perun.calls.concurrentPeak).toBe(3)
    perun.faults.latency(0)
    perun.calls.reset()
    await post(perun, 'utils/getPerunSystemTimeInMillis', {})
    expect(perun.calls.concurrentPeak).toBe(1)
  })
})

suite('the simulated Perun remembers', () => {
  test('how often it was called, and what for', async () => {
    const perun = await perunForTest()
    await call(perun, 'utils/getPerunSystemTimeInMillis', {})
    await refusal(perun, 'groupsManager/getGroupById', { id: 1 })
    await refusal(perun, 'groupsManager/getGroupById', { id: 1 })
    expect(perun.calls).toMatchObject({ total: 3, byMethod: { getPerunSystemTimeInMillis: 1, getGroupById: 2 } })
  })

  test('what was written, by whom, and whether it changed anything', async () => {
    const perun = await perunForTest({ clock: { now: () => 7 } })
    const group = perun.addGroup({ name: 'alpha' })
    const attributes = [await attribute(perun, USED, '2'), await attribute(perun, TIMESTAMPS, { a: 'b' })]
    const both = { group, resource: SITE, workWithGroupAttributes: true, attributes }
    await call(perun, 'attributesManager/setAttributes', both)
    await call(perun, 'attributesManager/setAttributes', both)
    perun.edit('alpha', { used: null })
    const write = { at: 7, group: 'alpha', resource: SITE, used: '2', timestamps: { a: 'b' }, by: 'credits' }
    expect(perun.writes).toEqual([
      { ...write, changed: true },
      { ...write, changed: false },
      { at: 7, group: 'alpha', resource: null, used: null, by: 'a person', changed: true },
    ])
  })

  test('only the latest writes', async () => {
    const perun = await perunForTest({ writesKept: 10 })
    perun.addGroup({ name: 'alpha' })
    for (let used = 1; used <= 100; used++) perun.edit('alpha', { used: String(used) })
    expect(perun.writes.length).toBeLessThanOrEqual(11)
    expect(perun.writes.at(-1)?.used).toBe('100')
  })
})
