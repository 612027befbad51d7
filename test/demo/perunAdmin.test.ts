import { expect, suite, test } from 'vitest'
import { isFromHere } from '../../src/demo/perun/admin.ts'
import { type Answer, call, perunForTest, post, request, SITE } from './perunCalls.ts'

const order = (home: string, path: string, body?: unknown): Promise<Answer> =>
  request(`${home}/-/${path}`, { method: 'POST', ...(body !== undefined && { body: JSON.stringify(body) }) })

suite('the simulated Perun can be set up and watched from another process', () => {
  test('groups are added, changed and read', async () => {
    const perun = await perunForTest()
    const added = await order(perun.home, 'groups', [
      { name: 'alpha', granted: '200', resources: [SITE, 5] },
      { name: 'beta' },
    ])
    expect(JSON.parse(added.text).ids).toHaveLength(2)
    await order(perun.home, 'groups', { name: 'gamma' })
    await order(perun.home, 'edit', { name: 'alpha', used: '3', timestamps: { [SITE]: { cpu: 'x' } }, by: 'Grace' })
    const { text } = await request(`${perun.home}/-/groups`)
    expect(JSON.parse(text)).toEqual(['alpha', 'beta', 'gamma'].map((name) => perun.read(name)))
    expect(perun.read('alpha')).toMatchObject({
      granted: '200',
      used: '3',
      usedModifiedBy: 'Grace',
      resources: [SITE, 5],
      timestamps: { [SITE]: { cpu: 'x' } },
    })
  })

  test('calls are counted and counted anew', async () => {
    const perun = await perunForTest()
    await call(perun, 'utils/getPerunSystemTimeInMillis', {})
    const calls = { total: 1, byMethod: { getPerunSystemTimeInMillis: 1 }, sessions: 1, concurrentPeak: 1 }
    expect(JSON.parse((await request(`${perun.home}/-/calls`)).text)).toEqual(calls)
    await order(perun.home, 'calls/reset')
    expect(JSON.parse((await request(`${perun.home}/-/calls`)).text)).toMatchObject({
      total: 0,
      byMethod: {},
      sessions: 0,
    })
  })

  test('faults are ordered and cleared', async () => {
    const perun = await perunForTest()
    const status = async () => (await post(perun, 'utils/getPerunSystemTimeInMillis', {})).status
    await order(perun.home, 'faults', { latency: 1, readOnly: true, fail: { how: 'html-502', times: null } })
    expect([await status(), await status(), perun.faults.latencyMs]).toEqual([502, 502, 1])
    await order(perun.home, 'faults', { clear: true, fail: [{ how: 'uncaught' }, { how: 'html-503' }] })
    expect([await status(), await status(), await status()]).toEqual([500, 503, 200])
  })

  test.for([
    ['faults', { fail: { how: 'explode' } }, 400],
    ['groups', { name: 'alpha' }, 400],
    ['edit', { name: 'nobody', used: '1' }, 400],
    ['nothing', {}, 404],
  ] as const)('an order for %s that makes no sense is refused with a sentence', async ([path, body, status]) => {
    const perun = await perunForTest()
    perun.addGroup({ name: 'alpha' })
    const answer = await order(perun.home, path, body)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text).error).toMatch(/ /)
  })

  test('pages of other sites are refused', async () => {
    const perun = await perunForTest()
    const headers = { origin: 'http://evil.example' }
    expect((await request(`${perun.home}/-/groups`, { headers })).status).toBe(403)
  })

  test.for([
    ['127.0.0.1', true],
    ['::ffff:127.0.0.1', true],
    ['::1', true],
    ['172.17.0.1', false],
    ['', false],
  ] as const)('a connection from "%s": %s', ([remoteAddress, expected]) => {
    const headers = { host: '127.0.0.1:1' }
    expect(isFromHere({ socket: { remoteAddress }, headers } as unknown as Parameters<typeof isFromHere>[0])).toBe(
      expected,
    )
  })

  test('the page shows groups whatever their names', async () => {
    const perun = await perunForTest()
    perun.addGroup({ name: '<script>alert("a&b")</script>', used: '726.40' })
    const { text, headers } = await request(perun.home)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(text).toContain('<td>&#60;script&#62;alert(&#34;a&#38;b&#34;)&#60;/script&#62;</td>')
    expect(text).toContain('726.40')
    expect(text).not.toContain('<script>')
  })
})
