import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { type Asked, createGate, type Keys, type Who } from '#src/http/auth.ts'
import { ForbiddenError, UnauthorizedError } from '#src/http/errors.ts'
import { startFace } from './server.ts'

const OPERATOR = 'operator-key'
const READER = 'reader-key'
const WRITER = 'writer-key'
const both: Keys = { operator: OPERATOR, reader: READER, writer: WRITER }
const login = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`

function asked(headers: Asked['headers'] = {}, remoteAddress: string | undefined = '127.0.0.1'): Asked {
  return { headers: { host: 'localhost:8000', ...headers }, socket: { remoteAddress } }
}

function outcome(keys: Keys, who: Who, request: Asked): number {
  try {
    createGate(keys)(who, request)
    return 200
  } catch (error) {
    if (error instanceof UnauthorizedError || error instanceof ForbiddenError) return error.status
    throw error
  }
}

suite('a gate with keys', () => {
  test.each<[string, Keys, Asked['headers'], Record<Who, number>]>([
    ['no key', both, {}, { all: 200, reader: 401, writer: 401, operator: 401 }],
    ['a wrong key', both, { 'x-api-key': 'guess' }, { all: 200, reader: 401, writer: 401, operator: 401 }],
    ['an empty key', both, { 'x-api-key': '' }, { all: 200, reader: 401, writer: 401, operator: 401 }],
    ["the reader's key", both, { 'x-api-key': READER }, { all: 200, reader: 200, writer: 403, operator: 403 }],
    ["the operator's key", both, { 'x-api-key': OPERATOR }, { all: 200, reader: 200, writer: 200, operator: 200 }],
    [
      'the key as a bearer',
      both,
      { authorization: `Bearer ${OPERATOR}` },
      { all: 200, reader: 200, writer: 200, operator: 200 },
    ],
    [
      'a bearer in small letters',
      both,
      { authorization: `bearer ${READER}` },
      { all: 200, reader: 200, writer: 403, operator: 403 },
    ],
    [
      'the key as a password',
      both,
      { authorization: `Basic ${OPERATOR}` },
      { all: 200, reader: 401, writer: 401, operator: 401 },
    ],
    ["the writer's key", both, { 'x-api-key': WRITER }, { all: 200, reader: 403, writer: 200, operator: 403 }],
    // InfluxDB sends a login of an address and nothing else.
    [
      "the writer's key as the password of a login",
      both,
      { authorization: login('credits', WRITER) },
      { all: 200, reader: 401, writer: 200, operator: 401 },
    ],
    [
      'a wrong password',
      both,
      { authorization: login(WRITER, 'x') },
      { all: 200, reader: 401, writer: 401, operator: 401 },
    ],
    [
      'only a writer set, its key, from here',
      { writer: WRITER },
      { 'x-api-key': WRITER },
      { all: 200, reader: 200, writer: 200, operator: 200 },
    ],
    [
      'the beginning of a key',
      both,
      { 'x-api-key': OPERATOR.slice(0, -1) },
      { all: 200, reader: 401, writer: 401, operator: 401 },
    ],
    ['only an operator set, no key', { operator: OPERATOR }, {}, { all: 200, reader: 401, writer: 401, operator: 401 }],
    [
      'only an operator set, its key',
      { operator: OPERATOR },
      { 'x-api-key': OPERATOR },
      { all: 200, reader: 200, writer: 200, operator: 200 },
    ],
    // Nobody could ever be an operator otherwise; whoever is on this machine may be.
    [
      'only a reader set, no key, from here',
      { reader: READER },
      {},
      { all: 200, reader: 401, writer: 200, operator: 200 },
    ],
  ])('answers %s', (_name, keys, headers, expected) => {
    for (const who of ['all', 'reader', 'writer', 'operator'] as const) {
      expect(outcome(keys, who, asked(headers)), who).toBe(expected[who])
    }
  })

  test('answers other machines the same', () => {
    expect(outcome(both, 'operator', asked({ 'x-api-key': OPERATOR, via: '1.1 proxy' }, '203.0.113.7'))).toBe(200)
  })

  test("does not take the reader's key for an operator, from afar, when there is no operator's key", () => {
    expect(outcome({ reader: READER }, 'operator', asked({ 'x-api-key': READER }, '203.0.113.7'))).toBe(403)
  })

  test('opens for no other text than a key', () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        fc.pre(key !== OPERATOR && key !== READER)
        expect(outcome(both, 'reader', asked({ 'x-api-key': key }))).toBe(401)
      }),
    )
  })
})

suite('a gate without keys', () => {
  test.each(['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'])('answers %s', (address) => {
    expect(outcome({}, 'operator', asked({}, address))).toBe(200)
    expect(outcome({}, 'reader', asked({}, address))).toBe(200)
  })

  test.each(['10.0.0.1', '172.17.0.1', '128.0.0.1', '::', '::2', '::ffff:10.0.0.1', 'fe80::1'])(
    'refuses %s',
    (address) => {
      expect(outcome({}, 'operator', asked({}, address))).toBe(403)
      expect(outcome({}, 'reader', asked({}, address))).toBe(403)
      expect(outcome({}, 'all', asked({}, address))).toBe(200)
    },
  )

  test('refuses a connection whose end is not known any more', () => {
    expect(outcome({}, 'reader', { headers: { host: 'localhost' }, socket: { remoteAddress: undefined } })).toBe(403)
  })

  test('takes an empty key for none, not for one that anybody has', () => {
    const empty = { operator: '', reader: '' }
    expect(outcome(empty, 'operator', asked({ 'x-api-key': '' }, '10.0.0.1'))).toBe(403)
  })

  test.each<[string, Asked['headers']]>([
    ['X-Forwarded-For', { 'x-forwarded-for': '127.0.0.1' }],
    ['an empty X-Forwarded-For', { 'x-forwarded-for': '' }],
    ['X-Forwarded-Host', { 'x-forwarded-host': 'localhost' }],
    ['X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }],
    ['Forwarded', { forwarded: 'for=127.0.0.1' }],
    ['X-Real-IP', { 'x-real-ip': '127.0.0.1' }],
    ['Via', { via: '1.1 proxy' }],
    ['the name of another host', { host: 'credits.example:8000' }],
    ['a name that begins like ours', { host: 'localhost.example' }],
    ['a name that ends like ours', { host: 'example-localhost' }],
    ['an address that begins like ours', { host: '127.0.0.1.example' }],
    ['a login before a name', { host: 'localhost:8000@example' }],
    ['the address it listens on in a container', { host: '0.0.0.0:8000' }],
    ['no host', { host: undefined }],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }],
    ['a page on another port', { 'sec-fetch-site': 'same-site' }],
    ['the origin of another site', { origin: 'https://example.org' }],
    ['the origin of another port', { origin: 'http://localhost:3000' }],
    ['the origin of a sandbox', { origin: 'null' }],
  ])('refuses a request with %s', (_name, headers) => {
    expect(outcome({}, 'reader', asked(headers))).toBe(403)
  })

  test.each<[string, Asked['headers']]>([
    ['localhost', { host: 'localhost' }],
    ['LOCALHOST', { host: 'LOCALHOST:8000' }],
    ['127.0.0.1', { host: '127.0.0.1:8000' }],
    ['[::1]', { host: '[::1]:8000' }],
    ['a page of its own', { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8000' }],
    ['an address that was typed', { 'sec-fetch-site': 'none' }],
  ])('answers %s', (_name, headers) => {
    expect(outcome({}, 'operator', asked(headers))).toBe(200)
  })
})

suite('a server', () => {
  const routes: readonly (readonly [string, string, Who])[] = [
    ['GET', '/ping', 'all'],
    ['GET', '/livez', 'all'],
    ['GET', '/readyz', 'all'],
    ['GET', '/metrics', 'all'],
    ['GET', '/api/metrics', 'all'],
    ['POST', '/api/costs_per_hour', 'all'],
    ['GET', '/stats', 'operator'],
    ['GET', '/logconfig', 'operator'],
    ['POST', '/logconfig', 'operator'],
    ['GET', '/api/groups', 'reader'],
    ['GET', '/api/groups/alpha', 'reader'],
    ['GET', '/api/groups/alpha/entries', 'reader'],
    ['GET', '/api/credits_history/alpha', 'reader'],
  ]

  // What is answered depends on the route; here is only whether it is refused.
  const refusals = [401, 403]

  test.each(routes)('asks for a key at %s %s if it is for %s', async (method, path, who) => {
    await using face = await startFace({ keys: both })
    const ask = async (key?: string) => {
      const headers = key === undefined ? {} : { 'X-API-KEY': key }
      const { status } = await face.ask(path, { method, headers, ...(method === 'POST' && { body: {} }) })
      return refusals.includes(status) ? status : 'open'
    }
    expect(await ask()).toBe(who === 'all' ? 'open' : 401)
    expect(await ask(READER)).toBe(who === 'operator' ? 403 : 'open')
    expect(await ask(OPERATOR)).toBe('open')
  })

  test('says how to send a key', async () => {
    await using face = await startFace({ keys: both })
    const { headers, json } = await face.get('/stats')
    expect(headers['www-authenticate']).toBe('Bearer realm="credits worker"')
    expect(json).toMatchObject({ status: 401, detail: expect.stringContaining('X-API-KEY') })
  })

  test('says which setting opens a route that is closed without keys', async () => {
    await using face = await startFace()
    const proxied = { 'X-Forwarded-For': '203.0.113.7' }
    expect((await face.get('/stats')).status).toBe(200)
    expect((await face.get('/stats', proxied)).json).toMatchObject({
      status: 403,
      detail: expect.stringContaining('API_KEY'),
    })
    expect((await face.get('/api/groups', proxied)).json).toMatchObject({
      status: 403,
      detail: expect.stringContaining('API_READER_KEY'),
    })
  })

  test('says nothing about a group to whoever has no key', async () => {
    await using face = await startFace({ keys: both })
    const [known, unknown] = [await face.get('/api/groups/alpha'), await face.get('/api/groups/beta')]
    expect([known.status, unknown.status]).toEqual([401, 401])
  })

  test('does not read the body of whoever may not send one', async () => {
    await using face = await startFace({ keys: both })
    expect((await face.post('/logconfig', 'no JSON')).status).toBe(401)
  })
})
