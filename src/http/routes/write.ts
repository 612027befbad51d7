/**
 * Where other programs push readings.
 *
 * Success is answered when all of a push is durable, also if nothing of it is charged for: a sender repeats what it is
 * refused. What can never work is refused with a 4xx, which Prometheus does not repeat; what may work later with 503, which
 * it does. It does not repeat a 429 unless it is told to, so that is kept for wrong keys.
 */
import { type Push, type PushFailure, PushRefusal, type Receiver, type Taken } from '../../sources/source.ts'
import { BadRequestError, BodyTooLargeError, UnavailableError, UnsupportedBodyError } from '../errors.ts'
import type { HttpParts } from '../parts.ts'
import { type AnswerShape, queryText, type Route, type RouteContext } from '../route.ts'
import { text, word } from '../schema.ts'
import { lineProtocol, remoteWriteBody, takenLines } from '../schemas/pushes.ts'

/** Seconds after which a push that found no room is welcome again. */
const RETRY_AFTER = 5

const later: AnswerShape = {
  description:
    'Nothing of it is lost if it is sent again: too much is under way, the worker is stopping, or its ledger cannot be used',
  optionalHeaders: { 'Retry-After': 'Seconds to wait; not where the ledger is in trouble' },
}
const tooLarge = 'It is too large: 16 MiB, 32 MiB decompressed, 100,000 samples'

/** `POST /api/v1/write`: Prometheus remote write 1.0 and 2.0. */
export function remoteWriteRoute({ receivers }: Pick<HttpParts, 'receivers'>): Route {
  return {
    method: 'post',
    path: '/api/v1/write',
    who: 'writer',
    isForPushes: true,
    tag: 'pushes',
    summary: 'Takes readings from Prometheus: remote write 1.0 and 2.0',
    payload: { 'application/x-protobuf': remoteWriteBody },
    answers: {
      204: {
        description: 'All of it is recorded, or nothing that is charged for',
        optionalHeaders: written,
      },
      400: 'The body is no such message; sending it again is no use',
      413: tooLarge,
      415: 'Another Content-Type, version or Content-Encoding than these',
      503: later,
    },
    async handle(ctx) {
      const { samples, isCounted } = await receive(receivers.remoteWrite, ctx)
      if (isCounted) ctx.set(countsOf(samples))
      ctx.status = 204
    },
  }
}

const written = {
  'X-Prometheus-Remote-Write-Samples-Written': 'Of 2.0: samples that were taken, charged for or not',
  'X-Prometheus-Remote-Write-Histograms-Written': 'Of 2.0: none is taken',
  'X-Prometheus-Remote-Write-Exemplars-Written': 'Of 2.0: none is taken',
} as const

function countsOf(samples: number): Record<keyof typeof written, string> {
  return {
    'X-Prometheus-Remote-Write-Samples-Written': String(samples),
    'X-Prometheus-Remote-Write-Histograms-Written': '0',
    'X-Prometheus-Remote-Write-Exemplars-Written': '0',
  }
}

/** `POST /write`: what a subscription of InfluxDB sends, and other writers of its line protocol. */
export function influxRoute({ receivers }: Pick<HttpParts, 'receivers'>): Route {
  return {
    method: 'post',
    path: '/write',
    who: 'writer',
    isForPushes: true,
    tag: 'pushes',
    summary: 'Takes readings in InfluxDB line protocol, as a subscription sends them',
    query: {
      precision: word('The unit of timestamps', ['ns', 'n', 'u', 'µ', 'ms', 's', 'm', 'h'], { default: 'ns' }),
      db: text('Means nothing here', 'portal_prometheus'),
      rp: text('Means nothing here', 'autogen'),
      consistency: text('Means nothing here', 'any'),
    },
    payload: { 'text/plain': lineProtocol },
    answers: {
      202: {
        description: 'All lines that can be read are recorded, or are nothing that is charged for',
        json: takenLines,
      },
      400: 'No line can be read, or the precision is unknown',
      413: tooLarge,
      415: 'Another Content-Encoding than gzip',
      503: later,
    },
    async handle(ctx) {
      const { samples, errors, errorCount } = await receive(receivers.influx, ctx)
      ctx.status = 202
      ctx.body = { lines: samples, bad_lines: errorCount, first_bad_lines: errors }
    },
  }
}

async function receive(receiver: Receiver, ctx: RouteContext): Promise<Taken> {
  const push: Push = {
    body: ctx.req.iterator({ destroyOnReturn: false }),
    contentType: ctx.req.headers['content-type'],
    contentEncoding: ctx.req.headers['content-encoding'],
    precision: queryText(ctx, 'precision'),
  }
  try {
    return await receiver.take(push)
  } catch (error) {
    // What is still coming is thrown away, not left in the connection: a client that is not read would not read us.
    ctx.req.resume()
    throw error instanceof PushRefusal ? answers[error.reason](error.message) : error
  }
}

const answers: Readonly<Record<PushFailure, (detail: string) => Error>> = {
  malformed: (detail) => new BadRequestError(detail),
  'cut short': (detail) => new BadRequestError(detail),
  unsupported: (detail) => new UnsupportedBodyError(detail),
  'too large': (detail) => new BodyTooLargeError(detail),
  busy: (detail) => new UnavailableError(detail, RETRY_AFTER),
  stopping: (detail) => new UnavailableError(detail, RETRY_AFTER),
}
