/**
 * How the texts of settings and files are read. A parser gives the value or throws `Unexpected`, which says what was
 * expected; who calls it knows the name of the setting and what to show of the text.
 */

import { type Decimal, isZero, parseDecimal } from '../core/decimals.ts'
import { readMailAddress } from '../core/mailAddress.ts'
import { isSensible, sensibleRange } from '../core/meters.ts'
import type { SmallSites } from '../core/smallSite.ts'
import { DAY, HOUR, type Instant, MINUTE, parseInstant, SECOND } from '../core/time.ts'

/** @throws {Unexpected} if the text is not in its notation. */
export type Parser<T> = (text: string) => T

/** The text is not what was expected. */
export class Unexpected extends Error {
  override readonly name = 'Unexpected'
  /** What of the text may be shown, quoted, when that is not all of it. */
  readonly got: string | undefined

  /** @param expected Completes the sentence `NAME: expected …`. */
  constructor(expected: string, got?: string) {
    super(expected)
    this.got = got
  }
}

/** A text as problems show it: quoted, control characters escaped, not too long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

/** One or more addresses without what may be a password or a token. */
export function quoteAddress(text: string): string {
  return text.includes('@') ? 'a value that is not shown, as it holds a login' : quote(text.replace(/\?[^;]*/g, '?…'))
}

/** A text of a file, which may be an address, also where none is expected. */
export function quoteHidingLogin(text: string): string {
  return text.includes('//') || text.includes('@') ? quoteAddress(text) : quote(text)
}

export const text: Parser<string> = (given) => given

/** A parser of texts that match `pattern` as a whole. */
export function matching(pattern: RegExp, expected: string): Parser<string> {
  return (given) => {
    if (!pattern.test(given)) throw new Unexpected(expected)
    return given
  }
}

export const digits = matching(/^\d{1,18}$/, 'a number in digits')

/** What can stand in an HTTP header, so that a client is able to send it. */
export const key = matching(/^[!-~]+$/, 'printable ASCII characters without blanks')

export const host = matching(/^[A-Za-z0-9_.:-]+$/, 'a host name or an IP address')

export function wholeNumber({ min, max }: { min: number; max: number }): Parser<number> {
  return (given) => {
    const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN
    if (!(number >= min && number <= max)) throw new Unexpected(`a whole number from ${min} to ${max}`)
    return number
  }
}

/** A TCP port; 0 lets the system choose a free one. */
export const port = wholeNumber({ min: 0, max: 65_535 })

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY }

/** The longest time a timer can wait: about 24.8 days. */
const LONGEST_DURATION = 2 ** 31 - 1

