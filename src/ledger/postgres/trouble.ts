/** Trouble with the server, in sentences that a person can act on. No sentence has the password. */
import { LedgerError } from '../ledger.ts'

interface Cause {
  readonly what: string
  readonly remedy: string
}

const unreachable: Cause = { what: 'its server cannot be reached', remedy: 'Start it, or see what lies between' }
const lost: Cause = { what: 'the connection was lost', remedy: 'See whether the server still runs, and its log' }
const tooSlow: Cause = { what: 'it took too long', remedy: 'See what keeps the server busy, or locks its rows' }

/** By PostgreSQL's SQLSTATE, or its first two characters, or the code of a system error. */
const causes: Readonly<Record<string, Cause>> = {
  ECONNREFUSED: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOENT: unreachable,
  ETIMEDOUT: unreachable,
  ENOTFOUND: { what: 'the name of its server is unknown', remedy: 'Look at the address in OS_CREDITS_LEDGER' },
  EAI_AGAIN: { what: 'the name of its server cannot be looked up', remedy: "Look at this machine's name service" },
  ECONNRESET: lost,
  EPIPE: lost,
  '08': lost,
  '28': { what: 'the server refuses the login', remedy: 'Look at user and password in OS_CREDITS_LEDGER' },
  '3D': { what: 'there is no such database', remedy: 'Create it, encoded in UTF8' },
  '40': { what: 'other transactions are in the way', remedy: 'See what else uses its database' },
  '42501': { what: 'the user lacks a right', remedy: 'Make the user the owner of the database' },
  '25006': { what: 'the server or the user is read-only', remedy: 'Give the address of the server that takes writes' },
  '53100': { what: "the server's disk is full", remedy: 'Free some space on it' },
  '53200': { what: 'the server is out of memory', remedy: 'Give it more, or see what takes it' },
  '53300': { what: 'the server has no connection left', remedy: 'Raise max_connections, or run fewer workers' },
  '57P01': { what: 'the server stops', remedy: 'Start it again' },
  '57P02': { what: 'the server crashed', remedy: 'See its log' },
  '57P03': { what: 'the server is starting or stopping', remedy: 'Wait, or see its log' },
  '57014': tooSlow,
  '55P03': tooSlow,
  '25P03': tooSlow,
  '58': { what: "the server's disk fails", remedy: 'Look at its disk, its file system and its log' },
  XX: { what: 'the database is damaged', remedy: 'Stop the worker, see the log of the server, and restore a backup' },
  SELF_SIGNED_CERT_IN_CHAIN: { what: 'its certificate is not trusted', remedy: 'Look at sslmode in OS_CREDITS_LEDGER' },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    what: 'its certificate is not trusted',
    remedy: 'Look at sslmode in OS_CREDITS_LEDGER',
  },
}

const unknownCause: Cause = {
  what: 'something is wrong',
  remedy: 'Look at OS_CREDITS_LEDGER and at the log of the server',
}

/** @param place The ledger, without its password. */
export function cannotOpen(place: string, given: unknown): unknown {
  // What was said of an open ledger is said of one that cannot be opened.
  const error = given instanceof LedgerError && given.cause !== undefined ? given.cause : given
  const isUnknown = error instanceof Error && causeOf(error) === undefined && isOfServer(error)
  return told(error, isUnknown ? unknownCause : undefined, ({ what, remedy }, message) => {
    return `The ledger ${place} cannot be opened: ${what} (${message}). ${remedy}, then start the worker again.`
  })
}

export function cannotUse(place: string, error: unknown): unknown {
  return told(error, undefined, ({ what, remedy }, message) => {
    return `The ledger ${place} cannot be used: ${what} (${message}). ${remedy}. It goes on by itself afterwards.`
  })
}

/** A mistake of our own stays what it is. */
function told(
  error: unknown,
  otherwise: Cause | undefined,
  sentence: (cause: Cause, message: string) => string,
): unknown {
  if (error instanceof LedgerError || !(error instanceof Error)) return error
  const cause = causeOf(error) ?? otherwise
  return cause === undefined ? error : new LedgerError(sentence(cause, messageOf(error)), { cause: error })
}

function causeOf(error: Error): Cause | undefined {
  const code = codeOf(error)
  if (code !== undefined) return causes[code] ?? causes[code.slice(0, 2)]
  if (/timeout exceeded|connect(ion)? timeout/i.test(error.message)) return unreachable
  return isLost(error) || isUnanswered(error) ? lost : undefined
}

/** Whether the server, the system or the driver says so, and not a mistake of our own. */
function isOfServer(error: Error): boolean {
  return codeOf(error) !== undefined || /SSL|SASL|server/.test(error.message)
}

export function codeOf(error: unknown): string | undefined {
  // A host with several addresses fails with one error for each.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Whether the connection is gone, and with it whatever was not committed. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = codeOf(error) ?? ''
  if (/^(ECONNRESET|EPIPE|57P0[12]|25P03|08.*)$/.test(code)) return true
  return /Connection terminated|connection is closed|not queryable/i.test(error.message)
}

/** Whether we gave up waiting for an answer: what was asked may have been done, or be done later. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Error && /query read timeout/i.test(error.message)
}

/** What a transaction fails with that found others in the way by itself: it is done again. */
export function inTheWay(message: string): Error {
  return Object.assign(new Error(message), { code: '40001' })
}

/** Whether another transaction was in the way: the same again may well be done. */
export function isInTheWay(error: unknown): boolean {
  return ['40001', '40P01', '55P03'].includes(codeOf(error) ?? '')
}

function messageOf(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return error.message.replaceAll('\n', ' ')
}
