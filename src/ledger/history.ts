/**
 * What can be asked about the past of a group.
 *
 * An entry belongs to the instant of its end reading; an adjustment or an opening to the instant it was recorded. What is
 * answered includes every entry that is recorded, open ones too, and adds up exactly: whatever the ledger sums up
 * beforehand never differs from its entries (`test/ledger/contract/history.ts`).
 */
import type { Credits } from '../core/credits.ts'
import type { Decimal } from '../core/decimals.ts'
import type { Entry } from '../core/entries.ts'
import type { Instant } from '../core/time.ts'

export interface HistoryPoint {
  readonly at: Instant
  /** The metric of a charge, else the kind of the entry. */
  readonly metric: string
  /** The group's total after this entry. */
  readonly used: Credits
}

/** How far the entries of a group reach, and how it stands now. */
export interface Extent {
  /** When its first and its last entry belong to; absent without entries. */
  readonly first?: Instant
  readonly last?: Instant
  readonly used: Credits
  /** As Perun shows it. */
  readonly granted?: string
}

/** Entries of one kind, added up. A correction of a charge has the metric and the site of the charge. */
export interface ConsumptionPart {
  readonly kind: Entry['kind']
  readonly site?: string
  readonly metric?: string
  readonly entries: number
  readonly amount: Credits
  /** In the meter's unit; zero of what is no charge. */
  readonly consumption: Decimal
}

export interface Consumption {
  /** The group's total at the first boundary. */
  readonly before: Credits
  /** What was added between each boundary, exclusive, and the next one, inclusive: the parts that have entries. */
  readonly buckets: readonly (readonly ConsumptionPart[])[]
}

export interface HistoryReader {
  /** `undefined` if the group is unknown. */
  extent(group: string): Promise<Extent | undefined>
  /** @param bounds Two or more instants, each later than the one before. @returns `undefined` if the group is unknown. */
  consumption(group: string, bounds: readonly Instant[]): Promise<Consumption | undefined>
  /**
   * Where the first growth begins that was charged in each of some times (after one instant, up to and including another):
   * the earliest first reading of the charges that end there; `undefined` where none does.
   */
  chargedSince(
    group: string,
    times: readonly (readonly [after: Instant, upTo: Instant])[],
  ): Promise<(Instant | undefined)[]>
  /**
   * The group's total after each entry from `from` up to and including `to`: the newest `limit` of them, newest first.
   *
   * @returns `undefined` if the group is unknown.
   */
  history(
    group: string,
    period: { readonly from: Instant; readonly to: Instant; readonly limit: number },
  ): Promise<HistoryPoint[] | undefined>
}
