/**
 * What a delivery says about a site as a whole, collected reading by reading: why series fell, whether they jumped together,
 * whether their clock is ahead of ours.
 */
import { classify, type SiteVerdict } from '../core/classify.ts'
import { CLOCK_TOLERANCE } from '../core/decide.ts'
import { type HeldJump, isRestOfJump, isUnexplained } from '../core/interrupted.ts'
import { findMerged } from '../core/merge.ts'
import type { Step } from '../core/moves.ts'
import { type Reading, type Series, seriesKey } from '../core/series.ts'
import type { SmallSites } from '../core/smallSite.ts'
import type { Instant } from '../core/time.ts'
import type { Ledger, StoredSeries } from '../ledger/ledger.ts'

/** What a delivery says about the site and metric of a series, found before it is recorded in parts. */
export type Verdicts = (series: Series) => SiteVerdict | undefined

export interface Judge {
  /** Takes some readings of a delivery and what is stored of the series of each. */
  look(readings: readonly Reading[], stored: readonly (StoredSeries | undefined)[]): void
  /** @param ledger Asked only about sites of which a series grew by more than its pace. */
  verdicts(ledger: Pick<Ledger, 'seriesOf' | 'latestJump'>): Promise<Verdicts>
}

/** Looks at all readings of a delivery together; see `core/classify.ts`. */
export function createJudge(smallSites: SmallSites = 'hold'): Judge {
  const steps = new SiteMap<{ site: string; metric: string; steps: Step[] }>((of) => ({ ...of, steps: [] }))
  return {
    look(readings, stored) {
      for (const [index, reading] of readings.entries()) {
        const before = stored[index]?.state
        if (before !== undefined) steps.of(reading.series).steps.push({ before, reading })
      }
    },
    async verdicts(ledger) {
      const ofSites = new Map<string, ReadonlyMap<string, SiteVerdict>>()
      const merged = new Map<string, string>()
      const rests = new Map<string, HeldJump>()
      for (const [site, own] of Map.groupBy(steps.all(), ({ site }) => site)) {
        const byMetric = new Map(own.map((each) => [each.metric, each.steps]))
        const begun = own.some((each) => each.steps.some(isUnexplained)) ? await ledger.latestJump(site) : undefined
        const isRest = (step: Step) => begun !== undefined && isRestOfJump(step, begun)
        for (const { reading } of own.flatMap((each) => each.steps.filter(isRest)))
          rests.set(seriesKey(reading.series), begun!)
        // The rest of one jump is no second one.
        const verdicts = classify(
          new Map(own.map(({ metric, steps }) => [metric, steps.filter((step) => !isRest(step))])),
          smallSites,
        )
        ofSites.set(site, verdicts)
        // When all of a site jumped, that its totals match each other is no wonder.
        if ([...verdicts.values()].some(({ jump }) => jump !== undefined && jump.only === undefined)) continue
        for (const [key, other] of await findMerged(byMetric, (metric) => ledger.seriesOf(site, metric)))
          merged.set(key, other)
      }
      return (series) => {
        const verdict = ofSites.get(series.site)?.get(series.metric)
        if (verdict === undefined || merged.size + rests.size === 0) return verdict
        const key = seriesKey(series)
        const begun = rests.get(key)
        if (begun !== undefined) return { ...verdict, jump: { reason: 'site jump', cause: 'unknown', least: 1, begun } }
        const other = merged.get(key)
        if (other === undefined) return verdict
        return { ...verdict, jump: { reason: 'series merged', cause: 'series merged', least: 1, other } }
      }
    },
  }
}

/** Names the hold about the unit of a site's metric. */
export function unitKey({ site, metric }: SiteMetric): string {
  return `unit switched/${site}/${metric}`
}

/** The keys of the holds about units that concern some readings. */
export function unitKeys(readings: readonly Reading[]): string[] {
  const keys = new SiteMap(unitKey)
  for (const { series } of readings) keys.of(series)
  return keys.all()
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

export type SiteMetric = Pick<Series, 'site' | 'metric'>

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
