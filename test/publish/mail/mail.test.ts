/** Mail through a real server that works, fails, hangs and refuses. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { createMail } from '#src/publish/mail/mail.ts'
import type { SendOutcome } from '#src/publish/messenger.ts'
import { told } from '../../helpers/notices.ts'
import { certificate, type MailServer, startMailServer } from '../../helpers/smtp.ts'

const login = { user: 'credits', password: 'mail-pässword' }
const message = { uid: 'f00d', to: 'erika@example.org' }

/** A mail server is believed only if somebody vouches for it; as with NODE_EXTRA_CA_CERTS. */
const trusted = getCACertificates()
beforeAll(() => setDefaultCACertificates([...trusted, certificate]))
afterAll(() => setDefaultCACertificates(trusted))

function mailTo({ port }: Pick<MailServer, 'port'>, over: Partial<Parameters<typeof createMail>[0]> = {}) {
  const mail = createMail({
    ...{ from: 'credits@example.org', host: 'localhost', port, isPlain: false, precision: 2, timeout: 5_000 },
    ...over,
  })
  const content = mail.compose([told()])
  return (more: { to?: string; copyTo?: string } = {}) => mail.send({ ...message, ...more, content })
}

suite('A mail', () => {
  test('arrives over STARTTLS with a login, at whoever it is for and the copy', async () => {
    await using server = await startMailServer({ login })
    expect(await mailTo(server, { login })({ copyTo: 'cloud@example.org' })).toEqual({ kind: 'sent' })
    const [mail] = server.mails
    expect(mail).toMatchObject({
      recipients: ['erika@example.org', 'cloud@example.org'],
      isEncrypted: true,
      headers: {
        from: 'credits@example.org',
        to: 'erika@example.org',
        cc: 'cloud@example.org',
        subject: 'Credits of “alpha”: 80 % used',
        'message-id': '<f00d@example.org>',
        'auto-submitted': 'auto-generated',
      },
    })
    expect(mail!.text).toContain('“alpha” has used 80 % of its credits')
    expect(mail!.html).toContain('“alpha” has used 80 % of its credits')
  })

  test('goes unencrypted only if that was allowed', async () => {
    await using server = await startMailServer({ hideSTARTTLS: true, disabledCommands: ['STARTTLS', 'AUTH'] })
    const outcome = await mailTo(server)()
    expect(outcome).toMatchObject({ kind: 'failed', affects: 'all', why: expect.stringContaining('STARTTLS') })
    expect(server.mails).toEqual([])
    expect(await mailTo(server, { isPlain: true })()).toEqual({ kind: 'sent' })
    expect(server.mails[0]!.isEncrypted).toBe(false)
  })

  test('goes to no server that nobody vouches for', async () => {
    setDefaultCACertificates(trusted)
    await using server = await startMailServer({ login })
    expect(await mailTo(server, { login })()).toMatchObject({ kind: 'failed', affects: 'all' })
    setDefaultCACertificates([...trusted, certificate])
    expect(server.mails).toEqual([])
  })

  test('that is sent again is the same', async () => {
    await using server = await startMailServer({ afterData: (count) => (count === 1 ? 'die' : undefined) })
    const send = mailTo(server)
    expect(await send()).toMatchObject({ kind: 'failed', affects: 'all' })
    expect(await send()).toEqual({ kind: 'sent' })
    const [first, second] = server.mails
    expect(second!.headers['message-id']).toBe(first!.headers['message-id'])
    expect([second!.text, second!.html]).toEqual([first!.text, first!.html])
  })
})

suite('A server that', () => {
  const failed = (why: string, affects: 'message' | 'all' = 'all'): SendOutcome => ({ kind: 'failed', why, affects })

  test.each<[string, Parameters<typeof startMailServer>[0], SendOutcome]>([
    ['refuses the login', { login: { ...login, password: 'x' } }, failed('The mail server refused the login (535)')],
    ['refuses the sender', { login, refuseSender: 553 }, failed('The mail server refused the sender (553)')],
    [
      'knows no such mailbox',
      { login, refuseRecipient: () => 550 },
      { kind: 'refused', why: 'The mail server refused the recipient (550)' },
    ],
    [
      'wants to be asked again',
      { login, refuseRecipient: () => 451 },
      failed('The mail server refused the recipient (451)', 'message'),
    ],
    [
      'refuses the mail',
      { login, afterData: () => 554 },
      failed('The mail server refused the message (554)', 'message'),
    ],
    ['is full', { login, afterData: () => 452 }, failed('The mail server refused the message (452)', 'message')],
    [
      'refuses the recipient and takes the copy',
      { login, refuseRecipient: (address) => (address.startsWith('erika') ? 550 : undefined) },
      { kind: 'refused', why: 'The mail server refused the recipient (550)' },
    ],
    [
      'refuses the copy',
      { login, refuseRecipient: (address) => (address.startsWith('cloud') ? 550 : undefined) },
      { kind: 'sent', remark: 'The copy was refused (550)' },
    ],
  ])('%s', async (_, behaviour, expected) => {
    await using server = await startMailServer(behaviour)
    const outcome = await mailTo(server, { login })({ copyTo: 'cloud@example.org' })
    expect(outcome).toEqual(expected)
    // The server's own words name people.
    expect(JSON.stringify(outcome)).not.toMatch(/erika|@|p.ssword/)
  })

  test('wants a login gets nothing without one', async () => {
    await using server = await startMailServer({ login })
    expect(await mailTo(server)()).toMatchObject({ kind: 'failed', affects: 'all' })
    expect(server.mails).toEqual([])
  })

  test('is not there', async () => {
    const server = await startMailServer()
    await server[Symbol.asyncDispose]()
    expect(await mailTo(server)()).toEqual(failed('The mail server cannot be reached (ECONNREFUSED)'))
  })

  test('says nothing is not waited for', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const outcome = await mailTo({ port: (silent.address() as AddressInfo).port }, { timeout: 200 })()
    expect(outcome).toEqual(failed('The mail server did not answer in time (ETIMEDOUT)'))
    silent.close()
  })

  test('never comes to an end is not waited for', async () => {
    const endless = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write('220 ready\r\n')
      socket.once('data', () => {
        const timer = setInterval(() => socket.write('250-more\r\n'), 20)
        socket.on('close', () => clearInterval(timer))
      })
    }).listen(0, '127.0.0.1')
    await once(endless, 'listening')
    const outcome = await mailTo({ port: (endless.address() as AddressInfo).port }, { timeout: 2_000 })()
    expect(outcome).toEqual(failed('The mail server took too long (EABORT)'))
    endless.close()
  })
})
