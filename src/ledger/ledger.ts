/**
 * PORT: the ledger, which is the truth about credits.
 *
 * What every ledger promises (`test/ledger/contract.ts` holds the adapters to it):
 * - A delivery's entries, watermarks, carried remainders, totals and holds are recorded in one transaction: all or nothing,
 *   durable when the promise resolves.
 * - Recording the same readings again changes nothing, because they are not later than the watermark.
 * - A group's total is the sum of its entries. Entries are never deleted; only the open charge entry of a series moves.
 * - One worker writes; a second one is refused.
 */
import type { Credits } from '../core/credits.ts'
import type { Point, SeriesState } from '../core/decide.ts'
import type { Decimal } from '../core/decimals.ts'
import type { ChargeEntry, Entry, OpenEntry } from '../core/entries.ts'
import type { Series } from '../core/series.ts'
import { HOUR, type Instant } from '../core/time.ts'
import type { CorrectionLedger } from './corrections.ts'
import type { HistoryReader } from './history.ts'
import type { Hash } from './receipts.ts'

/** What is stored of a series beside its entries. */
export interface StoredSeries {
  /** The ledger's number of the series. */
  readonly number: number
  readonly state: SeriesState
  /** What was left of a micro-credit, carried into the next charge. */
  readonly carry: Decimal
  /** The entry that may still grow. */
  readonly open?: OpenEntry
  /** Where its chain of hashes stands; only the ledger looks at it (see `receipts.ts`). */
  readonly chain: { readonly head: Hash; readonly openBase?: Hash }
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

/** A remark that explains the ledger without changing an amount. */
export interface Note {
  readonly kind: 'opened' | 'rebased' | 'recovered' | 'conflict'
  readonly series: Series
  readonly at: Instant
  readonly text: string
}

export type HoldKind =
  | 'implausible growth'
  | 'unclear after a fall'
  | 'site jump'
  | 'clock ahead'
  | 'unknown group'
  | 'not assigned'
  | 'no grant'
  | 'used credits missing'
  | 'refused'

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
}

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
  readonly changes: readonly SeriesChange[]
  readonly notes: readonly Note[]
  readonly holds: readonly Hold[]
  /** Keys of holds that are over, if there are any. */
  readonly released: readonly string[]
  /** Series that came back to a line they left: what was held of them since is no growth any more. */
  readonly withdrawn: readonly { readonly series: Series; readonly since: Instant }[]
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
  /** Where the first charge begins; given until the group is opened. */
  readonly chargedSince?: Instant
  /** Not to be looked up in Perun before this instant. */
  readonly retryAt?: Instant
}

/** How long a write without an answer may still happen; longer than Perun's calls hang. */
export const INTENTION_MEMORY = HOUR

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
  /** What we were about to write and have no answer for: Perun may still come to it. The oldest first. */
  readonly intended: readonly { readonly used: Credits; readonly at: Instant }[]
  /** The keys of its open holds. */
  readonly holds: readonly string[]
}

/** A value in Perun that we did not write, as publishing found it. */
export interface Drift {
  readonly site: string
  /** What we believed that Perun shows; absent before the first write. */
  readonly expected?: Credits
  /** What it shows; absent if used credits are missing. */
  readonly shown?: Credits
  /** When and by whom it was changed, in Perun's own words. */
  readonly modifiedAt?: string
  readonly modifiedBy?: string
  /** The id of the adjustment that follows it; absent if used credits are missing, which is a hold. */
  readonly entryId?: string
}

export interface StoredDrift extends Drift {
  readonly id: number
  readonly group: string
  readonly seenAt: Instant
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
  /** What is about to be written. Kept until it is answered; if an earlier writing of it never was, until it expires. */
  readonly intended?: Credits
  /** What was written, with Perun's answer. */
  readonly answered?: Credits
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
}

/** Answers questions; never changes anything. */
export interface LedgerReader extends HistoryReader {
  groups(page: { search?: string; after?: string; limit: number }): Promise<{ rows: GroupRow[]; total: number }>
  group(name: string): Promise<(GroupRow & { series: SeriesRow[] }) | undefined>
  /** Newest first. */
  entries(group: string, page: { before?: number; limit: number }): Promise<StoredEntry[]>
  /** Computed from all entries of the group; `undefined` if it is unknown. Others may work in between. */
  breakdown(group: string): Promise<Breakdown | undefined>
  notes(group: string, limit: number): Promise<Note[]>
  holds(page: { group?: string; limit: number }): Promise<StoredHold[]>
  /** Newest first. */
  drifts(page: { group?: string; before?: number; limit: number }): Promise<StoredDrift[]>
  summary(): Promise<LedgerSummary>
}

export interface Ledger extends LedgerReader, CorrectionLedger {
  /**
   * Records a delivery or a part of one.
   *
   * @param series What the readings are of; a series may occur several times.
   * @param decide Called within the transaction with what is stored of each series, in the same order. Must not wait.
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
  /** What is stored of each series, in the same order. */
  stored(series: readonly Series[]): Promise<(StoredSeries | undefined)[]>
  /** The groups whose total Perun has not been told, oldest first. */
  dirtyGroups(): Promise<string[]>
  account(group: string): Promise<GroupAccount | undefined>
  /**
   * Durable when the promise resolves: at once if it is urgent (the default), else within a tenth of a second, together with
   * others. What `account` answers includes it either way.
   */
  settle(settlement: Settlement, options?: { readonly urgent?: boolean }): Promise<void>
  /** Whether it can be written now; the reason if not. */
  check(): Promise<string | undefined>
  close(): Promise<void>
}

/** The ledger cannot be opened or written: said to the operator as it is. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
  readonly code = 'ERR_LEDGER'
}
