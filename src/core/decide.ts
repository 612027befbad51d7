/**
 * What to do with a reading: the one place where it is decided whether consumption is charged.
 *
 * What the exporter publishes is a total, but recomputed each time: it falls when a machine drops out of the sum, when
 * history is weighted anew, when the start date moves, and it jumps for the same reasons. Treating a fall as a reset to
 * zero, as counters do, would charge consumption again that was charged before. So a fall charges nothing, and the series
 * remembers the line it left: when it comes back to it, only what exceeds the former height is charged. It may leave
 * several lines one after another (a machine is deleted, next week an error drops others for a minute), so each is kept.
 *
 * Everything here is a pure function of the stored state and the reading. Approximate numbers (the pace) only choose
 * between outcomes; what is charged is the exact difference of two readings.
 */
import {
  add,
  approximate,
  compare,
  type Decimal,
  decimal,
  formatDecimal,
  multiply,
  subtract,
  zero,
} from './decimals.ts'
import { notLater } from './late.ts'
import {
  cautiousPace,
  chargedSince,
  hours,
  isPartialReturn,
  lastChange,
  leftLine,
  rememberedLines,
  UPDATE_ALLOWANCE,
  whereabouts,
  withLines,
} from './lines.ts'
import type { Meter } from './meters.ts'
import type { Reading } from './series.ts'
import { HOUR, type Instant, MINUTE } from './time.ts'

/** A total at an instant. */
export interface Point {
  readonly at: Instant
  readonly value: Decimal
  /** Which exporter said so, as far as that is known. */
  readonly origin?: string
}

/** The line a series left when it fell or jumped: where it was, how fast it grew, and what was charged since. */
export interface FormerLine extends Point {
  readonly pace: number
  /** Consumption charged after the line was left, in the meter's unit. */
  readonly charged: Decimal
  /** Left because the exporter began to count another unit: growth is held until the series is back or a person decides. */
  readonly isOtherUnit?: boolean
}

/** What is known of a series before a reading. */
export interface SeriesState {
  /** The last reading that counted. */
  readonly watermark: Point
  /** How fast the series has grown lately, in units per hour; 0 until it has grown. A rule of thumb, never charged. */
  readonly pace: number
  /** Since when its value is the same, if it did not grow at the last reading: growth after that took all this time. */
  readonly stillSince?: Instant
  /** The lines it left and has not come back to, in the order it left them. */
  readonly formerLines?: readonly FormerLine[]
}

/** Why a delivery as a whole has growth held (see `classify`). */
export type JumpReason =
  /** Many series of the site jumped at once. */
  | 'site jump'
  /** The series of the site jumped by the ratio of two units. */
  | 'unit switched'
  /** The series jumped by the total of another one that is gone. */
  | 'series merged'
  /** The two totals of a project jumped as machines would not make them. */
  | 'implausible growth'

/** Growth is implausible also if it is faster than `maxGrowthPerHour` of its meter allows. */
export type HeldReason =
  /** Below a line it left or above it, and neither the former nor the present pace explains the growth. */
  | 'unclear after a fall'
  | JumpReason
  /** The reading is later than our clock allows. */
  | 'clock ahead'

export type Decision =
  /** First reading of this series: nothing to compare with, so charging starts here. */
  | { readonly kind: 'opened'; readonly state: SeriesState }
  /** The value grew: `to − from` is charged. */
  | { readonly kind: 'charged'; readonly from: Point; readonly to: Point; readonly state: SeriesState }
  /** The same value, later. */
  | { readonly kind: 'unchanged'; readonly state: SeriesState }
  /**
   * Nothing new: repeated, or of now while our clock was set back. A conflict has the watermark's instant but another value. A value below that of another exporter is
   * stale too: of two exporters, one always lags behind.
   */
  | { readonly kind: 'stale'; readonly conflict: boolean }
  /**
   * Up to an hour earlier than the watermark: folded in, as what was charged since holds its growth. In conflict if it lies
   * outside of the readings around it: a dip or a peak that nobody saw in time.
   */
  | { readonly kind: 'late'; readonly conflict: boolean }
  /** Earlier than that: dropped, and told of. */
  | { readonly kind: 'outdated' }
  /** The value fell: nothing is charged, the watermark moves to the new value. */
  | {
      readonly kind: 'rebased'
      readonly from: Point
      readonly to: Point
      readonly state: SeriesState
      /** What was held from this point on is no growth: it was in another unit, and the old one is back. */
      readonly backAt?: Point
    }
  /**
   * The watermark is later than our clock allows, so a clock was wrong when it was set: it counts as of now, with its value.
   * Else all readings would be stale until that time has come. Nothing is charged; the next reading holds the growth. Only a
   * reading of now shows it: one that brings its time may be an old one, delivered again while our clock is behind.
   */
  | { readonly kind: 'redated'; readonly from: Point; readonly to: Point; readonly state: SeriesState }
  /** Back on the line it left: `to − from` is what exceeds that line and was not charged since; it may be nothing. */
  | {
      readonly kind: 'recovered'
      readonly from: Point
      readonly to: Point
      readonly former: FormerLine
      readonly state: SeriesState
    }
  /** Nothing is charged until a person decides about the growth `to − from`. */
  | {
      readonly kind: 'held'
      readonly reason: HeldReason
      readonly from: Point
      readonly to: Point
      readonly state: SeriesState
      /** What was held from this point on is no growth any more, because the series is back on the line it left there. */
      readonly backAt?: FormerLine
    }

