/** A real mail server on a free port that does what a test says, and mails as whoever gets them reads them. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

/** Made for these tests, for `localhost`; nobody vouches for it. */
export const certificate = readFileSync(new URL('../fixtures/smtp/cert.pem', import.meta.url), 'utf8')
const key = readFileSync(new URL('../fixtures/smtp/key.pem', import.meta.url), 'utf8')

export interface Mail {
  /** Who gets it, as the server was told. */
  readonly recipients: readonly string[]
  /** By their names in small letters, unfolded and decoded. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly html: string
  readonly raw: string
  readonly isEncrypted: boolean
}

export interface MailServer extends AsyncDisposable {
  readonly port: number
  readonly mails: Mail[]
  /** How many clients came. */
  readonly connections: number
}

interface Behaviour extends Pick<SMTPServerOptions, 'hideSTARTTLS' | 'authOptional' | 'disabledCommands'> {
  /** A free one if it is not given. */
  readonly port?: number
  readonly login?: { readonly user: string; readonly password: string }
  /** The answer to an address, if it is refused. */
  readonly refuseRecipient?: (address: string) => number | undefined
  readonly refuseSender?: number
  /** After the mail arrived: its answer, or the end of the connection without one. */
  readonly afterData?: (count: number) => number | 'die' | undefined
}

export async function startMailServer({
  port = 0,
  login,
  refuseRecipient,
  refuseSender,
  afterData,
  ...options
}: Behaviour = {}): Promise<MailServer> {
  const mails: Mail[] = []
  const state = { connections: 0 }
  const refusal = (code: number) => Object.assign(new Error('no, not erika@example.org'), { responseCode: code })
  const server = new SMTPServer({
    cert: certificate,
    key,
    logger: false,
    authOptional: login === undefined,
    ...(login === undefined && { disabledCommands: ['AUTH'] }),
    ...options,
    onConnect(_, callback) {
      state.connections += 1
      callback()
    },
    onAuth({ username, password }, _, callback) {
      if (username === login?.user && password === login?.password) callback(null, { user: username })
      else callback(refusal(535))
    },
    onMailFrom: (_, __, callback) => callback(refuseSender === undefined ? undefined : refusal(refuseSender)),
    onRcptTo({ address }, _, callback) {
      const code = refuseRecipient?.(address)
      callback(code === undefined ? undefined : refusal(code))
    },
    onData(stream, { envelope, secure }, callback) {
      void text(stream).then((raw) => {
        const recipients = envelope.rcptTo.map(({ address }) => address)
        mails.push({ recipients, raw, isEncrypted: secure, ...readMail(raw) })
        const answer = afterData?.(mails.length)
        if (answer === 'die') for (const { _socket } of server.connections) (_socket as Socket).destroy()
        else callback(answer === undefined ? undefined : refusal(answer))
      })
    },
  })
  server.on('error', () => undefined)
  const listening = server.listen(port, '127.0.0.1')
  await once(listening, 'listening')
  return {
    port: (listening.address() as AddressInfo).port,
    mails,
    get connections() {
      return state.connections
    },
    async [Symbol.asyncDispose]() {
      for (const { _socket } of server.connections) (_socket as Socket).destroy()
      await new Promise<void>((resolve) => server.close(resolve))
    },
  }
}

function readMail(raw: string): Pick<Mail, 'headers' | 'text' | 'html'> {
  const { headers, body } = readPart(raw)
  const boundary = /boundary="?([^";]+)"?/.exec(headers['content-type'] ?? '')?.[1]
  const parts = body.split(`--${boundary}`).map((part) => readPart(part.replace(/^\r\n/, '')))
  const partOf = (type: string) => {
    const part = parts.find((each) => each.headers['content-type']?.startsWith(type))
    return part === undefined ? '' : decode(part.body, part.headers['content-transfer-encoding'])
  }
  return { headers, text: partOf('text/plain'), html: partOf('text/html') }
}

function readPart(raw: string): { headers: Record<string, string>; body: string } {
  const end = raw.indexOf('\r\n\r\n')
  const lines = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const headers = lines.map((line) => /^([^:]+): ?(.*)$/.exec(line)).filter((match) => match !== null)
  return {
    headers: Object.fromEntries(headers.map(([, name, value]) => [name!.toLowerCase(), decodeWords(value!)])),
    body: raw.slice(end + 4),
  }
}

/** `=?UTF-8?Q?…?=` and `=?UTF-8?B?…?=`. */
function decodeWords(value: string): string {
  const joined = value.replace(/\?=\s+=\?/g, '?==?')
  return joined.replace(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
    /b/i.test(kind) ? Buffer.from(word, 'base64').toString() : unquote(word.replaceAll('_', ' ')),
  )
}

function decode(body: string, encoding = ''): string {
  if (/base64/i.test(encoding)) return Buffer.from(body, 'base64').toString()
  const plain = /quoted-printable/i.test(encoding) ? unquote(body.replace(/=\r\n/g, '')) : body
  return plain.replaceAll('\r\n', '\n')
}

function unquote(text: string): string {
  const bytes = text.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}
