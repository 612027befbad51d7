/**
 * PORT: the ledger, which is the truth about credits.
 *
 * What every ledger promises (`test/ledger/contract.ts` holds the adapters to it):
 * - A delivery's entries, watermarks, carried remainders, totals and holds are recorded in one transaction: all or nothing,
 *   durable when the promise resolves.
 * - Recording the same readings again changes nothing, because they are not later than the watermark.
 * - A group's total is the sum of its entries. Entries are never deleted; only the open charge entry of a series moves.
 * - Whatever writes at the same time, each transaction sees all that was recorded of its groups before. SQLite refuses a
 *   second worker, PostgreSQL lets several of them take turns.
 */
import type { Credits } from '../core/credits.ts'
import type { Point, SeriesState } from '../core/decide.ts'
import type { Decimal } from '../core/decimals.ts'
import type { ChargeEntry, Entry, OpenEntry } from '../core/entries.ts'
import type { HeldJump } from '../core/interrupted.ts'
import type { Series } from '../core/series.ts'
import { HOUR, type Instant } from '../core/time.ts'
import type { CatchUpLedger } from './catchUp.ts'
import type { CorrectionLedger } from './corrections.ts'
import type { GroupTable, GroupTableQuery } from './groupTable.ts'
import type { HistoryReader } from './history.ts'
import type { MessageLedger } from './messages.ts'
import type { NoticeLedger } from './notices.ts'
import type { Hash } from './receipts.ts'

export type { Addressing, Channel, Message, MessageLedger, Recipient } from './messages.ts'
export type { NoticeState, StoredNotice } from './notices.ts'

/** What is stored of a series beside its entries. */
export interface StoredSeries {
  /** The ledger's number of the series. */
  readonly number: number
  readonly state: SeriesState
  /** What was left of a micro-credit, carried into the next charge. */
  readonly carry: Decimal
  /** The entry that may still grow. */
  readonly open?: OpenEntry
  /** Where its chain of hashes stands, and what else its seal covers; only the ledger looks at it (see `receipts.ts`). */
  readonly chain: { readonly head: Hash; readonly openBase?: Hash; readonly openedBy?: string }
}

/** A line of the ledger to write: a new charge entry, or growth of the open one. */
export type Posting =
  | { readonly kind: 'append'; readonly entry: ChargeEntry }
  | {
      readonly kind: 'extend'
      readonly number: number
      readonly to: Point
      readonly amount: Credits
      readonly carryOut: Decimal
    }

/** What a reading made of its series. */
export interface SeriesChange {
  readonly series: Series
  /** What was stored of it, unless it is new. */
  readonly before?: StoredSeries
  readonly state: SeriesState
  readonly carry: Decimal
  /** In order of time; an appended entry becomes the open one. */
  readonly postings: readonly Posting[]
  /** Whether no entry is open in the end, because the series left its line. */
  readonly closes: boolean
}

/** A remark that explains the ledger without changing an amount. Conflicts of a series are kept once an hour. */
export interface Note {
  readonly kind: 'opened' | 'rebased' | 'redated' | 'recovered' | 'conflict'
  readonly series: Series
  readonly at: Instant
  readonly text: string
}

export type HoldKind =
  | 'implausible growth'
  | 'unclear after a fall'
  | 'site jump'
  | 'unit switched'
  | 'series merged'
  | 'clock ahead'
  | 'too many series'
  | 'unknown group'
  | 'not assigned'
  | 'no grant'
  | 'used credits missing'
  | 'refused'

/** Holds that a person accepts or dismisses. The others end by themselves once their reason is gone. */
export const decidableHolds: ReadonlySet<HoldKind> = new Set<HoldKind>([
  'implausible growth',
  'unclear after a fall',
  'site jump',
  'unit switched',
  'series merged',
])

/** Something that is not charged or published until it is resolved. At most one hold of a key is open. */
export interface Hold {
  readonly key: string
  readonly kind: HoldKind
  readonly site: string
  /** Absent when the whole site is held. */
  readonly group?: string
  /** A sentence for the operator: what happened and what to do. */
  readonly reason: string
}

/** Growth that is held back, of one series. */
export interface HeldGrowth {
  readonly holdKey: string
  readonly series: Series
  readonly from: Point
  readonly to: Point
}

export interface StoredHold extends Hold {
  readonly id: number
  readonly openedAt: Instant
  readonly seenAt: Instant
  /** When and why it ended, if it did. */
  readonly closed?: { readonly at: Instant; readonly why: string }
}

