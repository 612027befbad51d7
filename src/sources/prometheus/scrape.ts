/**
 * One scrape: a GET, and the readings in its answer.
 *
 * All or nothing: an answer that was cut short, is too large or is no exposition gives an error and no reading, because
 * a total that lost its last digits looks like a fall. Nothing is tried again here; the next scrape has it all anyway.
 *
 * Errors of this module say nothing about credentials: neither the token nor a login in the URL is in any of them.
 */
import { once } from 'node:events'
import got, { MaxRedirectsError, type PlainResponse } from 'got'
import { type AdmissionRules, admit, noRejections, type Rejections, whyRejected } from '../../core/admit.ts'
import type { Reading } from '../../core/series.ts'
import { targetLabel } from '../../telemetry/metrics.ts'
import { nextTurn } from '../inTurns.ts'
import { ExpositionReader, type OnSample, type ParseError } from './exposition.ts'
import { KnownTexts } from './knownTexts.ts'
import type { Format } from './lineReader.ts'
import { inPieces, type Piece } from './pieces.ts'
import { createTimeLimit, type TimeLimit } from './timeLimit.ts'

export interface ScrapeRequest {
  readonly url: string
  /** Sent as a bearer token, except to a URL that has a login of its own. */
  readonly token?: string | undefined
  /** Milliseconds for everything: connecting, redirects, the last byte; without those in which we were busy ourselves. */
  readonly timeout: number
  /** Largest answer in bytes, decompressed; `MAX_BYTES` if not given. */
  readonly maxBytes?: number | undefined
  readonly userAgent?: string | undefined
  readonly signal: AbortSignal
}

/** What a scrape brought. */
export interface Scrape {
  readonly readings: readonly Reading[]
  readonly rejected: Readonly<Rejections>
  /** All samples of the answer, wanted or not. */
  readonly samples: number
  /** The first of the lines that do not parse, and of those whose sample cannot be used, by their number. */
  readonly errors: readonly ParseError[]
}

/** 64 MiB: 130 000 projects of two metrics and 250 bytes a line. */
const MAX_BYTES = 64 * 1_024 * 1_024

/** As many short lines as `MAX_BYTES` could hold would take some gigabytes as readings. */
const MOST_READINGS = 500_000

/** Of samples that cannot be used; somebody who mends one mends the others. */
const COMPLAINTS_KEPT = 20

const MAX_REDIRECTS = 5

/** What Prometheus itself asks for. */
const ACCEPT =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

export type ScrapeFailure =
  | 'unreachable'
  | 'timed out'
  /** Any status but 2xx; `status` says which. */
  | 'refused'
  /** To another host, or too often. */
  | 'redirected'
  | 'too large'
  | 'cut short'
  /** The answer is something else, such as the login page of a proxy. */
  | 'no exposition'
  /** By our own side. */
  | 'stopped'

/** A scrape brought nothing. */
export class ScrapeError extends Error {
  override readonly name = 'ScrapeError'
  readonly code = 'ERR_SCRAPE'
  readonly reason: ScrapeFailure
  /** The HTTP status, if that is the reason. */
  readonly status: number | undefined

  constructor(reason: ScrapeFailure, message: string, options?: ErrorOptions & { status?: number }) {
    super(message, options)
    this.reason = reason
    this.status = options?.status
  }
}

