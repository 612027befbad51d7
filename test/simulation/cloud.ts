/**
 * The simulated sites: what projects truly consume, and what exporters make of it.
 *
 * A series has a truth that only grows, and an offset that distortions change: a machine that is deleted takes its hours
 * out of the sum, a start date that is moved brings some in. An exporter says the sum of both, as of its last update. All
 * that was ever said is kept with the truth behind it, so that the ledger can be held to it.
 *
 * Numbers are whole 10⁻¹⁰ units in a bigint.
 */
import type { Configuration } from './configuration.ts'
import type { Random } from './random.ts'
import type { Story } from './story.ts'
import type { Timeline } from './timeline.ts'

const FIRST_SITE = '8676'

export const UNIT = 10n ** 10n

/** One project's total of one metric at one site. */
export interface SimulatedSeries {
  readonly site: string
  readonly metric: string
  readonly projectId: string
  readonly projectName: string
  readonly domain: string
  /** In 10⁻¹⁰ units per millisecond. */
  rate: bigint
  truth: bigint
  offset: bigint
  /** What distortions added that no dip had taken away before, and what of it nobody could take for growth. */
  added: bigint
  jumped: bigint
  /** When it was last started, stopped or hidden. */
  changedAt: number
  since: number
  isListed: boolean
  isDistorted: boolean
}

/** What is behind a value that an exporter said. */
export interface Said {
  readonly truth: bigint
  readonly offset: bigint
  readonly added: bigint
  readonly jumped: bigint
}

/** What is known of a value that was given out. */
export interface Dated extends Said {
  /** By how many milliseconds the clock was ahead that says when it was. */
  readonly ahead: number
}

/** A value with what is behind it, and when the exporter or its Prometheus took it. */
export interface Shown extends Said {
  readonly series: SimulatedSeries
  readonly value: bigint
  readonly at: number
}

export class Cloud {
  readonly series: SimulatedSeries[] = []
  readonly siteNames: readonly string[]
  readonly projectNames: readonly string[]
  /** What each site's exporter shows now. */
  readonly #shown = new Map<string, Shown[]>()
  readonly #before = new Map<string, Shown[]>()
  readonly #said = new Map<string, Map<string, Dated>>()
  readonly #configuration: Configuration
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #story: Story

  constructor(configuration: Configuration, timeline: Timeline, random: Random, story: Story) {
    this.#configuration = configuration
    this.#timeline = timeline
    this.#random = random
    this.#story = story
    this.siteNames = Array.from({ length: configuration.sites }, (_, index) => String(Number(FIRST_SITE) + index))
    this.projectNames = Array.from(
      { length: configuration.projects },
      (_, index) => namesOf[index] ?? `project-${index}`,
    )
    for (const site of this.siteNames) this.#found(site)
  }

  /** Every project has its series at a site, some twice: once in each of two domains. */
  #found(site: string): void {
    const hasOwnIds = this.#random.chance(0.5)
    for (const projectName of this.projectNames) {
      const isHere = site === this.siteNames[0] || this.#random.chance(0.6)
      const domains = this.#random.chance(0.2) ? ['elixir', 'denbi'] : ['elixir']
      for (const domain of isHere ? domains : []) {
        // Projects of one portal share an id, and ids of two sites may be equal.
        const projectId = `p-${projectName.split('/')[0]!.length}-${domain}${hasOwnIds ? `-${site}` : ''}`
        for (const metric of metrics)
          this.series.push(this.#newSeries({ site, metric, projectId, projectName, domain }))
      }
    }
    this.#shown.set(site, [])
  }

  #newSeries(of: Pick<SimulatedSeries, 'site' | 'metric' | 'projectId' | 'projectName' | 'domain'>): SimulatedSeries {
    const { isWeightedAnew, twin, faults } = this.#configuration
    return {
      ...of,
      rate: this.#random.chance(0.1) && !isWeightedAnew ? 0n : BigInt(this.#random.whole(1, 40)) * 2_777n,
      truth: BigInt(this.#random.whole(0, 500_000)) * (UNIT / 7n),
      offset: 0n,
      added: 0n,
      jumped: 0n,
      changedAt: this.#timeline.now,
      since: this.#timeline.now,
      isListed: this.#random.chance(0.9) || isWeightedAnew,
      // A second exporter that lags behind looks like a fall when the first one is silent for long.
      // So does a second way to the first one, when clocks are wrong.
      isDistorted:
        of.site === FIRST_SITE && (twin === 'lagging' || (twin === 'federated' && faults.clockStepsPerHour > 0)),
    }
  }

