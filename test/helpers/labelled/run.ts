/** Runs one labelled event of a made-up site through the real intake, rules and ledger, and compares with the truth. */
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { type Cause, describeJump } from '#src/core/causes.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Meters } from '#src/core/meters.ts'
import { type Reading, seriesKey } from '#src/core/series.ts'
import type { Recording } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { meter, silent, T0, testClock } from '../billing.ts'
import { happenings, type Label, type Later, STALL_HOURS } from './events.ts'
import { createRandom, type Random } from './random.ts'
import { consumed, type Metric, makeSite, micros, type Project, type Site, shown } from './site.ts'

/** What the worker said in the end: nothing, a cause, or that one series is held by itself. */
export type Verdict = 'nothing' | Cause | 'one series'

export const verdictNames: readonly Verdict[] = [
  'nothing',
  'restart',
  'subject removed',
  're-weighted',
  'start moved',
  'purge',
  'unit switched',
  'series merged',
  'unknown',
  'one series',
]

export interface Result {
  readonly verdict: Verdict
  readonly projects: number
  /** Micro-credits charged beyond the true consumption of a series, summed up over all. */
  readonly wrong: bigint
  readonly truth: bigint
  /** Micro-credits consumed and not charged, because they were held or lost. */
  readonly missing: bigint
  /** Whether a hold is open in the end. */
  readonly isHeld: boolean
}

export interface RunOptions {
  readonly label: Label
  readonly seed: number
  readonly projects: readonly [least: number, most: number]
}

const metricNames: Readonly<Record<Metric, string>> = { cpu: 'project_vcpu_usage', ram: 'project_mb_usage' }
const metrics: readonly Metric[] = ['cpu', 'ram']
// Priced alike, so that an amount is a number of units.
const meters: Meters = new Map(
  [meter('cpu', metricNames.cpu, 'vCPU·h', '1', '1e12'), meter('ram', metricNames.ram, 'GiB·h', '1', '1e12')].map(
    (each) => [each.metric, each],
  ),
)

const HOUR = 3_600
const DAY = 24 * HOUR

/** How a site is read. */
interface Course {
  /** Seconds between two scrapes, and between two updates of its exporters. */
  readonly interval: number
  readonly update: number
  /** Exporters with a share of the projects each, and their own times of update. */
  readonly exporters: number
  /** Whether each exporter is delivered by itself, or only some projects at a time. */
  readonly delivery: 'whole' | 'each exporter' | 'pieces'
}

/** A part of a site with fewer projects is a small site; those are looked at by themselves. */
const SMALLEST_PART = 30

function courseOf(random: Random, projects: number): Course {
  const isLarge = projects >= 3 * SMALLEST_PART
  return {
    interval: random.pick([15, 60, 60, 300, HOUR]),
    update: random.pick([30, 60, 120, 300, 600]),
    exporters: random.pick(isLarge ? [1, 1, 1, 2] : [1]),
    delivery: random.pick(isLarge ? ['whole', 'whole', 'each exporter', 'pieces'] : ['whole']),
  }
}

/** Updates before the event, after which the paces of the series are known, and after it. */
const UPDATES = { before: 4, after: 14 }

export async function runLabelled({ label, seed, projects: [least, most] }: RunOptions): Promise<Result> {
  const random = createRandom(seed)
  const count = Math.round(random.magnitude(least, most))
  const course = courseOf(random, count)
  const age = Math.floor(random.magnitude(5 * DAY, 5 * 365 * DAY))
  const site = makeSite(random, { projects: count, age })
  if (label === 'start moved earlier') site.start = Math.floor(age * random.between(0.1, 0.8))
  const worker = startWorker()
  const exporters = Array.from({ length: course.exporters }, () => random.whole(0, course.update - 1))
  const step = Math.max(course.interval, course.update)
  // A scrape shows what was computed last; several scrapes of one update are cut down to two.
  const gap = Math.max(course.interval, course.update / 2)
  const eventAt = age + UPDATES.before * step + random.whole(1, step - 1)
  const stalledUntil = label === 'no fault: stalled for hours' ? eventAt + STALL_HOURS * HOUR : 0
  const end = Math.max(eventAt, stalledUntil) + UPDATES.after * step
  // An error of a cloud is over in two hours, or some updates.
  const longest = Math.min(2 * HOUR, (UPDATES.after - 4) * step)
  const shows = new Map<Project, { at: number; values: Record<Metric, string | undefined> }>()
  const computed = new Map<number, number>()
  const seen = createTruth(site)
  const due: { readonly at: number; readonly happen: Later['happen'] }[] = [
    {
      at: eventAt,
      happen: (at) => {
        for (const { seconds, happen } of happenings[label](site, at, random, longest))
          due.push({ at: at + seconds, happen })
      },
    },
  ]
  // The worker has known the site for an hour, so it knows who stands still.
  for (const at of [age - HOUR, age - HOUR / 2, ...times(age, end, gap)]) {
    const isStalled = at >= eventAt && at < stalledUntil
    for (const [exporter, phase] of exporters.entries()) {
      const update = Math.floor((at - phase) / course.update) * course.update + phase
      if (isStalled || computed.get(exporter) === update) continue
      const happening = due.filter((each) => each.at <= update).sort((a, b) => a.at - b.at)
      for (const each of happening) {
        due.splice(due.indexOf(each), 1)
        each.happen(each.at)
      }
      computed.set(exporter, update)
      for (const [index, project] of site.projects.entries()) {
        if (index % exporters.length !== exporter) continue
        const [cpu, ram] = metrics.map((metric) => shown(site, project, metric, update))
        shows.set(project, { at: update, values: { cpu, ram } })
      }
    }
    worker.setTime(T0 + at * 1_000)
    if (at > eventAt) worker.watch()
    for (const all of partsOf(site, course, random)) {
      const part = all.filter((project) => shows.has(project))
      const readings = part.flatMap((project) => readingsOf(project, shows.get(project)!.values, T0 + at * 1_000))
      for (const project of part) seen.see(project, shows.get(project)!)
      await worker.deliver(readings)
    }
  }
  return { ...(await worker.finish(seen.truths())), projects: site.projects.length }
}

