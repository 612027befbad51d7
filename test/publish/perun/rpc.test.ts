import type { RequestListener, ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, suite, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { createPerunRpc, type PerunError, type PerunRpcOptions } from '#src/publish/perun/rpc.ts'
import { createLogging } from '#src/telemetry/logger.ts'
import { startPeer } from '../../helpers/peer.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const PASSWORD = 'p%41ss wörd:@/?#'

function rpcTo(url: string, options: Partial<PerunRpcOptions> = {}) {
  const rpc = createPerunRpc({
    url,
    login: 'credits',
    password: PASSWORD,
    timeout: 2_000,
    connections: 4,
    ...options,
  })
  onTestFinished(() => rpc.close())
  return rpc
}

/** A front end that answers as it is told, and a client of it. */
async function peerThat(answer: RequestListener, options: Partial<PerunRpcOptions> = {}) {
  const peer = await startPeer(answer)
  onTestFinished(() => peer[Symbol.asyncDispose]())
  return { peer, rpc: rpcTo(`${peer.url}/ba/rpc/json`, options) }
}

function send(response: ServerResponse, status: number, body: string, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type }).end(body)
}

/** The error of a call, which must fail. */
async function failureOf(call: Promise<unknown>): Promise<PerunError> {
  return call.then(
    () => expect.unreachable('the call should have failed'),
    (error: PerunError) => error,
  )
}

async function answered(status: number, body: string, type?: string): Promise<PerunError> {
  const { rpc } = await peerThat((_, response) => send(response, status, body, type))
  return failureOf(rpc.call('groupsManager/getGroupById', { id: 1 }))
}

suite('a call of Perun', () => {
  test('is a POST of a JSON object with the login, to the method below the address', async () => {
    const bodies: string[] = []
    const { peer, rpc } = await peerThat((request, response) => {
      request.on('data', (piece) => bodies.push(String(piece)))
      request.on('end', () => send(response, 200, '{"id":7}'))
    })
    expect(await rpc.call('groupsManager/getGroupByName', { vo: 412, name: 'ü' })).toEqual({ id: 7 })
    const [request] = peer.requests
    expect([request!.method, request!.url]).toEqual(['POST', '/ba/rpc/json/groupsManager/getGroupByName'])
    expect(request!.headers['content-type']).toMatch(/^application\/json/)
    expect(request!.headers.authorization).toBe(`Basic ${Buffer.from(`credits:${PASSWORD}`).toString('base64')}`)
    expect(bodies).toEqual(['{"vo":412,"name":"ü"}'])
  })

  test('that answers null is fine', async () => {
    const { rpc } = await peerThat((_, response) => send(response, 200, 'null'))
    expect(await rpc.call('attributesManager/setAttributes', {})).toBeNull()
  })

  test('keeps its session, whatever other cookies come along', async () => {
    const { peer, rpc } = await peerThat((_, response) => {
      response.appendHeader('set-cookie', 'PERUNSESSION=AB12; Path=/; HttpOnly; SameSite=Strict')
      response.appendHeader('set-cookie', 'balancer=1; Domain=elsewhere.example')
      response.appendHeader('set-cookie', '=;;=')
      send(response, 200, 'null')
    })
    for (let call = 0; call < 3; call += 1) await rpc.call('utils/getPerunStatus', {})
    expect(peer.requests.map(({ headers }) => headers.cookie)).toEqual([
      undefined,
      'PERUNSESSION=AB12',
      'PERUNSESSION=AB12',
    ])
  })

  test('brings back the token against forgery that it was refused with, and does so once', async () => {
    const { peer, rpc } = await peerThat((_, response) => {
      response.appendHeader('set-cookie', `XSRF-TOKEN=${peer.requests.length}; Path=/`)
      send(response, 403, '<html>', 'text/html')
    })
    const error = await failureOf(rpc.call('utils/getPerunStatus', {}))
    expect(error).toMatchObject({ failure: 'forbidden', exception: 'HTTP 403' })
    expect(peer.requests.map(({ headers }) => [headers['x-xsrf-token'], headers.cookie])).toEqual([
      [undefined, undefined],
      ['1', 'XSRF-TOKEN=1'],
    ])
  })

  test('sends the token that it knows at once, and asks before it repeats with a newer one', async () => {
    let wanted = '1'
    const { peer, rpc } = await peerThat(({ headers }, response) => {
      if (headers['x-xsrf-token'] === wanted) return send(response, 200, 'null')
      response.appendHeader('set-cookie', `XSRF-TOKEN=${wanted}; Path=/`)
      send(response, 403, '<html>', 'text/html')
    })
    const sent = () => peer.requests.map(({ headers }) => headers['x-xsrf-token'])
    await rpc.call('utils/getPerunStatus', {})
    await rpc.call('utils/getPerunStatus', {})
    expect(sent()).toEqual([undefined, '1', '1'])
    wanted = '2'
    const refuse = (isAgain: boolean) => {
      if (isAgain) throw new Error('It took too long')
    }
    await expect(rpc.call('utils/getPerunStatus', {}, refuse)).rejects.toThrow('It took too long')
    expect(sent()).toEqual([undefined, '1', '1', '1'])
    await rpc.call('utils/getPerunStatus', {}, refuse)
    expect(sent()).toEqual([undefined, '1', '1', '1', '2'])
  })

  test('is not sent at all if it is asked before and that is refused', async () => {
    const { peer, rpc } = await peerThat((_, response) => send(response, 200, 'null'))
    const refuse = () => {
      throw new Error('It is not ours any more')
    }
    await expect(rpc.call('utils/getPerunStatus', {}, refuse)).rejects.toThrow('It is not ours any more')
    expect(peer.requests).toEqual([])
  })

  test('gets through a front end that wants such a token, element by element too', async () => {
    await using perun = await startPerun({ csrf: true })
    perun.addGroup({ name: 'alpha', resources: [8676] })
    const rpc = rpcTo(perun.url, { password: 'secret' })
    const names: unknown[] = []
    const method = 'groupsManager/getRichGroupsAssignedToResourceWithAttributesByNames'
    await rpc.each(method, { resource: 8676 }, (group) => names.push((group as { name: string }).name))
    expect(names).toEqual(['alpha'])
  })

  test('never uses more connections than it may', async () => {
    await using perun = await startPerun({ latency: 20 })
    const rpc = rpcTo(perun.url, { password: 'secret', connections: 2 })
    await Promise.all(Array.from({ length: 8 }, () => rpc.call('utils/getPerunSystemTimeInMillis', {})))
    expect(perun.calls.concurrentPeak).toBe(2)
  })

  test('is told with its method, how it ended and how long it took', async () => {
    const calls: unknown[] = []
    const onCall: PerunRpcOptions['onCall'] = ({ method, outcome, seconds }) =>
      calls.push([method, outcome, seconds >= 0 && seconds < 60])
    await using perun = await startPerun()
    const rpc = rpcTo(perun.url, { password: 'secret', onCall })
    await rpc.call('utils/getPerunSystemTimeInMillis', {})
    await failureOf(rpc.call('groupsManager/getGroupById', { id: 1 }))
    await failureOf(rpcTo(perun.url, { password: 'wrong', onCall }).call('groupsManager/getGroupById', { id: 1 }))
    expect(calls).toEqual([
      ['utils/getPerunSystemTimeInMillis', 'ok', true],
      ['groupsManager/getGroupById', 'refused', true],
      ['groupsManager/getGroupById', 'forbidden', true],
    ])
  })
})

