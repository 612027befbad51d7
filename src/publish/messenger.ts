/**
 * PORT: a way by which people or programs are told of notices.
 *
 * What every messenger promises:
 * - A message that is sent again is the same to whoever gets it: it has the same `uid`.
 * - It gives up waiting after some seconds, and what it says about a failure holds no address, key or word of a peer.
 */
import type { Instant } from '../core/time.ts'
import type { Message, StoredNotice } from '../ledger/ledger.ts'

/** How a group's credits are going, approximately. */
export interface Outlook {
  /** Credits a day at present. */
  readonly burnPerDay: number
  /** When the grant will be used up, if that can be foreseen. */
  readonly runsOutAt?: Instant
}

/** A notice with what else whoever is told should know. */
export interface Told extends Omit<StoredNotice, 'state'> {
  readonly outlook?: Outlook
}

export type SendOutcome =
  /** `remark` says what did not work nevertheless. */
  | { readonly kind: 'sent'; readonly remark?: string }
  /** To be tried again. `affects` says what else need not be tried now. */
  | { readonly kind: 'failed'; readonly why: string; readonly affects: 'message' | 'recipient' | 'all' }
  /** Trying again would change nothing. */
  | { readonly kind: 'refused'; readonly why: string }

export interface Messenger {
  /** What a message says, as it is stored until it could be sent. */
  compose(notices: readonly Told[]): string
  /** Never rejects for what a peer does. */
  send(message: Pick<Message, 'uid' | 'to' | 'copyTo'> & { readonly content: string }): Promise<SendOutcome>
}
