/** Pushes over HTTP: who may, what is answered, what is recorded. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { LedgerError } from '#src/ledger/ledger.ts'
import { PushRefusal } from '#src/sources/source.ts'
import { T0 } from '../helpers/billing.ts'
import { remoteWriteHeaders, STALE, snappy, usage, version1, version2, version2Headers } from '../helpers/pushes.ts'
import { startFace } from './server.ts'

const keys = { operator: 'operator-key', reader: 'reader-key', writer: 'writer-key' }

const total = (value: number, at: number) => usage('BioVis', [[at, value]])
const line = (value: number, at: number) =>
  `project_vcpu_usage,location_id=8676,project_id=id-BioVis,project_name=BioVis value=${value} ${at}`

suite('POST /api/v1/write', () => {
  test('charges what grew, and answers when it is recorded', async () => {
    await using face = await startFace()
    face.clock.pass(HOUR)
    const post = (value: number, at: number) =>
      face.ask('/api/v1/write', {
        method: 'POST',
        headers: remoteWriteHeaders,
        body: snappy(version1([total(value, at)])),
      })
    expect(await post(1_000, T0)).toMatchObject({ status: 204, text: '' })
    await post(1_010.5, T0 + HOUR)
    expect((await face.ledger.account('BioVis'))?.used).toBe(10_500_000n)
    // Prometheus repeats what it knows no answer of.
    await post(1_010.5, T0 + HOUR)
    expect((await face.ledger.account('BioVis'))?.used).toBe(10_500_000n)
  })

  test('tells a sender of 2.0 how many samples were taken, charged for or not', async () => {
    await using face = await startFace()
    const up = { labels: { __name__: 'up' }, samples: [[T0, 1]] as const }
    const body = snappy(version2([{ ...total(1, T0), histograms: 2, exemplars: 1 }, up, usage('gone', [[T0, STALE]])]))
    const { status, headers } = await face.ask('/api/v1/write', { method: 'POST', headers: version2Headers, body })
    expect([status, headers['x-prometheus-remote-write-samples-written']]).toEqual([204, '3'])
    expect(headers['x-prometheus-remote-write-histograms-written']).toBe('0')
    expect(headers['x-prometheus-remote-write-exemplars-written']).toBe('0')
    const first = await face.ask('/api/v1/write', {
      method: 'POST',
      headers: remoteWriteHeaders,
      body: snappy(version1([])),
    })
    expect(first.headers['x-prometheus-remote-write-samples-written']).toBeUndefined()
  })

  // Prometheus would repeat it for ever.
  test('takes what nobody charges for', async () => {
    await using face = await startFace()
    const body = snappy(
      version1([usage('a', [[T0, 1]], 'up'), { labels: { __name__: 'project_vcpu_usage' }, samples: [[T0, 1]] }]),
    )
    expect((await face.ask('/api/v1/write', { method: 'POST', headers: remoteWriteHeaders, body })).status).toBe(204)
    const { pushes } = (await face.get('/stats')).json as { pushes: unknown[] }
    expect(pushes[0]).toMatchObject({
      protocol: 'remote write',
      samples: 2,
      readings: 0,
      rejected: { 'unknown metric': 1, incomplete: 1 },
    })
  })
})

suite('POST /write', () => {
  test('charges what grew, and tells of lines that cannot be read', async () => {
    await using face = await startFace()
    face.clock.pass(HOUR)
    await face.ask('/write?db=x&precision=ms', {
      method: 'POST',
      headers: { 'Content-Type': '' },
      body: line(1_000, T0),
    })
    const body = `${line(1_002.25, T0 + HOUR)}\nproject_vcpu_usage,project_name=x\n`
    const { status, json } = await face.ask('/write?precision=ms', {
      method: 'POST',
      headers: { 'Content-Type': '' },
      body,
    })
    expect([status, json]).toEqual([
      202,
      { lines: 1, bad_lines: 1, first_bad_lines: [{ line: 2, message: expect.stringContaining('Expected fields') }] },
    ])
    expect((await face.ledger.account('BioVis'))?.used).toBe(2_250_000n)
  })

  test('tells of lines that cannot be used', async () => {
    await using face = await startFace()
    const { status, json } = await face.ask('/write', { method: 'POST', body: `${line(1_000, T0 / 1_000)}\n` })
    const told = [{ line: 1, message: expect.stringContaining('is its unit right?') }]
    expect([status, json]).toEqual([202, { lines: 1, bad_lines: 1, first_bad_lines: told }])
    const { pushes } = (await face.get('/stats')).json as { pushes: unknown[] }
    expect(pushes[1]).toMatchObject({ errors: told, rejected: { 'too old': 1 } })
  })

  test('tells operators of the lines', async () => {
    await using face = await startFace()
    await face.ask('/write', { method: 'POST', body: `up value=1\nproject_vcpu_usage x` })
    const { pushes } = (await face.get('/stats')).json as { pushes: unknown[] }
    expect(pushes[1]).toMatchObject({
      protocol: 'influx',
      taken: 1,
      errors: [{ line: 2 }],
      rejected: { unreadable: 1 },
    })
    const { text } = await face.get('/', { accept: 'text/html' })
    expect(text).toContain('<h2 id="pushes">Pushes</h2>')
    expect(text).toContain('line 2: Expected name=value as a field')
  })
})

suite('Whoever pushes', () => {
  const write = { method: 'POST', body: 'up value=1' }

  test.each([
    ["the writer's key", { 'X-API-KEY': 'writer-key' }, 202],
    ['that key as a bearer', { Authorization: 'Bearer writer-key' }, 202],
    ['that key as a password, as InfluxDB sends it', { Authorization: `Basic ${btoa('credits:writer-key')}` }, 202],
    ["the operator's key", { 'X-API-KEY': 'operator-key' }, 202],
    ["the reader's key", { 'X-API-KEY': 'reader-key' }, 403],
    ['a wrong key', { 'X-API-KEY': 'x' }, 401],
    ['no key', {}, 401],
  ])('with %s is answered', async (_name, headers, status) => {
    await using face = await startFace({ keys })
    expect((await face.ask('/write', { ...write, headers })).status).toBe(status)
  })

  test('may do nothing else, and begin no session', async () => {
    await using face = await startFace({ keys })
    const headers = { 'X-API-KEY': 'writer-key' }
    expect((await face.get('/api/groups', headers)).status).toBe(403)
    expect((await face.get('/stats', headers)).status).toBe(403)
    const form = { 'Content-Type': 'application/x-www-form-urlencoded', Origin: face.url }
    const { headers: answered } = await face.ask('/login', { method: 'POST', headers: form, body: 'key=writer-key' })
    expect(answered['set-cookie']).toBeUndefined()
  })

  test('is from this machine if there is no key', async () => {
    await using face = await startFace()
    expect((await face.ask('/write', write)).status).toBe(202)
    const proxied = await face.ask('/write', { ...write, headers: { 'X-Forwarded-For': '192.0.2.1' } })
    expect(proxied.json).toMatchObject({ status: 403, detail: expect.stringContaining('API_KEY or API_WRITER_KEY') })
  })

  test('is not counted like people are', async () => {
    await using face = await startFace({ rateLimit: 2 })
    for (let count = 0; count < 5; count += 1) expect((await face.ask('/write', write)).status).toBe(202)
  })

  test('is not read before it is known who it is', async () => {
    await using face = await startFace({ keys })
    const socket = connect(face.port, '127.0.0.1')
    socket.write('POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    expect(answer.toString()).toMatch(/^HTTP\/1.1 401/)
  })
})

suite('A push that is not taken', () => {
  const failing = (error: Error) => {
    const receiver = { take: () => Promise.reject(error), status: {} as never }
    return startFace({ receivers: { remoteWrite: receiver, influx: receiver } })
  }

  test.each([
    ['busy', 503],
    ['stopping', 503],
    ['malformed', 400],
    ['cut short', 400],
    ['too large', 413],
    ['unsupported', 415],
  ] as const)('because it is %s gets %i', async (reason, status) => {
    await using face = await failing(new PushRefusal(reason, 'So it is.'))
    const answer = await face.ask('/write', { method: 'POST', body: 'x' })
    expect(answer.json).toMatchObject({ status, detail: 'So it is.' })
    expect(answer.headers['retry-after']).toBe(status === 503 ? '5' : undefined)
  })

  test('because of the ledger gets 503, which Prometheus repeats', async () => {
    await using face = await failing(new LedgerError('The ledger cannot be used: the disk is full.'))
    const answer = await face.ask('/api/v1/write', { method: 'POST', body: Buffer.of() })
    expect(answer.json).toMatchObject({ status: 503, detail: expect.stringContaining('disk is full') })
  })
})
