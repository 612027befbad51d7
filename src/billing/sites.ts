/**
 * What a delivery says about a site as a whole, collected reading by reading: why series fell, whether they jumped together,
 * whether their clock is ahead of ours.
 */
import { classifyMoves, type SiteVerdict } from '../core/classify.ts'
import { CLOCK_TOLERANCE } from '../core/decide.ts'
import { type HeldJump, isRestOfJump, isUnexplained } from '../core/interrupted.ts'
import { findMerged, hasJumped } from '../core/merge.ts'
import { MovesSoFar, movesOf, type Step } from '../core/moves.ts'
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

/** The readings of a site and metric, and what is found while they come by: a delivery may have hundreds of thousands. */
interface Seen {
  readonly site: string
  readonly metric: string
  readonly steps: Step[]
  readonly moves: MovesSoFar
  /** Whether a series grew by more than its pace explains, delays included, or not. */
  isUnexplained: boolean
  hasJumped: boolean
}

/** Looks at all readings of a delivery together; see `core/classify.ts`. */
export function createJudge(smallSites: SmallSites = 'hold'): Judge {
  const seen = new SiteMap<Seen>((of) => ({
    ...of,
    ...{ steps: [], moves: new MovesSoFar(), isUnexplained: false, hasJumped: false },
  }))
  return {
    look(readings, stored) {
      for (const [index, reading] of readings.entries()) {
        const before = stored[index]?.state
        if (before === undefined) continue
        const step = { before, reading }
        const own = seen.of(reading.series)
        own.steps.push(step)
        own.moves.add(step)
        own.isUnexplained ||= isUnexplained(step)
        own.hasJumped ||= hasJumped(step)
      }
    },
    async verdicts(ledger) {
      const ofSites = new Map<string, ReadonlyMap<string, SiteVerdict>>()
      const merged = new Map<string, string>()
      const rests = new Map<string, HeldJump>()
      for (const [site, own] of Map.groupBy(seen.all(), ({ site }) => site)) {
        const begun = own.some((each) => each.isUnexplained) ? await ledger.latestJump(site) : undefined
        const isRest = (step: Step) => begun !== undefined && isRestOfJump(step, begun)
        // Most of the time no jump has begun, and what was found already holds.
        const others = (each: Seen) =>
          begun === undefined ? each.moves : movesOf(each.steps.filter((step) => !isRest(step)))
        if (begun !== undefined)
          for (const { reading } of own.flatMap((each) => each.steps.filter(isRest)))
            rests.set(seriesKey(reading.series), begun)
        // The rest of one jump is no second one.
        const verdicts = classifyMoves(new Map(own.map((each) => [each.metric, others(each)])), smallSites)
        ofSites.set(site, verdicts)
        // When all of a site jumped, that its totals match each other is no wonder.
        if ([...verdicts.values()].some(({ jump }) => jump !== undefined && jump.only === undefined)) continue
        if (!own.some((each) => each.hasJumped)) continue
        const byMetric = new Map(own.map((each) => [each.metric, each.steps]))
        for (const [key, other] of await findMerged(byMetric, (metric) => ledger.seriesOf(site, metric)))
          merged.set(key, other)
      }
      return verdictsBy(ofSites, merged, rests)
    },
  }
}

/** By itself, so that whoever has the verdicts does not keep all that was looked at. */
function verdictsBy(
  ofSites: ReadonlyMap<string, ReadonlyMap<string, SiteVerdict>>,
  merged: ReadonlyMap<string, string>,
  rests: ReadonlyMap<string, HeldJump>,
): Verdicts {
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
  private last: (SiteMetric & { readonly value: Value }) | undefined

  constructor(make: (of: SiteMetric) => Value) {
    this.make = make
  }

  of({ site, metric }: SiteMetric): Value {
    const { last } = this
    // Readings come metric by metric.
    if (last !== undefined && last.metric === metric && last.site === site) return last.value
    const ofSite = this.values.get(site) ?? new Map<string, Value>()
    this.values.set(site, ofSite)
    const value = ofSite.get(metric) ?? this.make({ site, metric })
    ofSite.set(metric, value)
    this.last = { site, metric, value }
    return value
  }

  all(): Value[] {
    return [...this.values.values()].flatMap((ofSite) => [...ofSite.values()])
  }
}