/** The body of an answer as it arrives, and the format that it claims to have. */
export interface Answer {
  readonly format: Format
  /** May break off with a `ScrapeError`. */
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** @throws {ScrapeError} if there is no answer, or none that could be an exposition. */
export type FetchExposition = (request: ScrapeRequest) => Promise<Answer>

export interface ScrapeOptions {
  /** Asks the target; over HTTP if not given. */
  readonly fetch?: FetchExposition | undefined
  /** What the target has shown before. */
  readonly known?: KnownTexts | undefined
  /** Told how many readings there are so far; throws if there may be no more. */
  readonly onReadings?: ((readings: number) => void) | undefined
}

/** Characters that are read before other work has its turn: some milliseconds. */
const BREATH = 4 * 65_536

/**
 * Scrapes a target once. It is read while it arrives, so its text is never in memory as a whole; but only a whole answer
 * brings anything.
 *
 * @throws {ScrapeError} if there is no whole exposition; or whatever `onReadings` throws.
 */
export async function scrape(
  request: ScrapeRequest,
  rules: AdmissionRules,
  { fetch = fetchExposition, known = new KnownTexts(), onReadings }: ScrapeOptions = {},
): Promise<Scrape> {
  const { format, body } = await fetch(request)
  try {
    const brought = await readBody(body, createScrapeReader(format, rules, known), onReadings)
    known.keep()
    return brought
  } finally {
    known.forget()
  }
}

async function readBody(
  body: Answer['body'],
  reader: ScrapeReader,
  onReadings: ScrapeOptions['onReadings'],
): Promise<Scrape> {
  let since = 0
  for await (const piece of inPieces(body)) {
    reader.read(piece)
    onReadings?.(reader.readings)
    since += piece.text.length
    if (since < BREATH) continue
    since = 0
    await nextTurn()
  }
  return reader.end()
}

/**
 * What an exposition brings that is there as a whole.
 *
 * @throws {ScrapeError} as `scrape` does.
 */
export function readExposition(text: string, format: Format, rules: AdmissionRules): Scrape {
  const reader = createScrapeReader(format, rules, new KnownTexts())
  reader.read({ text, bytes: undefined })
  return reader.end()
}

interface ScrapeReader {
  /** @throws {ScrapeError} if there are more than `MOST_READINGS`. */
  read(piece: Piece): void
  /** So far. */
  readonly readings: number
  /** @throws {ScrapeError} if the end is missing. */
  end(): Scrape
}

function createScrapeReader(format: Format, rules: AdmissionRules, known: KnownTexts): ScrapeReader {
  const readings: Reading[] = []
  const rejected = noRejections()
  const unusable: ParseError[] = []
  const wanted = (metric: string) => rules.meters.has(metric)
  const onSample: OnSample = (sample, line) => {
    const result = admit(sample, rules)
    if (typeof result === 'string') {
      rejected[result] += 1
      const message = unusable.length < COMPLAINTS_KEPT ? whyRejected(result, sample, rules) : undefined
      if (message !== undefined) unusable.push({ line, column: 1, message })
    } else if (readings.length < MOST_READINGS) readings.push(result)
    else throw new ScrapeError('too large', `Expected at most ${MOST_READINGS} readings, got more`)
  }
  const reader = new ExpositionReader({ format, wanted }, onSample, known)
  return {
    read: (piece) => reader.read(piece),
    get readings() {
      return readings.length
    },
    end() {
      const exposition = reader.end()
      if (!exposition.complete) throw new ScrapeError('cut short', missingEnd[format])
      rejected['unknown metric'] += exposition.skipped
      rejected.unreadable += exposition.errorCount
      const errors = [...exposition.errors, ...unusable].sort((a, b) => a.line - b.line)
      return { readings, rejected, samples: exposition.samples + exposition.skipped, errors }
    },
  }
}

const missingEnd = {
  text: 'Expected a line feed at the end, so the answer was cut short or its exporter forgets it',
  openmetrics: 'Expected "# EOF" at the end, so the answer was cut short or its exporter forgets it',
} as const satisfies Record<Format, string>

async function fetchExposition(request: ScrapeRequest): Promise<Answer> {
  const { url, timeout, maxBytes = MAX_BYTES, signal } = request
  const stream = got.stream(url, {
    headers: headersOf(request),
    signal,
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: (response) => staysWithin(response),
    maxRedirects: MAX_REDIRECTS,
    // A connection of its own for each scrape: one kept open from the last may be closed by the peer just now.
    agent: { http: false, https: false },
  })
  const limit = createTimeLimit(timeout, () => stream.destroy(new Error('It was given up')))
  const failed = (error: unknown) => {
    limit.end()
    return scrapeErrorOf(error, { timeout, limit, signal, answered: stream.response !== undefined })
  }
  try {
    const [response] = (await once(stream, 'response')) as [PlainResponse]
    const refusal = refusalOf(response)
    if (refusal !== undefined) throw refusal
    return {
      format: formatOf(response.headers['content-type']) ?? 'text',
      body: bodyOf(stream, maxBytes, limit, failed),
    }
  } catch (error) {
    stream.destroy()
    throw failed(error)
  }
}

/** @throws {ScrapeError} if it breaks off, or as soon as there are more than `maxBytes`: a small gzip may grow without end. */
async function* bodyOf(
  stream: AsyncIterable<Buffer>,
  maxBytes: number,
  limit: TimeLimit,
  failed: (error: unknown) => ScrapeError,
): AsyncGenerator<Buffer> {
  let size = 0
  try {
    for await (const chunk of stream) {
      size += chunk.length
      if (size > maxBytes) throw new ScrapeError('too large', `Expected at most ${maxBytes} bytes, got more`)
      yield chunk
    }
  } catch (error) {
    throw failed(error)
  } finally {
    limit.end()
  }
}

function headersOf({ url, token, userAgent = 'credits-worker' }: ScrapeRequest): Record<string, string> {
  const headers = { accept: ACCEPT, 'user-agent': userAgent }
  const hasLogin = new URL(url).username !== ''
  return token === undefined || hasLogin ? headers : { ...headers, authorization: `Bearer ${token}` }
}

/** Why the answer is none that we want, as far as its head tells. */
function refusalOf({ statusCode, statusMessage, headers, url }: PlainResponse): ScrapeError | undefined {
  if (statusCode >= 300 && statusCode < 400) {
    const to = headers.location === undefined ? 'nowhere' : targetLabel(URL.parse(headers.location, url)?.href ?? '')
    return new ScrapeError('redirected', `Expected an answer or a redirect to the same host, got one to ${to}`)
  }
  if (statusCode < 200 || statusCode > 299) {
    const hint = statusCode === 401 || statusCode === 403 ? '; check the token or the login in the URL' : ''
    const message = `Expected HTTP 200, got ${statusCode} ${statusMessage ?? ''}`.trimEnd() + hint
    return new ScrapeError('refused', message, { status: statusCode })
  }
  const type = headers['content-type']
  if (formatOf(type) !== undefined) return undefined
  return new ScrapeError('no exposition', `Expected Prometheus text or OpenMetrics, got ${type}`)
}

/** `undefined` for what is certainly no exposition. Plain files often come as `application/octet-stream`. */
function formatOf(contentType: string | undefined): Format | undefined {
  if (contentType === undefined) return 'text'
  const [type] = contentType.toLowerCase().split(/\s*;/, 1)
  if (type === 'application/openmetrics-text') return 'openmetrics'
  return type === 'text/plain' || type === 'application/octet-stream' ? 'text' : undefined
}

/** A redirect to another host could take the token, or the readings of another site, along. */
function staysWithin({ url, headers }: PlainResponse): boolean {
  return URL.parse(headers.location ?? '', url)?.origin === new URL(url).origin
}

/** An error of the HTTP client carries the request with its headers: only the error beneath it is kept as the cause. */
function scrapeErrorOf(
  error: unknown,
  { timeout, limit, signal, answered }: { timeout: number; limit: TimeLimit; signal: AbortSignal; answered: boolean },
): ScrapeError {
  if (error instanceof ScrapeError) return error
  if (signal.aborted) return new ScrapeError('stopped', 'The scrape was stopped')
  if (limit.isOver) {
    return new ScrapeError('timed out', `Expected the whole answer within ${timeout} ms`)
  }
  if (error instanceof MaxRedirectsError) {
    return new ScrapeError('redirected', `Expected an answer after ${MAX_REDIRECTS} redirects, got another one`)
  }
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  const options = cause instanceof Error ? { cause } : {}
  return answered
    ? new ScrapeError('cut short', `The answer broke off: ${message}`, options)
    : new ScrapeError('unreachable', `No answer: ${message}`, options)
}
