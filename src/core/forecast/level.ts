/** How much a group uses a day: by day of the week, lately, and on the whole. */
import type { Days } from './days.ts'

/** How much of an average day each day of the week is; the mean is 1. Read it with `weekday()`. */
export type Week = readonly number[]

/** What a group uses on an average day, in credits. */
export interface Level {
  /** Since it last changed. */
  readonly recent: number
  /** In the last eight weeks. */
  readonly long: number
}

/** Days with the pattern of the week taken out of them. */
export interface EvenDays {
  readonly count: number
  /** How much two days in a row differ, as a share of the higher one: the middle of all such shares. */
  readonly noise: number
  /** Of the days from `from` up to, not including, `to`. */
  mean(from: number, to: number): number
  /** The middle one of the three days from `from` on. */
  middle(from: number): number
}

const FLAT: Week = [1, 1, 1, 1, 1, 1, 1]
const LONG = 56
/** A pattern shows when each day of the week was there twice. */
const LEAST_FOR_WEEK = 14
/** So many average days are counted with those of each weekday: two of them are no certainty. */
const DOUBT = 0.5
/** On a day on which a group hardly ever works, one cannot see how much it works at present. */
const IDLE = 0.3
const LEAST_NOISE = 0.05
/** How far the days before may be off, as a multiple of the noise, and still be of the same level. */
const SAME = 2

/** The place of a day in a `Week`. @param day Days since 1970, which began on a Thursday. */
export function weekday(day: number): number {
  return ((day % 7) + 7) % 7
}

/** The pattern of the last eight weeks; flat if there are less than two. */
export function weekOf({ use, today }: Days): Week {
  const count = wholeWeeks(Math.min(use.length, LONG))
  const latest = use.slice(use.length - count)
  const mean = sum(latest) / count
  if (count < LEAST_FOR_WEEK || mean === 0) return FLAT
  const sums = FLAT.map(() => DOUBT * mean)
  latest.forEach((credits, index) => {
    sums[weekday(today - count + index)]! += credits
  })
  const total = sum(sums)
  return sums.map((each) => (each / total) * 7)
}

export function evenOut({ use, today }: Days, week: Week): EvenDays {
  const shares = use.map((_, index) => week[weekday(today - use.length + index)]!)
  const even: number[] = []
  use.forEach((credits, index) => {
    // An idle day shows what the day before it showed.
    even.push(shares[index]! < IDLE ? (even.at(-1) ?? credits) : credits / shares[index]!)
  })
  const [useUpTo, sharesUpTo] = [runningSums(use), runningSums(shares)]
  const steps = even.slice(1).map((credits, index) => difference(credits, even[index]!))
  return {
    count: use.length,
    noise: Math.max(LEAST_NOISE, median(steps.filter((step) => step !== undefined)) ?? 0),
    mean: (from, to) => (to > from ? (useUpTo[to]! - useUpTo[from]!) / (sharesUpTo[to]! - sharesUpTo[from]!) : 0),
    middle: (from) => median(even.slice(from, from + 3)) ?? 0,
  }
}

/**
 * The level as it looked after the first `count` days.
 *
 * The recent level reaches back for as long as the days do not contradict it. Three days in a row whose middle one is
 * further off than the noise contradict. So a change shows after two days, and one odd day changes nothing.
 */
export function levelAfter(days: EvenDays, count: number): Level {
  const meanOfLast = (length: number) => days.mean(count - wholeWeeks(length), count)
  let from = Math.max(0, count - 3)
  let recent = count < 3 ? days.mean(from, count) : days.middle(from)
  while (from > 0 && count - from < LONG) {
    const before = days.middle(Math.max(0, from - 3))
    if (Math.abs(before - recent) > SAME * days.noise * Math.max(before, recent)) break
    from -= 1
    // Of fewer days the middle one is the better judge.
    if (count - from >= 5) recent = meanOfLast(count - from)
  }
  return { recent, long: meanOfLast(Math.min(count, LONG)) }
}

/** So many days that no weekday counts more often than another, if they are a week at least. */
function wholeWeeks(length: number): number {
  return length < 7 ? length : Math.floor(length / 7) * 7
}

/** As a share of the larger one; `undefined` if both are 0. */
function difference(a: number, b: number): number | undefined {
  const larger = Math.max(a, b)
  return larger === 0 ? undefined : Math.abs(a - b) / larger
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function runningSums(numbers: readonly number[]): number[] {
  const sums = [0]
  for (const each of numbers) sums.push(sums.at(-1)! + each)
  return sums
}

function median(numbers: readonly number[]): number | undefined {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
}
