/**
 * Made-up groups with a past and a future, for the back-test of forecasts. All of it follows from a seed.
 *
 * A family is a way in which projects use machines. What happens in it by chance (when a machine is added, when a batch
 * begins) is drawn day by day, so the future of a history is as surprising as its past.
 */
import type { DayUse } from '#src/core/forecast/days.ts'
import { DAY } from '#src/core/time.ts'

/** Days that are simulated after the end of a history. */
export const FUTURE_DAYS = 120

export interface MadeUpGroup {
  readonly family: string
  /** In days, up to `until`. */
  readonly length: number
  /** What a worker would have recorded. */
  readonly days: readonly DayUse[]
  readonly until: number
  readonly used: bigint
  readonly granted: bigint
  /** Credits used in so many days after `until`. */
  usedAfter(days: number): number
  /** In days after `until`, `FUTURE_DAYS` at most. */
  readonly runsOutAfter: number
  /** A typical day of the group, in credits, to compare errors of large and small groups. */
  readonly typical: number
}

/** Credits of one day after another. @param random A number from 0 up to, not including, 1. */
type Family = (random: Random) => (day: number) => number

interface Random {
  (): number
  /** From `low` to `high`. */
  between(low: number, high: number): number
  /** Normally distributed around 0, with a deviation of 1. */
  normal(): number
  /** True once in `days` days on average. */
  every(days: number): boolean
}

function createRandom(seed: number): Random {
  let state = seed | 0
  // Mulberry32.
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return Object.assign(random, {
    between: (low: number, high: number) => low + (high - low) * random(),
    normal: () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
    every: (days: number) => random() * days < 1,
  })
}

/** A factor around 1 for one day. */
function noisy(random: Random, deviation: number): number {
  return Math.exp(deviation * random.normal() - deviation ** 2 / 2)
}

/** Monday, 5 January 2026, in days since 1970. */
const SOME_MONDAY = 20_458

function isWeekend(day: number): boolean {
  // 1970 began with a Thursday.
  return (day + 3) % 7 >= 5
}

export const families: Readonly<Record<string, Family>> = {
  'steady service': (random) => {
    let level = 1
    const [noise, change] = [random.between(0, 0.05), random.between(60, 200)]
    return () => {
      if (random.every(change)) level = Math.max(0.1, level + random.between(-0.4, 0.5))
      return level * noisy(random, noise)
    }
  },
  'working hours': (random) => {
    const [weekend, noise] = [random.between(0, 0.5), random.between(0.1, 0.3)]
    let level = 1
    return (day) => {
      if (random.every(90)) level *= random.between(0.6, 1.5)
      return level * (isWeekend(day) ? weekend : 1) * noisy(random, noise)
    }
  },
  holidays: (random) => {
    const [weekend, noise, remaining] = [random.between(0, 0.4), random.between(0.1, 0.25), random.between(0, 0.3)]
    let away = 0
    return (day) => {
      away = away > 0 ? away - 1 : random.every(50) ? Math.round(random.between(4, 16)) : 0
      return (isWeekend(day) ? weekend : 1) * (away > 0 ? remaining : 1) * noisy(random, noise)
    }
  },
  trend: (random) => {
    const [growth, noise] = [random.between(-0.015, 0.025), random.between(0.03, 0.2)]
    let level = 1
    return () => {
      level = Math.min(20, level * (1 + growth))
      return level * noisy(random, noise)
    }
  },
  'level shifts': (random) => {
    const [noise, change] = [random.between(0.02, 0.2), random.between(15, 50)]
    let level = 1
    return () => {
      if (random.every(change)) level = Math.min(20, Math.max(0.05, level * noisy(random, 0.7)))
      return level * noisy(random, noise)
    }
  },
  'starts and stops': (random) => {
    const [on, off, noise] = [random.between(10, 40), random.between(5, 25), random.between(0.02, 0.2)]
    let level = 1
    return () => {
      if (random.every(level > 0 ? on : off)) level = level > 0 ? 0 : random.between(0.4, 2)
      return level * noisy(random, noise)
    }
  },
  bursts: (random) => {
    const [rare, noise, height] = [random.between(8, 40), random.between(0.05, 0.2), random.between(2, 10)]
    return () => (random.every(rare) ? height * random.between(0.5, 1.5) : 1) * noisy(random, noise)
  },
  'batch campaigns': (random) => {
    const [length, pause, base] = [random.between(2, 8), random.between(4, 15), random.between(0, 0.2)]
    let rest = 1
    let isOn = true
    return () => {
      rest -= 1
      if (rest <= 0) {
        isOn = !isOn
        rest = Math.round((isOn ? length : pause) * random.between(0.5, 1.5))
      }
      return (isOn ? 1 : base) * noisy(random, 0.15)
    }
  },
  'noisy research': (random) => {
    const [noise, memory] = [random.between(0.3, 0.8), random.between(0.2, 0.8)]
    let mood = 0
    return (day) => {
      mood = memory * mood + Math.sqrt(1 - memory ** 2) * random.normal()
      return Math.exp(noise * mood) * (isWeekend(day) ? 0.7 : 1)
    }
  },
  'winding down': (random) => {
    const [noise, change, share] = [random.between(0.02, 0.2), random.between(20, 60), random.between(0.5, 0.9)]
    let level = 1
    return () => {
      if (random.every(change)) level *= share
      if (random.every(150)) level = 0
      return level * noisy(random, noise)
    }
  },
}

