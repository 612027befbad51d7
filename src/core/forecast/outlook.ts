/**
 * How far a forecast of a group can be trusted: as far as it would have held on the group's own past days.
 *
 * From each past day the level of that day is compared with what was used in the days after it. That tells how long a
 * change of level lasts in this group, and how far off a forecast was after a day, three days, a week and so on. Where a
 * group has few days to tell, what is usual among groups counts instead. `bench/forecast.ts` measures what comes of it.
 */
import { type EvenDays, type Level, levelAfter } from './level.ts'

/** What holds for the average use a day over a span of days to come. */
export interface Outlook {
  /** In days. */
  readonly span: number
  /** How much of the difference between the recent and the long level there will be, 0 to 1. */
  readonly lasting: number
  /** How far below and above the forecast it will be in one of ten cases each, as a share of the higher level. */
  readonly below: number
  readonly above: number
}

/** How far off forecasts of groups in general are. */
const usual = [
  { span: 1, below: -0.45, above: 0.5 },
  { span: 3, below: -0.35, above: 0.5 },
  { span: 7, below: -0.35, above: 0.45 },
  { span: 14, below: -0.35, above: 0.4 },
  { span: 28, below: -0.37, above: 0.42 },
  { span: 56, below: -0.42, above: 0.47 },
] as const

/** How much of a change is usually there a week later, and how much of that a few days can tell. */
const USUAL_LASTING = 0.95
const TELLING_DAYS = 28
const LASTING_WEIGHT = 0.5
const lastings = [0, 0.2, 0.4, 0.6, 0.75, 0.9, 1]

/** Every second day of the last 18 weeks is looked at. */
const OLDEST = 126
const STRIDE = 2

/** What is usual is twice as wide for a group with two days, and counts as much as one span of its own. */
const FEW_DAYS = 2
const USUAL_WEIGHT = 1
/** How much of being steadier or wilder than usual goes on from a span to the next longer one. */
const INHERITED = 0.7
/** So much of its former level a group may get back to at any time, half of that within three days. */
const RETURNING = 0.8
const RETURNING_DAYS = 3
/** With this power of time the band of the daily use widens beyond the longest span. */
const WIDENING = 0.25

/** What a forecast said on a past day, and what came. */
interface Trial extends Level {
  readonly came: number
}

interface Tried {
  readonly span: number
  readonly trials: readonly Trial[]
  /** Spans that overlap tell little more than spans side by side. */
  readonly weight: number
}

/** One for each usual span. */
export function outlooksOf(days: EvenDays): Outlook[] {
  const tried = trials(days)
  const week = lastingOf(tried, USUAL_LASTING * Math.min(1, days.count / TELLING_DAYS))
  const few = 1 + FEW_DAYS / Math.max(1, days.count)
  const now = levelAfter(days, days.count)
  let [lower, upper] = [1, 1]
  return tried.map(({ span, trials: past, weight }, index) => {
    const { below, above } = usual[index]!
    const lasting = week ** (span / 7)
    const errors = past.map((trial) => errorOf(trial, lasting)).sort((a, b) => a - b)
    // A single span says nothing of how far apart they lie.
    const own = Math.max(0, errors.length * weight - 1)
    const blend = (ofGroup: number, ofAll: number, inherited: number) =>
      (own * ofGroup + USUAL_WEIGHT * few * ofAll * inherited ** INHERITED) / (own + USUAL_WEIGHT)
    const band = {
      below: Math.min(0, blend(quantile(errors, 0.1), below, lower)),
      above: Math.max(0, blend(quantile(errors, 0.9), above, upper)),
    }
    ;[lower, upper] = [band.below / below, band.above / above]
    return { span, lasting, below: band.below, above: Math.max(band.above, returning(span, now)) }
  })
}

/** How far above the forecast it is if a group that uses less than before takes it up again: after a holiday, a pause. */
function returning(span: number, now: Level): number {
  if (now.recent >= now.long) return 0
  return (RETURNING * (1 - 0.5 ** (span / RETURNING_DAYS)) * (now.long - now.recent)) / higher(now)
}

/** The outlook for any span: between two of the list in proportion to the logarithm of time. */
export function outlookFor(span: number, outlooks: readonly Outlook[]): Outlook {
  const [shortest, longest] = [outlooks[0]!, outlooks.at(-1)!]
  if (span <= shortest.span) return { ...shortest, span }
  if (span >= longest.span) {
    const wider = (span / longest.span) ** WIDENING
    return { span, lasting: longest.lasting, below: longest.below * wider, above: longest.above * wider }
  }
  const index = outlooks.findIndex((each) => each.span > span)
  const [shorter, longer] = [outlooks[index - 1]!, outlooks[index]!]
  const share = Math.log(span / shorter.span) / Math.log(longer.span / shorter.span)
  const between = (from: number, to: number) => from + share * (to - from)
  return {
    span,
    lasting: between(shorter.lasting, longer.lasting),
    below: between(shorter.below, longer.below),
    above: between(shorter.above, longer.above),
  }
}

/** Credits a day. */
export function expectedUse({ recent, long }: Level, lasting: number): number {
  return long + lasting * (recent - long)
}

export function higher({ recent, long }: Level): number {
  return Math.max(recent, long)
}

function trials(days: EvenDays): Tried[] {
  const past: { at: number; level: Level }[] = []
  for (let at = days.count - 1; at >= 1 && at > days.count - OLDEST; at -= STRIDE) {
    const level = levelAfter(days, at)
    if (higher(level) > 0) past.push({ at, level })
  }
  return usual.map(({ span }) => ({
    span,
    weight: Math.min(1, STRIDE / span),
    trials: past
      .filter(({ at }) => at + span <= days.count)
      .map(({ at, level }) => ({ ...level, came: days.mean(at, at + span) })),
  }))
}

/** How much of a change is there a week later: what would have fitted this group best, drawn towards what is usual. */
function lastingOf(tried: readonly Tried[], usualLasting: number): number {
  let [best, least] = [usualLasting, Number.POSITIVE_INFINITY]
  for (const week of lastings) {
    let cost = LASTING_WEIGHT * (week - usualLasting) ** 2
    for (const { span, weight, trials: past } of tried) {
      const lasting = week ** (span / 7)
      for (const trial of past) cost += weight * Math.abs(errorOf(trial, lasting)) ** 1.5
    }
    if (cost < least) [best, least] = [week, cost]
  }
  return best
}

function errorOf(trial: Trial, lasting: number): number {
  return (trial.came - expectedUse(trial, lasting)) / higher(trial)
}

function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return 0
  const place = share * (sorted.length - 1)
  const [lower, upper] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!]
  return lower + (upper - lower) * (place - Math.floor(place))
}
