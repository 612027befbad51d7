/** Targets as a worker meets them: exporters and a federating Prometheus, over a network that does what networks do. */
import { type Answer, type FetchExposition, ScrapeError, type ScrapeRequest } from '#src/sources/prometheus/scrape.ts'
import { renderExposition } from '../helpers/exposition.ts'
import { type Cloud, formatUnits, type Shown } from './cloud.ts'
import type { Configuration } from './configuration.ts'
import type { Random } from './random.ts'
import type { Story } from './story.ts'
import type { Life, Timeline } from './timeline.ts'

export interface SimulatedTarget {
  readonly url: string
  readonly site: string
  /** Through a Prometheus: with timestamps, and older samples at hand. */
  readonly isFederated: boolean
  /** A second exporter of the site, which shows what the first one showed an update ago. */
  readonly isLagging: boolean
}

/** What a Prometheus keeps of a site: as many of its own scrapes as could come again. */
const KEPT = 6

/** How far the clock of a Prometheus is off when it is. */
const WRONG_CLOCK = 6 * 3_600_000

export class Scrapes {
  readonly targets: readonly SimulatedTarget[]
  readonly #kept = new Map<string, Shown[][]>()
  readonly #cloud: Cloud
  readonly #timeline: Timeline
  readonly #configuration: Configuration
  readonly #random: Random
  readonly #story: Story
  /** Ends with the faults. */
  isRough = true

  constructor(parts: { cloud: Cloud; timeline: Timeline; configuration: Configuration; random: Random; story: Story }) {
    const { cloud, timeline, configuration, random, story } = parts
    this.#cloud = cloud
    this.#timeline = timeline
    this.#configuration = configuration
    this.#random = random
    this.#story = story
    const { twin, federated } = configuration
    const own = cloud.siteNames.map((site) => targetOf(site, federated, false))
    this.targets = twin === 'none' ? own : [...own, twinOf(own[0]!, twin)]
    for (const { site } of own) this.#kept.set(site, [])
  }

  isTwin = (site: string): boolean => this.targets.filter((each) => each.site === site).length > 1

  /** The Prometheus of a site scrapes its exporter. */
  keep(site: string): void {
    const kept = this.#kept.get(site)!
    const { now } = this.#timeline
    kept.push(this.#cloud.shown(site).map((shown) => ({ ...shown, at: now })))
    if (kept.length > KEPT) kept.shift()
  }

  /** How a worker fetches: what it gets depends on when, and on luck. */
  fetchFor(life: Life, clock: { now(): number }): FetchExposition {
    return (request) => {
      const at = clock.now()
      return new Promise((resolve, reject) => {
        const trouble = this.isRough && this.#random.chance(this.#configuration.faults.scrape)
        const delay = trouble && this.#random.chance(0.3) ? this.#random.whole(0, 9_000) : this.#random.whole(1, 400)
        request.signal.addEventListener('abort', () => reject(new ScrapeError('stopped', 'The scrape was stopped')))
        this.#timeline.after(delay, () => {
          if (life.isDead) return
          try {
            resolve(this.#answer(request, at, trouble))
          } catch (error) {
            reject(error as Error)
          }
        })
      })
    }
  }

