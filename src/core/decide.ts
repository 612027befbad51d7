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
import type { Meter } from './meters.ts'
import type { Reading } from './series.ts'
import { DAY, HOUR, type Instant, MINUTE } from './time.ts'

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

export type HeldReason =
  /** Grew faster than `maxGrowthPerHour` of its meter allows. */
  | 'implausible growth'
  /** Above the height it fell from, and neither the former nor the present pace explains it. */
  | 'unclear after a fall'
  /** Nearly all series of the site jumped by the same factor at once. */
  | 'site jump'
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
   * Not later than the watermark: late or repeated, dropped. A conflict has the watermark's instant but another value.
   * A value below that of another exporter is late too: of two exporters, one always lags behind.
   */
  | { readonly kind: 'stale'; readonly conflict: boolean }
  /** The value fell: nothing is charged, the watermark moves to the new value. */
  | { readonly kind: 'rebased'; readonly from: Point; readonly to: Point; readonly state: SeriesState }
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
    }

export interface Circumstances {
  readonly meter: Meter
  readonly now: Instant
  /** Whether the delivery as a whole says that this site jumped (see `classify`). */
  readonly siteJumped?: boolean
}

/** A reading may be this much later than our clock: two clocks in a cloud differ by less. */
export const CLOCK_TOLERANCE = 5 * MINUTE

/**
 * Exporters compute seldomer than they are scraped: a value may be this old, and the next one then holds the growth of this
 * much more than its interval.
 */
const UPDATE_ALLOWANCE = 10 * MINUTE

/** A series that has not come back after this long has gone its own way. */
const LINE_MEMORY = 30 * DAY

/** A series that leaves line after line forgets the oldest ones. */
const LINES_KEPT = 8

/** Sums of doubles differ in their last digits when they are added up in another order; such a fall is none. */
const SUMMATION_NOISE = decimal('1e-10')

