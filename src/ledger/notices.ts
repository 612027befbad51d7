/** PORT, a part of the ledger: what people are to be told about a group, and whether they were. */
import type { Credits } from '../core/credits.ts'
import type { Instant } from '../core/time.ts'

export type NoticeKind =
  /** Used credits reached a part of the grant. */
  | 'threshold'
  /** At the present pace the grant is used up within some days. */
  | 'runs out'

export type NoticeState =
  | 'waiting'
  /** In messages, none of which was sent yet. */
  | 'addressed'
  /** At least one of its recipients was told. */
  | 'sent'
  /** Its people did not want to be told when it came up. */
  | 'muted'
  /** Not told: a higher line was reached at the same time, it was passed before, or the grant changed before it was told. */
  | 'passed'
  /** Nobody is known who could be told. */
  | 'no recipient'
  /** Nobody could be told for so long that it is no news any more. */
  | 'too late'
  /** None of its messages could be sent. */
  | 'given up'

export type NoticeCounts = Readonly<Partial<Record<NoticeState, number>>>

/** At most one for each group, kind, line and grant. */
export interface Notice {
  readonly group: string
  readonly kind: NoticeKind
  /** Percent of the grant, or days. */
  readonly line: number
  /** The grant as a decimal, without superfluous zeros. */
  readonly granted: string
  readonly used: Credits
  readonly at: Instant
  /** The number of the entry that crossed the line. */
  readonly entry?: number
}

export interface StoredNotice extends Notice {
  readonly id: number
  readonly state: NoticeState
}

export interface Mute {
  readonly group: string
  readonly at: Instant
  readonly actor: string
  readonly reason: string
}

/**
 * Lines of the grant are watched by the ledger itself: a notice is recorded in the transaction of the entry that crossed the
 * line, so a crash can neither lose it nor make two of it.
 */
export interface NoticeLedger {
  /** Records a notice, unless there is one for its group, kind, line and grant. Returns whether it is new and not muted. */
  notice(notice: Notice): Promise<boolean>
  /** Those that nobody was looked for yet, oldest first; all of them, or a page. */
  waitingNotices(page?: { after: number; limit: number }): Promise<StoredNotice[]>
  noticeCounts(): Promise<NoticeCounts>
  /** Newest first. */
  notices(page: { group?: string; before?: number; limit: number }): Promise<StoredNotice[]>
  /** What became of notices that waited. */
  settleNotices(ids: readonly number[], state: Exclude<NoticeState, 'waiting'>): Promise<void>
  /** Returns whether there is such a group. */
  mute(mute: Mute): Promise<boolean>
  unmute(group: string): Promise<boolean>
  muted(group: string): Promise<Mute | undefined>
}
