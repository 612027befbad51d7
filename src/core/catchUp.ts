/**
 * Which readings of the past are to be taken.
 *
 * A site was charged up to some instant: by this worker, or by the service before it. What was measured after that is read
 * again. A series that nobody has charged yet begins there with its first reading, as it would have in a scrape. A group that
 * the other service charged goes on at exactly the instant that it left behind, for each metric its own.
 */
import { type Reading, type Series, seriesKey } from './series.ts'
import { DAY, HOUR, type Instant, MINUTE } from './time.ts'

/** What lies after an instant, up to and including another one. */
export interface Period {
  readonly after: Instant
  readonly upTo: Instant
}

/** Where another service stopped charging a group: its next reading for us is that of this instant. */
export interface Takeover extends Pick<Series, 'site' | 'metric'> {
  readonly group: string
  readonly at: Instant
}

/** How a site stands before its readings are read again. */
export interface SiteStanding {
  readonly site: string
  /** Up to when it was charged by anybody; absent if it never was: then it begins with the first scrape. */
  readonly chargedUpTo?: Instant
  readonly takeovers: readonly Takeover[]
}

export interface CatchUpPlan {
  /** What is read of all sites. */
  readonly period: Period
  /** Takeovers from before that: only the reading of their instant is read. */
  readonly alone: readonly Takeover[]
  /** All takeovers, also those. */
  readonly takeovers: readonly Takeover[]
  /** From when on readings of a series are taken; `undefined` if none are. */
  startOf(series: Series): Instant | undefined
}

/**
 * A group that the other service last charged longer than this before it stopped had nothing to be charged since. Then its
 * first reading is looked up by itself, instead of reading everything since then.
 */
const NEAR = HOUR

/** @returns `undefined` if no site has anything to be read again. */
export function planCatchUp(
  sites: readonly SiteStanding[],
  { now, least }: { now: Instant; least: number },
): CatchUpPlan | undefined {
  const gaps = new Map<string, Instant>()
  const takeovers = new Map<string, Takeover>()
  let after = now
  for (const { site, chargedUpTo, takeovers: own } of sites) {
    if (chargedUpTo === undefined || (own.length === 0 && now - chargedUpTo <= least)) continue
    gaps.set(site, chargedUpTo)
    const near = own.filter(({ at }) => at > chargedUpTo - NEAR).map(({ at }) => at - 1)
    after = Math.min(after, chargedUpTo, ...near)
    for (const each of own) takeovers.set(takeoverKey(each), each)
  }
  if (gaps.size === 0) return undefined
  const all = [...takeovers.values()]
  return {
    period: { after, upTo: now },
    alone: all.filter(({ at }) => at <= after),
    takeovers: all,
    startOf: (series) => takeovers.get(keyOf(series))?.at ?? plusOne(gaps.get(series.site)),
  }
}

/** The next millisecond. */
function plusOne(at: Instant | undefined): Instant | undefined {
  return at === undefined ? undefined : at + 1
}

/** Names what a reading of a series could complete; see `takeoverKey`. */
export function keyOf({ site, metric, projectName }: Series): string {
  return `${site} ${metric} ${projectName}`
}

export function takeoverKey({ site, metric, group }: Takeover): string {
  return `${site} ${metric} ${group}`
}

/**
 * Keeps the first reading of each series, and the last one of each step.
 *
 * @param step Milliseconds; 0 keeps all.
 */
export function createThinning(step: number): (readings: readonly Reading[]) => readonly Reading[] {
  const begun = new Set<string>()
  return (readings) => {
    if (step === 0) return readings
    const steps = new Map<string, number>()
    const kept = new Set<Reading>()
    for (const reading of readings.toReversed()) {
      const key = seriesKey(reading.series)
      const own = Math.ceil(reading.at / step)
      if (steps.get(key) !== own) kept.add(reading)
      steps.set(key, own)
    }
    for (const reading of readings) {
      const key = seriesKey(reading.series)
      if (!begun.has(key)) kept.add(reading)
      begun.add(key)
    }
    return readings.filter((reading) => kept.has(reading))
  }
}

/** Readings of a series that a long period is thinned to: one a minute of a day. */
const MOST_READINGS = DAY / MINUTE

/** The step for a period: all readings of up to a day, fewer of a longer one, in whole minutes. */
export function stepFor({ after, upTo }: Period): number {
  const length = upTo - after
  return length <= DAY ? 0 : Math.ceil(length / MOST_READINGS / MINUTE) * MINUTE
}
