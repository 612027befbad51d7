import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { MINUTE, SECOND } from '#src/core/time.ts'
import { createGate } from '#src/http/auth.ts'
import { TooManyRequestsError } from '#src/http/errors.ts'
import { createAllowance, createRateLimit, MOST_CLIENTS } from '#src/http/rateLimit.ts'
import { silent, T0, testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'
import { startFace } from './server.ts'

suite('a client', () => {
  test('may ask so often in a minute, at once or spread over it, and then has to wait', () => {
    const allowance = createAllowance(6)
    for (let count = 0; count < 6; count += 1) expect(allowance.take('a', T0)).toBe(0)
    expect(allowance.take('a', T0)).toBe(10 * SECOND)
    expect(allowance.take('a', T0 + 9 * SECOND)).toBe(SECOND)
    expect(allowance.take('a', T0 + 10 * SECOND)).toBe(0)
    expect(allowance.take('a', T0 + 10 * SECOND)).toBe(10 * SECOND)
    expect(allowance.take('b', T0)).toBe(0)
  })

  test('never gets more than twice its share in any minute, however it asks', () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 20 * SECOND }), { maxLength: 200 })
    fc.assert(
      fc.property(pauses, fc.integer({ min: 1, max: 60 }), (waits, perMinute) => {
        const allowance = createAllowance(perMinute)
        let now = T0
        const granted: number[] = []
        for (const ms of waits) {
          now += ms
          if (allowance.take('a', now) === 0) granted.push(now)
        }
        for (const begin of granted) {
          const within = granted.filter((at) => at >= begin && at < begin + MINUTE)
          expect(within.length).toBeLessThanOrEqual(2 * perMinute)
        }
      }),
    )
  })

  test('waits a minute at most, also when the clock is set back', () => {
    const allowance = createAllowance(1)
    expect(allowance.take('a', T0)).toBe(0)
    expect(allowance.take('a', T0 - 1_000 * MINUTE)).toBe(MINUTE)
    expect(allowance.take('a', T0 + MINUTE)).toBe(0)
  })

  test('is forgotten when very many others came after it', () => {
    const allowance = createAllowance(1)
    for (let client = 0; client < MOST_CLIENTS; client += 1) allowance.take(`client ${client}`, T0)
    expect(allowance.wait('client 0', T0)).toBe(MINUTE)
    allowance.take('one more', T0)
    expect(allowance.wait('client 0', T0)).toBe(0)
    expect(allowance.wait('client 1', T0)).toBe(MINUTE)
  })

  test.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8:0:0:1::', true],
    ['::1', '::2', true],
    ['fe80::1%eth0', 'fe80::2%eth0', true],
    ['fe80::1', '::1', false],
  ])('at %s and one at %s are the same: %s', (one, two, same) => {
    const { guard } = createRateLimit({ perMinute: 1, clock: testClock(), logger: silent })
    const gate = guard(createGate({ operator: 'right' }))
    const asks = (remoteAddress: string, key: string) => () =>
      gate('operator', { headers: { 'x-api-key': key }, socket: { remoteAddress } })
    expect(asks(one, 'wrong')).toThrow('not known here')
    if (same) expect(asks(two, 'right')).toThrow(TooManyRequestsError)
    else expect(asks(two, 'right')).not.toThrow()
  })
})

suite('the server', () => {
  test('answers 429 with when to come again, as a problem document, and answers then', async () => {
    await using face = await startFace({ rateLimit: 3 })
    for (const path of ['/api/groups', '/nothing', '/%zz']) expect((await face.get(path)).status).not.toBe(429)
    const { status, headers, json } = await face.get('/api/groups')
    expect([status, headers['retry-after'], headers['content-type']]).toEqual([429, '20', 'application/problem+json'])
    expect(json).toMatchObject({
      type: 'urn:credits-worker:problem:too-many-requests',
      detail: 'Too many requests from this address: wait 20 s.',
    })
    face.clock.pass(20 * SECOND)
    expect((await face.get('/api/groups')).status).toBe(200)
    expect((await face.get('/api/groups')).status).toBe(429)
  })

  test.each(['/ping', '/livez', '/readyz', '/metrics'])('lets whoever watches it through: %s', async (path) => {
    await using face = await startFace({ rateLimit: 1 })
    await face.get('/api/groups')
    expect((await face.get('/api/groups')).status).toBe(429)
    for (let count = 0; count < 3; count += 1) expect((await face.get(path)).status).toBe(200)
    // Another spelling of it is another address.
    expect((await face.get(`${path}/`)).status).toBe(429)
  })

  test('looks at no key of a client that showed too many wrong ones, and says so in the log', async () => {
    const { logger, lines } = memoryLog('http')
    await using face = await startFace({ rateLimit: 40, keys: { operator: 'right', reader: 'read' }, logger })
    const status = async (key: string) => (await face.get('/stats', { 'X-API-KEY': key })).status
    expect([await status('guess 1'), await status('right'), await status('guess 2')]).toEqual([401, 200, 401])
    const { status: third, headers } = await face.get('/stats', { 'X-API-KEY': 'right' })
    expect([third, headers['retry-after']]).toEqual([429, '30'])
    expect((await face.get('/api/groups', { Authorization: 'Bearer read' })).status).toBe(429)
    // What needs no key is still answered.
    expect((await face.get('/api/metrics')).status).toBe(200)
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ client: '127.0.0.1' }])
    face.clock.pass(30 * SECOND)
    expect(await status('right')).toBe(200)
  })

  test('counts neither a missing key as a wrong one nor one that is not enough', async () => {
    await using face = await startFace({ rateLimit: 20, keys: { operator: 'right', reader: 'read' } })
    for (let count = 0; count < 3; count += 1) {
      expect((await face.get('/stats')).status).toBe(401)
      expect((await face.get('/stats', { 'X-API-KEY': 'read' })).status).toBe(403)
    }
  })

  test('does not believe what a request says about whom it is for', async () => {
    await using face = await startFace({ rateLimit: 1, keys: { operator: 'right' } })
    await face.get('/api/metrics', { 'X-Forwarded-For': '192.0.2.1' })
    expect((await face.get('/api/metrics', { 'X-Forwarded-For': '192.0.2.2' })).status).toBe(429)
  })

  test('has no limits if they are set to 0', async () => {
    await using face = await startFace({ rateLimit: 0, keys: { operator: 'right' } })
    for (let count = 0; count < 50; count += 1) {
      expect((await face.get('/stats', { 'X-API-KEY': 'wrong' })).status).toBe(401)
    }
    expect((await face.get('/stats', { 'X-API-KEY': 'right' })).status).toBe(200)
  })
})