  ofSite(site: string): SimulatedSeries[] {
    return this.series.filter((each) => each.site === site)
  }

  /** The exporter of a site computes its totals. */
  update(site: string): void {
    const shown = this.ofSite(site).filter(({ isListed }) => isListed)
    this.#before.set(site, this.#shown.get(site)!)
    this.#shown.set(
      site,
      shown.map((series) => this.#look(series)),
    )
  }

  shown(site: string): readonly Shown[] {
    return this.#shown.get(site)!
  }

  /** What it showed before its last update. */
  shownBefore(site: string): readonly Shown[] {
    return this.#before.get(site) ?? []
  }

  #look(series: SimulatedSeries): Shown {
    const { now } = this.#timeline
    series.truth += series.rate * BigInt(Math.round(now - series.since))
    series.since = now
    const { truth, offset, added, jumped } = series
    return { series, truth, offset, added, jumped, value: truth + offset, at: now }
  }

  /** Notes that a value was given out for an instant, by a clock that is right or not. */
  say({ series, value, truth, offset, added, jumped }: Shown, at: number, ahead = 0): void {
    const key = keyOf(series)
    const said = this.#said.get(key) ?? new Map<string, Dated>()
    this.#said.set(key, said)
    said.set(`${at} ${formatUnits(value)}`, { truth, offset, added, jumped, ahead })
  }

  /** What was behind a reading, if it was ever given out. */
  behind(key: string, at: number, value: string): Dated | undefined {
    return this.#said.get(key)?.get(`${at} ${value}`)
  }

  /** Whether a value was given out for an instant that differs by no more than sums of doubles do. */
  isNear(key: string, at: number, value: string): boolean {
    const said = this.#said.get(key)?.keys() ?? []
    return [...said].some((each) => {
      const [instant, other] = each.split(' ').map(Number)
      return instant === at && Math.abs(Number(value) - other!) <= 1e-10 * Number(value)
    })
  }

  find(key: string): SimulatedSeries | undefined {
    return this.series.find((each) => keyOf(each) === key)
  }

  stop(): void {
    for (const series of this.series) {
      this.#look(series)
      series.rate = 0n
    }
  }

  // Distortions

  /** Somebody starts or stops machines, or the project has none for a while: no distortion, only life. */
  live(): void {
    const series = this.#random.pick(this.series)
    this.#look(series)
    series.changedAt = this.#timeline.now
    if (this.#random.chance(0.3)) series.isListed = !series.isListed
    else series.rate = BigInt(this.#random.whole(0, 60)) * 2_777n
  }

  weightAnew(): void {
    const all = this.ofSite(this.siteNames[0]!)
    this.#story.fault('weighted up', `site ${this.siteNames[0]} once`)
    const areSteady = this.#areSteady(all)
    for (const series of all) this.#distortOne('weighted up', series, 3n, areSteady)
  }

  /** Something that makes a total fall or jump. Twins are spared: two exporters would show it at two times. */
  distort(isSpared: (site: string) => boolean): void {
    const site = this.#random.pick(this.siteNames)
    if (isSpared(site)) return
    const all = this.ofSite(site).filter(({ isListed }) => isListed)
    if (all.length === 0) return
    const kind = this.#random.pick(distortions)
    const one = this.#random.pick(all)
    const chosen = { site: all, project: all.filter((each) => isOfProject(each, one)), series: [one] }[kind.of]
    this.#story.fault(kind.name, `site ${site}${kind.of === 'site' ? '' : ` ${nameOf(one)}`}`)
    if (kind.name === 'dip within a dip') {
      this.#dipTwice(chosen)
      return
    }
    const factor = this.#random.pick([2n, 3n, 10n])
    const areSteady = kind.name === 'weighted up' && this.#areSteady(chosen)
    for (const series of chosen) this.#distortOne(kind.name, series, factor, areSteady)
  }

  /** Enough series that have grown for a while, undisturbed: when all of them jump, that is no growth. */
  #areSteady(all: readonly SimulatedSeries[]): boolean {
    const { interval, update } = this.#configuration
    const since = this.#timeline.now - 10 * interval - 3 * update
    const isSteady = (each: SimulatedSeries) => each.rate > 0n && !each.isDistorted && each.changedAt < since
    return all.length >= 3 * metrics.length && all.every(isSteady)
  }

  #distortOne(
    kind: Exclude<(typeof distortions)[number]['name'], 'dip within a dip'>,
    series: SimulatedSeries,
    factor: bigint,
    isNoGrowth: boolean,
  ): void {
    const { value } = this.#look(series)
    series.isDistorted = true
    const part = value / factor
    const jump = (by: bigint) => {
      series.offset += by
      if (isNoGrowth) series.jumped += by
      else series.added += by
    }
    if (kind === 'machine deleted' || kind === 'purge') series.offset -= part
    else if (kind === 'restart') series.offset -= value
    else if (kind === 'start moved back') jump(part)
    else if (kind === 'weighted up') {
      jump(value * (factor - 1n))
      series.rate *= factor
    } else if (kind === 'weighted down') {
      series.offset -= value - part
      series.rate /= factor
    } else if (kind === 'jump') jump(part + UNIT)
    else this.#dip(series, part, kind === 'dip that returns in steps')
  }

  /** An error of the cloud drops some machines from a sum, and later they are there again. */
  #dip(series: SimulatedSeries, depth: bigint, inSteps: boolean): void {
    series.offset -= depth
    const back = (by: bigint) => this.#shift(series, by)
    const minutes = this.#random.whole(1, 30)
    if (inSteps) this.#timeline.after(minutes * 40_000, () => back(depth / 3n))
    this.#timeline.after(minutes * 60_000, () => back(inSteps ? depth - depth / 3n : depth))
  }

  /** While some machines of a project are missing, others go too; they come back one after the other, in any order. */
  #dipTwice(project: readonly SimulatedSeries[]): void {
    const [outer, inner] = [this.#random.pick([2n, 3n]), this.#random.pick([2n, 3n])]
    const minutes = () => this.#random.whole(2, 12) * 60_000
    const [second, firstBack, secondBack] = [minutes(), minutes(), minutes()]
    for (const series of project) {
      const { value } = this.#look(series)
      series.isDistorted = true
      const depths = [value / outer, (value - value / outer) / inner] as const
      const [last, first] = this.#random.chance(0.7) ? depths : (depths.toReversed() as [bigint, bigint])
      this.#shift(series, -depths[0])
      this.#timeline.after(second, () => {
        // A restart in between leaves less than that: no exporter says a negative total.
        const { value: left } = this.#look(series)
        const missing = depths[1] > left ? depths[1] - left : 0n
        this.#shift(series, missing - depths[1])
        this.#timeline.after(firstBack, () => this.#shift(series, first > missing ? first - missing : 0n))
        this.#timeline.after(firstBack + secondBack, () => this.#shift(series, last))
      })
    }
  }

  #shift(series: SimulatedSeries, by: bigint): void {
    this.#look(series)
    series.offset += by
  }
}

