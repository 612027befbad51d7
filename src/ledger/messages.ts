/** PORT, a part of the ledger: what is sent to people and programs, from the first notice in it until it was sent. */
import type { Instant } from '../core/time.ts'
import type { NoticeState, StoredNotice } from './notices.ts'

export type Channel = 'mail' | 'webhook'

export type MessageState =
  /** Notices still come to it. */
  | 'gathering'
  /** Its content is fixed, and it is tried until it could be sent. */
  | 'ready'
  | 'sent'
  /** Never sent. */
  | 'given up'

/** A mail address, or the name of a webhook. */
export interface Recipient {
  readonly channel: Channel
  readonly to: string
}

export interface Message extends Recipient {
  readonly id: number
  /** The same each time it is sent, so that whoever gets it twice can tell. */
  readonly uid: string
  /** Who gets a copy. */
  readonly copyTo?: string
  readonly openedAt: Instant
  readonly state: MessageState
  /** How often it was tried. */
  readonly attempts: number
  /** When it was tried last. */
  readonly attemptedAt?: Instant
  /** When it was sent or given up. */
  readonly endedAt?: Instant
  /** Why it was not sent the last time, or never will be. */
  readonly problem?: string
}

/** Who is told of a notice. */
export interface Addressing {
  readonly at: Instant
  readonly to: readonly Recipient[]
  /** Gets a copy of one of the mails that tell of it. */
  readonly copyTo?: string
  /** What becomes of the notice; `no recipient` if its people are not among those who are told. */
  readonly state: Extract<NoticeState, 'addressed' | 'no recipient'>
}

/** Who was told of a notice, or will be. */
export interface Telling extends Message {
  readonly notice: number
}

export type MessageCounts = Readonly<Partial<Record<Channel, Readonly<Partial<Record<MessageState, number>>>>>>

/**
 * A message is stored before it is sent, and is marked as sent together with its notices. So whatever is killed when, each
 * notice gets to each of its recipients at least once, and twice only with the same `uid`.
 */
export interface MessageLedger {
  /**
   * Puts a notice that waits into a message for each recipient: of mail into the one that is gathering, of webhooks into one
   * of its own. Returns whether the notice waited.
   */
  addressNotice(notice: number, addressing: Addressing): Promise<boolean>
  /**
   * Messages that gathered long enough, oldest first: those to webhooks, and mail that was opened at `openedBy` at the latest
   * to whom no other is ready and none was sent after `noneSince`. What lies after `now` was noted by a wrong clock.
   */
  gathered(when: { now: Instant; openedBy: Instant; noneSince: Instant }, limit: number): Promise<Message[]>
  /** Oldest first. */
  messageNotices(message: number): Promise<StoredNotice[]>
  /**
   * Fixes what a message says. Notices of groups that were muted meanwhile are taken out of it, and those whose grant was
   * overtaken by another one, which are passed unless somebody else is told; without any it is given up.
   *
   * @param closing `instead` are those of `told` that were not in the message and are passed, or told to others.
   * @returns Whether the others are all of its notices; nothing is changed if more came to it meanwhile.
   */
  closeMessage(
    message: number,
    closing: {
      content: string
      told: readonly number[]
      muted: readonly number[]
      overtaken?: readonly number[]
      instead?: readonly number[]
      at: Instant
    },
  ): Promise<boolean>
  /** Messages that are to be sent now, the least tried first. */
  dueMessages(channel: Channel, now: Instant, limit: number): Promise<(Message & { content: string })[]>
  /** Notes that a message is about to be sent, so that one that kills the process does so seldom. */
  beginAttempt(message: number, when: { at: Instant; retryAt: Instant }): Promise<void>
  /** Notes why the last attempt failed. */
  failAttempt(message: number, problem: string): Promise<void>
  /** A message and its notices were sent; or it never will be, and neither those of its notices that are in no other one. */
  endMessage(message: number, end: { state: 'sent' | 'given up'; at: Instant; problem?: string }): Promise<void>
  /** Who is told of these notices, oldest first. */
  tellings(notices: readonly number[]): Promise<Telling[]>
  messageCounts(): Promise<MessageCounts>
}
