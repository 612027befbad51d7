/** Requests that no honest client makes. Each is cut off or answered, and the next client is served. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, suite, test } from 'vitest'
import { type Face, startFace } from './server.ts'

/** Sends bytes as they are and gives back all that comes until the server ends the connection. */
async function raw({ port }: Face, ...pieces: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A server that closes while more is on its way resets the connection.
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await once(socket, 'connect')
  for (const piece of pieces) socket.write(piece)
  await closed
  return Buffer.concat(chunks).toString()
}

const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))

async function expectAlive(face: Face): Promise<void> {
  expect((await face.get('/ping')).text).toBe('Pong')
}

const HOST = 'Host: localhost\r\n'
const JSON_POST = `POST /api/costs_per_hour HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`
const quick = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 }

suite('a request is cut off', () => {
  test('if its head does not come', async () => {
    await using face = await startFace({}, quick)
    expect(statuses(await raw(face, 'GET /ping HTTP/1.1\r\nHost: x\r\nX-Slow: '))).toEqual([408])
    await expectAlive(face)
  })

  test('if its body does not come', async () => {
    await using face = await startFace({}, quick)
    expect(statuses(await raw(face, `${JSON_POST}Content-Length: 100\r\n\r\n{"cpu"`))).toEqual([408])
    await expectAlive(face)
  })

  test('if its body comes drop by drop', async () => {
    await using face = await startFace({}, quick)
    const socket = connect(face.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(`${JSON_POST}Transfer-Encoding: chunked\r\n\r\n`)
    const drip = setInterval(() => socket.write('1\r\n \r\n'), 10)
    socket.resume()
    await closed
    clearInterval(drip)
    await expectAlive(face)
  })

  test.each([
    ['413 as soon as it is too long', '/api/costs_per_hour', 413],
    ['404 at once where nobody takes it', '/nothing', 404],
    ['403 at once where it may not ask', '/logconfig', 403],
  ])('if its body never ends, after %s', async (_, path, status) => {
    // An hour for the request: what ends it is that it was answered.
    await using face = await startFace({}, { requestTimeout: 3_600_000, linger: 50 })
    const socket = connect(face.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const answer: Buffer[] = []
    socket.on('data', (chunk: Buffer) => answer.push(chunk))
    socket.write(`POST ${path} HTTP/1.1\r\nHost: elsewhere\r\nContent-Type: application/json\r\n`)
    socket.write('Transfer-Encoding: chunked\r\n\r\n')
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`
    const more = () => {
      while (!socket.destroyed && socket.write(chunk));
      socket.once('drain', more)
    }
    more()
    await closed
    expect(statuses(Buffer.concat(answer).toString())).toEqual([status])
    await expectAlive(face)
  })

  test('if its head is larger than 16 KiB, with 431', async () => {
    await using face = await startFace()
    expect(statuses(await raw(face, `GET /ping HTTP/1.1\r\n${HOST}X-Large: ${'x'.repeat(17_000)}\r\n\r\n`))).toEqual([
      431,
    ])
    expect(statuses(await raw(face, `GET /${'x'.repeat(17_000)} HTTP/1.1\r\n${HOST}\r\n`))).toEqual([431])
    await expectAlive(face)
  })

  test('if there are too many connections already', async () => {
    await using face = await startFace({}, { connections: 2 })
    const held = [connect(face.port, '127.0.0.1'), connect(face.port, '127.0.0.1')]
    await Promise.all(held.map((socket) => once(socket, 'connect')))
    // An answer on the second one shows that both were accepted.
    held[1]!.write(`GET /ping HTTP/1.1\r\n${HOST}\r\n`)
    await once(held[1]!, 'data')
    expect(await raw(face, `GET /ping HTTP/1.1\r\n${HOST}\r\n`)).toBe('')
    for (const socket of held) socket.destroy()
    await Promise.all(held.map((socket) => once(socket, 'close')))
    await expectAlive(face)
  })
})

suite('a request is refused', () => {
  test.each([50, 98])('not for %i headers', async (count) => {
    await using face = await startFace()
    const headers = Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-${index}`, 'x']))
    expect((await face.get('/ping', headers)).status).toBe(200)
  })

  // Node drops the headers from the 2,000th on unseen: one that says that a browser sent this must not be among them.
  test.each([101, 1_999, 3_000])('for %i headers, with 431', async (count) => {
    await using face = await startFace()
    const headers = Array.from({ length: count }, (_, index) => `a${index}:\r\n`).join('')
    const answer = await raw(face, `GET /stats HTTP/1.1\r\nConnection: close\r\n${HOST}${headers}\r\n`)
    expect(statuses(answer)).toEqual([431])
    await expectAlive(face)
  })

  test.each([
    ['both lengths', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /ping HTTP/1.1\r\n\r\n'],
    ['both lengths, the other way round', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
    ['a length that is none', 'Content-Length: 0x2\r\n\r\n{}'],
    ['a negative length', 'Content-Length: -2\r\n\r\n{}'],
    [
      'an encoding of the connection that nobody knows',
      'Transfer-Encoding: identity, xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    ],
    ['a chunk whose length is none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n'],
    ['a blank before the colon', 'Content-Length : 2\r\n\r\n{}'],
    ['a header that goes on in a second line', 'X-Fold: a\r\n\tb\r\nContent-Length : 2\r\n\r\n{}'],
    ['a NUL', 'X-Nul: a\0b\r\n\r\n'],
  ])('for %s, and nothing behind it is answered', async (_, rest) => {
    await using face = await startFace()
    expect(statuses(await raw(face, `${JSON_POST}${rest}`))).toEqual([400])
    await expectAlive(face)
  })

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
    ['no host', 'GET /ping HTTP/1.1\r\n\r\n'],
    ['a method that does not exist', `BREW /ping HTTP/1.1\r\n${HOST}\r\n`],
    ['a version that does not exist', `GET /ping HTTP/7.3\r\n${HOST}\r\n`],
  ])('for %s', async (_, request) => {
    await using face = await startFace()
    expect(statuses(await raw(face, request))).toEqual([400])
    await expectAlive(face)
  })

  test('for an address of ten kilobytes, with 404, however it is written', async () => {
    await using face = await startFace()
    for (const path of [`/${'x'.repeat(10_000)}`, `/api/groups/${'%41'.repeat(3_000)}`, `/${'../'.repeat(3_000)}`]) {
      expect((await face.get(path)).status).toBe(404)
    }
    expect((await face.get(`/api/groups/${'%'.repeat(10_000)}`)).status).toBe(400)
    expect((await face.get(`/api/groups?search=${'x'.repeat(10_000)}`)).status).toBe(200)
  })
})

