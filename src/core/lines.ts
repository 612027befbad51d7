/**
 * The lines a series left when it fell or jumped, and whether a reading is back on one of them.
 *
 * A series may leave several lines one after another (a machine is deleted, next week an error drops others for a minute),
 * so each is kept, for 30 days. Lines that a total may still rise to are kept before all others: to forget one would mean to
 * charge the way up to it again.
 */
import type { FormerLine, Point, SeriesState } from './decide.ts'
import { add, approximate, compare, type Decimal, isZero, subtract, zero } from './decimals.ts'
import { DAY, HOUR, type Instant, MINUTE } from './time.ts'

/**
 * Exporters compute seldomer than they are scraped: a value may be this old, and the next one then holds the growth of this
 * much more than its interval.
 */
export const UPDATE_ALLOWANCE = 10 * MINUTE

/** Growth beyond this many times what a pace gives is not explained by it; computing late may add so much time. */
export const UNEXPLAINED = 3
export const JUMP_ALLOWANCE = 15 * MINUTE

/** A series that has not come back after this long has gone its own way. */
const LINE_MEMORY = 30 * DAY

/** A series that leaves line after line forgets those that matter least. */
const LINES_KEPT = 8

/** A pace is known to about so much. */
export const PACE_TOLERANCE = 1.25

/** A series that stood still for so long does not grow at its last pace any more: exporters compute more often. */
const AT_REST = 2 * UPDATE_ALLOWANCE

/** So many steps in a row that were held, at rates within this factor of each other, are a pace. */
const STEADY_STEPS = 4
const STEADY = 1.5

export type Whereabouts = 'on the former line' | 'above the former line' | 'elsewhere'

/**
 * Which line a reading continues. A series that left a line is back on it when its value is between the former height and
 * where the old pace would have brought it, or nearer to that than to where the present line would be now. A step that the
 * present pace explains within a tenth goes on with the present line.
 */
export function whereabouts(line: FormerLine, state: SeriesState, to: Point): Whereabouts {
  if (compare(to.value, line.value) < 0) return 'elsewhere'
  const value = approximate(to.value)
  const former = approximate(line.value)
  const present = approximate(state.watermark.value)
  const sinceLeft = hours(to.at - line.at)
  const growth = value - present
  const toFormer = Math.max(0, value - (former + line.pace * sinceLeft))
  const toPresent = Math.abs(growth - state.pace * hours(to.at - lastChange(state)))
  if (toPresent <= 0.1 * growth || toFormer >= toPresent) return 'elsewhere'
  // What a peak stood above its line says nothing about how far that has grown meanwhile; the depth of a dip says a little.
  const slack = 0.05 * Math.min(former, Math.abs(former - present))
  const explained = 2 * line.pace * (sinceLeft + hours(UPDATE_ALLOWANCE)) + slack
  return value - former <= explained ? 'on the former line' : 'above the former line'
}

/**
 * Whether growth below lines that were left may be machines coming back into the sum. It is none if the present pace explains
 * it. Nor if all that was charged since a line was left, and this growth, stays within what the pace of that line would have
 * given by now: then it was consumed, whether or not the machines were in the sum.
 */
export function isPartialReturn(state: SeriesState, above: readonly FormerLine[], to: Point): boolean {
  if (above.length === 0) return false
  const growth = approximate(subtract(to.value, state.watermark.value))
  if (growth <= state.pace * PACE_TOLERANCE * longestHours(state, to)) return false
  return above.some((line) => approximate(line.charged) + growth > line.pace * hours(to.at - line.at))
}

/**
 * The pace after growth that was held below a line: learned when the growth goes on at one rate for some steps, as machines
 * do that were started during a dip. Those that come back into the sum bring each a history of its own.
 */
export function cautiousPace(state: SeriesState, to: Point): number {
  // Steps between which nothing was charged.
  const starts = (state.formerLines ?? []).filter(
    (line) => isZero(line.charged) && compare(line.value, state.watermark.value) < 0,
  )
  const points = [...starts.slice(-STEADY_STEPS + 1), state.watermark, to]
  if (points.length <= STEADY_STEPS) return state.pace
  const rates = points.slice(1).map((point, index) => {
    const before = points[index]!
    return approximate(subtract(point.value, before.value)) / hours(point.at - before.at)
  })
  const [least, most] = [Math.min(...rates), Math.max(...rates)]
  return least > 0 && most <= STEADY * least ? least : state.pace
}