/** Which holds are asked for. */
export type HoldFilter = 'open' | 'closed' | 'all'

/** A hold with all that it holds back. */
export interface HeldBack {
  readonly hold: StoredHold
  readonly growths: readonly HeldGrowth[]
  /** What is stored of the series of each growth. */
  readonly stored: readonly (StoredSeries | undefined)[]
}

/** All that one transaction of readings writes. */
export interface Recording {
  readonly at: Instant
  /** What the delivery came from: series that begin here count as opened by it. */
  readonly source?: string
  readonly changes: readonly SeriesChange[]
  readonly notes: readonly Note[]
  readonly holds: readonly Hold[]
  /** Keys of holds that are over, if there are any. */
  readonly released: readonly string[]
  /** Series that came back to a line they left: what was held of them from there until now is no growth any more. */
  readonly withdrawn: readonly { readonly series: Series; readonly from: Point; readonly until: Instant }[]
  /** Growth that goes on from the last one of its series with the same hold is kept as one with it. */
  readonly heldGrowths: readonly HeldGrowth[]
}

export interface Recorded {
  /** The groups whose total or sites changed. */
  readonly groups: readonly string[]
  /** The holds that were not there before. */
  readonly opened: readonly Hold[]
}

/**
 * How Perun and a group at a site stand:
 * - `new`: not looked up yet. What is charged meanwhile counts.
 * - `active`: published there.
 * - the others: Perun says that this group cannot be charged at this site; what is measured meanwhile is not charged.
 */
export type Contact = 'new' | 'active' | 'unknown group' | 'not assigned' | 'no grant'

/** What was measured of a metric of a group at a site before the group was opened. */
export interface Measured {
  /** Its first reading. */
  readonly since: Instant
  /** Where the first charge begins, if there is one. */
  readonly chargedSince?: Instant
  readonly charged: Credits
}

/** What a group has at one site. */
export interface SiteAccount {
  readonly site: string
  readonly contact: Contact
  /** The sum of the charges of this site. */
  readonly charged: Credits
  /** The last reading charged or noted of each metric. */
  readonly watermarks: Readonly<Record<string, Instant>>
  /** The latest of the watermarks that Perun was told, if any. */
  readonly publishedAt?: Instant
  /** What was measured of each metric, if anything was; given until the group is opened. */
  readonly measured?: Readonly<Record<string, Measured>>
  /** Not to be looked up in Perun before this instant. */
  readonly retryAt?: Instant
}

/** How long a write without an answer may still happen; longer than Perun's calls hang. */
export const INTENTION_MEMORY = HOUR

/** A write to Perun: one call for a group at a site. */
export interface Intention {
  /** Counts the writes of the group, from 1. */
  readonly number: number
  readonly site: string
  readonly used: Credits
  /** The latest reading that its timestamps tell of. */
  readonly upTo: Instant
}

/** A write of which it is not known whether Perun did it, or whether it still will. */
export interface OpenIntention extends Intention {
  readonly at: Instant
  /** Whether a later write of the group was answered, or seen to have arrived: if Perun comes to this one now, an older value follows a newer one. */
  readonly overtaken: boolean
}

/** All that publishing needs to know of a group. */
export interface GroupAccount {
  readonly group: string
  /** The sum of all entries. */
  readonly used: Credits
  /** Whether an opening entry exists: Perun and this ledger have met. */
  readonly opened: boolean
  readonly sites: readonly SiteAccount[]
  /** What Perun shows as far as we know. */
  readonly published?: Credits
  /** Milliseconds since that was recorded, by the clock of the ledger; given where other workers may have done it. */
  readonly publishedAgo?: number
  /** The writes that were never answered: Perun may still come to them. The oldest first. */
  readonly intended: readonly OpenIntention[]
  /** The number of the newest write there ever was, 0 before the first. */
  readonly newestIntention: number
  /** The keys of its open holds. */
  readonly holds: readonly string[]
}

/** A value in Perun that we did not write, as publishing found it. */
export interface Drift {
  readonly site: string
  /** What we believed that Perun shows; absent before the first write. */
  readonly expected?: Credits
  /** What it shows; absent if used credits are missing, or no number. */
  readonly shown?: Credits
  /** When and by whom it was changed, in Perun's own words. */
  readonly modifiedAt?: string
  readonly modifiedBy?: string
  /** The id of the adjustment that follows it; absent if it is a hold. */
  readonly entryId?: string
}

export interface StoredDrift extends Drift {
  readonly id: number
  readonly group: string
  readonly seenAt: Instant
}

