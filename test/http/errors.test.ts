import { expect, suite, test } from 'vitest'
import { startFace } from './server.ts'

suite('an error', () => {
  test('is a problem document that names its task in the log', async () => {
    await using face = await startFace()
    const { status, headers, json } = await face.get('/nothing/here')
    expect(status).toBe(404)
    expect(headers['content-type']).toBe('application/problem+json')
    expect(json).toEqual({
      type: 'urn:credits-worker:problem:not-found',
      title: 'Not Found',
      status: 404,
      detail: 'There is nothing at /nothing/here.',
      instance: '/nothing/here',
      task: expect.stringMatching(/^http-[0-9a-f]{8}-[0-9a-z]+$/),
    })
    const { task } = json as { task: string }
    expect(face.logLines).toContainEqual(expect.objectContaining({ task, status: 404, path: '/nothing/here' }))
  })

  test.each(['/index.html', '/api', '/PING', '/ping/', '/api/groups/', '//ping', '/api/groups/a/b', '/ping%2F'])(
    'is 404 at %s',
    async (path) => {
      await using face = await startFace()
      expect((await face.get(path)).status).toBe(404)
    },
  )

  test.each([
    ['DELETE', '/ping', 'HEAD, GET'],
    ['POST', '/stats', 'HEAD, GET'],
    ['PUT', '/logconfig', 'HEAD, GET, POST'],
    ['GET', '/api/costs_per_hour', 'POST'],
    ['HEAD', '/api/costs_per_hour', 'POST'],
    ['OPTIONS', '/api/groups/alpha', 'HEAD, GET'],
  ])('is 405 for %s %s, with what is allowed', async (method, path, allow) => {
    await using face = await startFace()
    const { status, headers } = await face.ask(path, { method })
    expect(status).toBe(405)
    expect(headers.allow).toBe(allow)
  })

  test.each([
    '/api/groups/50%',
    '/api/groups/%zz',
    '/api/groups/%C3',
    '/api/groups/%FF/entries',
    '/api/groups?after=%',
  ])('is 400 for the broken address %s', async (path) => {
    await using face = await startFace()
    const { status, json } = await face.get(path)
    expect(status).toBe(400)
    expect(json).toMatchObject({ detail: expect.stringContaining('%25') })
  })

  test('that nobody expected is logged with its stack and tells the client nothing', async () => {
    await using face = await startFace({
      describeSettings: () => {
        throw new TypeError('the secret is hunter')
      },
    })
    const { status, text, json } = await face.get('/stats?verbose=1')
    expect(status).toBe(500)
    expect(text).not.toContain('hunter')
    const { task } = json as { task: string }
    expect(face.logLines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        task,
        err: expect.objectContaining({ type: 'TypeError', stack: expect.stringContaining('errors.test.ts') }),
      }),
    )
  })

  test('of an answer that cannot be written is logged as an error', async () => {
    await using face = await startFace({ describeSettings: () => ({ amount: 1n }) as never })
    const answer = await face.get('/stats?verbose=1')
    expect(answer).toMatchObject({ status: 500, json: { detail: expect.stringContaining('The log tells what') } })
    expect(face.logLines).toContainEqual(expect.objectContaining({ level: 'error', err: expect.anything() }))
  })
})

suite('every answer', () => {
  test.each(['/ping', '/api/holds', '/nothing', '/metrics'])('carries the headers that guard it: %s', async (path) => {
    await using face = await startFace()
    expect((await face.get(path)).headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
  })

  test('is counted by the pattern of its route', async () => {
    await using face = await startFace()
    await face.get('/api/groups/alpha')
    await face.get('/api/groups/beta')
    await face.get('/not/a/route')
    const { text } = await face.get('/metrics')
    expect(text).toContain('os_credits_http_requests_total{route="/api/groups/:name",status="404"} 2')
    expect(text).toContain('os_credits_http_requests_total{route="none",status="404"} 1')
    expect(text).toContain('os_credits_http_request_seconds_count{route="/api/groups/:name"} 2')
  })

  test('is logged, a change louder than a look', async () => {
    await using face = await startFace()
    await face.get('/ping')
    await face.post('/api/costs_per_hour', {})
    expect(face.logLines).toContainEqual(expect.objectContaining({ level: 'debug', method: 'GET', path: '/ping' }))
    expect(face.logLines).toContainEqual(expect.objectContaining({ level: 'info', method: 'POST', status: 200 }))
  })
})

suite('HEAD', () => {
  test.each(['/ping', '/livez', '/readyz', '/stats', '/logconfig', '/api/metrics', '/api/groups'])(
    'answers %s as GET does, without the body',
    async (path) => {
      await using face = await startFace()
      const [get, head] = [await face.get(path), await face.ask(path, { method: 'HEAD' })]
      expect(head.status).toBe(get.status)
      expect(head.headers['content-type']).toBe(get.headers['content-type'])
      expect(head.headers['content-length']).toBe(get.headers['content-length'])
      expect(head.text).toBe('')
    },
  )
})
