/** PORT, a part of the ledger: what people correct. Entries never change; a correction is a new entry. */
import type { Credits } from '../core/credits.ts'
import type { Decimal } from '../core/decimals.ts'
import type { AdjustmentEntry, ChargeEntry } from '../core/entries.ts'
import type { Meter } from '../core/meters.ts'
import type { Difference, Period } from '../core/repricing.ts'
import type { Series } from '../core/series.ts'
import type { Instant } from '../core/time.ts'
import type { StoredEntry } from './ledger.ts'
import type { Hash } from './receipts.ts'

/** What a person asked for cannot be done as things stand; the message says what to do instead. Nothing was changed. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** Who asks for something, and why. */
export interface Asking {
  readonly actor: string
  readonly reason: string
}

export interface AdjustmentRequest extends Asking {
  readonly group: string
  /** Positive charges, negative gives back; not zero. */
  readonly amount: Credits
  /** The number of the entry that is corrected. */
  readonly corrects?: number
  /** Names the request, so that asking twice records it once. */
  readonly id?: string
}

export interface Adjusted {
  readonly entry: StoredEntry
  /** The group's total after it. */
  readonly used: Credits
  /** Whether this request had been carried out before. */
  readonly wasKnown: boolean
}

export interface RepricingRequest extends Asking {
  readonly meter: Meter
  readonly period: Period
  /** Credits per unit that should have been charged. */
  readonly perUnit: Decimal
}

/** Carries out what people ask for. */
export interface CorrectionDesk {
  /**
   * Records an adjustment.
   *
   * @returns `undefined` if there is no such group.
   * @throws {Refusal} if it would make the total negative, names an entry of another group, or its id means something else.
   */
  adjust(request: AdjustmentRequest): Promise<Adjusted | undefined>
  /**
   * Computes what another price for a past period would change, and keeps that to be applied.
   *
   * @throws {Refusal} if nothing was charged in the period, it overlaps with one that is applied, or the differences are more
   *   than a ledger can hold.
   */
  preview(request: RepricingRequest): Promise<Repricing>
  /**
   * Writes exactly what the preview said.
   *
   * @returns `undefined` if there is no such preview.
   * @throws {Refusal} if it is applied already, more was charged in the period since, or it would make a total negative.
   */
  apply(id: string, by: Pick<Asking, 'actor'>): Promise<Repricing | undefined>
  /**
   * Takes an applied one back by the opposite entries.
   *
   * @returns `undefined` if there is no such preview.
   * @throws {Refusal} if it is not applied, undone already, or that would make a total negative.
   */
  undo(id: string, by: Asking): Promise<Repricing | undefined>
}

/** Another price for a past period of a metric: previewed, then applied exactly as previewed, perhaps undone. */
export interface Repricing {
  readonly id: string
  readonly metric: string
  readonly period: Period
  /** Credits per unit that should have been charged. */
  readonly perUnit: Decimal
  readonly reason: string
  readonly actor: string
  readonly previewedAt: Instant
  /** The number of the last entry that the preview saw. */
  readonly seenEntry: number
  readonly applied?: { readonly at: Instant; readonly actor: string }
  readonly undone?: { readonly at: Instant; readonly actor: string; readonly reason: string }
}

/** What it changes of one series. */
export interface RepricingLine extends Difference {
  readonly series: Series
  /** The ledger's number of the series. */
  readonly seriesNumber: number
  /** The numbers of the first and the last entry that it is about, and the hash of the last one. */
  readonly first: number
  readonly last: number
  readonly lastHash: Hash
}

/** What it changes of one group, with the group's total of now. */
export interface RepricingGroup {
  readonly group: string
  readonly used: Credits
  readonly granted?: string
  readonly amount: Credits
}

export interface RepricingSummary {
  readonly groups: number
  readonly series: number
  /** The sum of all differences; it may be more than an amount can be. */
  readonly amount: Credits
  /** How many groups applying it now would leave with a negative total, and how many undoing it. */
  readonly negative: { readonly applying: number; readonly undoing: number }
}

/** Charges of the period of a re-pricing that were recorded when it was applied already: it does not correct them. */
export interface ChargedSince {
  readonly entries: number
  readonly amount: Credits
}

export type StoredCharge = ChargeEntry & StoredEntry

/** What a correction may look at, within its transaction. */
export interface CorrectionFacts {
  /** A group's total; `undefined` if there is no such group. */
  used(group: string): Credits | undefined
  entry(number: number): StoredEntry | undefined
  entryNamed(id: string): StoredEntry | undefined
  /** Those of these ids that there are; of many ids much cheaper than one by one. */
  entriesNamed(ids: readonly string[]): ReadonlyMap<string, StoredEntry>
  repricing(id: string): Repricing | undefined
  repricings(): readonly Repricing[]
  lines(id: string): Iterable<RepricingLine>
  /** Whether the entries that a preview saw in its period are no longer all that there are. */
  hasMoved(repricing: Repricing): boolean
}

export interface Correction {
  readonly entries: Iterable<AdjustmentEntry>
  /** With what it has become. */
  readonly repricing?: Repricing
}

export interface CorrectionLedger {
  /**
   * Writes a correction in one transaction, durable when the promise resolves. An entry whose id is known is not written again.
   *
   * @param decide Called within the transaction; what it throws leaves everything as it is. Must not wait, and must change
   *   nothing: it may be asked several times, with what is true then; the last time counts.
   * @returns The groups whose total changed.
   */
  correct(decide: (facts: CorrectionFacts) => Correction): Promise<string[]>
  entryNamed(id: string): Promise<StoredEntry | undefined>
  /** Calls `visit` for each series of a metric with its charges that overlap a period, in order. Others may work in between. */
  charges(
    metric: string,
    period: Period,
    visit: (series: Series, seriesNumber: number, charges: readonly StoredCharge[]) => void,
  ): Promise<void>
  /** Keeps a preview. */
  savePreview(repricing: Repricing, lines: readonly RepricingLine[]): Promise<void>
  /** All of them, newest first. */
  repricings(): Promise<readonly Repricing[]>
  repricing(id: string): Promise<Repricing | undefined>
  /** By name of the group. */
  repricingGroups(id: string, page: { after?: string; limit: number }): Promise<RepricingGroup[]>
  repricingSummary(id: string): Promise<RepricingSummary>
  /** What was charged in its period since the entry that its preview saw last, by whole entries. Others may work in between. */
  chargedAfterPreview(repricing: Pick<Repricing, 'metric' | 'period' | 'seenEntry'>): Promise<ChargedSince>
}
