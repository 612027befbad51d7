import { expect, suite, test } from 'vitest'
import { startFace, target } from './server.ts'

test('/ping says Pong', async () => {
  await using face = await startFace()
  const { status, headers, text } = await face.get('/ping')
  expect([status, text]).toEqual([200, 'Pong'])
  expect(headers['content-type']).toBe('text/plain; charset=utf-8')
})

test('/livez answers whatever else is broken', async () => {
  await using face = await startFace({ targets: () => [], stopping: () => true })
  expect((await face.get('/livez')).json).toEqual({ alive: true })
})

suite('/readyz', () => {
  test('is ready when the ledger can be written and a scrape has worked', async () => {
    await using face = await startFace()
    const { status, json } = await face.get('/readyz')
    expect([status, json]).toEqual([200, { ready: true }])
  })

  test('stays ready when one exporter or Perun is down', async () => {
    const outbox = { status: { state: 'stopped', reason: 'Perun is down', since: 0, until: 1 } } as const
    const down = target({ up: false, lastSuccess: undefined, failures: 3 })
    await using face = await startFace({ outbox, targets: () => [down, target()] })
    expect((await face.get('/readyz')).status).toBe(200)
  })

  test('stays ready when a scrape fails that worked before', async () => {
    await using face = await startFace({ targets: () => [target({ up: false, failures: 1 })] })
    expect((await face.get('/readyz')).status).toBe(200)
  })

  test('is ready without a target: pushes come to whoever is ready', async () => {
    await using face = await startFace({ targets: () => [] })
    expect((await face.get('/readyz')).status).toBe(200)
  })

  test('is ready when nothing could be scraped yet, but something was pushed', async () => {
    const fresh = target({ up: undefined, lastScrape: undefined, lastSuccess: undefined })
    await using face = await startFace({ targets: () => [fresh] })
    expect((await face.get('/readyz')).status).toBe(503)
    await face.post('/write', 'up value=1')
    expect((await face.get('/readyz')).status).toBe(200)
  })

  const elsewhere = { kind: 'elsewhere', id: 2, name: 'worker-2/7' } as const
  const replicasOf = (isMember: boolean) => ({ list: async () => [], isMember: () => isMember })

  test('is ready when others scrape all targets: it stands by', async () => {
    const theirs = target({ scraper: elsewhere, up: undefined, lastSuccess: undefined })
    await using face = await startFace({ targets: () => [theirs], replicas: replicasOf(true) })
    expect((await face.get('/readyz')).status).toBe(200)
  })

  test.each([
    ['nobody', { kind: 'nobody', reason: 'Nobody has claimed it yet.' }],
    ['this worker', { kind: 'here' }],
  ] as const)('is not ready while a target of %s was never scraped', async (_who, scraper) => {
    const fresh = { up: undefined, lastScrape: undefined, lastSuccess: undefined }
    const targets = () => [target({ ...fresh, scraper: elsewhere }), target({ ...fresh, scraper })]
    await using face = await startFace({ targets, replicas: replicasOf(true) })
    const { status, json } = await face.get('/readyz')
    expect([status, json]).toEqual([503, { ready: false, reasons: ['No scrape has worked yet.'] }])
  })

  test('is not ready while the others may take it for dead', async () => {
    await using face = await startFace({ replicas: replicasOf(false) })
    const { status, json } = await face.get('/readyz')
    const reason =
      'The others that share the ledger have not heard of this worker for a while: it joins them again by itself.'
    expect([status, json]).toEqual([503, { ready: false, reasons: [reason] }])
  })

  test('names everything that is missing', async () => {
    const fresh = target({ up: undefined, lastScrape: undefined, lastSuccess: undefined })
    await using face = await startFace({ targets: () => [fresh], stopping: () => true })
    const { status, json } = await face.get('/readyz')
    expect([status, json]).toEqual([
      503,
      { ready: false, reasons: ['The worker is stopping.', 'No scrape has worked yet.'] },
    ])
  })

  test.each([
    ['says so', async () => 'database is locked'],
    ['throws', () => Promise.reject(new Error('database is locked'))],
  ])('is not ready when the ledger %s', async (_how, check) => {
    await using face = await startFace()
    await using broken = await startFace({ ledger: { ...face.ledger, check } })
    const { status, json } = await broken.get('/readyz')
    expect([status, json]).toEqual([
      503,
      { ready: false, reasons: ['The ledger cannot be written: database is locked.'] },
    ])
  })
})

test('/metrics is Prometheus text', async () => {
  await using face = await startFace()
  const { status, headers, text } = await face.get('/metrics')
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain('os_credits_build_info{version="1.2.3"} 1')
})