function isOfProject(each: SimulatedSeries, { projectId, projectName }: SimulatedSeries): boolean {
  return each.projectId === projectId && each.projectName === projectName
}

const distortions = [
  { name: 'machine deleted', of: 'series' },
  { name: 'dip', of: 'series' },
  { name: 'dip', of: 'site' },
  { name: 'dip that returns in steps', of: 'series' },
  { name: 'dip within a dip', of: 'project' },
  { name: 'dip within a dip', of: 'project' },
  { name: 'jump', of: 'series' },
  { name: 'purge', of: 'site' },
  { name: 'restart', of: 'site' },
  { name: 'start moved back', of: 'site' },
  { name: 'weighted up', of: 'site' },
  { name: 'weighted down', of: 'site' },
] as const

export const metrics = ['project_vcpu_usage', 'project_mb_usage'] as const

/** Names as people give them. */
const namesOf = ['alpha', 'Beta Lab', 'gämma', 'd,e"l\\ta', 'simplevm/one', 'simplevm/two']

export function keyOf(series: Pick<SimulatedSeries, 'site' | 'metric' | 'projectId' | 'projectName'>): string {
  return JSON.stringify([series.site, series.metric, series.projectId, series.projectName])
}

export function nameOf({ projectName, metric, site }: SimulatedSeries): string {
  return `${metric.slice(8, 12)} of ${projectName} at ${site}`
}

/** The shortest decimal text. */
export function formatUnits(value: bigint): string {
  const digits = value.toString().padStart(11, '0')
  const fraction = digits.slice(-10).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -10) : `${digits.slice(0, -10)}.${fraction}`
}