export function decide(state: SeriesState | undefined, reading: Reading, circumstances: Circumstances): Decision {
  const { at, value, origin } = reading
  const to: Point = { at, value, ...(origin !== undefined && { origin }) }
  if (reading.at > circumstances.now + CLOCK_TOLERANCE) return aheadOfTheClock(state, to)
  if (state === undefined) return { kind: 'opened', state: { watermark: to, pace: 0 } }
  const from = state.watermark
  const difference = compare(to.value, from.value)
  if (reading.isOfNow === true && from.at > circumstances.now + CLOCK_TOLERANCE)
    return redated(state, circumstances.now)
  if (to.at <= from.at) return { kind: 'stale', conflict: to.at === from.at && difference !== 0 }
  if (difference === 0) return { kind: 'unchanged', state: still(state, to) }
  return difference < 0 ? fell(state, to, circumstances) : grew(state, to, circumstances)
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

function fell(state: SeriesState, to: Point, { meter }: Circumstances): Decision {
  const from = state.watermark
  if (compare(subtract(from.value, to.value), multiply(from.value, SUMMATION_NOISE)) <= 0) {
    return { kind: 'unchanged', state: still(state, { ...to, value: from.value }) }
  }
  if (isLagging(state, to)) return { kind: 'stale', conflict: false }
  const line = rememberedLines(state, to.at).find((each) => whereabouts(each, state, to) === 'on the former line')
  return line === undefined
    ? { kind: 'rebased', from, to, state: leftLine(state, to) }
    : recovered(state, line, to, meter)
}

/**
 * Whether a lower value is only what another exporter, which computes at other times, has not come to yet. When the one that
 * is ahead is silent for longer, it counts as a fall. What one exporter says falls for a reason: many short-lived machines
 * that drop out of a sum are a fall every few minutes.
 */
function isLagging({ watermark }: SeriesState, to: Point): boolean {
  return to.origin !== watermark.origin && to.at - watermark.at <= UPDATE_ALLOWANCE
}

function grew(state: SeriesState, to: Point, { meter, siteJumped }: Circumstances): Decision {
  const from = state.watermark
  const held = (reason: HeldReason): Decision => ({ kind: 'held', reason, from, to, state: leftLine(state, to) })
  const lines = rememberedLines(state, to.at)
  const above = lines.filter((line) => compare(from.value, line.value) < 0)
  const places = above.map((line) => whereabouts(line, state, to))
  // Back on the line that was left first means back from all that were left after it.
  const reached = above[places.indexOf('on the former line')]
  if (reached !== undefined) return recovered(state, reached, to, meter)
  if (places.includes('above the former line')) return held('unclear after a fall')
  if (siteJumped === true) return held('site jump')
  if (!isPlausible(meter, { at: lastChange(state), value: from.value }, to)) return held('implausible growth')
  const passed = above.filter((line) => compare(to.value, line.value) >= 0)
  const open = lines.filter((line) => !passed.includes(line))
  const growth = subtract(to.value, from.value)
  return { kind: 'charged', from, to, state: withLines(moved(state, to), chargedSince(open, growth)) }
}

/** Only what exceeds the former height, less what was charged since; a plausible amount of it. */
function recovered(state: SeriesState, former: FormerLine, to: Point, meter: Meter): Decision {
  const accounted = add(former.value, former.charged)
  const start = compare(accounted, to.value) < 0 ? accounted : to.value
  const from: Point = { at: state.watermark.at, value: start }
  const lines = rememberedLines(state, to.at)
  const leftBefore = lines.slice(0, lines.indexOf(former))
  const next: SeriesState = { watermark: to, pace: former.pace }
  if (!isPlausible(meter, { at: former.at, value: start }, to)) {
    return { kind: 'held', reason: 'implausible growth', from, to, state: withLines(next, leftBefore) }
  }
  const after = withLines(next, chargedSince(leftBefore, subtract(to.value, start)))
  return { kind: 'recovered', from, to, former, state: after }
}

/**
 * Which line a reading continues. A series that left a line is back on it when its value is between the former height and
 * where the old pace would have brought it, or nearer to that than to where the present line would be now. A step that the
 * present pace explains within a tenth goes on with the present line.
 */
function whereabouts(
  line: FormerLine,
  state: SeriesState,
  to: Point,
): 'on the former line' | 'above the former line' | 'elsewhere' {
  if (compare(to.value, line.value) < 0) return 'elsewhere'
  const value = approximate(to.value)
  const former = approximate(line.value)
  const present = approximate(state.watermark.value)
  const sinceLeft = hours(to.at - line.at)
  const growth = value - present
  const toFormer = Math.max(0, value - (former + line.pace * sinceLeft))
  const toPresent = Math.abs(growth - state.pace * hours(to.at - lastChange(state)))
  if (toPresent <= 0.1 * growth || toFormer >= toPresent) return 'elsewhere'
  const explained = 2 * line.pace * (sinceLeft + hours(UPDATE_ALLOWANCE)) + 0.05 * Math.abs(former - present)
  return value - former <= explained ? 'on the former line' : 'above the former line'
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

function rememberedLines({ formerLines = [] }: SeriesState, at: Instant): readonly FormerLine[] {
  return formerLines.filter((line) => at - line.at <= LINE_MEMORY)
}

/** The state after the series left its line. */
function leftLine(state: SeriesState, to: Point): SeriesState {
  const left: FormerLine = { ...state.watermark, pace: state.pace, charged: zero }
  return withLines({ watermark: to, pace: state.pace }, [...rememberedLines(state, to.at), left].slice(-LINES_KEPT))
}

function chargedSince(lines: readonly FormerLine[], growth: Decimal): readonly FormerLine[] {
  return lines.map((line) => ({ ...line, charged: add(line.charged, growth) }))
}

function withLines({ watermark, pace }: SeriesState, lines: readonly FormerLine[]): SeriesState {
  return lines.length === 0 ? { watermark, pace } : { watermark, pace, formerLines: lines }
}

/** Since when the value is what it is. */
function lastChange({ stillSince, watermark }: SeriesState): Instant {
  return stillSince ?? watermark.at
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

function hours(ms: number): number {
  return ms / HOUR
}

/**
 * The state after held growth that began at `from` was charged after all: a series that comes back to the line it left
 * there is not charged for it again.
 */
export function withAccepted(state: SeriesState, from: Point, growth: Decimal): SeriesState {
  const lines = (state.formerLines ?? []).map((line) =>
    line.at === from.at ? { ...line, charged: add(line.charged, growth) } : line,
  )
  return { ...state, ...(lines.length > 0 && { formerLines: lines }) }
}

/** A point in words: `251241.76 at 2026-11-21T03:31:31.689Z`. */
export function describePoint({ at, value }: Point): string {
  return `${formatDecimal(value)} at ${new Date(at).toISOString()}`
}