function* times(from: number, to: number, step: number): Generator<number> {
  for (let at = from; at <= to; at += step) yield at
}

/** The projects of each delivery of one round. */
function partsOf({ projects }: Site, { delivery, exporters }: Course, random: Random): Project[][] {
  if (delivery === 'each exporter') {
    return Array.from({ length: exporters }, (_, exporter) =>
      projects.filter((__, index) => index % exporters === exporter),
    )
  }
  if (delivery === 'whole') return [[...projects]]
  const size = Math.ceil(projects.length / random.whole(1, 3))
  const parts: Project[][] = []
  for (let start = 0; start < projects.length; start += size) parts.push(projects.slice(start, start + size))
  return parts
}

function readingsOf(project: Project, values: Record<Metric, string | undefined>, at: number): Reading[] {
  return metrics.flatMap((metric) => {
    const value = values[metric]
    return value === undefined ? [] : [{ series: seriesOf(project, metric), at, value: decimal(value) }]
  })
}

function seriesOf({ name }: Project, metric: Metric) {
  return { site: '8676', metric: metricNames[metric], projectId: `id of ${name}`, projectName: name }
}

/** What each series has truly consumed between the first and the last value of it that was delivered. */
function createTruth(site: Site) {
  const first = new Map<string, number>()
  const last = new Map<string, number>()
  return {
    see(project: Project, { at, values }: { at: number; values: Record<Metric, string | undefined> }) {
      for (const metric of metrics) {
        if (values[metric] === undefined) continue
        const key = seriesKey(seriesOf(project, metric))
        const sum = consumed(site, project, metric, at)
        if (!first.has(key)) first.set(key, sum)
        last.set(key, sum)
      }
    },
    truths: () => new Map([...last].map(([key, sum]) => [key, micros(sum - first.get(key)!)])),
  }
}

/** The real intake over a ledger in memory, and what it said and charged. */
function startWorker() {
  const ledger = openSqliteLedger(':memory:')
  const clock = testClock()
  const charged = new Map<string, bigint>()
  const said = new Map<Verdict, number>()
  let isWatching = false
  const intake = createIntake({
    maxSeries: 10_000,
    ledger: {
      ...ledger,
      record: (series, decide) =>
        ledger.record(series, (stored) => {
          const recording = decide(stored)
          take(recording)
          return recording
        }),
    },
    meters,
    clock,
    logger: silent,
    onChanged: () => {},
  })

  function take({ changes, notes, holds, heldGrowths }: Recording): void {
    for (const { series, postings } of changes) {
      const sum = postings.reduce(
        (total, each) => total + (each.kind === 'append' ? each.entry.amount : each.amount),
        0n,
      )
      const key = seriesKey(series)
      charged.set(key, (charged.get(key) ?? 0n) + sum)
    }
    if (!isWatching) return
    const causes = new Map(holds.map(({ key, kind, reason }) => [key, causeOf(kind, reason)]))
    for (const { kind, text } of notes) if (kind === 'rebased') say(/: ([a-z -]+) \(/.exec(text)![1] as Cause)
    for (const { holdKey } of heldGrowths) say(causes.get(holdKey)!)
  }

  function say(verdict: Verdict): void {
    said.set(verdict, (said.get(verdict) ?? 0) + 1)
  }

  return {
    setTime(at: number) {
      clock.at = at
    },
    watch() {
      isWatching = true
    },
    deliver: (readings: readonly Reading[]) =>
      intake.take({ id: 'labelled', source: 'labelled', receivedAt: clock.at, readings, rejected: noRejections() }),
    async finish(truths: ReadonlyMap<string, bigint>): Promise<Omit<Result, 'projects'>> {
      const isHeld = (await ledger.holds({ limit: 1 })).length > 0
      await ledger.close()
      const most = [...said].sort(([, a], [, b]) => b - a)[0]
      let [wrong, truth, missing] = [0n, 0n, 0n]
      for (const [key, own] of truths) {
        const difference = (charged.get(key) ?? 0n) - own
        truth += own
        // Totals are cut off after nine decimals, so the last micro-credit may come a little sooner.
        if (difference > 1n) wrong += difference
        else if (difference < -1n) missing -= difference
      }
      return { verdict: most?.[0] ?? 'nothing', wrong, truth, missing, isHeld }
    },
  }
}

const jumpCauses: readonly Cause[] = ['re-weighted', 'start moved', 'unknown']

function causeOf(kind: string, reason: string): Verdict {
  if (kind === 'unit switched' || kind === 'series merged') return kind
  if (kind !== 'site jump') return 'one series'
  return jumpCauses.find((cause) => reason.includes(describeJump(cause)))!
}