suite('a request is answered', () => {
  test('by HTTP/1.0, and the connection ends', async () => {
    await using face = await startFace()
    const answer = await raw(face, 'GET /ping HTTP/1.0\r\n\r\n')
    expect([statuses(answer), answer.endsWith('Pong')]).toEqual([[200], true])
  })

  test('in its place, if several come at once', async () => {
    await using face = await startFace()
    const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`
    const last = `GET /ping HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`
    const answer = await raw(face, get('/ping') + get('/nothing') + get('/livez').repeat(50) + last)
    expect(statuses(answer)).toEqual([200, 404, ...Array<number>(50).fill(200), 200])
  })

  test('however deep the JSON of its body is', async () => {
    await using face = await startFace()
    for (const body of ['['.repeat(500_000), '{"a":'.repeat(150_000), `${'['.repeat(300_000)}${']'.repeat(300_000)}`]) {
      expect((await face.post('/api/costs_per_hour', body)).status).toBe(400)
    }
    await expectAlive(face)
  })

  test('with 400 for names in its body that every object has', async () => {
    await using face = await startFace()
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect((await face.post('/api/costs_per_hour', `{"${name}": 1}`)).status).toBe(404)
      expect((await face.post('/logconfig', `{"levels": {"${name}": "debug"}}`)).status).toBe(400)
    }
  })

  test.each([
    '1e400',
    '1e999999999',
    '-1',
    '-0.0000001',
    '"NaN"',
    '"0x10"',
    '"1_000"',
    'null',
    `1${'0'.repeat(5_000)}`,
  ])('with 400 for a machine of the size %s', async (size) => {
    await using face = await startFace()
    expect((await face.post('/api/costs_per_hour', `{"cpu": ${size}}`)).status).toBe(400)
  })

  test.each([
    ['1e400', 400],
    ['1e308', 400],
    ['-1e18', 400],
    ['5e-324', 400],
    ['"NaN"', 400],
    ['"0x10"', 400],
    ['-0', 400],
    [`1${'0'.repeat(5_000)}`, 400],
    ['9223372036854.775807', 409],
    ['92233720369', 409],
    ['-92233720369', 409],
    ['92233720368', 201],
  ])('with what is right for an adjustment of %s: %i', async (amount, status) => {
    await using face = await startFace()
    await face.record({ project: 'p', at: face.clock.now(), value: '1' })
    expect((await face.post('/api/groups/p/adjustments', `{"amount": ${amount}, "reason": "x"}`)).status).toBe(status)
    // The group can be charged and looked at all the same.
    await face.record({ project: 'p', at: face.clock.now() + 3_600_000, value: '2' })
    for (const path of ['', '/entries', '/explain']) expect((await face.get(`/api/groups/p${path}`)).status).toBe(200)
    expect((await face.get('/api/credits_history/p')).status).toBe(200)
  })
})