export interface Circumstances {
  readonly meter: Meter
  readonly now: Instant
  /** Why growth of this series in this delivery is held, if the delivery as a whole says so. */
  readonly jump?: JumpReason | undefined
  /** Whether a hold about the unit of its site is open: what a switched series grows by is in the wrong unit. */
  readonly isUnitHeld?: boolean | undefined
  /** Whether the delivery as a whole says that the old unit is back. */
  readonly isUnitBack?: boolean | undefined
  /** Where the open entry of the series begins; of use for readings that are late. */
  readonly chargedFrom?: Point | undefined
}

/** A reading may be this much later than our clock: two clocks in a cloud differ by less. */
export const CLOCK_TOLERANCE = 5 * MINUTE

/** Sums of doubles differ in their last digits when they are added up in another order; such a fall is none. */
const SUMMATION_NOISE = decimal('1e-10')

/** Of MiB and GiB: a total that falls or grows by less than this is still in the same unit. */
const UNIT_FACTOR = decimal('512')

export function decide(state: SeriesState | undefined, reading: Reading, circumstances: Circumstances): Decision {
  const { at, value, origin } = reading
  const to: Point = { at, value, ...(origin !== undefined && { origin }) }
  if (reading.at > circumstances.now + CLOCK_TOLERANCE) return aheadOfTheClock(state, to)
  if (state === undefined) return { kind: 'opened', state: opened(to, circumstances) }
  const from = state.watermark
  const difference = compare(to.value, from.value)
  if (reading.isOfNow === true && from.at > circumstances.now + CLOCK_TOLERANCE)
    return redated(state, circumstances.now)
  if (to.at <= from.at) return notLater(state, reading, circumstances.chargedFrom)
  if (difference === 0) return { kind: 'unchanged', state: still(state, to) }
  return difference < 0 ? fell(state, to, circumstances) : grew(state, to, circumstances)
}

/** A series that begins while its site counts another unit begins in that unit. */
function opened(to: Point, { isUnitHeld }: Circumstances): SeriesState {
  const state: SeriesState = { watermark: to, pace: 0 }
  return isUnitHeld === true
    ? leftLine({ ...state, watermark: { ...to, value: zero } }, to, { isOtherUnit: true })
    : state
}

/** The watermark stays: a clock that is wrong once must not make all later readings stale. */
function aheadOfTheClock(state: SeriesState | undefined, to: Point): Decision {
  const known = state ?? { watermark: { at: 0, value: to.value }, pace: 0 }
  return { kind: 'held', reason: 'clock ahead', from: known.watermark, to, state: known }
}

function redated({ watermark, pace, formerLines = [] }: SeriesState, now: Instant): Decision {
  const to: Point = { ...watermark, at: now }
  const lines = formerLines.map((line) => ({ ...line, at: Math.min(line.at, now) }))
  return { kind: 'redated', from: watermark, to, state: withLines({ watermark: to, pace }, lines) }
}

function fell(state: SeriesState, to: Point, circumstances: Circumstances): Decision {
  const from = state.watermark
  if (isSummationNoise(from.value, to.value)) {
    return { kind: 'unchanged', state: still(state, { ...to, value: from.value }) }
  }
  if (isLagging(state, to)) return { kind: 'stale', conflict: false }
  const lines = rememberedLines(state, to.at)
  const line = lines.find((each) => whereabouts(each, state, to) === 'on the former line')
  if (line !== undefined) return recovered(state, line, to, circumstances)
  const isUnitBack = circumstances.isUnitBack === true && compare(multiply(to.value, UNIT_FACTOR), from.value) < 0
  const switched = isUnitBack ? lines.find(({ isOtherUnit }) => isOtherUnit) : undefined
  if (switched === undefined) return { kind: 'rebased', from, to, state: leftLine(state, to) }
  const next = withLines({ watermark: to, pace: switched.pace }, lines.slice(0, lines.indexOf(switched)))
  return { kind: 'rebased', from, to, state: next, backAt: switched }
}

/** Whether a fall is only another order in which the same doubles were added up. */
export function isSummationNoise(from: Decimal, to: Decimal): boolean {
  return compare(subtract(from, to), multiply(from, SUMMATION_NOISE)) <= 0
}

/**
 * Whether a lower value is only what another exporter, which computes at other times, has not come to yet. When the one that
 * is ahead is silent for longer, it counts as a fall. What one exporter says falls for a reason: many short-lived machines
 * that drop out of a sum are a fall every few minutes.
 */
export function isLagging({ watermark }: SeriesState, to: Pick<Point, 'at' | 'origin'>): boolean {
  return to.origin !== watermark.origin && to.at - watermark.at <= UPDATE_ALLOWANCE
}

