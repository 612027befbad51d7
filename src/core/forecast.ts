/**
 * When a group's credits run out, from what it used each day.
 *
 * All numbers here are doubles: a forecast is shown, drawn and compared with thresholds, and never charged. It is a level
 * (credits a day) times the pattern of the week. Its band is as wide as forecasts of this group would have been off in the
 * past: what really happens lies within it in four of five cases, below and above it in one of ten each.
 */
import type { Credits } from './credits.ts'
import { approximate } from './decimals.ts'
import { type Days, type DayUse, toDays } from './forecast/days.ts'
import { evenOut, levelAfter, weekday, weekOf } from './forecast/level.ts'
import { expectedUse, higher, outlookFor, outlooksOf } from './forecast/outlook.ts'
import { DAY, type Instant } from './time.ts'

export interface History {
  /** In any order. A day without consumption is there with 0; a day that was not measured is missing. */
  readonly days: readonly DayUse[]
  /** How far it is measured: the last reading. The forecast begins here. */
  readonly until: Instant
  /** The group's total at that instant. */
  readonly used: Credits
  /** `undefined` if the group has no grant. */
  readonly granted: Credits | undefined
}

/** Used credits at an instant to come. */
export interface ForecastPoint extends Record<Line, number> {
  readonly at: Instant
}

export interface Forecast {
  /** How many days of history it is made from. Below 14 there is no pattern of the week, and the band is wide. */
  readonly days: number
  /** Credits a day on average at present: since the group's use last changed. */
  readonly burnPerDay: number
  readonly runsOut: RunOut
  /** Now, then the end of each day (UTC), `CURVE_DAYS` of them. None of the lines falls. */
  readonly curve: readonly ForecastPoint[]
}

export type RunOut =
  | { readonly kind: 'no grant' }
  | { readonly kind: 'already' }
  /** `late` is `undefined` if it may as well be never. */
  | { readonly kind: 'expected'; readonly at: Instant; readonly early: Instant; readonly late: Instant | undefined }
  /** Not within ten years at this rate. `early` is `undefined` if it would not be with more use than expected either. */
  | { readonly kind: 'never'; readonly early: Instant | undefined }

type Line = 'low' | 'expected' | 'high'

/** When each line gets to the grant. */
type Reached = Record<Line, Instant | undefined>

const lines: readonly Line[] = ['low', 'expected', 'high']

/** How far curves go. */
export const CURVE_DAYS = 120
/** Later than this is never. */
const LAST_DAY = 3_650

export function forecast({ days: history, until, used, granted }: History): Forecast {
  const days = toDays(history, until)
  const { burnPerDay, points } = project(days, until)
  const [before, left] = [toNumber(used), granted === undefined ? undefined : toNumber(granted - used)]
  const curve: ForecastPoint[] = []
  const reached: Reached = { low: undefined, expected: undefined, high: undefined }
  let last: ForecastPoint = { at: until, low: 0, expected: 0, high: 0 }
  for (const point of points) {
    if (curve.length <= CURVE_DAYS) curve.push(raised(point, before))
    else if (left === undefined || reached.low !== undefined) break
    for (const line of left === undefined ? [] : lines) reached[line] ??= crossing(last, point, line, left!)
    last = point
  }
  return { days: days.use.length, burnPerDay, runsOut: runOut(left, reached), curve }
}

function runOut(left: number | undefined, { low, expected, high }: Reached): RunOut {
  if (left === undefined) return { kind: 'no grant' }
  if (left <= 0) return { kind: 'already' }
  if (expected === undefined || high === undefined) return { kind: 'never', early: high }
  return { kind: 'expected', at: expected, early: high, late: low }
}

/** What will be used from now on. */
function project(days: Days, until: Instant): { burnPerDay: number; points: Iterable<ForecastPoint> } {
  const week = weekOf(days)
  const even = evenOut(days, week)
  const level = levelAfter(even, even.count)
  const outlooks = outlooksOf(even)
  function* points(): Generator<ForecastPoint> {
    let last: ForecastPoint = { at: until, low: 0, expected: 0, high: 0 }
    yield last
    let averageDays = 0
    for (let day = 0; day < LAST_DAY; day += 1) {
      averageDays += (day === 0 ? 1 - days.elapsed : 1) * week[weekday(days.today + day)]!
      const { lasting, below, above } = outlookFor(day + 1 - days.elapsed, outlooks)
      const use = expectedUse(level, lasting)
      const total = (daily: number) => Math.max(0, daily) * averageDays
      last = {
        at: (days.today + day + 1) * DAY,
        low: Math.max(last.low, total(use + below * higher(level))),
        expected: Math.max(last.expected, total(use)),
        high: Math.max(last.high, total(use + above * higher(level))),
      }
      yield last
    }
  }
  return { burnPerDay: level.recent, points: points() }
}

/** When a line gets to what is left, if it does so between two points. */
function crossing(from: ForecastPoint, to: ForecastPoint, line: Line, left: number): Instant | undefined {
  if (to[line] < left || from[line] >= left) return undefined
  return Math.round(from.at + ((to.at - from.at) * (left - from[line])) / (to[line] - from[line]))
}

function raised({ at, low, expected, high }: ForecastPoint, by: number): ForecastPoint {
  return { at, low: by + low, expected: by + expected, high: by + high }
}

function toNumber(credits: Credits): number {
  return approximate({ digits: credits, scale: 6 })
}
