/**
 * Hashes that make the ledger a receipt: whoever keeps the hash of one entry can tell later whether that entry or any entry
 * before it was changed.
 *
 * Each entry's hash covers the entry and the hash of the one before it in its chain. The charges of a series are one chain,
 * the openings and adjustments of a group another, so that the open charge of a series may grow without touching what others
 * recorded since. The amount of a charge is not part of it: it follows from what is
 * (`amount + carryOut = (to − from) × price × 10⁶ + carryIn`).
 *
 * There is no key in it. Somebody who may write the file can make all hashes anew; then they differ from those on receipts
 * and backups. A program that wants to check must not trust this one: `npm run verify` has its own implementation.
 */
import { hash } from 'node:crypto'
import type { Point } from '../core/decide.ts'
import { type Decimal, formatDecimal } from '../core/decimals.ts'
import type { AdjustmentEntry, ChargeEntry, OpeningEntry } from '../core/entries.ts'

/** The hash before the first entry of a chain. */
export const NO_HASH = ''

/** 43 characters of base64url, or `NO_HASH`. */
export type Hash = string

/** What does not change any more of a charge, however long it stays open. @param previous The entry before it, of its series. */
export function chargeBase(previous: Hash, entry: ChargeEntry): Hash {
  const { id, group, series, from, priceVersion, perUnit, carryIn, recordedAt, accepted } = entry
  return digest(previous, [
    'charge',
    id,
    group,
    series.site,
    series.metric,
    series.projectId,
    series.projectName,
    from.at,
    formatDecimal(from.value),
    priceVersion,
    formatDecimal(perUnit),
    formatDecimal(carryIn),
    recordedAt,
    accepted?.actor ?? null,
    accepted?.reason ?? null,
  ])
}

/** The hash of a charge that goes up to `to`. */
export function chargeHash(base: Hash, to: Point, carryOut: Decimal): Hash {
  // As JSON would have it, in a fifth of the time: growth is recorded more often than anything else.
  return digestOf(base, `[${to.at},"${formatDecimal(to.value)}","${formatDecimal(carryOut)}"]`)
}

/** The hash of an opening or an adjustment. @param previous The one before it, of its group. */
export function remarkHash(previous: Hash, entry: AdjustmentEntry | OpeningEntry): Hash {
  const { kind, id, group, site, amount, recordedAt, reason } = entry
  const actor = entry.kind === 'adjustment' ? entry.actor : null
  const { first = null, last = null } = (entry.kind === 'adjustment' && entry.corrects) || {}
  return digest(previous, [kind, id, group, site ?? null, String(amount), recordedAt, reason, actor, first, last])
}

function digest(previous: Hash, facts: readonly (string | number | null)[]): Hash {
  return digestOf(previous, JSON.stringify(facts))
}

function digestOf(previous: Hash, facts: string): Hash {
  return hash('sha256', `${previous}\n${facts}`, 'base64url')
}

/** Long enough that no accident gives the same one twice. */
const SEAL_LENGTH = 16

/** A digest over the columns of a row: finds a byte that the disk or a hand changed. */
export function sealOf(values: readonly (string | number | bigint | null)[]): string {
  let text = ''
  for (const value of values) text += typeof value === 'string' ? `${value.length}:${value}|` : `${value}|`
  return hash('sha256', text, 'base64url').slice(0, SEAL_LENGTH)
}