/** A group as Perun shows it, as far as we know. */
export interface ShownGroup {
  readonly group: string
  readonly published: Credits
  readonly granted?: string
  /** Where it is published. */
  readonly sites: readonly string[]
}

/** What publishing changes of a group, in one transaction. Only what is given changes. */
export interface Settlement {
  readonly group: string
  readonly at: Instant
  readonly entries?: readonly Exclude<Entry, ChargeEntry>[]
  readonly contacts?: readonly { readonly site: string; readonly contact: Contact; readonly retryAt?: Instant }[]
  /** Each is told once, when it is found. */
  readonly drifts?: readonly Drift[]
  readonly holds?: readonly Hold[]
  /** Keys of holds that are over, with why. */
  readonly released?: readonly { readonly key: string; readonly reason: string }[]
  readonly granted?: string
  /** What is about to be written, numbered on from the newest write of the group. Kept until answered or resolved. */
  readonly intended?: readonly Intention[]
  /**
   * Numbers of the writes that Perun answered; those before them are overtaken. If one of them was overtaken or resolved
   * before, another worker knows better: `published` and `dealtWith` do not change then.
   */
  readonly answered?: readonly number[]
  /** Numbers of the writes that Perun was seen to have done; those before them are overtaken. A look is newer than any answer. */
  readonly arrived?: readonly number[]
  /** Numbers of the writes that are remembered no longer, because it is known what came of them or they are too old. */
  readonly resolved?: readonly number[]
  readonly published?: {
    readonly used: Credits
    readonly sites: readonly { readonly site: string; readonly upTo: Instant }[]
  }
  /** The total that is now dealt with: the group is clean unless its total moved on since. */
  readonly dealtWith?: Credits
}

export interface GroupRow {
  readonly group: string
  readonly used: Credits
  readonly published?: Credits
  readonly publishedAt?: Instant
  readonly granted?: string
  readonly dirty: boolean
  readonly sites: readonly { readonly site: string; readonly contact: Contact; readonly charged: Credits }[]
  readonly holds: readonly HoldKind[]
  readonly lastReadingAt?: Instant
  /** Whether its people do not want to be told. */
  readonly muted: boolean
}

/** A group as metrics show it. */
export interface GroupCredits {
  readonly group: string
  readonly used: Credits
  readonly granted?: string
}

export interface SeriesRow extends Series {
  readonly state: SeriesState
}

/** An entry as it stands in the ledger: with its number there, the instant it belongs to and its hash. */
export type StoredEntry = Entry & { readonly number: number; readonly at: Instant; readonly hash: Hash }

/** The charges of one series at one price, added up. */
export interface BreakdownPart {
  readonly series: Series
  readonly priceVersion: string
  readonly perUnit: Decimal
  /** In the meter's unit. */
  readonly consumption: Decimal
  readonly amount: Credits
  readonly entries: number
  /** The smallest and the largest number of these entries. */
  readonly first: number
  readonly last: number
  readonly from: Instant
  readonly to: Instant
}

/** What a group's total is made of: `used = parts + adjustments + openings`. */
export interface Breakdown {
  readonly used: Credits
  readonly parts: readonly BreakdownPart[]
  readonly adjustments: { readonly amount: Credits; readonly entries: number }
  readonly openings: { readonly amount: Credits; readonly entries: number }
}

export interface LedgerSummary {
  readonly groups: number
  readonly dirty: number
  readonly series: number
  readonly entries: number
  readonly holds: Readonly<Partial<Record<HoldKind, number>>>
  readonly contacts: Readonly<Partial<Record<Contact, number>>>
  /** Values in Perun that we did not write, ever. */
  readonly drifts: number
  /** The used credits of all groups. */
  readonly used: Credits
}