suite('what a failed call means', () => {
  test.each([
    ['an exception with a name', 400, { errorId: '1a', name: 'GroupNotExistsException' }, 'refused'],
    ['an exception with a type only', 400, { errorId: '1a', type: 'IllegalArgumentException' }, 'refused'],
    ['a call that Perun cannot read', 400, { errorId: '1a', type: 'MISSING_VALUE', errorInfo: 'vo' }, 'refused'],
    ['a lost database', 400, { errorId: '1a', type: 'InternalErrorException' }, 'unavailable'],
    ['inconsistent data', 400, { errorId: '1a', type: 'ConsistencyErrorException' }, 'unavailable'],
    ['an exception that nobody caught', 500, { errorId: '1a', type: 'UNCATCHED_EXCEPTION' }, 'unavailable'],
    ['a right that is missing', 400, { errorId: '1a', name: 'PrivilegeException' }, 'forbidden'],
    ['a login that got nowhere', 400, { errorId: '1a', name: 'UserNotExistsException' }, 'forbidden'],
    ['a second factor that is wanted', 401, { errorId: '1a', name: 'MfaPrivilegeException' }, 'forbidden'],
  ])('%s: as Perun says', async (_, status, body, failure) => {
    const error = await answered(status, JSON.stringify(body))
    expect(error).toMatchObject({ failure, exception: 'name' in body ? body.name : body.type })
  })

  test.each([
    ['a wrong password', 401, '<html>', 'forbidden'],
    ['a page that forbids', 403, '<html>', 'forbidden'],
    ['a front end that is broken', 502, '<html>', 'unavailable'],
    ['an address that is not there', 404, '<html>', 'unavailable'],
    ['a redirect to a login', 302, '', 'unavailable'],
    ['an answer without content', 204, '', 'unavailable'],
    ['a front end that cannot read the request', 400, 'Bad Request', 'unavailable'],
    ['JSON that is no error of Perun', 400, '["x"]', 'unavailable'],
    ['JSON with a name that is none', 400, '{"name":7}', 'unavailable'],
    ['JSON that is null', 400, 'null', 'unavailable'],
  ])('%s (%s, without an exception of Perun)', async (_, status, body, failure) => {
    expect(await answered(status, body)).toMatchObject({ failure, exception: `HTTP ${status}` })
  })

  // Gateways answer in JSON too, and a `type` is in every problem document. Taken for Perun's, it would put each group on hold.
  test.each([429, 502, 503, 504])('a gateway that answers %i with a problem document: not now', async (status) => {
    const error = await answered(status, '{"type":"about:blank","title":"No upstream"}', 'application/problem+json')
    expect(error.failure).toBe('unavailable')
  })

  test('an error with status 200: as Perun says, not that the call was made', async () => {
    const body = { errorId: '1a', name: 'WrongAttributeValueException', message: 'no' }
    expect(await answered(200, JSON.stringify(body))).toMatchObject({ failure: 'refused', exception: body.name })
  })

  test.each([
    ['a page with status 200', '<!doctype html>Log in', 'text/html'],
    ['JSON that ends in the middle', '{"id":1,"na', 'application/json'],
    ['nothing', '', 'application/json'],
  ])('%s: not now', async (_, body, type) => {
    expect(await answered(200, body, type)).toMatchObject({ failure: 'unavailable', exception: 'not JSON' })
  })

  test.each([`"${'X'.repeat(100_000)}"`, '"two words"', '"<b>"', '{}', '5', 'null', '""'])(
    'an exception without a name that could be one: %s',
    async (name) => {
      const { exception, message } = await answered(400, `{"errorId":"1a","name":${name}}`)
      expect(exception).toBe('HTTP 400')
      expect(message.length).toBeLessThan(200)
    },
  )

  test('Perun refuses a group, and has trouble with one: the errors tell', async () => {
    const trouble = await answered(400, '{"errorId":"1a","type":"InternalErrorException"}')
    const refusal = await answered(400, '{"errorId":"1a","name":"GroupNotExistsException"}')
    expect([trouble.isTrouble, refusal.isTrouble]).toEqual([true, false])
  })
})

