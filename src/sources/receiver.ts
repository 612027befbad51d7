/**
 * Receives what is pushed in one protocol: reads it within limits, has it decoded, and delivers it.
 *
 * Decoding is the protocol's matter (`remoteWrite/`, `influx/`), everything else is the same for all: who may enter, what a
 * body may weigh, how it went. A push is delivered as a whole or refused; its sender
 * may send it again, because readings that were recorded are not later than their watermarks.
 */
import type { AdmissionRules, Rejections } from '../core/admit.ts'
import type { Reading } from '../core/series.ts'
import type { Clock, Instant } from '../core/time.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Place, PushBudget } from './pushBudget.ts'
import { afterRefusal, afterTaken, newPushStatus } from './pushStatus.ts'
import { type Deliver, type Push, type PushError, PushRefusal, type PushStatus, type Receiver } from './source.ts'

/** A push with its whole body. */
export interface Arrived extends Omit<Push, 'body'> {
  readonly body: Uint8Array
}

/** What a push holds. */
export interface Decoded {
  readonly readings: readonly Reading[]
  readonly rejected: Readonly<Rejections>
  /** All that were understood, wanted or not. */
  readonly samples: number
  /** Samples that say that a series has ended: absence, which is no value. */
  readonly staleMarkers: number
  /** What is not looked at: histograms, exemplars, other fields. */
  readonly ignored: number
  readonly isCounted: boolean
  readonly errors: readonly PushError[]
  readonly errorCount: number
}

/** @throws {PushRefusal} if none of it can be used. */
export type Decode = (push: Arrived, rules: AdmissionRules) => Promise<Decoded>

export interface ReceiverOptions extends Pick<AdmissionRules, 'meters' | 'whitelist' | 'site'> {
  /** Names it to operators. */
  readonly protocol: string
  readonly decode: Decode
  /** Shared with other receivers. */
  readonly budget: PushBudget
  readonly deliver: Deliver
  readonly newTaskId: () => string
  readonly clock: Clock
  readonly logger: Logger
  readonly observer?: ((report: PushReport) => void) | undefined
}

/** For metrics. */
export interface PushReport {
  readonly protocol: string
  /** `undelivered`: it was understood, but could not be recorded. */
  readonly outcome: 'taken' | 'refused' | 'undelivered'
  /** From its first byte until it was recorded, in milliseconds. */
  readonly duration: number
  /** What it held, if it was taken. */
  readonly decoded: Decoded | undefined
}

/** Bytes of a body as it is sent. 500 samples of remote write take 12 kB, as many lines 115 kB. */
export const LARGEST_PUSH = 16 * 1_024 * 1_024
/** Of a body when it is decompressed. */
export const LARGEST_DECOMPRESSED = 32 * 1_024 * 1_024
/** Prometheus sends 500 at a time, unless it is told otherwise. */
export const MOST_PUSHED = 100_000
/** Of a reading in memory, with its names. */
const READING_BYTES = 500

export function createReceiver(options: ReceiverOptions): Receiver {
  const { protocol, budget, clock, observer } = options
  const complain = createComplaints(options)
  let status = newPushStatus(protocol)

  async function take(push: Push) {
    const at = clock.now()
    const report = (outcome: PushReport['outcome'], decoded?: Decoded) =>
      observer?.({ protocol, outcome, duration: Math.max(0, clock.now() - at), decoded })
    try {
      const decoded = await takeWithin(budget, (place) => receive(push, place))
      status = afterTaken(status, at, decoded)
      complain.about(decoded)
      report('taken', decoded)
      const { samples, isCounted, errors, errorCount } = decoded
      return { samples, isCounted, errors, errorCount }
    } catch (error) {
      status = afterRefusal(status, at, error instanceof Error ? error.message : String(error))
      complain.ofRefusal(error)
      report(error instanceof PushRefusal ? 'refused' : 'undelivered')
      throw error
    }
  }

  async function receive(push: Push, place: Place): Promise<Decoded> {
    const body = await readAll(push.body, place)
    const at = clock.now()
    const decoded = await budget.inTurn(() => options.decode({ ...push, body }, rulesOf(options, at)))
    place.empty()
    place.take(decoded.readings.length * READING_BYTES)
    const { readings, rejected } = decoded
    await options.deliver({ id: options.newTaskId(), source: options.protocol, receivedAt: at, readings, rejected })
    return decoded
  }

  return {
    take,
    get status(): PushStatus {
      return status
    },
  }
}

async function takeWithin<T>(budget: PushBudget, work: (place: Place) => Promise<T>): Promise<T> {
  const place = budget.enter()
  try {
    return await work(place)
  } finally {
    place.leave()
  }
}

/** @throws {PushRefusal} as soon as there is more than may be. */
async function readAll(body: AsyncIterable<Uint8Array>, place: Place): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (size > LARGEST_PUSH) throw tooLarge(`at most ${LARGEST_PUSH} bytes`)
      place.take(chunk.length)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof PushRefusal) throw error
    throw new PushRefusal('cut short', 'The push broke off before its end.', { cause: error })
  }
  return Buffer.concat(chunks)
}

/** @param expected `at most 500 bytes` */
export function tooLarge(expected: string): PushRefusal {
  return new PushRefusal('too large', `Expected ${expected} in a push, got more.`)
}

function rulesOf({ meters, whitelist, site, protocol }: ReceiverOptions, at: Instant): AdmissionRules {
  return { meters, whitelist, site, at, origin: protocol, labels: new Map() }
}

/** Says what is wrong when it begins, and not with every push. */
function createComplaints({ protocol, logger }: ReceiverOptions) {
  let refusal: string | undefined
  let complaint: string | undefined
  return {
    about({ rejected, errors, errorCount }: Decoded): void {
      if (refusal !== undefined) logger.warn({ protocol }, 'Pushes are taken again')
      refusal = undefined
      const [first] = errors
      // What was got, such as a value, may be another one in each push.
      // A push without errors says nothing about what the others are made of.
      const expected = first?.message.split(', got ', 1)[0]
      if (expected === undefined || expected === complaint) return
      complaint = expected
      logger.warn(
        { protocol, rejected, errors, errorCount },
        'Some of a push cannot be read or used; this is said once until it changes',
      )
    },
    ofRefusal(error: unknown): void {
      const err = error instanceof Error ? error : new Error(String(error))
      const isKnown = err.message === refusal
      refusal = err.message
      if (err instanceof PushRefusal) {
        logger[isKnown ? 'debug' : 'warn']({ protocol, reason: err.reason }, `A push was refused: ${err.message}`)
      } else {
        logger[isKnown ? 'debug' : 'error']({ protocol, err }, 'A push was not recorded')
      }
    },
  }
}
