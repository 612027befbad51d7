import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, suite, test } from 'vitest'
import { HttpListenError } from '#src/http/app.ts'
import { ask, startFace } from './server.ts'

/** A promise and what ends it. */
const pending = () => Promise.withResolvers<void>()

suite('listening', () => {
  test('says where', async () => {
    await using face = await startFace()
    expect(face.url).toBe(`http://127.0.0.1:${face.port}`)
    expect(face.port).toBeGreaterThan(0)
  })

  test('works on IPv6', async () => {
    await using face = await startFace({ host: '::1' })
    expect(face.url).toBe(`http://[::1]:${face.port}`)
    expect((await face.get('/stats')).status).toBe(200)
  })

  test('on a port that is taken fails and says so', async () => {
    await using face = await startFace()
    const second = startFace({ port: face.port })
    await expect(second).rejects.toThrow(HttpListenError)
    await expect(second).rejects.toThrow(`port ${face.port} (CREDITS_HOST, CREDITS_PORT): another program does already`)
  })

  test('on an address of another machine fails and says so', async () => {
    await expect(startFace({ host: '192.0.2.1' })).rejects.toThrow('this machine does not have that address')
  })
})

suite('stopping', () => {
  test('finishes what is under way, ends its connection and answers nobody after', async () => {
    const [asked, released] = [pending(), pending()]
    await using face = await startFace()
    const check = async () => {
      asked.resolve()
      await released.promise
      return undefined
    }
    await using slow = await startFace({ ledger: { ...face.ledger, check } })
    using agent = keepAlive()
    const outgoing = request(`${slow.url}/readyz`, { agent }).end()
    const response = once(outgoing, 'response')
    await asked.promise
    // An hour: what ends it is the answer, not the grace.
    const stopped = slow.server.stop(3_600_000)
    released.resolve()
    const [answer] = await response
    expect([answer.statusCode, answer.headers.connection, await text(answer)]).toEqual([200, 'close', '{"ready":true}'])
    await stopped
    await expect(ask(slow.url, '/ping', {})).rejects.toThrow('ECONNREFUSED')
  })

  test('does not wait for connections on which nothing is asked', async () => {
    await using face = await startFace()
    using agent = keepAlive()
    const [answer] = await once(request(`${face.url}/ping`, { agent }).end(), 'response')
    expect([answer.headers.connection, await text(answer)]).toEqual(['keep-alive', 'Pong'])
    await face.server.stop(3_600_000)
  })

  test('cuts off what takes longer than the grace', async () => {
    const [asked, never] = [pending(), pending()]
    await using face = await startFace()
    const check = async () => {
      asked.resolve()
      await never.promise
      return undefined
    }
    await using stuck = await startFace({ ledger: { ...face.ledger, check } })
    const answer = stuck.get('/readyz')
    const failure = expect(answer).rejects.toThrow('socket hang up')
    await asked.promise
    await stuck.server.stop(0)
    await failure
    never.resolve()
  })

  test('twice is stopping once', async () => {
    await using face = await startFace()
    await Promise.all([face.server.stop(0), face.server.stop(0)])
    await face.server.stop(0)
  })
})

suite('a request', () => {
  test('with a head that is too large is refused', async () => {
    await using face = await startFace()
    expect((await face.get('/ping', { 'X-Padding': 'x'.repeat(20_000) })).status).toBe(431)
    expect((await face.get('/ping', { 'X-Padding': 'x'.repeat(10_000) })).status).toBe(200)
  })

  test('that is no HTTP is refused', async () => {
    await using face = await startFace()
    const socket = connect(face.port, '127.0.0.1')
    socket.end('EHLO example.org\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })

  test.each([
    ['in one piece', { 'Content-Length': 3_000_000 }],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }],
  ])('whose body is too large leaves the connection fit for the next one: %s', async (_how, length) => {
    await using face = await startFace()
    using agent = keepAlive()
    const ask = async (method: string, path: string, body?: string) => {
      const headers = { 'Content-Type': 'application/json', ...(body !== undefined && length) }
      const outgoing = request(face.url + path, { agent, method, headers }).end(body)
      const [answer] = await once(outgoing, 'response')
      await text(answer)
      return { status: answer.statusCode, isSameConnection: outgoing.reusedSocket }
    }
    expect((await ask('POST', '/api/costs_per_hour', ' '.repeat(3_000_000))).status).toBe(413)
    expect(await ask('GET', '/ping')).toEqual({ status: 200, isSameConnection: true })
  })

  test('that is given up half way does no harm', async () => {
    await using face = await startFace()
    const head =
      'POST /api/costs_per_hour HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'
    const socket = connect(face.port, '127.0.0.1')
    socket.write(head)
    await once(socket, 'connect')
    socket.destroy()
    await once(socket, 'close')
    expect((await face.get('/ping')).status).toBe(200)
    expect(face.logLines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

function keepAlive(): Agent & Disposable {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return Object.assign(agent, { [Symbol.dispose]: () => agent.destroy() })
}
