/**
 * The lines a series left when it fell or jumped, and whether a reading is back on one of them.
 *
 * A series may leave several lines one after another (a machine is deleted, next week an error drops others for a minute),
 * so each is kept, for 30 days. Lines that a total may still rise to are kept before all others: to forget one would mean to
 * charge the way up to it again.
 */
import type { FormerLine, Point, SeriesState } from './decide.ts'
import { add, approximate, compare, type Decimal, subtract, zero } from './decimals.ts'
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

/** Of the depth of a dip: growth of less than this is not held; more is needed while nothing is known of the pace. */
const PART_OF_DEPTH = { paced: 0.01, unpaced: 0.05 }

/** Growth beyond this many times the pace is a return of something, not a faster pace that could be learned. */
const LEARNABLE = 30

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
 * Whether growth below lines that were left may be machines coming back into the sum: no pace of the series explains it, and
 * it is more than a sliver of the dip.
 */
export function isPartialReturn(state: SeriesState, above: readonly FormerLine[], to: Point): boolean {
  if (above.length === 0) return false
  const growth = approximate(subtract(to.value, state.watermark.value))
  const pace = bestPace(state)
  if (growth <= UNEXPLAINED * pace * allowedHours(state, to)) return false
  const part = pace > 0 ? PART_OF_DEPTH.paced : PART_OF_DEPTH.unpaced
  return above.some((line) => growth > part * approximate(subtract(line.value, state.watermark.value)))
}

/**
 * The pace after growth that was held below a line. It at most doubles, and only if the growth is of the order of a pace: so
 * machines that were started during a dip are charged after a few steps, and those that come back into the sum are not.
 */
export function cautiousPace(state: SeriesState, to: Point): number {
  const rate = approximate(subtract(to.value, state.watermark.value)) / allowedHours(state, to)
  const best = bestPace(state)
  if (best === 0) return rate / LEARNABLE
  return rate <= LEARNABLE * best ? 2 * best : state.pace
}

function allowedHours(state: SeriesState, to: Point): number {
  return hours(to.at - lastChange(state) + JUMP_ALLOWANCE)
}

function bestPace({ pace, formerLines = [] }: SeriesState): number {
  return formerLines.reduce((best, line) => Math.max(best, line.pace), pace)
}

/** The lines that still count. One that was left for another unit counts until that is decided. */
export function rememberedLines({ formerLines = [] }: SeriesState, at: Instant): readonly FormerLine[] {
  return formerLines.filter((line) => at - line.at <= LINE_MEMORY || line.isOtherUnit === true)
}

/** The state after the series left its line. */
export function leftLine(state: SeriesState, to: Point, changes: Partial<Pick<FormerLine, 'isOtherUnit'>> = {}) {
  const left: FormerLine = { ...state.watermark, pace: state.pace, charged: zero, ...changes }
  return withLines({ watermark: to, pace: state.pace }, keepMost([...rememberedLines(state, to.at), left]))
}

/** Forgets the lowest lines first: a total that is below a line must not be charged for its way back up to it. */
function keepMost(lines: readonly FormerLine[]): readonly FormerLine[] {
  if (lines.length <= LINES_KEPT) return lines
  const forgettable = lines.slice(0, -1).filter(({ isOtherUnit }) => isOtherUnit !== true)
  const lowest = forgettable.reduce((low, line) => (compare(line.value, low.value) < 0 ? line : low), forgettable[0]!)
  return lines.filter((line) => line !== lowest)
}

export function chargedSince(lines: readonly FormerLine[], growth: Decimal): readonly FormerLine[] {
  return lines.map((line) => ({ ...line, charged: add(line.charged, growth) }))
}

export function withLines({ watermark, pace }: SeriesState, lines: readonly FormerLine[]): SeriesState {
  return lines.length === 0 ? { watermark, pace } : { watermark, pace, formerLines: lines }
}

/**
 * The state after held growth that began at `from` was charged after all: a series that comes back to any line it had left by
 * then is not charged for it again.
 */
export function withAccepted(state: SeriesState, from: Point, growth: Decimal): SeriesState {
  const lines = (state.formerLines ?? []).map((line) =>
    line.at <= from.at ? { ...line, charged: add(line.charged, growth) } : line,
  )
  return { ...state, ...(lines.length > 0 && { formerLines: lines }) }
}

/** Since when the value is what it is. */
export function lastChange({ stillSince, watermark }: SeriesState): Instant {
  return stillSince ?? watermark.at
}

export function hours(ms: number): number {
  return ms / HOUR
}
