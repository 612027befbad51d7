/**
 * The HTTP API of Prometheus, as far as reading old samples needs it.
 *
 * Its values are texts and stay texts: `1004725.7334053422` here is the same decimal that an exposition writes as
 * `1.0047257334053422e+06`. Errors of this module say nothing about credentials.
 */
import got, { type PlainResponse, TimeoutError } from 'got'
import { type Instant, SECOND } from '../../core/time.ts'
import { ArchiveError } from '../archive.ts'

export interface PrometheusApiOptions {
  /** What comes before `/api/v1`; perhaps with a login. */
  readonly url: string
  /** Bearer token, unless the address has a login of its own. */
  readonly token?: string | undefined
  /** Milliseconds for one answer. */
  readonly timeout: number
  /** Largest answer in bytes, decompressed; `MAX_BYTES` if not given. */
  readonly maxBytes?: number | undefined
  readonly userAgent?: string | undefined
}

/** One series of a range selector: its labels, and each sample with its time in seconds and its digits. */
export interface RawSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

export interface RawAnswer {
  readonly series: readonly RawSeries[]
  /** How large the answer was, decompressed. */
  readonly bytes: number
}

export interface PrometheusApi {
  /** The samples that a range selector finds, as they were recorded. @throws {ArchiveError} */
  samples(selector: string, time: Instant, signal: AbortSignal): Promise<RawAnswer>
  /** The values that a label has in series that match. @throws {ArchiveError} */
  labelValues(label: string, query: LabelQuery, signal: AbortSignal): Promise<readonly string[]>
}

export interface LabelQuery {
  readonly match: string
  readonly start: Instant
  readonly end: Instant
}

/** As for an answer of an exporter. */
const MAX_BYTES = 64 * 1_024 * 1_024

/** Milliseconds until there has to be a connection. */
const LONGEST_CONNECT = 10_000

export function createPrometheusApi(options: PrometheusApiOptions): PrometheusApi {
  const { url, maxBytes = MAX_BYTES } = options

  async function ask(
    path: string,
    parameters: Record<string, string>,
    signal: AbortSignal,
  ): Promise<{ data: unknown; bytes: number }> {
    const address = new URL(url)
    address.pathname = `${address.pathname.replace(/\/$/, '')}/api/v1/${path}`
    address.search = new URLSearchParams(parameters).toString()
    const { status, body } = await fetchBody(address, options, maxBytes, signal)
    return { data: dataOf(status, body), bytes: body.length }
  }

  return {
    async samples(selector, time, signal) {
      const { data, bytes } = await ask('query', { query: selector, time: seconds(time) }, signal)
      return { series: readMatrix(data), bytes }
    },
    async labelValues(label, { match, start, end }, signal) {
      const parameters = { 'match[]': match, start: seconds(start), end: seconds(end) }
      const { data } = await ask(`label/${label}/values`, parameters, signal)
      if (!isList(data) || !data.every((each) => typeof each === 'string')) throw shapeless('values of a label')
      return data
    },
  }
}

