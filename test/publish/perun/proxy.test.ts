/** What stands between us and a Perun far away, and misbehaves. Nothing of this comes from Perun itself. */
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { expect, onTestFinished, suite, test } from 'vitest'
import { createPerunRpc, type PerunError } from '#src/publish/perun/rpc.ts'
import { startPeer } from '../../helpers/peer.ts'

const METHOD = 'groupsManager/getGroupByName'

async function proxyThat(answer: (response: ServerResponse) => void) {
  const proxy = await startPeer((_, response) => answer(response))
  onTestFinished(() => proxy[Symbol.asyncDispose]())
  const url = `${proxy.url}/ba/rpc/json`
  const rpc = createPerunRpc({ url, login: 'credits', password: 'hunter2', timeout: 1_000, connections: 2 })
  onTestFinished(() => rpc.close())
  return { rpc, proxy }
}

function page(status: number, body: string, headers: Record<string, string> = {}) {
  return (response: ServerResponse) =>
    void response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body)
}

async function failureOf(call: Promise<unknown>): Promise<PerunError> {
  return call.then(
    () => expect.fail('Expected the call to fail'),
    (error: PerunError) => error,
  )
}

suite('a proxy in front of Perun', () => {
  test('that lets an answer through does no harm', async () => {
    const { rpc } = await proxyThat(page(200, '{"id":7}'))
    expect(await rpc.call(METHOD, { vo: 1, name: 'p' })).toEqual({ id: 7 })
  })

  test.each([
    ['a page saying 502', page(502, '<h1>Bad Gateway</h1>'), 'unavailable', 'HTTP 502'],
    ['a page saying 504', page(504, '<h1>Timeout</h1>'), 'unavailable', 'HTTP 504'],
    ['a page saying 429', page(429, 'slow down'), 'unavailable', 'HTTP 429'],
    ['a page to log in', page(200, '<form>'), 'unavailable', 'not JSON'],
    ['a page saying 401', page(401, 'who?'), 'forbidden', 'HTTP 401'],
    ['a page saying 403', page(403, 'no'), 'forbidden', 'HTTP 403'],
    ['half of an answer', page(200, '{"id": 7, "na'), 'unavailable', 'not JSON'],
    ['nothing at all', page(200, ''), 'unavailable', 'not JSON'],
  ] as const)('that answers with %s', async (_, answer, failure, exception) => {
    const { rpc } = await proxyThat(answer)
    expect(await failureOf(rpc.call(METHOD, {}))).toMatchObject({ failure, exception })
  })

  test('that redirects to a page to log in is not followed', async () => {
    const { rpc, proxy } = await proxyThat(page(302, '', { location: '/login' }))
    expect(await failureOf(rpc.call(METHOD, {}))).toMatchObject({ failure: 'unavailable', exception: 'HTTP 302' })
    expect(proxy.requests).toHaveLength(1)
  })

  test('that breaks the connection leaves the outcome open', async () => {
    const { rpc } = await proxyThat((response) => void response.socket!.destroy())
    expect(await failureOf(rpc.call(METHOD, {}))).toMatchObject({ failure: 'unavailable', exception: 'ECONNRESET' })
  })

  test('gets no password of ours into an error', async () => {
    const { rpc } = await proxyThat((response) => void response.socket!.destroy())
    const error = await failureOf(rpc.call(METHOD, { secret: 'hunter2' }))
    expect(`${error.message} ${error.stack}`).not.toContain('hunter2')
  })
})

// All calls would share one connection then, and a dead one would be kept until it is pinged twice in vain.
test('a server that would rather speak HTTP/2 is called with HTTP/1.1', async () => {
  const [key, cert] = ['key', 'crt'].map((end) =>
    readFileSync(join(import.meta.dirname, `../../fixtures/tls/localhost.${end}`), 'utf8'),
  )
  const usual = getCACertificates()
  setDefaultCACertificates([...usual, cert!])
  onTestFinished(() => setDefaultCACertificates(usual))
  const versions: string[] = []
  const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion)
    request.resume()
    response.end('{"id":7}')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => void server.close())
  const url = `https://localhost:${(server.address() as AddressInfo).port}/ba/rpc/json`
  const rpc = createPerunRpc({ url, login: 'credits', password: 'hunter2', timeout: 5_000, connections: 2 })
  onTestFinished(() => rpc.close())
  expect(await rpc.call(METHOD, {})).toEqual({ id: 7 })
  expect(versions).toEqual(['1.1'])
})
