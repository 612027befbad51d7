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

/** What a delivery brought of one metric of a site. */
interface Brought extends SiteMetric {
  /**
   * A delivery may bring several readings of a series. Each round has the next one of each, as if they had come one after
   * another: a series that counted several times would be taken for several that agree.
   */
  readonly rounds: Step[][]
  /** The last step of each series, by its number. */
  readonly newest: Map<number, Step>
}

/** Looks at all readings of a delivery together; see `core/classify.ts`. */
export function createJudge(smallSites: SmallSites = 'hold'): Judge {
  const brought = new SiteMap<Brought>((of) => ({ ...of, rounds: [], newest: new Map() }))
  const seen = new Map<number, number>()
  return {
    look(readings, stored) {
      for (const [index, reading] of readings.entries()) {
        const known = stored[index]
        if (known === undefined) continue
        const round = seen.get(known.number) ?? 0
        seen.set(known.number, round + 1)
        const { rounds, newest } = brought.of(reading.series)
        const step: Step = { before: known.state, reading }
        rounds[round] ??= []
        rounds[round].push(step)
        newest.set(known.number, step)
      }
    },
    async verdicts(ledger) {
      const ofSites = new Map<string, ReadonlyMap<string, SiteVerdict>>()
      const merged = new Map<string, string>()
      const rests = new Map<string, HeldJump>()
      for (const [site, own] of Map.groupBy(brought.all(), (each) => each.site)) {
        const steps = own.flatMap(({ rounds }) => rounds.flat())
        const begun = steps.some(isUnexplained) ? await ledger.latestJump(site) : undefined
        const isRest = (step: Step) => begun !== undefined && isRestOfJump(step, begun)
        for (const { reading } of steps.filter(isRest)) rests.set(seriesKey(reading.series), begun!)
        // The rest of one jump is no second one.
        const verdicts = judgeRounds(own, (step) => !isRest(step), smallSites)
        ofSites.set(site, verdicts)
        // When all of a site jumped, that its totals match each other is no wonder.
        if ([...verdicts.values()].some(({ jump }) => jump !== undefined && jump.only === undefined)) continue
        const newest = new Map(own.map((each) => [each.metric, [...each.newest.values()]]))
        for (const [key, other] of await findMerged(newest, (metric) => ledger.seriesOf(site, metric)))
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

/** What the rounds say of each metric of a site: of several, what has growth held, else what has a cause. */
function judgeRounds(
  own: readonly Brought[],
  counts: (step: Step) => boolean,
  smallSites: SmallSites,
): ReadonlyMap<string, SiteVerdict> {
  const verdicts = new Map<string, SiteVerdict>()
  const most = Math.max(...own.map(({ rounds }) => rounds.length))
  for (let round = 0; round < most; round += 1) {
    const there = own.filter(({ rounds }) => rounds[round] !== undefined)
    const steps = new Map(there.map(({ metric, rounds }) => [metric, rounds[round]!.filter(counts)]))
    for (const [metric, verdict] of classify(steps, smallSites)) {
      if (weightOf(verdict) > weightOf(verdicts.get(metric))) verdicts.set(metric, verdict)
    }
  }
  return verdicts
}

function weightOf(verdict: SiteVerdict | undefined): number {
  if (verdict === undefined) return 0
  return verdict.jump !== undefined ? 3 : verdict.fall !== 'unknown' ? 2 : 1
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