/**
 * How long the consumption between two changes of a value may have taken: an exporter computes before it is scraped, by less
 * than the time between two changes that were seen. Of two exporters, each computes at its own times.
 */
export function longestHours(state: SeriesState, to: Pick<Point, 'at' | 'origin'>): number {
  const elapsed = to.at - lastChange(state)
  return hours(
    elapsed + (to.origin === state.watermark.origin ? Math.min(elapsed, UPDATE_ALLOWANCE) : UPDATE_ALLOWANCE),
  )
}

/** How fast a series grew while it jumped, in units per hour, if that was held and it has not grown since. */
export function paceAfterJump({ formerLines = [], ...state }: SeriesState): number | undefined {
  const line = formerLines.at(-1)
  if (line === undefined || compare(line.value, state.watermark.value) >= 0) return undefined
  return approximate(subtract(state.watermark.value, line.value)) / hours(lastChange(state) - line.at)
}

/** The lines that still count. One that was left for another unit counts until that is decided. */
export function rememberedLines({ formerLines = [] }: SeriesState, at: Instant): readonly FormerLine[] {
  return formerLines.filter((line) => at - line.at <= LINE_MEMORY || line.isOtherUnit === true)
}

/** The state after the series left its line. */
export function leftLine(state: SeriesState, to: Point, changes: Partial<Pick<FormerLine, 'isOtherUnit'>> = {}) {
  // A pace says nothing any more of a series that has come to rest.
  const pace = isAtRest(state) ? 0 : state.pace
  const left: FormerLine = { ...state.watermark, pace, charged: zero, ...changes }
  return withLines({ watermark: to, pace }, keepMost([...rememberedLines(state, to.at), left]))
}

/** Forgets the lowest lines first: a total that is below a line must not be charged for its way back up to it. */
function keepMost(lines: readonly FormerLine[]): readonly FormerLine[] {
  if (lines.length <= LINES_KEPT) return lines
  const forgettable = lines.slice(0, -1).filter(({ isOtherUnit }) => isOtherUnit !== true)
  const lowest = forgettable.reduce((low, line) => (compare(line.value, low.value) < 0 ? line : low), forgettable[0]!)
  return lines.filter((line) => line !== lowest)
}

export function chargedSince(lines: readonly FormerLine[], growth: Decimal): readonly FormerLine[] {
  return chargedEach(lines, () => growth)
}

export function withLines({ watermark, pace }: SeriesState, lines: readonly FormerLine[]): SeriesState {
  return lines.length === 0 ? { watermark, pace } : { watermark, pace, formerLines: lines }
}

/**
 * The state after held growth was charged after all: a series that comes back to any line it had left by then is not charged
 * for it again. What was held step by step is one growth, and each step left a line: of those within it, what came after counts.
 */
export function withAccepted(
  state: SeriesState,
  { from, to }: { readonly from: Point; readonly to: Point },
): SeriesState {
  const chargedAfter = (line: FormerLine): Decimal => {
    if (line.at <= from.at) return subtract(to.value, from.value)
    return line.at < to.at && compare(line.value, to.value) < 0 ? subtract(to.value, line.value) : zero
  }
  const lines = chargedEach(state.formerLines ?? [], chargedAfter)
  return { ...state, ...(lines.length > 0 && { formerLines: lines }) }
}

function chargedEach(lines: readonly FormerLine[], growth: (line: FormerLine) => Decimal): readonly FormerLine[] {
  return lines.map((line) => ({ ...line, charged: add(line.charged, growth(line)) }))
}

/** Whether a series stood still for longer than an exporter takes to compute. */
export function isAtRest(state: SeriesState): boolean {
  return state.watermark.at - lastChange(state) > AT_REST
}

/** Since when the value is what it is. */
export function lastChange({ stillSince, watermark }: SeriesState): Instant {
  return stillSince ?? watermark.at
}

/** What the pace explains of the growth since a value last changed, delays included. */
export function explainedGrowth(state: SeriesState, at: Instant): number {
  return state.pace * hours(at - lastChange(state) + JUMP_ALLOWANCE)
}

export function hours(ms: number): number {
  return ms / HOUR
}
