/**
 * The archive in a Prometheus: what it has scraped, federated or been sent, read again.
 *
 * Range selectors (`metric[300s]`) give samples as they were recorded, where `query_range` gives one each step at the time of
 * the step, and nothing of a series that ended before it: see `docs/decisions/0019-raw-samples.md`.
 */
import { type AdmissionRules, admit, isSiteNumber, noRejections } from '../../core/admit.ts'
import type { Period } from '../../core/catchUp.ts'
import type { Reading } from '../../core/series.ts'
import { type Clock, type Instant, MINUTE, SECOND } from '../../core/time.ts'
import { targetLabel } from '../../telemetry/metrics.ts'
import { type Archive, ArchiveError, type Chunk } from '../archive.ts'
import { createPrometheusApi, type PrometheusApiOptions, type RawSeries } from './api.ts'

export interface PrometheusArchiveOptions
  extends PrometheusApiOptions,
    Pick<AdmissionRules, 'meters' | 'whitelist' | 'site'> {
  readonly clock: Clock
}

/** Milliseconds of the first chunk, and of the shortest that is asked for when the answers are too large. */
const FIRST_SPAN = 5 * MINUTE
const SHORTEST_SPAN = 5 * SECOND
/** A window that Prometheus looks through at once. */
const LONGEST_SPAN = 6 * 60 * MINUTE

/** Bytes. An answer of this size is some 100,000 samples, and takes a tenth of a second to be read. */
const SMALL_ANSWER = 1_024 * 1_024
const LARGE_ANSWER = 4 * SMALL_ANSWER

/** Of projects asked for at one instant, so that an address does not become too long. */
const MOST_NAMES = 4_000

export function createPrometheusArchive(options: PrometheusArchiveOptions): Archive {
  const { meters, clock } = options
  const api = createPrometheusApi(options)
  const name = targetLabel(options.url)
  const selector = `{__name__=~${quoted([...meters.keys()].map(escaped).join('|'))}}`
  const rules = (): AdmissionRules => ({ ...options, labels: new Map(), origin: name, at: clock.now() })

  async function* read({ after, upTo }: Period, signal: AbortSignal): AsyncGenerator<Chunk> {
    let from = after
    let span = FIRST_SPAN
    while (from < upTo) {
      const to = Math.min(upTo, from + span)
      const answer = await attempt(from, to, signal)
      if (answer === undefined) {
        span = Math.max(SHORTEST_SPAN, Math.floor((to - from) / 2))
        continue
      }
      yield { upTo: to, ...readingsOf(answer.series, { after: from, upTo: to }, rules()) }
      from = to
      span = nextSpan(span, answer.bytes)
    }
  }

  /** @returns `undefined` if a shorter period has to be asked for. */
  async function attempt(from: Instant, to: Instant, signal: AbortSignal) {
    try {
      return await api.samples(`${selector}[${to - from}ms]`, to, signal)
    } catch (error) {
      if (error instanceof ArchiveError && error.failure === 'too large' && to - from > SHORTEST_SPAN) return undefined
      throw error
    }
  }

  return {
    name,
    async sites({ after, upTo }, signal) {
      const match = { match: selector, start: after, end: upTo }
      const labelled = (await api.labelValues('location_id', match, signal)).filter(isSiteNumber)
      return options.site === undefined || labelled.includes(options.site) ? labelled : [...labelled, options.site]
    },
    read,
    async readAt({ site, metric, at, projectNames }, signal) {
      const found: Reading[] = []
      for (const names of inBatches(projectNames)) {
        const matcher = `{__name__=${quoted(metric)},project_name=~${quoted(names)}}`
        const { series } = await api.samples(`${matcher}[${SECOND}ms]`, at, signal)
        found.push(...readingsOf(series, { after: at - 1, upTo: at }, rules()).readings)
      }
      return found.filter(({ series }) => series.site === site)
    },
  }
}

function nextSpan(span: number, bytes: number): number {
  if (bytes > LARGE_ANSWER) return Math.max(SHORTEST_SPAN, Math.floor(span / 2))
  return bytes < SMALL_ANSWER ? Math.min(LONGEST_SPAN, span * 2) : span
}

/** Prometheus 2 also takes what lies at the beginning of a window, Prometheus 3 does not. */
function readingsOf(
  all: readonly RawSeries[],
  { after, upTo }: Period,
  rules: AdmissionRules,
): Pick<Chunk, 'readings' | 'rejected'> {
  const readings: Reading[] = []
  const rejected = noRejections()
  for (const { metric: labels, values } of all) {
    const found = new Map(Object.entries(labels))
    const metric = labels.__name__ ?? ''
    for (const [time, value] of values) {
      const at = Math.round(time * SECOND)
      if (at <= after || at > upTo) continue
      const result = admit({ metric, labels: found, value, at }, rules)
      if (typeof result === 'string') rejected[result] += 1
      else readings.push(result)
    }
  }
  return { readings: readings.sort((a, b) => a.at - b.at), rejected }
}

/** Alternatives of a regular expression, each text not too long. */
function* inBatches(names: readonly string[]): Generator<string> {
  let batch: string[] = []
  let length = 0
  for (const each of names.map(escaped)) {
    if (length + each.length > MOST_NAMES && batch.length > 0) {
      yield batch.join('|')
      batch = []
      length = 0
    }
    batch.push(each)
    length += each.length + 1
  }
  if (batch.length > 0) yield batch.join('|')
}

/** As a part of a regular expression of RE2. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** As a string of PromQL. */
function quoted(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`
}