suite('when the way to Perun is broken', () => {
  test.each([
    ['that is cut before an answer', (response: ServerResponse) => response.socket!.destroy()],
    [
      'that is cut in the middle of an answer',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('[{"a":1}', () => response.socket!.destroy())
      },
    ],
    [
      'that is cut in the middle of a chunk',
      (response: ServerResponse) => {
        response.writeHead(200)
        response.write('[{"a":1}]', () => response.socket!.destroy())
      },
    ],
  ])('a connection %s fails the call, also one for many elements', async (_, cut) => {
    const { rpc } = await peerThat((_, response) => cut(response))
    expect(await failureOf(rpc.call('x/y', {}))).toMatchObject({ failure: 'unavailable' })
    expect(await failureOf(rpc.each('x/y', {}, () => {}))).toMatchObject({ failure: 'unavailable' })
  })

  test('nobody listens', async () => {
    const rpc = rpcTo('http://127.0.0.1:1/rpc/json')
    expect(await failureOf(rpc.call('x/y', {}))).toMatchObject({ failure: 'unavailable', exception: 'ECONNREFUSED' })
  })

  test('something else than HTTP answers', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const rpc = rpcTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/rpc/json`)
    expect(await failureOf(rpc.call('x/y', {}))).toMatchObject({ failure: 'unavailable' })
  })

  test.each([
    ['never answers', () => {}],
    ['never ends its answer', (response: ServerResponse) => void response.writeHead(200).write('[{"a":1},')],
    [
      'drips its answer',
      (response: ServerResponse) => {
        response.writeHead(200)
        const drip = setInterval(() => response.write('[ '), 10)
        response.once('close', () => clearInterval(drip))
      },
    ],
  ])('a Perun that %s is given up', async (_, answer) => {
    const { rpc } = await peerThat((_, response) => answer(response), { timeout: 150 })
    expect(await failureOf(rpc.call('x/y', {}))).toMatchObject({ failure: 'unavailable', exception: 'ETIMEDOUT' })
  })

  test('an endless page of an error is not kept', { timeout: 60_000 }, async () => {
    const mebibyte = Buffer.alloc(2 ** 20, 'x')
    const pieces = 64
    const keptNow = () => {
      collectGarbage()
      return process.memoryUsage().arrayBuffers
    }
    const before = keptNow()
    let most = 0
    const endless: RequestListener = async (_, response) => {
      response.writeHead(503, { 'content-type': 'text/html' })
      for (let piece = 0; piece < pieces && !response.destroyed; piece += 1) {
        await new Promise((resolve) => response.write(mebibyte, resolve))
        most = Math.max(most, keptNow() - before)
      }
      response.end()
    }
    const { rpc } = await peerThat(endless, { timeout: 50_000 })
    expect(await failureOf(rpc.call('x/y', {}))).toMatchObject({ failure: 'unavailable', exception: 'HTTP 503' })
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan((pieces * mebibyte.length) / 4)
  })
})

/** Writes the same bytes again and again until nobody reads them any more. */
function writingForEver(begin: string, again: string): RequestListener {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write(begin)
    const more = () => {
      while (!response.destroyed && response.write(again));
      response.once('drain', more)
    }
    more()
  }
}

suite('an answer that never ends is given up', () => {
  test('as soon as it is too large', async () => {
    const { rpc } = await peerThat(writingForEver('["', 'x'.repeat(65_536)), { timeout: 25_000 })
    expect(await failureOf(rpc.call('x/y', {}))).toMatchObject({
      failure: 'unavailable',
      exception: 'more than 67108864 bytes',
    })
  })

  test('when its time is over, and nothing of it is kept', async () => {
    const { rpc } = await peerThat(writingForEver('[{"a":"', 'x'.repeat(65_536)), { timeout: 500 })
    const keptNow = () => {
      collectGarbage()
      return process.memoryUsage().arrayBuffers
    }
    const before = keptNow()
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, keptNow() - before)
    }, 20)
    expect(await failureOf(rpc.each('x/y', {}, () => {}))).toMatchObject({ failure: 'unavailable' })
    clearInterval(watch)
    expect(most).toBeLessThan(32 * 2 ** 20)
  })
})

suite('an answer with many elements', () => {
  test('comes element by element, however it is cut on the way', async () => {
    const groups = Array.from({ length: 500 }, (_, id) => ({ id, name: `Gießen "${id}" \\ }{`, attributes: [{ id }] }))
    const bytes = Buffer.from(JSON.stringify(groups))
    const { rpc } = await peerThat(async (_, response) => {
      response.writeHead(200)
      for (let start = 0; start < bytes.length; start += 997) {
        response.write(bytes.subarray(start, start + 997))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    })
    const seen: unknown[] = []
    await rpc.each('x/y', {}, (element) => seen.push(element))
    expect(seen).toEqual(groups)
  })

  test.each([
    ['is cut short', '[{"id":1},{"id":2}'],
    ['is followed by an error', '[{"id":1}]{"errorId":"1a","type":"InternalErrorException"}'],
    ['is an error with status 200', '{"errorId":"1a","type":"InternalErrorException"}'],
    ['has an element that is no JSON', '[{"id":1},{"id":}]'],
    ['is a page', '<html><style>p { margin: 0 }</style></html>'],
    ['is null', 'null'],
  ])('that %s fails', async (_, body) => {
    const { rpc } = await peerThat((_, response) => send(response, 200, body))
    expect(await failureOf(rpc.each('x/y', {}, () => {}))).toMatchObject({ failure: 'unavailable' })
  })

  test('fails with the exception of Perun that comes instead', async () => {
    const body = '{"errorId":"1a","name":"ResourceNotExistsException"}'
    const { rpc } = await peerThat((_, response) => send(response, 400, body))
    expect(await failureOf(rpc.each('x/y', {}, () => {}))).toMatchObject({
      failure: 'refused',
      exception: 'ResourceNotExistsException',
    })
  })
})

test('no error tells the password, or what Perun said about people', async () => {
  const body = '{"errorId":"1a","name":"WrongAttributeValueException","message":"erika@example.org is no value"}'
  const answers: RequestListener[] = [
    (_, response) => send(response, 400, body),
    (_, response) => send(response, 401, '<html>'),
    (_, response) => send(response, 200, '{"id":'),
    (_, response) => void response.socket!.destroy(),
    () => {},
  ]
  const lines: string[] = []
  const log = createLogging({ level: 'trace', destination: { write: (line) => void lines.push(line) } }).logger('perun')
  for (const answer of answers) {
    const { rpc } = await peerThat(answer, { timeout: 100 })
    const error = await failureOf(rpc.call('attributesManager/setAttributes', { group: 1 }))
    log.error({ err: error }, error.message)
    expect(error.message).toMatch(/^Perun (refused|could not answer) attributesManager\/setAttributes \(.+\)$/)
    lines.push(error.message, String(error.stack))
  }
  const all = lines.join('\n')
  expect(all).not.toContain('erika')
  for (const form of [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`credits:${PASSWORD}`).toString('base64')])
    expect(all).not.toContain(form)
})
