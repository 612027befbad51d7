/**
 * What a delivery says about a site as a whole, collected reading by reading: why series fell, whether all of them jumped,
 * whether their clock is ahead of ours.
 */
import { classify, type SiteVerdict, type Step } from '../core/classify.ts'
import { CLOCK_TOLERANCE } from '../core/decide.ts'
import type { Reading, Series } from '../core/series.ts'
import type { Instant } from '../core/time.ts'
import type { StoredSeries } from '../ledger/ledger.ts'

/** What a delivery says about each site and metric, found before it is recorded in parts. */
export type Verdicts = (series: Series) => SiteVerdict | undefined

export interface Judge {
  /** Takes some readings of a delivery and what is stored of the series of each. */
  look(readings: readonly Reading[], stored: readonly (StoredSeries | undefined)[]): void
  verdicts(): Verdicts
}

/** Looks at all readings of a delivery together; see `core/classify.ts`. */
export function createJudge(): Judge {
  const steps = new SiteMap<Step[]>(() => [])
  return {
    look(readings, stored) {
      for (const [index, reading] of readings.entries()) {
        const before = stored[index]?.state
        if (before !== undefined) steps.of(reading.series).push({ before, reading })
      }
    },
    verdicts() {
      const verdicts = new SiteMap(({ site, metric }) => classify(steps.of({ site, metric })))
      return (series) => verdicts.of(series)
    },
  }
}

/** The holds about clocks that are over, because no reading of a delivery from this source is ahead of ours. */
export function agreeingClocks(readings: readonly Reading[], now: Instant, source: string): string[] {
  const sites = new SiteMap(({ site, metric }) => ({ key: clockKey({ site, metric }), isAhead: false }))
  for (const { series, at } of readings) sites.of(series).isAhead ||= at > now + CLOCK_TOLERANCE
  const agreeing = sites.all().filter(({ isAhead }) => !isAhead)
  const all = agreeing.length === sites.all().length ? [newSeriesClockKey(source)] : []
  return [...agreeing.map(({ key }) => key), ...all]
}

/** Names the hold about the clock behind series of a source that were never opened. */
export function newSeriesClockKey(source: string): string {
  return `clock ahead/new series/${source}`
}

/** Names the hold about a site's clock. */
export function clockKey({ site, metric }: SiteMetric): string {
  return `clock ahead/${site}/${metric}`
}

type SiteMetric = Pick<Series, 'site' | 'metric'>

/** Something for each metric of each site, made when it is first asked for. There are few of them and many readings. */
class SiteMap<Value> {
  private readonly values = new Map<string, Map<string, Value>>()
  private readonly make: (of: SiteMetric) => Value

  constructor(make: (of: SiteMetric) => Value) {
    this.make = make
  }

  of({ site, metric }: SiteMetric): Value {
    const ofSite = this.values.get(site) ?? new Map<string, Value>()
    this.values.set(site, ofSite)
    const value = ofSite.get(metric) ?? this.make({ site, metric })
    ofSite.set(metric, value)
    return value
  }

  all(): Value[] {
    return [...this.values.values()].flatMap((ofSite) => [...ofSite.values()])
  }
}
