/** Forecasts of made-up groups compared with what became of them, and with the two ways of drawing a line. */
import { type Forecast, forecast } from '#src/core/forecast.ts'
import { DAY } from '#src/core/time.ts'
import { FUTURE_DAYS, families, type MadeUpGroup, makeUp } from './histories.ts'

const horizons = [7, 14, 30]
export const RUNS_OUT = 'runs out'
/** What is compared. */
export const whats = [...horizons.map((days) => `used after ${days} d`), RUNS_OUT]
export const lengths = [
  { name: '1 to 3 days', below: 4 },
  { name: '4 to 6 days', below: 7 },
  { name: '1 to 2 weeks', below: 14 },
  { name: '2 weeks to 2 months', below: 60 },
  { name: '2 to 6 months', below: Number.POSITIVE_INFINITY },
]

/** One number of one group: used credits after some days, or the day on which credits run out. */
export interface Trial {
  readonly family: string
  readonly length: string
  readonly what: string
  readonly place: 'below' | 'within' | 'above'
  /** Of the forecast, of the average since the start, of the average of the last seven days. */
  readonly errors: readonly [number, number, number]
}

/** Groups of all families with the seeds from `firstSeed` on. */
export function backTest(firstSeed: number, perFamily: number): Trial[] {
  const seeds = Array.from({ length: perFamily }, (_, index) => firstSeed + index)
  return Object.keys(families).flatMap((family) => seeds.flatMap((seed) => judge(makeUp(family, seed))))
}

function judge(group: MadeUpGroup): Trial[] {
  const [result, lines] = [forecast(group), lineRates(group)]
  const length = lengths.find(({ below }) => group.length < below)!.name
  const used = Number(group.used) / 1e6
  const ofUse = horizons.map((days, index): Trial => {
    const [truth, scale] = [group.usedAfter(days), group.typical * days]
    const { low, expected, high } = pointAt(result, group.until + days * DAY)
    const errors = [expected - used, lines[0] * days, lines[1] * days].map((each) => Math.abs(each - truth) / scale)
    return {
      family: group.family,
      length,
      what: whats[index]!,
      place: place(low - used, truth, high - used),
      errors: three(errors),
    }
  })
  return [...ofUse, { family: group.family, length, what: RUNS_OUT, ...judgeEnd(group, result, lines) }]
}

function judgeEnd(
  group: MadeUpGroup,
  { runsOut }: Forecast,
  lines: readonly number[],
): Pick<Trial, 'place' | 'errors'> {
  const days = (at: number | undefined) => Math.min(FUTURE_DAYS, ((at ?? Number.POSITIVE_INFINITY) - group.until) / DAY)
  const dates = runsOut.kind === 'expected' ? runsOut : { at: undefined, early: undefined, late: undefined }
  const early = runsOut.kind === 'never' ? runsOut.early : dates.early
  const left = Number(group.granted - group.used) / 1e6
  const ofLines = lines.map((rate) => Math.min(FUTURE_DAYS, left / rate))
  const truth = group.runsOutAfter
  return {
    place: place(days(early), truth, days(dates.late)),
    errors: three([days(dates.at), ...ofLines].map((each) => Math.abs(each - truth))),
  }
}

/** Credits a day by the average since the start and by that of the last seven whole days and today. */
function lineRates({ days, until }: MadeUpGroup): readonly [number, number] {
  const ratesOf = (since: number) => {
    const sum = days.reduce((total, { at, credits }) => total + (at >= since ? Number(credits) / 1e6 : 0), 0)
    return Math.max(0, sum) / ((until - since) / DAY)
  }
  const start = days[0]!.at
  const today = Math.floor(until / DAY) * DAY
  return [ratesOf(start), ratesOf(Math.max(start, today - 7 * DAY))]
}

function pointAt({ curve }: Forecast, at: number) {
  const index = curve.findIndex((point) => point.at >= at)
  const [from, to] = [curve[index - 1]!, curve[index]!]
  const share = (at - from.at) / (to.at - from.at)
  const between = (line: 'low' | 'expected' | 'high') => from[line] + share * (to[line] - from[line])
  return { low: between('low'), expected: between('expected'), high: between('high') }
}

/** The slack is for the last digits of doubles: a machine that always uses the same leaves no room. */
function place(low: number, truth: number, high: number): Trial['place'] {
  const slack = 1e-6 * Math.max(1, Math.abs(truth))
  return truth < low - slack ? 'below' : truth > high + slack ? 'above' : 'within'
}

function three(errors: readonly number[]): [number, number, number] {
  return [errors[0]!, errors[1]!, errors[2]!]
}

export function shareOf(which: Trial['place'], trials: readonly Trial[]): number {
  return trials.filter((trial) => trial.place === which).length / trials.length
}

export function meanErrors(trials: readonly Trial[]): [number, number, number] {
  const mean = (index: 0 | 1 | 2) => trials.reduce((sum, { errors }) => sum + errors[index], 0) / trials.length
  return [mean(0), mean(1), mean(2)]
}
