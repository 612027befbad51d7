/**
 * PORT: where readings come from.
 *
 * What every source promises:
 * - It delivers what it understood, counts what it did not, and never guesses: absence is not a value.
 * - One peer's deliveries come in order and one at a time; different peers may deliver side by side.
 * - A delivery may repeat what was delivered before. The ledger makes that harmless, so sources need not remember.
 * - A broken peer is visible to operators and never keeps another from being read.
 *
 * What every receiver of pushes promises beside that:
 * - A push that was taken is durable. One that was not is refused by name, and what of it was recorded already does no harm
 *   when it is pushed again.
 * - What nobody charges for is taken and counted, too: a peer would repeat for ever what it is refused.
 */
import type { Rejections } from '../core/admit.ts'
import type { Reading } from '../core/series.ts'
import type { Instant } from '../core/time.ts'

/** What one scrape brought, or one push or a part of it. */
export interface Delivery {
  /** Unique; the same in all log lines about this delivery. */
  readonly id: string
  /** What it came from, without credentials: a URL, or the protocol of a push. */
  readonly source: string
  /** When all of it had arrived. */
  readonly receivedAt: Instant
  readonly readings: readonly Reading[]
  readonly rejected: Readonly<Rejections>
}

/** Readings of a delivery that came when later ones of their series were charged already. */
export interface Lateness {
  /** Folded in: earlier by an hour at most. */
  readonly late: number
  /** Earlier than that, and dropped. */
  readonly outdated: number
}

/** Takes a delivery over; resolves when it is durable, rejects if it is lost. */
export type Deliver = (delivery: Delivery) => Promise<Lateness | undefined>

export interface Source {
  /** To be called once. */
  start(): void
  /** Resolves when nothing is under way any more, including deliveries. */
  stop(): Promise<void>
}

export interface Receiver {
  /**
   * Takes a push over: all of it is durable when the promise resolves.
   *
   * @throws {PushRefusal} if it was not taken for a reason that has a name; whatever `Deliver` rejects with, if it could not
   *   be recorded.
   */
  take(push: Push): Promise<Taken>
  readonly status: PushStatus
}

/** What somebody pushes. */
export interface Push {
  /** As it arrives; it may break off with an error. */
  readonly body: AsyncIterable<Uint8Array>
  /** What its sender says about it, as in the headers of HTTP. */
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  /** The unit of its timestamps, in protocols that leave it open. */
  readonly precision: string | undefined
}

/** What came of a push that was taken. */
export interface Taken {
  /** Samples that were understood, whether they are charged for or not. */
  readonly samples: number
  /** Whether the sender counts on being told how many were taken. */
  readonly isCounted: boolean
  /** The first parts that could not be read or used; `errorCount` counts all. */
  readonly errors: readonly PushError[]
  readonly errorCount: number
}

/** Errors of a push that are told one by one; somebody who mends one mends the others. */
export const ERRORS_KEPT = 20

/** A part of a push that could not be read, or whose sample cannot be used. */
export interface PushError {
  /** Of a text: its line, counted from 1. */
  readonly line?: number
  readonly message: string
}

export type PushFailure =
  /** Not what its protocol looks like. */
  | 'malformed'
  /** Another protocol, version or compression than those that are understood. */
  | 'unsupported'
  | 'too large'
  /** The sender went away in mid-push. */
  | 'cut short'
  /** Too much is under way already. */
  | 'busy'
  | 'stopping'

/** A push was not taken. The message is for whoever sent it. */
export class PushRefusal extends Error {
  override readonly name = 'PushRefusal'
  readonly code = 'ERR_PUSH'
  readonly reason: PushFailure

  constructor(reason: PushFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** How pushes of one protocol went since the start, as operators see it. */
export interface PushStatus {
  readonly protocol: string
  /** When the last one came, and when the last that was taken. */
  readonly lastPush: Instant | undefined
  readonly lastSuccess: Instant | undefined
  /** Why the last one was not taken, until one is. */
  readonly lastError: string | undefined
  /** Pushes that were taken, and that were not. */
  readonly taken: number
  readonly refused: number
  /** Of those that were taken. */
  readonly samples: number
  readonly readings: number
  readonly staleMarkers: number
  /** What is not looked at: histograms, exemplars, other fields. */
  readonly ignored: number
  readonly rejected: Readonly<Rejections>
  /** The first parts that could not be read or used, of the last push that had any. */
  readonly errors: readonly PushError[]
}
