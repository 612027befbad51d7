/**
 * PORT: where readings of the past are read again.
 *
 * What every archive promises:
 * - A reading has the instant and the digits that it had when it was recorded, as if it had been scraped then.
 * - Readings come in order of time. Some may come twice; the ledger makes that harmless.
 * - What was not kept, or is not kept any more, is absent. Nothing is computed in its place.
 */
import type { Rejections } from '../core/admit.ts'
import type { Period } from '../core/catchUp.ts'
import type { Reading, Series } from '../core/series.ts'
import type { Instant } from '../core/time.ts'

/** What an archive has of a part of a period. */
export interface Chunk {
  /** All there is until then has come. */
  readonly upTo: Instant
  /** In order of time. */
  readonly readings: readonly Reading[]
  readonly rejected: Readonly<Rejections>
}

/** The readings of some projects of a site at exactly one instant. */
export interface Moment extends Pick<Series, 'site' | 'metric'> {
  readonly at: Instant
  readonly projectNames: readonly string[]
}

export interface Archive {
  /** What it is called in logs and in the ledger, without credentials. */
  readonly name: string
  /** The sites that it has readings of in a period. @throws {ArchiveError} */
  sites(period: Period, signal: AbortSignal): Promise<readonly string[]>
  /** Chunk by chunk; each is as long as it can be read at once. @throws {ArchiveError} */
  read(period: Period, signal: AbortSignal): AsyncIterable<Chunk>
  /** Those that were recorded at that very millisecond. @throws {ArchiveError} */
  readAt(moment: Moment, signal: AbortSignal): Promise<readonly Reading[]>
}

export type ArchiveFailure =
  /** It does not answer, or cannot do it now: asking again later may help. */
  | 'unavailable'
  /** It understood and says no, or is no archive at all: a person has to act. */
  | 'refused'
  /** The answer would be too large, or takes too long: ask for less. */
  | 'too large'
  /** By our own side. */
  | 'stopped'

/** Nothing could be read. The message says nothing about credentials. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly code = 'ERR_ARCHIVE'
  readonly failure: ArchiveFailure

  constructor(failure: ArchiveFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}
