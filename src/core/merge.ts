/**
 * Which series took in another one: when projects are merged or renamed, one total jumps by about that of another which is
 * gone, or stands still because its exporter goes on to show what it saw last. In a large site many totals are near each
 * other, so cpu and ram of the one have to match cpu and ram of the other.
 */

import type { SeriesState } from './decide.ts'
import { approximate, compare } from './decimals.ts'
import { hours, JUMP_ALLOWANCE, lastChange, UNEXPLAINED } from './lines.ts'
import type { Step } from './moves.ts'
import { projectKey, type Series, seriesKey } from './series.ts'
import { DAY, HOUR } from './time.ts'

/** A series as it is known, whether it is in the delivery or not. */
export interface Known {
  readonly series: Series
  readonly state: SeriesState
}

/** A series that was silent for longer is not the one that was taken in. */
const LONGEST_SILENCE = 2 * DAY
/** One that stands still has done so for no longer than this. */
const LONGEST_STILL = HOUR
/** What was consumed meanwhile is not known exactly; it may be this much more than the paces say, */
const PACE_TOLERANCE = 1.2
/** and if it is more than this part of a total, no match says anything. */
const SHARPNESS = 0.1
const ROUNDING = 1e-9

interface Other extends Known {
  readonly total: number
}

/**
 * @param steps The readings of one site in one delivery whose series are known, by their metric.
 * @param known All series of the site and a metric, also those not in the delivery. Asked for only if one jumped.
 * @returns For the key of each series that took in another one the name of that project.
 */
export async function findMerged(
  steps: ReadonlyMap<string, readonly Step[]>,
  known: (metric: string) => Promise<readonly Known[]>,
): Promise<ReadonlyMap<string, string>> {
  const found: Match[] = []
  for (const [metric, own] of steps) {
    const candidates = own.filter(hasJumped)
    if (candidates.length === 0) continue
    const others = othersOf(own, await known(metric))
    for (const step of candidates) {
      found.push({
        step,
        projects: new Map(matches(step, others).map((other) => [projectKey(other.series), other.series.projectName])),
      })
    }
  }
  const ofProjects = Map.groupBy(found, ({ step }) => projectKey(step.reading.series))
  return new Map([...ofProjects.values()].flatMap(agreeing))
}

interface Match {
  readonly step: Step
  /** The names of the projects whose total it may have taken in, by their keys. */
  readonly projects: ReadonlyMap<string, string>
}

/** What all metrics of a project that jumped agree on. */
function agreeing(matches: readonly Match[]): [string, string][] {
  const [first, ...rest] = matches
  const common = [...first!.projects].find(([key]) => rest.every(({ projects }) => projects.has(key)))
  return common === undefined ? [] : matches.map(({ step }) => [seriesKey(step.reading.series), common[1]])
}

/** Those that are not in the delivery, and those that stand still, by ascending totals. */
function othersOf(steps: readonly Step[], known: readonly Known[]): Other[] {
  const present = new Map(steps.map((step) => [seriesKey(step.reading.series), step]))
  const isGone = ({ series }: Known) => {
    const step = present.get(seriesKey(series))
    return step === undefined || (!hasGrown(step) && step.reading.at - lastChange(step.before) <= LONGEST_STILL)
  }
  return known
    .filter((each) => each.state.watermark.value.digits > 0n && isGone(each))
    .map((each) => ({ ...each, total: approximate(each.state.watermark.value) }))
    .sort((a, b) => a.total - b.total)
}

/** The others whose total, and what both consumed since they were read last, is the growth of a series. */
function matches(step: Step, others: readonly Other[]): Other[] {
  const growth = growthOf(step)
  const own = explainedBy(step.before, step.reading.at - lastChange(step.before))
  const found: Other[] = []
  for (let index = firstAbove(others, growth * (1 - 2 * SHARPNESS)); index < others.length; index += 1) {
    const other = others[index]!
    if (other.total * (1 - ROUNDING) > growth) break
    const silence = step.reading.at - other.state.watermark.at
    if (silence < 0 || silence > LONGEST_SILENCE) continue
    const consumed = PACE_TOLERANCE * (own + explainedBy(other.state, silence))
    if (consumed <= SHARPNESS * growth && growth <= other.total * (1 + ROUNDING) + consumed) found.push(other)
  }
  return found
}

/** The place of the first total that is not below a number. */
function firstAbove(others: readonly Other[], least: number): number {
  let [low, high] = [0, others.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (others[middle]!.total < least) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether a series grew by more than its pace since it was read last; one without a pace must have been seen to stand still. */
export function hasJumped(step: Step): boolean {
  if (!hasGrown(step)) return false
  const { before, reading } = step
  if (before.pace === 0) return before.stillSince !== undefined
  return growthOf(step) > UNEXPLAINED * explainedBy(before, reading.at - before.watermark.at)
}

function hasGrown({ before, reading }: Step): boolean {
  return reading.at > before.watermark.at && compare(reading.value, before.watermark.value) > 0
}

function growthOf({ before, reading }: Step): number {
  return approximate(reading.value) - approximate(before.watermark.value)
}

function explainedBy({ pace }: SeriesState, elapsed: number): number {
  return pace * hours(elapsed + JUMP_ALLOWANCE)
}