function seconds(at: Instant): string {
  return (at / SECOND).toFixed(3)
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

async function fetchBody(
  address: URL,
  { token, timeout, userAgent = 'credits-worker' }: PrometheusApiOptions,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Answer> {
  const needsToken = token !== undefined && address.username === ''
  const stream = got.stream(address, {
    headers: { 'user-agent': userAgent, ...(needsToken && { authorization: `Bearer ${token}` }) },
    timeout: { connect: Math.min(timeout, LONGEST_CONNECT), request: timeout },
    signal,
    retry: { limit: 0 },
    throwHttpErrors: false,
    // A redirect to another host could take the token along.
    followRedirect: false,
    agent: { http: false, https: false },
  })
  let status = 0
  stream.once('response', (response: PlainResponse) => {
    status = response.statusCode
  })
  try {
    return { body: await readAll(stream, maxBytes), status }
  } catch (error) {
    throw archiveErrorOf(error, timeout, signal)
  }
}

async function readAll(stream: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream) {
    size += piece.length
    if (size > maxBytes) throw new ArchiveError('too large', `Expected at most ${maxBytes} bytes, got more`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** An error of the HTTP client carries the request with its headers: only the error beneath it is kept as the cause. */
function archiveErrorOf(error: unknown, timeout: number, signal: AbortSignal): ArchiveError {
  if (error instanceof ArchiveError) return error
  if (signal.aborted) return new ArchiveError('stopped', 'Reading from Prometheus was stopped')
  if (error instanceof TimeoutError) {
    // What takes too long may be quicker for a shorter period.
    if (error.event === 'request')
      return new ArchiveError('too large', `Expected the whole answer of Prometheus within ${timeout} ms`)
    return new ArchiveError('unavailable', 'Prometheus does not answer: no connection in time')
  }
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  const options = cause instanceof Error ? { cause } : {}
  return new ArchiveError('unavailable', `Prometheus does not answer: ${message}`, options)
}

/** @throws {ArchiveError} unless Prometheus says that it worked. */
function dataOf(status: number, body: Buffer): unknown {
  const answer = parse(body)
  if (status === 200 && answer?.status === 'success') return answer.data
  if (typeof answer?.error === 'string') throw errorOf(status, answer.errorType, answer.error)
  if (status === 401 || status === 403) {
    const hint = 'check PROMETHEUS_TOKEN, or the login in PROMETHEUS_URL'
    throw new ArchiveError('refused', `Expected HTTP 200 of Prometheus, got ${status}; ${hint}`)
  }
  if (status >= 500) throw new ArchiveError('unavailable', `Expected HTTP 200 of Prometheus, got ${status}`)
  const hint = 'PROMETHEUS_URL is what comes before /api/v1'
  throw new ArchiveError('refused', `Expected an answer of Prometheus' HTTP API, got HTTP ${status}; ${hint}`)
}

interface Envelope {
  readonly status?: unknown
  readonly data?: unknown
  readonly error?: unknown
  readonly errorType?: unknown
}

function parse(body: Buffer): Envelope | undefined {
  try {
    const answer = JSON.parse(body.toString()) as unknown
    return typeof answer === 'object' && answer !== null ? answer : undefined
  } catch {
    return undefined
  }
}

/** A query that finds more samples than Prometheus may load, or that takes too long, can be asked for a shorter period. */
function errorOf(status: number, type: unknown, error: string): ArchiveError {
  const message = `Prometheus says: ${error.slice(0, 300)}`
  if (type === 'timeout' || type === 'canceled' || /too many (samples|points)|maximum resolution/.test(error))
    return new ArchiveError('too large', message)
  const isBusy = status >= 500 || status === 429 || type === 'unavailable' || type === 'internal'
  return new ArchiveError(isBusy ? 'unavailable' : 'refused', message)
}

function readMatrix(data: unknown): readonly RawSeries[] {
  const { resultType, result } = (data ?? {}) as { resultType?: unknown; result?: unknown }
  if (resultType !== 'matrix' || !isList(result)) throw shapeless('a matrix')
  for (const each of result) if (!isRawSeries(each)) throw shapeless('series with samples')
  return result as RawSeries[]
}

function isRawSeries(each: unknown): each is RawSeries {
  const { metric, values } = (each ?? {}) as { metric?: unknown; values?: unknown }
  if (typeof metric !== 'object' || metric === null || !isList(values ?? [])) return false
  if (!Object.values(metric).every((label) => typeof label === 'string')) return false
  // Native histograms have none.
  return isList(values) && values.every(isSample)
}

function isSample(pair: unknown): boolean {
  return isList(pair) && pair.length === 2 && Number.isFinite(pair[0]) && typeof pair[1] === 'string'
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function shapeless(expected: string): ArchiveError {
  return new ArchiveError('refused', `Expected ${expected} of Prometheus, got something else`)
}