function grew(state: SeriesState, to: Point, circumstances: Circumstances): Decision {
  const { meter, jump, isUnitHeld } = circumstances
  const from = state.watermark
  const held = (reason: HeldReason, next: SeriesState): Decision => ({ kind: 'held', reason, from, to, state: next })
  const lines = rememberedLines(state, to.at)
  const above = lines.filter((line) => compare(from.value, line.value) < 0)
  const places = above.map((line) => whereabouts(line, state, to))
  // Back on the line that was left first means back from all that were left after it.
  const reached = above[places.indexOf('on the former line')]
  if (reached !== undefined) return recovered(state, reached, to, circumstances)
  if (isUnitHeld === true && isInOtherUnit(lines)) return held('unit switched', moved(state, to))
  if (isUnitHeld === true && isSwitch(from, to)) return held('unit switched', jumped(state, to, 'unit switched'))
  if (places.includes('above the former line') || isPartialReturn(state, above, to)) {
    return held('unclear after a fall', { ...leftLine(state, to), pace: cautiousPace(state, to) })
  }
  if (jump !== undefined) return held(jump, jumped(state, to, jump))
  const next = leftLine(state, to)
  if (!isPlausible(meter, { at: lastChange(state), value: from.value }, to)) return held('implausible growth', next)
  const passed = above.filter((line) => compare(to.value, line.value) >= 0)
  const open = lines.filter((line) => !passed.includes(line))
  const growth = subtract(to.value, from.value)
  return { kind: 'charged', from, to, state: withLines(moved(state, to), chargedSince(open, growth)) }
}

/**
 * The state after a jump that was held. A total that was weighted anew or is in another unit also grows by as much faster. Of
 * a single project, also of one that took in another, nothing is known of its pace from now on: what follows is charged.
 */
function jumped(state: SeriesState, to: Point, jump: JumpReason): SeriesState {
  const next = leftLine(state, to, jump === 'unit switched' ? { isOtherUnit: true } : {})
  if (jump === 'implausible growth' || jump === 'series merged') return { ...next, pace: 0 }
  const factor = approximate(to.value) / approximate(state.watermark.value)
  return Number.isFinite(factor) ? { ...next, pace: next.pace * factor } : next
}

/** A series that comes late to a switch of its site: it was absent, or the delivery was recorded in part. */
function isSwitch(from: Point, to: Point): boolean {
  return from.value.digits > 0n && compare(to.value, multiply(from.value, UNIT_FACTOR)) >= 0
}

function isInOtherUnit(lines: readonly FormerLine[]): boolean {
  return lines.some(({ isOtherUnit }) => isOtherUnit === true)
}

/** Only what exceeds the former height, less what was charged since; a plausible amount of it. */
function recovered(state: SeriesState, former: FormerLine, to: Point, circumstances: Circumstances): Decision {
  const accounted = add(former.value, former.charged)
  const start = compare(accounted, to.value) < 0 ? accounted : to.value
  const from: Point = { at: state.watermark.at, value: start }
  const lines = rememberedLines(state, to.at)
  const leftBefore = lines.slice(0, lines.indexOf(former))
  const next: SeriesState = { watermark: to, pace: former.pace }
  const held = (reason: HeldReason): Decision => {
    return { kind: 'held', reason, from, to, state: withLines(next, leftBefore), backAt: former }
  }
  if (circumstances.isUnitHeld === true && isInOtherUnit(leftBefore)) return held('unit switched')
  if (!isPlausible(circumstances.meter, { at: former.at, value: start }, to)) return held('implausible growth')
  const after = withLines(next, chargedSince(leftBefore, subtract(to.value, start)))
  return { kind: 'recovered', from, to, former, state: after }
}

/** Whether growth stays within the meter's limit for the time it took. */
function isPlausible(meter: Meter, from: Point, to: Point): boolean {
  const growth = subtract(to.value, from.value)
  const time = BigInt(to.at - from.at + UPDATE_ALLOWANCE)
  const limit = meter.maxGrowthPerHour
  return (
    compare(
      { digits: growth.digits * BigInt(HOUR), scale: growth.scale },
      { digits: limit.digits * time, scale: limit.scale },
    ) <= 0
  )
}

/** The state after the same value again: what that says about the pace shows at the next growth. */
function still(state: SeriesState, to: Point): SeriesState {
  const { pace } = state
  return { ...withLines({ watermark: to, pace }, rememberedLines(state, to.at)), stillSince: lastChange(state) }
}

/** The state after the series moved along its line; its pace follows over about ten minutes. */
function moved(state: SeriesState, to: Point): SeriesState {
  const elapsed = hours(to.at - lastChange(state))
  const growth = approximate(subtract(to.value, state.watermark.value))
  const memory = state.pace === 0 ? 0 : hours(UPDATE_ALLOWANCE)
  const pace = (state.pace * memory + growth) / (memory + elapsed)
  return withLines({ watermark: to, pace }, rememberedLines(state, to.at))
}

/** A point in words: `251241.76 at 2026-11-21T03:31:31.689Z`. */
export function describePoint({ at, value }: Point): string {
  return `${formatDecimal(value)} at ${new Date(at).toISOString()}`
}
