/**
 * The lines of the ledger.
 *
 * A series has one open charge entry at a time: growth within its window (one hour) and under the same price moves the
 * entry's end. Once the window has passed, or the series left its line, the entry never changes again. So a receipt stays
 * exact, and a year of scrapes is some thousand entries for each series instead of a million.
 */
import type { Credits } from './credits.ts'
import type { Point } from './decide.ts'
import type { Decimal } from './decimals.ts'
import type { Charge } from './rating.ts'
import type { Series } from './series.ts'
import { HOUR, type Instant } from './time.ts'

/** How long a charge entry stays open for more growth. */
export const WINDOW = HOUR

interface EntryFacts {
  /** Names the fact, so that recording it twice changes nothing. */
  readonly id: string
  readonly group: string
  readonly amount: Credits
  readonly recordedAt: Instant
}

/** `amount + carryOut = (to − from) × perUnit × 10⁶ + carryIn`: all that is needed to compute it again. */
export interface ChargeEntry extends EntryFacts {
  readonly kind: 'charge'
  readonly series: Series
  readonly from: Point
  readonly to: Point
  readonly priceVersion: string
  readonly perUnit: Decimal
  readonly carryIn: Decimal
  readonly carryOut: Decimal
  /** Who accepted growth that was held, and why. */
  readonly accepted?: { readonly actor: string; readonly reason: string }
}

/** A correction of the group's total with its reason: positive charges, negative gives back. */
export interface AdjustmentEntry extends EntryFacts {
  readonly kind: 'adjustment'
  readonly site?: string
  readonly reason: string
  readonly actor: string
  /** The numbers of the entry it corrects, or of the first and the last one, all of one series. */
  readonly corrects?: { readonly first: number; readonly last: number }
}

/** What the group had used before this ledger began. */
export interface OpeningEntry extends EntryFacts {
  readonly kind: 'opening'
  readonly site: string
  readonly reason: string
}

export type Entry = ChargeEntry | AdjustmentEntry | OpeningEntry

/**
 * Names a charge by where it begins, which no other charge of its series does. Instant and group come first, in the order in
 * which charges are recorded: names that lie anywhere among those before make a database write a page of its index for each.
 */
export function chargeId({ site, metric, projectId, projectName }: Series, from: Instant): string {
  return `charge/${from}/${site} ${metric} ${projectName} ${projectId} ${projectName.length}`
}

/** The charge entry of a series that may still grow. */
export interface OpenEntry {
  /** The ledger's number of the entry. */
  readonly number: number
  /** The instant its window begins. */
  readonly window: Instant
  readonly priceVersion: string
  /** Where it begins; looked up when it is asked for, as only readings that are late make somebody ask. */
  readonly from?: Point | undefined
}

/** A charge with the readings it lies between. */
export interface ReadCharge extends Charge {
  readonly fromValue: Decimal
  readonly toValue: Decimal
}

/** The window an instant falls in, named by its beginning. A reading at a full hour ends the hour before. */
export function windowOf(at: Instant): Instant {
  return Math.floor((at - 1) / WINDOW) * WINDOW
}

/** Whether a charge moves the end of the open entry instead of beginning a new one. */
export function continues(open: Omit<OpenEntry, 'number'> | undefined, charge: ReadCharge): boolean {
  return open !== undefined && open.priceVersion === charge.price.version && open.window === windowOf(charge.to)
}