/** A quarter of the histories is short: 1 to 13 days. */
function lengthOf(random: Random): number {
  if (random.every(4)) return Math.floor(random.between(1, 14))
  return Math.floor(random.every(2) ? random.between(14, 60) : random.between(60, 181))
}

export function makeUp(family: string, seed: number): MadeUpGroup {
  const number = Object.keys(families).indexOf(family) + 1
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b))
  const length = lengthOf(random)
  const first = SOME_MONDAY + Math.floor(random() * 7)
  const scale = 10 ** random.between(0, 4)
  const draw = families[family]!(random)
  // A history begins in the middle of something.
  for (let day = first - 28; day < first; day += 1) draw(day)
  const truth = Array.from({ length: length + FUTURE_DAYS + 2 }, (_, day) => scale * draw(first + day))
  const elapsed = random.every(3) ? 0 : random()
  const past = elapsed > 0 ? [...truth.slice(0, length), truth[length]! * elapsed] : truth.slice(0, length)
  const days = record(random.every(12) ? corrected(past, random) : past, random).map(([day, credits]) => ({
    at: (first + day) * DAY,
    credits: micros(credits),
  }))
  const used = days.reduce((total, { credits }) => total + credits, 0n)
  // The grant knows nothing of the future: it is for some weeks of what was used so far.
  const left = Math.max(mean(truth.slice(0, length)), scale / 10) * random.between(5, 60)
  const future = [truth[length]! * (1 - elapsed), ...truth.slice(length + 1)]
  return {
    family,
    length: length + elapsed,
    days,
    until: (first + length + elapsed) * DAY,
    used,
    granted: used + micros(left),
    usedAfter: (count) => usedWithin(future, 1 - elapsed, count),
    runsOutAfter: reaches(future, 1 - elapsed, left),
    typical: Math.max(mean(truth), scale / 10),
  }
}

/** What is used in the first `count` days of `future`, whose first day is a part of a day. */
function usedWithin(future: readonly number[], firstDay: number, count: number): number {
  let [total, rest] = [0, count]
  for (const [index, use] of future.entries()) {
    const day = index === 0 ? firstDay : 1
    if (rest <= day) return total + use * (rest / day)
    total += use
    rest -= day
  }
  return total
}

/** After how many days `left` is used. */
function reaches(future: readonly number[], firstDay: number, left: number): number {
  let [after, rest] = [0, left]
  for (const [index, use] of future.entries()) {
    const day = index === 0 ? firstDay : 1
    if (use >= rest) return Math.min(FUTURE_DAYS, after + day * (rest / use))
    rest -= use
    after += day
  }
  return FUTURE_DAYS
}

/** Somebody corrects used credits, by up to four fifths of what they were, up or down: it shows in one day. */
function corrected(past: readonly number[], random: Random): number[] {
  const day = Math.floor(random() * past.length)
  const by = random.between(-0.8, 0.8) * past.slice(0, day + 1).reduce((total, each) => total + each, 0)
  return past.map((each, index) => (index === day ? each + by : each))
}

/** One group in eight lost its exporter for some days: they are missing, and the next one holds what was used. */
function record(past: readonly number[], random: Random): (readonly [day: number, credits: number])[] {
  const days = past.map((credits, day) => [day, credits] as const)
  if (!random.every(8) || days.length < 8) return days
  const from = 1 + Math.floor(random() * (days.length - 6))
  const to = from + 1 + Math.floor(random() * 4)
  const lost = past.slice(from, to + 1).reduce((total, each) => total + each, 0)
  return [...days.slice(0, from), [to, lost], ...days.slice(to + 1)]
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0) / numbers.length
}

function micros(credits: number): bigint {
  return BigInt(Math.round(credits * 1e6))
}
