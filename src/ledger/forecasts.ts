/**
 * Forecasts of groups, from what the ledger knows of their days.
 *
 * Only charges count: an adjustment or an opening is no consumption. A day in which a group was measured and used nothing
 * counts as such; a day that was not measured (the exporter was away, and its next total held what was used meanwhile) is
 * a gap, which the forecast fills.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Credits } from '../core/credits.ts'
import { type Decimal, floor, parseDecimal } from '../core/decimals.ts'
import { type DayUse, MOST_DAYS } from '../core/forecast/days.ts'
import { type Forecast, forecast } from '../core/forecast.ts'
import { type Clock, DAY, HOUR, type Instant } from '../core/time.ts'
import type { HistoryReader } from './history.ts'
import type { GroupRow } from './ledger.ts'

/** What a forecast needs to know of a group as it stands. */
type Standing = Pick<GroupRow, 'group' | 'used' | 'granted' | 'lastReadingAt' | 'sites'>

/** A forecast without its curve, which would take too much memory for many groups. */
export type ForecastSummary = Pick<Forecast, 'days' | 'burnPerDay' | 'runsOut'> & {
  /** Where it begins: the last reading. */
  readonly until: Instant
}

export type GroupForecast = ForecastSummary & Pick<Forecast, 'curve'>

export interface Forecasts {
  /** Made now. `undefined` if too little was charged yet to tell anything. */
  of(standing: Standing): Promise<GroupForecast | undefined>
  /**
   * For lists and metrics: made an hour ago at most, unless the group used what it uses in a day, or got another grant.
   * Each one that has to be made takes a turn of its own, so that asking for thousands keeps nobody waiting.
   */
  lately(standing: Standing): Promise<ForecastSummary | undefined>
  /** What `lately` would answer without making anything; `undefined` if it would have to. */
  made(standing: Standing): { readonly summary: ForecastSummary | undefined } | undefined
  /** What was made last, however old it is; `undefined` if nothing was, or nothing could be told. */
  latest(group: string): ForecastSummary | undefined
}

/** How long a summary is kept, and of how many groups: some 300 bytes each. */
const MAX_AGE = HOUR
const MOST_KEPT = 20_000

interface Kept {
  readonly at: Instant
  readonly used: Credits
  readonly granted: string | undefined
  readonly summary: ForecastSummary | undefined
}

export function createForecasts({
  ledger,
  clock,
}: {
  readonly ledger: HistoryReader
  readonly clock: Clock
}): Forecasts {
  const kept = new Map<string, Kept>()

  async function of(standing: Standing): Promise<GroupForecast | undefined> {
    const { group, used, lastReadingAt: until } = standing
    if (until === undefined || standing.sites.every(({ charged }) => charged === 0n)) return undefined
    const { days, areIdle } = await daysOf(ledger, group, until)
    const made = forecast({ days, until, used, granted: grantOf(standing.granted) })
    return made.days > 0 || areIdle ? { until, ...made } : undefined
  }

  function fresh(standing: Standing): Kept | undefined {
    const known = kept.get(standing.group)
    return known !== undefined && isFresh(known, standing, clock.now()) ? known : undefined
  }

  return {
    of,
    made: fresh,
    latest: (group) => kept.get(group)?.summary,
    async lately(standing) {
      const known = fresh(standing)
      if (known !== undefined) return known.summary
      await nextTurn()
      const made = await of(standing)
      const summary = made === undefined ? undefined : withoutCurve(made)
      // The one that was made longest ago is the first of the map.
      kept.delete(standing.group)
      if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value!)
      kept.set(standing.group, { at: clock.now(), used: standing.used, granted: standing.granted, summary })
      return summary
    },
  }
}

function isFresh({ at, summary, ...then }: Kept, { used, granted }: Standing, now: Instant): boolean {
  if (now - at >= MAX_AGE || now < at || granted !== then.granted) return false
  const moved = Math.abs(Number(used - then.used))
  return moved === 0 || (summary !== undefined && moved < summary.burnPerDay * MICROS)
}

/** Micro-credits in a credit. */
const MICROS = 1e6

function withoutCurve({ days, burnPerDay, runsOut, until }: GroupForecast): ForecastSummary {
  return { days, burnPerDay, runsOut, until }
}

