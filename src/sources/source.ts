/**
 * PORT: where readings come from.
 *
 * What every source promises:
 * - It delivers what it understood, counts what it did not, and never guesses: absence is not a value.
 * - One peer's deliveries come in order and one at a time; different peers may deliver side by side.
 * - A delivery may repeat what was delivered before. The ledger makes that harmless, so sources need not remember.
 * - A broken peer is visible to operators and never keeps another from being read.
 */
import type { Rejections } from '../core/admit.ts'
import type { Reading } from '../core/series.ts'
import type { Instant } from '../core/time.ts'

/** What one scrape or one push brought. */
export interface Delivery {
  /** Unique; the same in all log lines about this delivery. */
  readonly id: string
  /** What it came from, without credentials: a URL, or the name of a push. */
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
