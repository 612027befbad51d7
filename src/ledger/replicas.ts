/** PORT, a part of a ledger that several workers share: which of them are there, and what each of them does. */
import type { Instant } from '../core/time.ts'
import type { Claims } from './claims.ts'

/** A worker among those that share a ledger. */
export interface Replica {
  /** Never used twice. One that was taken for dead and comes back has another. */
  readonly id: number
  /** Host and process: `worker-1/7`. */
  readonly name: string
  readonly version: string
  readonly startedAt: Instant
  /** When it last said that it is there, by the clock of the database. */
  readonly seenAt: Instant
  /** `gone`: it is dead or said nothing for too long. What it was at is given to others once that cannot be under way any more. */
  readonly state: 'working' | 'gone'
  /** Whether it is this process. */
  readonly isSelf: boolean
  /** What it has claimed, of the names that were asked about. */
  readonly claims: readonly string[]
  /** The groups that it publishes just now, if they were asked for. */
  readonly publishing: readonly string[]
}

export interface Replicas extends Claims {
  /**
   * All that are there, the oldest first; also those that are gone and whose work is not given to others yet.
   *
   * @param names The claims to tell of.
   * @param options `withWork`: also the groups that each publishes, which means a look at all that wait.
   */
  list(names: readonly string[], options?: { readonly withWork?: boolean }): Promise<Replica[]>
  /**
   * Whether this process is one of them, as far as it can tell without asking: others may take over what it did once it is not.
   * To be asked at once before anything is done outside of the ledger that only one may do.
   */
  isMember(): boolean
}
