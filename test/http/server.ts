/** A real server on a free port over a real ledger, and a client that sends requests exactly as they are written. */
import { once } from 'node:events'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { createCorrectionDesk } from '#src/billing/corrections.ts'
import { createHoldDesk } from '#src/billing/holds.ts'
import { createHttpServer, type HttpServer } from '#src/http/app.ts'
import type { HttpParts, Replica, Target } from '#src/http/parts.ts'
import { createForecasts } from '#src/ledger/forecasts.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { writeDigest } from '#src/publish/mail/digest.ts'
import { createLogging, type Logging } from '#src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '#src/telemetry/metrics.ts'
import { type Measured, meters, recorder, testClock } from '../helpers/billing.ts'
import { receiversOver } from '../helpers/pushes.ts'
import { complaints } from './contract/description.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The text as JSON. */
  readonly json: unknown
}

export interface Question {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  /** A text and bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown
}

type LogLine = Readonly<Record<string, unknown>>

export interface Face extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly server: HttpServer
  readonly ledger: Ledger
  readonly logging: Logging
  readonly metrics: Metrics
  readonly clock: ReturnType<typeof testClock>
  readonly logLines: LogLine[]
  /** Records a delivery; the clock goes on to its latest reading. */
  record(...readings: Measured[]): Promise<void>
  get(path: string, headers?: OutgoingHttpHeaders): Promise<Answer>
  post(path: string, body: unknown, headers?: OutgoingHttpHeaders): Promise<Answer>
  ask(path: string, question: Question): Promise<Answer>
}

export async function startFace(
  overrides: Partial<HttpParts> = {},
  limits: Parameters<typeof createHttpServer>[1] = {},
): Promise<Face> {
  const logLines: LogLine[] = []
  const logging = createLogging({ level: 'debug', destination: { write: (line) => logLines.push(JSON.parse(line)) } })
  const metrics = createMetrics({ version: '1.2.3' })
  const ledger = openSqliteLedger(':memory:')
  const clock = testClock()
  const server = createHttpServer(
    {
      host: '127.0.0.1',
      port: 0,
      keys: {},
      rateLimit: 0,
      workers: 10,
      precision: 2,
      version: '1.2.3',
      startedAt: clock.now(),
      clock,
      logger: logging.logger('http'),
      logging,
      metrics,
      ledger,
      meters,
      forecasts: createForecasts({ ledger: overrides.ledger ?? ledger, clock: overrides.clock ?? clock }),
      targetsFile: () => undefined,
      targets: () => [target()],
      receivers: receiversOver(overrides.ledger === undefined ? ledger : (overrides.ledger as Ledger), clock),
      lanes: { waiting: 0, working: 0, status: () => [] },
      outbox: undefined,
      writeWindow: () => ({}),
      decideHold: createHoldDesk({ ledger, meters, clock, logger: logging.logger('billing'), onChanged: () => {} }),
      corrections: createCorrectionDesk({ ledger, clock, logger: logging.logger('billing'), onChanged: () => {} }),
      notifyAt: [50, 80, 100],
      notifying: () => ({ mail: false, webhooks: 0, problems: {} }),
      catchUp: () => undefined,
      replicas: undefined,
      previewDigest: (notices) => writeDigest(notices, { precision: 2 }),
      stopping: () => false,
      describeSettings: () => ({}),
      ...overrides,
    },
    limits,
  )
  const { url, port } = await server.listen()
  const take = recorder(ledger, clock)
  async function send(path: string, question: Question): Promise<Answer> {
    const answer = await ask(url, path, question)
    // With other meters than those it is made for, the description is another one.
    if (overrides.meters === undefined) expect(complaints(question.method ?? 'GET', path, answer)).toEqual([])
    return answer
  }
  return {
    url,
    port,
    server,
    ledger,
    logging,
    metrics,
    clock,
    logLines,
    async record(...readings) {
      clock.at = Math.max(clock.at, ...readings.map(({ at }) => at))
      await take(...readings)
    },
    get: (path, headers = {}) => send(path, { headers }),
    post: (path, body, headers = {}) => send(path, { method: 'POST', body, headers }),
    ask: send,
    async [Symbol.asyncDispose]() {
      await server.stop(0)
      await ledger.close()
      logging.close()
    },
  }
}

/** A target whose scrapes work. */
export function target(overrides: Partial<Target> = {}): Target {
  return {
    target: 'http://exporter.example/metrics',
    scraper: { kind: 'here' },
    labels: { location_id: '8676' },
    up: true,
    lastScrape: Date.UTC(2026, 0, 1),
    lastSuccess: Date.UTC(2026, 0, 1),
    lastDuration: 12,
    lastError: undefined,
    samples: 40,
    readings: 2,
    rejected: { unlisted: 38 },
    errors: [],
    late: 0,
    outdated: 0,
    failures: 0,
    next: Date.UTC(2026, 0, 1, 0, 1),
    ...overrides,
  }
}

/** A worker that shares the ledger with others. */
export function replica(overrides: Partial<Replica> = {}): Replica {
  return {
    ...{
      id: 1,
      name: 'worker-1/7',
      version: '1.2.3',
      state: 'working',
      isSelf: true,
      isLead: true,
      isCatchingUp: false,
    },
    startedAt: Date.UTC(2026, 0, 1),
    seenAt: Date.UTC(2026, 0, 1, 0, 1),
    targets: ['http://exporter.example/metrics'],
    publishing: ['BioVis'],
    ...overrides,
  }
}

/** Sends a request with its path as it is written: nothing is normalised on the way. */
export async function ask(url: string, path: string, { method = 'GET', headers, body }: Question): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  const content = isRaw ? body : JSON.stringify(body)
  const type = content === undefined ? {} : { 'Content-Type': 'application/json' }
  const outgoing = request({
    host: hostname.replace(/[[\]]/g, ''),
    port,
    path,
    method,
    headers: { ...type, ...headers },
  })
  outgoing.end(content)
  const [incoming] = await once(outgoing, 'response')
  const answer = await text(incoming)
  return {
    status: incoming.statusCode,
    headers: incoming.headers,
    text: answer,
    get json() {
      return JSON.parse(answer) as unknown
    },
  }
}
