/** What stands between us and a Perun far away, and misbehaves. Nothing of this comes from Perun itself. */
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, suite, test } from 'vitest'
import { createPerunRpc, type PerunError } from '#src/publish/perun/rpc.ts'

const url = 'https://perun.example/ba/rpc/json'
const METHOD = 'groupsManager/getGroupByName'
const proxy = setupServer()
const rpc = createPerunRpc({ url, login: 'credits', password: 'hunter2', timeout: 1_000, connections: 2 })

beforeAll(() => proxy.listen({ onUnhandledFrame: 'error' }))
afterEach(() => proxy.resetHandlers())
afterAll(() => {
  rpc.close()
  proxy.close()
})

function answer(make: () => Response): void {
  proxy.use(http.post(`${url}/${METHOD}`, () => make()))
}

async function failureOf(call: Promise<unknown>): Promise<PerunError> {
  return call.then(
    () => expect.fail('Expected the call to fail'),
    (error: PerunError) => error,
  )
}

suite('a proxy in front of Perun', () => {
  test('that lets an answer through does no harm', async () => {
    answer(() => HttpResponse.json({ id: 7 }))
    expect(await rpc.call(METHOD, { vo: 1, name: 'p' })).toEqual({ id: 7 })
  })

  test.each([
    ['a page saying 502', () => new HttpResponse('<h1>Bad Gateway</h1>', { status: 502 }), 'unavailable', 'HTTP 502'],
    ['a page saying 504', () => new HttpResponse('<h1>Timeout</h1>', { status: 504 }), 'unavailable', 'HTTP 504'],
    ['a page saying 429', () => new HttpResponse('slow down', { status: 429 }), 'unavailable', 'HTTP 429'],
    ['a page to log in', () => HttpResponse.html('<form>'), 'unavailable', 'not JSON'],
    [
      'a redirect to a page to log in',
      () => HttpResponse.redirect('https://idp.example/', 302),
      'unavailable',
      'HTTP 302',
    ],
    ['a page saying 401', () => new HttpResponse('who?', { status: 401 }), 'forbidden', 'HTTP 401'],
    ['a page saying 403', () => new HttpResponse('no', { status: 403 }), 'forbidden', 'HTTP 403'],
    ['half of an answer', () => new HttpResponse('{"id": 7, "na'), 'unavailable', 'not JSON'],
    ['nothing at all', () => new HttpResponse(null, { status: 200 }), 'unavailable', 'not JSON'],
  ] as const)('that answers with %s', async (_, make, failure, exception) => {
    answer(make)
    expect(await failureOf(rpc.call(METHOD, {}))).toMatchObject({ failure, exception })
  })

  test('that breaks the connection leaves the outcome open', async () => {
    answer(() => HttpResponse.error())
    expect((await failureOf(rpc.call(METHOD, {}))).failure).toBe('unavailable')
  })

  test('gets no password of ours into an error', async () => {
    answer(() => HttpResponse.error())
    const error = await failureOf(rpc.call(METHOD, { secret: 'hunter2' }))
    expect(`${error.message} ${error.stack}`).not.toContain('hunter2')
  })
})
