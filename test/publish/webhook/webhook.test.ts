/** Webhooks at real receivers: fast, slow, broken and gone. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, suite, test } from 'vitest'
import { DAY, SECOND } from '#src/core/time.ts'
import { createWebhooks, webhookName } from '#src/publish/webhook/webhook.ts'
import { T0, testClock } from '../../helpers/billing.ts'
import { told } from '../../helpers/notices.ts'
import { startPeer } from '../../helpers/peer.ts'

const key = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')

async function startReceiver(answer: RequestListener) {
  const bodies: string[] = []
  const peer = await startPeer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body)
      answer(request, response)
    })
  })
  const url = `${peer.url}/hooks/a-token`
  const clock = testClock()
  const webhooks = createWebhooks({ urls: [url], key, userAgent: 'credits-worker/test', clock, timeout: 300 })
  return {
    ...peer,
    bodies,
    clock,
    url,
    webhooks,
    send: (content = webhooks.compose([told()])) => webhooks.send({ uid: 'f00d', to: webhookName(url), content }),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}

/**
 * What a receiver does, written from the text of Standard Webhooks: HMAC-SHA256 over id, timestamp and body, any of the
 * signatures in the header may be the right one, and a message that is minutes old is none.
 */
function isGenuine({ headers }: IncomingMessage, body: string, secret: string, now: number): boolean {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => String(headers[`webhook-${name}`]))
  if (Math.abs(now / 1_000 - Number(timestamp)) > 300) return false
  const mac = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
  const expected = Buffer.from(mac.update(`${id}.${timestamp}.${body}`).digest('base64'))
  return signatures!.split(' ').some((each) => {
    const [version, signature = ''] = each.split(',', 2)
    const given = Buffer.from(signature)
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
}

suite('A webhook', () => {
  test('is posted what happened, so that its receiver knows who says so', async () => {
    await using receiver = await startReceiver((_, response) => response.writeHead(204).end())
    expect(await receiver.send()).toEqual({ kind: 'sent' })
    const [request, body] = [receiver.requests[0]!, receiver.bodies[0]!]
    expect(request).toMatchObject({ method: 'POST', url: '/hooks/a-token' })
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'credits-worker/test',
      'webhook-id': 'f00d',
      'webhook-timestamp': `${T0 / SECOND}`,
    })
    expect(isGenuine(request, body, `whsec_${key}`, T0)).toBe(true)
    expect(isGenuine(request, `${body} `, `whsec_${key}`, T0)).toBe(false)
    expect(isGenuine(request, body, `whsec_${key.replace('M', 'N')}`, T0)).toBe(false)
    expect(JSON.parse(body)).toEqual({
      type: 'credits.threshold',
      timestamp: '2026-01-01T00:00:00.000Z',
      data: {
        ...{ notice: 1, group: 'alpha', percent: 80, granted: '100', used: '81.5', left: '18.5' },
        ...{ burn_per_day: null, runs_out_at: null },
      },
    })
  })

  test('is told when credits run out, under any name', async () => {
    await using receiver = await startReceiver((_, response) => response.end())
    const group = 'Großes "Mikroskop"\n\u2028<b>\uD800'
    const outlook = { burnPerDay: 1.5, runsOutAt: T0 + DAY }
    await receiver.send(receiver.webhooks.compose([told({ group, kind: 'runs out', line: 14, outlook })]))
    expect(JSON.parse(receiver.bodies[0]!)).toMatchObject({
      type: 'credits.runs_out',
      data: { within_days: 14, burn_per_day: 1.5, runs_out_at: '2026-01-02T00:00:00.000Z' },
    })
    expect(isGenuine(receiver.requests[0]!, receiver.bodies[0]!, `whsec_${key}`, T0)).toBe(true)
  })

  test('that is tried again gets the same id and body, and a time of its own', async () => {
    await using receiver = await startReceiver((_, response) => response.writeHead(500).end())
    await receiver.send()
    receiver.clock.pass(DAY)
    await receiver.send()
    const [first, second] = receiver.requests
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
    expect(receiver.bodies[1]).toBe(receiver.bodies[0])
    expect(isGenuine(second!, receiver.bodies[1]!, `whsec_${key}`, T0 + DAY)).toBe(true)
    expect(isGenuine(first!, receiver.bodies[0]!, `whsec_${key}`, T0 + DAY)).toBe(false)
  })

  test('is called by a name that does not hold its token', () => {
    const name = webhookName('https://ann:pass@hooks.example.org/a-token?key=x')
    expect(name).toMatch(/^https:\/\/hooks\.example\.org #[0-9a-f]{8}$/)
    expect(name).not.toBe(webhookName('https://hooks.example.org/another'))
  })
})

/** Until nobody takes it any more. */
async function* endless() {
  for (;;) {
    await new Promise(setImmediate)
    yield 'x'.repeat(65_536)
  }
}

suite('A receiver that', () => {
  test.each([
    ['answers 500', 500, { kind: 'failed', why: 'The webhook answered 500', affects: 'recipient' }],
    ['moved elsewhere', 302, { kind: 'failed', why: 'The webhook answered 302', affects: 'recipient' }],
    ['wants less', 429, { kind: 'failed', why: 'The webhook answered 429', affects: 'recipient' }],
    ['is gone', 410, { kind: 'refused', why: 'The webhook says that it is gone (410): remove it from the settings' }],
  ])('%s', async (_, status, expected) => {
    await using receiver = await startReceiver((__, response) => response.writeHead(status, { location: '/' }).end('x'))
    expect(await receiver.send()).toEqual(expected)
    expect(receiver.requests).toHaveLength(1)
  })

  test('does not answer is not waited for', async () => {
    await using receiver = await startReceiver(() => undefined)
    expect(await receiver.send()).toEqual({
      ...{ kind: 'failed', affects: 'recipient', why: 'The webhook could not be reached (ETIMEDOUT)' },
    })
  })

  test('ends the connection is tried again', async () => {
    await using receiver = await startReceiver((request) => request.socket.destroy())
    expect(await receiver.send()).toMatchObject({ kind: 'failed', affects: 'recipient' })
  })

  // Nobody reads what is answered, however long it is.
  test('answers without end was told', async () => {
    await using receiver = await startReceiver((_, response) => {
      response.writeHead(200)
      pipeline(Readable.from(endless()), response, () => undefined)
    })
    expect(await receiver.send()).toEqual({ kind: 'sent' })
  })

  test('is not there', async () => {
    const receiver = await startReceiver(() => undefined)
    await receiver[Symbol.asyncDispose]()
    const why = 'The webhook could not be reached (ECONNREFUSED)'
    expect(await receiver.send()).toEqual({ kind: 'failed', why, affects: 'recipient' })
  })

  test('is configured no more gets nothing', async () => {
    await using receiver = await startReceiver((_, response) => response.end())
    const outcome = await receiver.webhooks.send({ uid: 'f00d', to: 'https://hooks.example.org #1', content: '{}' })
    expect(outcome).toMatchObject({ kind: 'refused' })
    expect(receiver.requests).toEqual([])
  })
})