  #answer({ url }: ScrapeRequest, at: number, trouble: boolean): Answer {
    const target = this.targets.find((each) => each.url === url)!
    const way = trouble ? this.#random.pick(ways) : 'slow'
    if (way !== 'slow') this.#story.fault(`scrape ${way}`, url)
    if (way === 'unreachable') throw new ScrapeError('unreachable', 'No answer: connect ECONNREFUSED')
    if (way === 'refused') throw new ScrapeError('refused', 'Expected HTTP 200, got 500', { status: 500 })
    if (way === 'broken off') throw new ScrapeError('cut short', 'The answer broke off: aborted')
    if (way === 'a page') return textAnswer('<!doctype html><title>Log in</title>\n')
    const samples = target.isFederated ? this.#federated(target.site) : this.#direct(target, at)
    const text = renderExposition(samples, 'text') + this.#oddLines(trouble)
    if (way !== 'cut short') return textAnswer(text)
    // Where a digit follows: what is left looks like a smaller number.
    const digits = [...text.matchAll(/\d(?=\d)/g)].map(({ index }) => index)
    return textAnswer(digits.length === 0 ? '' : text.slice(0, this.#random.pick(digits) + 1))
  }

  #direct({ site, isLagging }: SimulatedTarget, at: number) {
    const all = isLagging ? this.#cloud.shownBefore(site) : this.#cloud.shown(site)
    return all.map((shown) => {
      this.#cloud.say(shown, at, at - this.#timeline.now)
      return sampleOf(shown, undefined, this.#random)
    })
  }

  /** The latest scrape of the Prometheus; at times an earlier one, or several at once in any order. */
  #federated(site: string) {
    const kept = this.#kept.get(site)!
    const isOdd = this.isRough && this.#random.chance(this.#configuration.faults.oddDelivery)
    const way = isOdd ? this.#random.pick(['late', 'repeated', 'reordered', 'from the future'] as const) : undefined
    if (way !== undefined) this.#story.fault(`delivery ${way}`, site)
    const chosen = {
      late: () => this.#random.pick(kept.length === 0 ? [[]] : kept),
      repeated: () => [...(kept.at(-1) ?? []), ...(kept.at(-2) ?? []), ...(kept.at(-1) ?? [])],
      reordered: () => this.#random.shuffled(kept.flat()),
      'from the future': () => (kept.at(-1) ?? []).map((shown) => ({ ...shown, at: shown.at + WRONG_CLOCK })),
      none: () => kept.at(-1) ?? [],
    }[way ?? 'none']()
    return chosen.map((shown) => {
      this.#cloud.say(shown, shown.at)
      return sampleOf(shown, shown.at, this.#random)
    })
  }

  /** Lines that are no readings. */
  #oddLines(trouble: boolean): string {
    if (!trouble) return '# TYPE project_vcpu_usage gauge\nother_metric{a="b"} 1\n'
    return [
      'project_vcpu_usage{project_name="alpha",project_id="x"} NaN\n',
      'project_vcpu_usage{project_name="alpha"} -3\n',
      'project_mb_usage{project_name="alpha" 3\n',
      'project_mb_usage 3\n',
    ].join('')
  }
}

function textAnswer(text: string): Answer {
  return { format: 'text', body: [Buffer.from(text)] }
}

const ways = ['slow', 'unreachable', 'refused', 'broken off', 'a page', 'cut short'] as const

function twinOf({ site, isFederated }: SimulatedTarget, kind: 'federated' | 'lagging'): SimulatedTarget {
  return kind === 'lagging' ? targetOf(site, false, true) : targetOf(site, !isFederated, false)
}

function targetOf(site: string, isFederated: boolean, isLagging: boolean): SimulatedTarget {
  if (isLagging) return { url: `http://second-${site}:8080/metrics`, site, isFederated, isLagging }
  const url = isFederated ? `http://prometheus-${site}:9090/federate` : `http://exporter-${site}:8080/metrics`
  return { url, site, isFederated, isLagging }
}

function sampleOf({ series, value }: Shown, at: number | undefined, random: Random) {
  const { metric, site, projectId, projectName, domain } = series
  const labels: [string, string][] = [
    ['project_id', projectId],
    ['project_name', projectName],
    ['domain_name', domain],
  ]
  if (at !== undefined) labels.push(['instance', 'exporter:8080'], ['location_id', site])
  return { metric, labels, value: random.chance(0.2) ? withExponent(formatUnits(value)) : formatUnits(value), at }
}

/** `1234.5` as exporters also write it: `1.2345e+03`. */
function withExponent(text: string): string {
  const [whole = '', fraction = ''] = text.split('.')
  if (whole === '0') return text
  const digits = `${whole.slice(1)}${fraction}`
  return `${whole[0]}${digits === '' ? '' : `.${digits}`}e+${String(whole.length - 1).padStart(2, '0')}`
}