/** Perun's text as credits; `undefined` if it is no number. */
function grantOf(granted: string | undefined): Credits | undefined {
  const grant: Decimal | undefined = granted === undefined ? undefined : parseDecimal(granted)
  return grant === undefined ? undefined : floor({ digits: grant.digits * BigInt(MICROS), scale: grant.scale })
}

/** Of how much of the first day a group has to be measured, so that it says something about the whole of it. */
const LEAST_MEASURED = 0.25

interface MeasuredDays {
  /** Without gaps. */
  readonly days: readonly DayUse[]
  /** Nothing was charged in all that time. */
  readonly areIdle: boolean
}

/** What a group was charged on each day (UTC) of the last half year, up to its last reading; only days that were measured. */
async function daysOf(ledger: HistoryReader, group: string, until: Instant): Promise<MeasuredDays> {
  const begin = Math.floor(until / DAY) * DAY - MOST_DAYS * DAY
  const bounds = Array.from({ length: MOST_DAYS + 2 }, (_, day) => begin + day * DAY)
  const { buckets } = (await ledger.consumption(group, bounds))!
  const all = buckets.map((parts, index): ChargedDay => {
    const charges = parts.filter(({ kind }) => kind === 'charge')
    const credits = charges.reduce((sum, { amount }) => sum + amount, 0n)
    return { at: begin + index * DAY, credits, isCharged: charges.length > 0 }
  })
  const first = all.findIndex(({ isCharged }) => isCharged)
  if (first === -1) return { days: [], areIdle: true }
  const days = all.slice(first)
  const charged = days.filter(({ isCharged }) => isCharged)
  const ends = new Set([charged[1], charged.at(-1)])
  const starts = charged.filter((day) => ends.has(day) || days[days.indexOf(day) - 1]?.isCharged !== true)
  const since = await ledger.chargedSince(
    group,
    starts.map(({ at }) => [at, at + DAY]),
  )
  const begins = new Map(starts.map(({ at }, index) => [at, since[index]!]))
  return { days: completed(withoutGaps(days, begins), begins, until), areIdle: false }
}

interface ChargedDay extends DayUse {
  readonly isCharged: boolean
}

/** @param begins Where the first charge of a day begins, for each charged day after one that is not. */
function withoutGaps(days: readonly ChargedDay[], begins: ReadonlyMap<Instant, Instant>): ChargedDay[] {
  let next = Number.POSITIVE_INFINITY
  return days.toReversed().filter(({ at, isCharged }) => {
    if (isCharged) next = begins.get(at) ?? Number.POSITIVE_INFINITY
    // The next charge holds all of this day: nobody looked in between.
    return isCharged || next > at
  })
}

/**
 * The first day as if it had been measured from its beginning, and the last one without what was used before it. A charge
 * belongs to the day in which it ends, so with hours between readings the first day lacks some of its evening, and that is in
 * the next one. Without the first day if it was hardly measured.
 *
 * @param days The newest first.
 * @param begins Where the first charge of a day begins: at least of the first two charged days and of the last one.
 */
function completed(
  days: readonly ChargedDay[],
  begins: ReadonlyMap<Instant, Instant>,
  until: Instant,
): readonly DayUse[] {
  const [first, second] = days.toReversed().filter(({ isCharged }) => isCharged) as [ChargedDay, ChargedDay?]
  const since = begins.get(first.at)!
  const others = days.slice(0, -1).map((day, index) => withoutYesterday(day, days[index + 1]!, begins, until))
  if (since <= first.at) return [...others, first]
  const dayEnd = Math.min(first.at + DAY, until)
  const next = begins.get(second?.at ?? until) ?? dayEnd
  const end = next > since ? Math.min(dayEnd, next) : dayEnd
  return (end - since) / DAY < LEAST_MEASURED ? others : [...others, scaled(first, (dayEnd - first.at) / (end - since))]
}

/** Of the day that is not over, what was used in it: its first charge may begin on the day before. */
function withoutYesterday(
  day: ChargedDay,
  before: ChargedDay,
  begins: ReadonlyMap<Instant, Instant>,
  until: Instant,
): DayUse {
  const since = begins.get(day.at) ?? day.at
  const isOver = until >= day.at + DAY
  if (isOver || since >= day.at || before.at !== day.at - DAY || since < before.at) return day
  return scaled(day, (until - day.at) / (until - since))
}

function scaled({ at, credits }: ChargedDay, factor: number): DayUse {
  return { at, credits: BigInt(Math.round(Number(credits) * factor)) }
}
