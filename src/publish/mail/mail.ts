/**
 * Sends digests by mail.
 *
 * A server that offers no STARTTLS, or whose certificate nobody vouches for, gets nothing unless that was allowed. What is
 * said about a failure is ours: a server's own words repeat addresses.
 */
import { createTransport } from 'nodemailer'
import { SECOND } from '../../core/time.ts'
import type { Messenger, SendOutcome } from '../messenger.ts'
import { type Digest, type DigestOptions, writeDigest } from './digest.ts'

export interface MailOptions extends DigestOptions {
  readonly from: string
  readonly host: string
  readonly port: number
  readonly login?: { readonly user: string; readonly password: string }
  /** Whether all of it may go over the network as it is. */
  readonly isPlain: boolean
  /** Milliseconds a server may be silent. */
  readonly timeout?: number
}

/** How long all of it may take, in times that a server may be silent. */
const LONGEST_SESSION = 4

/** This port speaks TLS from the first byte. */
const TLS_PORT = 465

export function createMail({
  from,
  host,
  port,
  login,
  isPlain,
  timeout = 30 * SECOND,
  ...options
}: MailOptions): Messenger {
  const secure = port === TLS_PORT
  const transport = createTransport({
    host,
    port,
    secure,
    requireTLS: !secure && !isPlain,
    ignoreTLS: isPlain,
    ...(login !== undefined && { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    dnsTimeout: timeout,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const domain = from.slice(from.lastIndexOf('@') + 1)

  return {
    compose: (notices) => JSON.stringify(writeDigest(notices, options)),
    async send({ uid, to, copyTo, content }) {
      const { subject, text, html } = JSON.parse(content) as Digest
      try {
        const { rejectedErrors } = (await transport.sendMail({
          from,
          to,
          ...(copyTo !== undefined && { cc: copyTo }),
          subject,
          text,
          html,
          messageId: `<${uid}@${domain}>`,
          // No automatic answer is wanted, and no loop of them.
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
          // A server may say something again and again without getting anywhere.
          signal: AbortSignal.timeout(LONGEST_SESSION * timeout),
        })) as { rejectedErrors?: readonly Failure[] }
        return outcomeFor(to, rejectedErrors ?? [])
      } catch (error) {
        return explain(error as Failure)
      }
    },
  }
}

/** The parts of a nodemailer error that hold nothing of a person. */
interface Failure {
  readonly code?: string
  readonly originalCode?: string
  readonly responseCode?: number
  readonly command?: string
  readonly recipient?: string
  readonly rejectedErrors?: readonly Failure[]
}

/** The server took the message for some of its recipients. */
function outcomeFor(to: string, rejected: readonly Failure[]): SendOutcome {
  const own = rejected.find(({ recipient }) => recipient?.toLowerCase() === to.toLowerCase())
  if (own !== undefined) return rejectedRecipient(own)
  return rejected.length === 0
    ? { kind: 'sent' }
    : { kind: 'sent', remark: `The copy was refused${coded(rejected[0]!)}` }
}

function rejectedRecipient(failure: Failure): SendOutcome {
  const why = `The mail server refused the recipient${coded(failure)}`
  return isForGood(failure) ? { kind: 'refused', why } : { kind: 'failed', why, affects: 'message' }
}

function explain(failure: Failure): SendOutcome {
  const { code, command } = failure
  if (code === 'EENVELOPE' && command === 'RCPT TO') return rejectedRecipient(failure.rejectedErrors?.[0] ?? failure)
  if (code === 'EMESSAGE') {
    return { kind: 'failed', why: `The mail server refused the message${coded(failure)}`, affects: 'message' }
  }
  return {
    kind: 'failed',
    why: `${reasons[code ?? ''] ?? 'The mail could not be sent'}${coded(failure)}`,
    affects: 'all',
  }
}

const reasons: Readonly<Record<string, string>> = {
  EAUTH: 'The mail server refused the login',
  ENOAUTH: 'The mail server wants a login',
  ETLS: 'The mail server offers no STARTTLS that can be trusted',
  EENVELOPE: 'The mail server refused the sender',
  EDNS: 'The mail server is not known',
  ETIMEDOUT: 'The mail server did not answer in time',
  EABORT: 'The mail server took too long',
  ECONNECTION: 'The mail server ended the connection',
  ESOCKET: 'The mail server cannot be reached',
}

function coded({ responseCode, originalCode, code }: Failure): string {
  const known = responseCode ?? originalCode ?? code
  return known === undefined ? '' : ` (${known})`
}

function isForGood({ responseCode = 0 }: Failure): boolean {
  return responseCode >= 500
}
