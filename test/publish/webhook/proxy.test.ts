/** What stands between us and a webhook on the internet, and misbehaves: HTTPS, without a server. */
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, suite, test } from 'vitest'
import { createWebhooks, webhookName } from '#src/publish/webhook/webhook.ts'
import { testClock } from '../../helpers/billing.ts'
import { told } from '../../helpers/notices.ts'

const url = 'https://hooks.example/credits'
const key = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')
const proxy = setupServer()
const webhooks = createWebhooks({
  urls: [url],
  key,
  userAgent: 'credits-worker/test',
  clock: testClock(),
  timeout: 1_000,
})
const send = () => webhooks.send({ uid: 'f00d', to: webhookName(url), content: webhooks.compose([told()]) })

beforeAll(() => proxy.listen({ onUnhandledFrame: 'error' }))
afterEach(() => proxy.resetHandlers())
afterAll(() => proxy.close())

suite('a proxy in front of a webhook', () => {
  test.each([
    ['a page saying 502', () => new HttpResponse('<h1>Bad Gateway</h1>', { status: 502 }), 'answered 502'],
    ['a page to log in', () => HttpResponse.redirect('https://idp.example/', 302), 'answered 302'],
    ['a wish for patience', () => new HttpResponse('slow down', { status: 429 }), 'answered 429'],
    ['nothing, and hangs up', () => HttpResponse.error(), 'could not be reached'],
  ] as const)('that answers with %s has it sent again later', async (_, make, why) => {
    proxy.use(http.post(url, () => make()))
    expect(await send()).toMatchObject({ kind: 'failed', affects: 'recipient', why: expect.stringContaining(why) })
  })

  test('that lets it through does no harm', async () => {
    const bodies: unknown[] = []
    proxy.use(
      http.post(url, async ({ request }) => {
        bodies.push(await request.json())
        return new HttpResponse(null, { status: 204 })
      }),
    )
    expect(await send()).toEqual({ kind: 'sent' })
    expect(bodies).toMatchObject([{ type: 'credits.threshold' }])
  })
})