/** A duration such as `500ms`, `60s`, `1.5m`, `1h` or `1d`, in ms. @param min The shortest one, in ms. */
export function duration({ min }: { min: number }): Parser<number> {
  return (given) => {
    const [, number, unit = ''] = /^(\d{1,10}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(given) ?? []
    const ms = Number(number) * (durationUnits[unit] ?? Number.NaN)
    const isWhole = Math.abs(ms - Math.round(ms)) < 1e-6
    if (isWhole && Math.round(ms) >= min && ms <= LONGEST_DURATION) return Math.round(ms)
    throw new Unexpected(`a duration from ${min}ms to 24d with its unit, such as 500ms, 60s, 1m or 1h`)
  }
}

/** An http or https address, normalised. @param example One that could stand there. */
export function addressLike(example: string): Parser<string> {
  return (given) => {
    const url = URL.parse(given)
    if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href
    throw new Unexpected(`an http or https address, such as ${example}`, quoteAddress(given))
  }
}

/** The address of an exporter. */
export const address = addressLike('http://10.0.0.5:8080/metrics')

/** A plain mail address, without a name: what it cannot hold can break no header of a mail. The log would hide an example. */
export const mailAddress: Parser<string> = (given) => {
  const found = readMailAddress(given)
  if (found === undefined) throw new Unexpected('a plain mail address without a name before it: letters, @ and a host')
  return found
}

/** Bytes of a key; the bounds are those of Standard Webhooks. */
const SHORTEST_WEBHOOK_KEY = 24
const LONGEST_WEBHOOK_KEY = 64

/** The key in `whsec_…`, still in base64. */
export const webhookSecret: Parser<string> = (given) => {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(given.trim()) ?? []
  const bytes = Buffer.from(base64 ?? '', 'base64')
  if (bytes.length >= SHORTEST_WEBHOOK_KEY && bytes.length <= LONGEST_WEBHOOK_KEY) return base64!
  throw new Unexpected(`whsec_ and ${SHORTEST_WEBHOOK_KEY} to ${LONGEST_WEBHOOK_KEY} bytes in base64`)
}

/** Perun's RPC interface, without a login: that has settings of its own. */
export const perunAddress: Parser<string> = (given) => {
  const url = URL.parse(given.replace(/\/$/, ''))
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (url !== null && isWeb && isPlain && url.pathname.endsWith('/rpc/json')) return url.href
  const expected = 'an http or https address without login and query that ends with /rpc/json'
  throw new Unexpected(expected, quoteAddress(given))
}

/** The full name of an attribute of `entity`, such as `urn:perun:group:attribute-def:opt:denbiCreditsCurrent`. */
export function attributeName(entity: 'group' | 'group_resource'): Parser<string> {
  const start = `urn:perun:${entity}:attribute-def:`
  return matching(
    new RegExp(`^${start}(?:def|opt):[A-Za-z0-9_:-]+$`),
    `a full attribute name that begins with ${start}`,
  )
}

/** Parts between semicolons, blanks around them removed; empty parts are left out, and at least one remains. */
export function semicolons<T>(item: Parser<T>): Parser<readonly T[]> {
  return (given) => {
    const parts = given.split(';').map((part) => part.trim())
    const items = parts.filter((part) => part !== '').map((part) => located(item, part, given))
    if (items.length === 0) throw new Unexpected('at least one entry, separated by ;')
    return items
  }
}

/** Says which entry of a list is wrong. A login in any entry may be cut at a semicolon: then none is shown. */
function located<T>(item: Parser<T>, part: string, all: string): T {
  try {
    return item(part)
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error
    const got = all.includes('@') ? quoteAddress(all) : (error.got ?? quote(part))
    throw new Unexpected(`${error.message} in each entry`, got)
  }
}

/** Whole percentages in rising order: `50,80,100`. */
export const percentages: Parser<readonly number[]> = (given) => {
  const expected = 'whole percentages from 1 to 1000 in rising order, such as 50,80,100'
  const numbers = given.split(',').map((part) => Number(/^\s*\d{1,4}\s*$/.test(part) ? part : Number.NaN))
  const isRising = numbers.every((number, index) => index === 0 || number > numbers[index - 1]!)
  if (!isRising || !numbers.every((number) => number >= 1 && number <= 1_000)) throw new Unexpected(expected)
  return numbers
}

/** A switch that is on by being there, as the old service read it; a clear no is a no nevertheless. */
export const presence: Parser<boolean> = (given) => !/^(?:0|false|no|off)$/i.test(given)

/** `on` or `off`, in any case. */
/** What metrics show of each group. */
export type GroupMetricsShown = 'off' | 'on' | 'forecasts'

export const groupMetrics: Parser<GroupMetricsShown> = (given) => {
  const text = given.toLowerCase()
  if (text !== 'off' && text !== 'on' && text !== 'forecasts') throw new Unexpected('off, on or forecasts')
  return text
}

export const smallSites: Parser<SmallSites> = (given) => {
  const text = given.toLowerCase()
  if (text !== 'hold' && text !== 'charge') throw new Unexpected('hold or charge')
  return text
}

/** The levels of the log, as `telemetry` names them. */
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

const oldLogLevels = new Map<string, LogLevel>([
  ['notset', 'trace'],
  ['warning', 'warn'],
  ['critical', 'fatal'],
])

/** A level of the log in any case; the names of the old service are understood too. */
export const logLevel: Parser<LogLevel> = (given) => {
  const name = given.toLowerCase()
  const level = logLevels.find((known) => known === name) ?? oldLogLevels.get(name)
  if (level === undefined) throw new Unexpected(`one of ${logLevels.join(', ')}`)
  return level
}

/** An instant as a person writes it: `2026-11-21` or `2026-11-21T03:18:17Z`; UTC unless a zone is written. */
export const instant: Parser<Instant> = (given) => {
  const at = parseInstant(given)
  if (at === undefined) throw new Unexpected('a date such as 2026-01-01 or 2026-01-01T12:00:00Z')
  return at
}

/** A decimal number of zero or more, its digits exactly as they are written. */
export const amount: Parser<Decimal> = (given) => {
  const number = parseDecimal(given)
  if (number !== undefined && isSensible(number)) return number
  throw new Unexpected(sensibleRange)
}

/** As `amount`, but more than zero. */
export const positiveAmount: Parser<Decimal> = (given) => {
  const number = amount(given)
  if (isZero(number)) throw new Unexpected('a number above zero')
  return number
}
