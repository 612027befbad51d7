/** A group's consumption as a row of days without gaps. */
import type { Credits } from '../credits.ts'
import { approximate } from '../decimals.ts'
import { DAY, type Instant } from '../time.ts'

/** What a group used in a day (UTC). Best without adjustments: they are no consumption. */
export interface DayUse {
  /** Any instant of the day. */
  readonly at: Instant
  readonly credits: Credits
}

export interface Days {
  /** Credits used in each day, as doubles; yesterday is the last one. */
  readonly use: readonly number[]
  /** The day in which we are, in days since 1970. */
  readonly today: number
  /** How much of today is over: from 0 up to, not including, 1. */
  readonly elapsed: number
}

/** Older days tell nothing that newer ones do not. */
export const MOST_DAYS = 182

/** With fewer days than these, today counts as well, as soon as a quarter of it is over. */
const FEW = 7
const ENOUGH_OF_TODAY = 0.25

/** How far a day without an equal is believed, as a multiple of the next lower one. Of fewer days any may be usual. */
const BELIEVED = 1.5
const LEAST_TO_CUT = 5

/**
 * Fills gaps and leaves out what is no consumption.
 *
 * - A day that is missing was not measured: the exporter was away, and its next total held what was used meanwhile. So the
 *   next day that is there is spread over the gap. A day in which nothing was used has to be there, with 0.
 * - A day below zero is a correction and counts as 0.
 * - A day far above all others is a correction or a burst and says little about tomorrow: it is cut. If it was the first
 *   of many, the days after it will tell.
 * - Days before the first consumption are left out: the project had not begun.
 *
 * @param until How far was measured. Later days are ignored; the day in which it lies is incomplete.
 */
export function toDays(history: readonly DayUse[], until: Instant): Days {
  const today = dayOf(until)
  const elapsed = until / DAY - today
  const byDay = new Map<number, number>()
  for (const { at, credits } of history) {
    const day = dayOf(at)
    if (day <= today) byDay.set(day, (byDay.get(day) ?? 0) + approximate({ digits: credits, scale: 6 }))
  }
  const days = [...byDay].filter(([day]) => day < today).sort(([a], [b]) => a - b)
  const use = fill(days)
  const gap = today - 1 - (days.at(-1)?.[0] ?? today - 1)
  const daily = (byDay.get(today) ?? 0) / (gap + elapsed)
  const asToday = use.length + gap < FEW && elapsed >= ENOUGH_OF_TODAY ? 1 : 0
  for (let day = 0; day < Math.min(gap, MOST_DAYS) + asToday; day += 1) use.push(daily)
  return { use: cut(begun(use.slice(-MOST_DAYS).map((credits) => Math.max(0, credits)))), today, elapsed }
}

function dayOf(at: Instant): number {
  return Math.floor(at / DAY)
}

function fill(days: readonly (readonly [day: number, credits: number])[]): number[] {
  const use: number[] = []
  let next = days[0]?.[0] ?? 0
  for (const [day, credits] of days) {
    const length = day - next + 1
    for (let step = 0; step < Math.min(length, MOST_DAYS); step += 1) use.push(credits / length)
    next = day + 1
  }
  return use
}

function begun(use: readonly number[]): readonly number[] {
  const first = use.findIndex((credits) => credits > 0)
  return first === -1 ? [] : use.slice(first)
}

function cut(use: readonly number[]): readonly number[] {
  if (use.length < LEAST_TO_CUT) return use
  const second = use.toSorted((a, b) => b - a)[1]!
  return use.map((credits) => Math.min(credits, second * BELIEVED))
}