/** Answers questions; never changes anything. */
export interface LedgerReader extends HistoryReader {
  groups(page: { search?: string; after?: string; limit: number }): Promise<{ rows: GroupRow[]; total: number }>
  /** The first groups by name and how many there are; much cheaper than `groups`. */
  credits(limit: number): Promise<{ rows: GroupCredits[]; total: number }>
  groupTable(query: GroupTableQuery): Promise<GroupTable>
  group(name: string): Promise<(GroupRow & { series: SeriesRow[] }) | undefined>
  /** Newest first. @param page `after` and `upTo`: only entries that belong to a later instant, and not to a later one. */
  entries(
    group: string,
    page: { before?: number; after?: Instant; upTo?: Instant; limit: number },
  ): Promise<StoredEntry[]>
  /** Computed from all entries of the group; `undefined` if it is unknown. Others may work in between. */
  breakdown(group: string): Promise<Breakdown | undefined>
  notes(group: string, limit: number): Promise<Note[]>
  /** The open ones if nothing else is asked for; newest first. */
  holds(page: { group?: string; filter?: HoldFilter; before?: number; limit: number }): Promise<StoredHold[]>
  hold(id: number): Promise<StoredHold | undefined>
  /** The growth that a hold keeps back, or kept back until it was closed; what came back is not in it. */
  heldGrowths(id: number, limit: number): Promise<HeldGrowth[]>
  /** Newest first. */
  drifts(page: { group?: string; before?: number; limit: number }): Promise<StoredDrift[]>
  summary(): Promise<LedgerSummary>
}

export interface Ledger extends LedgerReader, CatchUpLedger, CorrectionLedger, NoticeLedger, MessageLedger {
  /**
   * Records a delivery or a part of one.
   *
   * @param series What the readings are of; a series may occur several times.
   * @param decide Called within the transaction with what is stored of each series, in the same order. Must not wait, and may
   *   be asked again if the transaction has to be repeated; the last time counts.
   * @throws {TotalTooLargeError} if that is what totals become; nothing is recorded then.
   */
  record(
    series: readonly Series[],
    decide: (stored: readonly (StoredSeries | undefined)[]) => Recording,
  ): Promise<Recorded>
  /**
   * Closes an open hold that a person decided about, together with what the decision writes.
   *
   * @param decide Called within the transaction; what it throws leaves the hold as it is. Must not wait.
   * @returns `undefined` if no open hold has this number.
   */
  closeHold(
    id: number,
    why: string,
    decide: (held: HeldBack) => Recording,
  ): Promise<{ readonly hold: StoredHold; readonly groups: readonly string[] } | undefined>
  /** All series of a site's metric. */
  seriesOf(site: string, metric: string): Promise<{ readonly series: Series; readonly state: SeriesState }[]>
  /** Which of these keys name an open hold. */
  openHolds(keys: readonly string[]): Promise<ReadonlySet<string>>
  /** The latest jump of a site of which growth was held, whether or not it is decided. */
  latestJump(site: string): Promise<HeldJump | undefined>
  /** What is stored of each series, in the same order. */
  stored(series: readonly Series[]): Promise<(StoredSeries | undefined)[]>
  /** How many series began with a recording of this source. */
  openedBy(source: string): Promise<number>
  /** The groups whose total Perun has not been told, oldest first. */
  dirtyGroups(): Promise<string[]>
  /** The groups with writes that were never answered. They may be clean. */
  doubtfulGroups(): Promise<string[]>
  /**
   * The number of the newest write of a group: a write with a smaller one may not be sent any more.
   *
   * @throws {LedgerError} if other workers took this one for dead: it may not send any.
   */
  newestIntention(group: string): Promise<number>
  /** All groups that are published somewhere. */
  shownGroups(): Promise<ShownGroup[]>
  account(group: string): Promise<GroupAccount | undefined>
  /**
   * Durable when the promise resolves: at once if it is urgent (the default), else within a tenth of a second, together with
   * others. What `account` answers includes it either way.
   *
   * @throws {OvertakenError} if what is intended is not numbered on from the newest write: the account it was planned from is
   *   no longer the newest. Nothing of the settlement is written then.
   * @throws {TotalTooLargeError} if that is what the total becomes; nothing of it is recorded then, and all of the others.
   */
  settle(settlement: Settlement, options?: { readonly urgent?: boolean }): Promise<void>
  /** Whether it can be written now; the reason if not. */
  check(): Promise<string | undefined>
  close(): Promise<void>
}

/** The totals of these groups, or what they were charged at a site, would be beyond `LARGEST_TOTAL`. */
export class TotalTooLargeError extends RangeError {
  override readonly name = 'TotalTooLargeError'
  readonly groups: readonly string[]

  constructor(groups: readonly string[]) {
    super(`The used credits of ${groups.slice(0, 5).join(', ')} would be more than a ledger can hold`)
    this.groups = groups
  }
}

/** The ledger cannot be opened or written: said to the operator as it is. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
  readonly code = 'ERR_LEDGER'
}

/** Another publish of the same group has begun since: what this one knows is too old to be written. */
export class OvertakenError extends Error {
  override readonly name = 'OvertakenError'
  readonly code = 'ERR_OVERTAKEN'
}
