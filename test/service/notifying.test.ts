/** A whole worker: an exporter shows growth, a line of the grant is crossed, and people and programs are told. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { testClock } from '../helpers/billing.ts'
import { startPeer } from '../helpers/peer.ts'
import { startMailServer } from '../helpers/smtp.ts'
import { startWorker, until } from '../helpers/worker.ts'

const key = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo='
const unencrypted = { hideSTARTTLS: true, disabledCommands: ['STARTTLS', 'AUTH'] }

async function setUp({
  env = {},
  email = ['erika@example.org'],
}: {
  env?: Record<string, string>
  email?: string[]
} = {}) {
  const clock = testClock(Date.UTC(2026, 10, 1))
  const perun = await startPerun({ clock })
  onTestFinished(() => perun.close())
  perun.addGroup({ name: 'alpha', granted: '100', resources: [8676], email })
  const shown = { value: 1_000 }
  const exporter = await startPeer((_, response) =>
    response.end(`project_vcpu_usage{project_id="1",project_name="alpha",location_id="8676"} ${shown.value}\n`),
  )
  onTestFinished(() => exporter[Symbol.asyncDispose]())
  const mail = await startMailServer(unencrypted)
  onTestFinished(() => mail[Symbol.asyncDispose]())
  const hook = await startPeer((_, response) => response.end())
  onTestFinished(() => hook[Symbol.asyncDispose]())
  const worker = await startWorker({
    perun,
    clock,
    env: {
      USAGE_EXPORTER_URLS: `${exporter.url}/metrics`,
      OS_CREDITS_SCRAPE_INTERVAL: '30ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '29ms',
      MAIL_FROM: 'credits@example.org',
      MAIL_SMTP_SERVER: '127.0.0.1',
      MAIL_SMTP_PORT: `${mail.port}`,
      MAIL_NOT_STARTTLS: 'true',
      CLOUD_GOVERNANCE_MAIL: 'cloud@example.org',
      OS_CREDITS_WEBHOOK_URLS: `${hook.url}/a-token`,
      OS_CREDITS_WEBHOOK_SECRET: `whsec_${key}`,
      ...env,
    },
  })
  onTestFinished(() => worker[Symbol.asyncDispose]())
  await until('the group is known to Perun', () => perun.read('alpha').used === '0.00')
  return {
    clock,
    mail,
    hook,
    worker,
    perun,
    /** Some hours later the project has used more. */
    async grow(by: number, later = HOUR) {
      clock.pass(later)
      const before = exporter.requests.length
      shown.value += by
      await until('it was scraped', () => exporter.requests.length > before + 1)
      clock.pass(1)
    },
    notices: async () => (await (await worker.get('/api/notices')).json()) as { notices: Record<string, unknown>[] },
  }
}

suite('A worker', () => {
  test('tells people and programs of a crossing, once', async () => {
    const { grow, mail, hook, clock, notices, worker } = await setUp()
    await grow(81)
    await until('the webhook was told', () => hook.requests.length > 0)
    expect(mail.mails).toEqual([])
    clock.pass(10 * MINUTE)
    await grow(1)
    await until('the mail arrived', () => mail.mails.length > 0)
    expect(mail.mails[0]).toMatchObject({
      recipients: ['erika@example.org', 'cloud@example.org'],
      headers: { subject: 'Credits of “alpha”: 80 % used' },
    })
    await until('it is noted', async () => (await notices()).notices.some(({ state }) => state === 'sent'))
    await worker.restart()
    clock.pass(2 * DAY)
    await grow(1)
    const { notices: all } = await notices()
    expect(all.map(({ line, state }) => [line, state])).toEqual([
      [80, 'sent'],
      [50, 'passed'],
    ])
    expect(all[0]!.messages).toMatchObject([
      { channel: 'webhook', to: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+ #[0-9a-f]{8}$/), state: 'sent' },
      { channel: 'mail', to: 'erika@example.org', copy_to: 'cloud@example.org', state: 'sent', attempts: 1 },
    ])
    expect([mail.mails.length, hook.requests.length]).toEqual([1, 1])
    const log = JSON.stringify(worker.log())
    expect(log).not.toContain('@example.org')
    expect(log).not.toContain('a-token')
    expect(log).not.toContain(key)
  })

  // The old service lost mails when the server was down.
  test('sends a mail when the server is back, and publishes meanwhile', async () => {
    const { grow, mail, clock, perun, notices, worker } = await setUp({ env: { OS_CREDITS_WEBHOOK_URLS: '' } })
    await mail[Symbol.asyncDispose]()
    await grow(60)
    await until('it was published', () => perun.read('alpha').used === '60.00')
    await until('it is addressed', async () => (await notices()).notices[0]?.state === 'addressed')
    clock.pass(10 * MINUTE)
    await grow(1)
    await until('it was tried', async () => {
      const { notifying } = (await (await worker.get('/stats')).json()) as {
        notifying: { problems: { mail?: string } }
      }
      return notifying.problems.mail === 'The mail server cannot be reached (ECONNREFUSED)'
    })
    expect((await notices()).notices[0]!.messages).toMatchObject([{ state: 'ready', attempts: 1 }])
    await worker.restart()
    await using back = await startMailServer({ ...unencrypted, port: mail.port })
    clock.pass(10 * MINUTE)
    await grow(1)
    await until('the mail arrived', () => back.mails.length > 0)
    expect(back.mails[0]!.text).toContain('“alpha” has used 50 % of its credits')
  })

  test('without a sender sends nothing and says so', async () => {
    const { grow, mail, worker, notices } = await setUp({ env: { MAIL_FROM: '', OS_CREDITS_WEBHOOK_URLS: '' } })
    await grow(60)
    expect((await notices()).notices).toMatchObject([{ state: 'waiting', messages: [] }])
    const stats = (await (await worker.get('/stats')).json()) as { notifying: unknown }
    expect(stats.notifying).toEqual({
      mail: { state: 'off', reason: 'MAIL_FROM is not set.' },
      webhooks: 0,
      problems: {},
      notices: { waiting: 1 },
      messages: {},
    })
    expect(worker.log().map(({ msg }) => msg)).toContain('No mail is sent, as MAIL_FROM is not set')
    expect(mail.connections).toBe(0)
  })

  test('counts what it told', async () => {
    const { grow, hook, worker } = await setUp({ env: { MAIL_FROM: '' } })
    await grow(60)
    await until('the webhook was told', () => hook.requests.length > 0)
    await until('it is counted', async () => {
      const text = await (await worker.get('/metrics')).text()
      return (
        text.includes('os_credits_notices_total{kind="threshold",state="sent"} 1') &&
        text.includes('os_credits_messages_total{channel="webhook",outcome="sent"} 1')
      )
    })
  })
})
