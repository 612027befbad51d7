/**
 * What a delivery as a whole says about falls and jumps.
 *
 * One series alone cannot tell why it fell: a machine was deleted, or all history of the site was weighted anew. The other
 * series of the site can. What is found here chooses the words an operator reads and whether growth is held; it never
 * makes anything charged.
 */
import type { SeriesState } from './decide.ts'
import { approximate, compare } from './decimals.ts'
import type { Reading } from './series.ts'
import { HOUR, MINUTE } from './time.ts'

/** A reading beside what was known of its series. */
export interface Step {
  readonly before: SeriesState
  readonly reading: Reading
}

export type FallCause =
  | 'a machine was removed from the sum'
  | 'the exporter restarted'
  | 'the site was weighted anew or its start date moved'
  | 'the start date moved or old records were purged'

/** What happened to one metric of one site. */
export interface SiteVerdict {
  /** Nearly all series jumped by the same factor at once. */
  readonly jumped: boolean
  /** Why its series fell, if any did. */
  readonly fallCause: FallCause
}

/** From this many series on, what all of them do is no coincidence. */
const ENOUGH_SERIES = 3
/** "All" series: those of a few stopped projects may stay as they are. */
const NEARLY_ALL = 0.8
/** Factors within this of each other are the same factor. */
const SAME_FACTOR = 0.02
/** What is left of a total when its origin is now. */
const NEAR_ZERO = 0.01
/** Growth beyond this many times the pace of a series is a jump, */
const JUMP = 3
/**
 * if it is also more than this part of its total. When an exporter stood still for hours, all totals catch up at once by
 * much more than their pace and by nearly the same factor, one that is hardly above 1: that is consumption.
 */
const JUMP_OF_TOTAL = 0.05
const JUMP_ALLOWANCE = 15 * MINUTE

/** @param steps All readings of one site and metric in one delivery whose series are known and which are not stale. */
export function classify(steps: readonly Step[]): SiteVerdict {
  const moving = steps.filter(
    ({ before, reading }) => reading.at > before.watermark.at && approximate(before.watermark.value) > 0,
  )
  const fallen = moving.filter(({ before, reading }) => compare(reading.value, before.watermark.value) < 0)
  const jumped = moving.filter(isJump)
  return { jumped: isMost(jumped, moving) && haveSameFactor(jumped), fallCause: fallCause(fallen, moving) }
}

function isJump({ before, reading }: Step): boolean {
  const total = approximate(before.watermark.value)
  const growth = approximate(reading.value) - total
  const elapsed = reading.at - (before.stillSince ?? before.watermark.at)
  // A series that has not grown yet has no pace: nothing can be said about its growth.
  const explained = (JUMP * before.pace * (elapsed + JUMP_ALLOWANCE)) / HOUR
  return before.pace > 0 && growth > Math.max(explained, JUMP_OF_TOTAL * total)
}

function fallCause(fallen: readonly Step[], moving: readonly Step[]): FallCause {
  const toNearlyNothing = fallen.every((step) => factor(step) <= NEAR_ZERO)
  if (fallen.length > 0 && toNearlyNothing && fallen.length >= NEARLY_ALL * moving.length)
    return 'the exporter restarted'
  if (!isMost(fallen, moving)) return 'a machine was removed from the sum'
  return haveSameFactor(fallen)
    ? 'the site was weighted anew or its start date moved'
    : 'the start date moved or old records were purged'
}

function isMost(some: readonly Step[], all: readonly Step[]): boolean {
  return some.length >= ENOUGH_SERIES && some.length >= NEARLY_ALL * all.length
}

function haveSameFactor(steps: readonly Step[]): boolean {
  const factors = steps.map(factor).sort((a, b) => a - b)
  const middle = factors[Math.floor(factors.length / 2)] ?? 0
  const alike = factors.filter((each) => Math.abs(each - middle) <= SAME_FACTOR * middle)
  return alike.length >= NEARLY_ALL * factors.length
}

function factor({ before, reading }: Step): number {
  return approximate(reading.value) / approximate(before.watermark.value)
}
