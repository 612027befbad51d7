/**
 * What the worker tells Prometheus about itself. Names, help texts and labels of all its metrics stand here and only
 * here.
 *
 * Credits and consumption are numbers in here, good for graphs; the exact amounts are in the ledger. A target is
 * labelled with its address without login and query, so that neither a password nor a token gets into a time series.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const PREFIX = 'os_credits_'

/** Seconds, from what a fast answer takes to what a timeout ends. */
const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** From a look just before the write to what a configured age allows. */
const WINDOW_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** From the next attempt to the end of the memory of writes. */
const DOUBT_SECONDS = [1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200]
const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export type Metrics = ReturnType<typeof createMetrics>

/** Values that are asked for when the metrics are read; each may be told later, by the part that knows it. */
export interface Readers {
  /** Pushes that arrive or wait to be recorded. */
  pushesUnderWay(): number
  /** Groups that wait for their lane. */
  queueSize(): number
  /** Lanes at work. */
  lanes(): number
  /** Whether the ledger can be written. */
  ledgerWritable(): Promise<boolean>
  /** How many groups are in each state. */
  groups(): Counts | Promise<Counts>
  /** How many holds there are of each kind. */
  holds(): Counts | Promise<Counts>
  /** How many groups have a total that Perun was not told yet. */
  dirtyGroups(): Promise<number | undefined>
  /** Bytes that the ledger takes, and that are free where it is. */
  ledgerBytes(): Promise<number | undefined>
  ledgerFreeBytes(): Promise<number | undefined>
  /** Whether the file of targets can be used. */
  targetsFileOk(): boolean | undefined
  /** 1 for what publishing does: publishing, waiting, stopped or off. */
  publishing(): Counts
  /** How many of the workers that share the ledger are in each state. */
  replicas(): Counts | Promise<Counts>
}

const bounds = ['early', 'expected', 'late'] as const
/** When credits run out as expected, and the ends of the range that holds it in four of five cases. */
type Bound = (typeof bounds)[number]

/** What is shown of groups: approximate numbers. */
export interface GroupNumbers {
  readonly groups: readonly {
    readonly group: string
    readonly used: number
    readonly granted: number | undefined
    /** Of the forecast, as far as it is known. */
    readonly burnPerDay: number | undefined
    /** In milliseconds since 1970. */
    readonly runsOut: Readonly<Partial<Record<Bound, number | undefined>>>
  }[]
  /** Groups beyond those that are shown. */
  readonly leftOut: number
}

type Counts = Readonly<Record<string, number>>

/** All metrics of one worker in a registry of their own; `version` is the program's. */
export function createMetrics({ version }: { version: string }) {
  const registry = new Registry()
  const readers: Partial<Readers> = {}
  collectDefaultMetrics({ register: registry })
  buildInfo(registry, version)
  liveGauges(registry, readers)

  return {
    registry,
    /** Adds to what is read live. */
    provide: (more: Partial<Readers>) => void Object.assign(readers, more),
    /** From now on, also shows each group by its name. */
    showGroups(read: () => Promise<GroupNumbers>, { withForecasts }: { withForecasts: boolean }) {
      groupGauges(registry, shared(read), withForecasts)
    },
    ...sourceMetrics(registry),
    ...pushMetrics(registry),
    ...ledgerMetrics(registry),
    ...publishMetrics(registry),
    ...notifyMetrics(registry),
    ...httpMetrics(registry),
  }
}

/** Asks once for all who ask before the answer is there. */
export function shared<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let asked: Promise<Answer> | undefined
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined
    })
    return asked
  }
}

/** The address of a target as it is shown: without login, query and fragment. */
export function targetLabel(url: string): string {
  const parsed = URL.parse(url)
  return parsed === null ? 'invalid' : `${parsed.origin}${parsed.pathname}`
}

const SCRAPE_OUTCOMES = ['delivered', 'undelivered', 'failed']

function targetMetrics(registry: Registry) {
  return {
    scrapes: counter(registry, 'scrapes_total', 'Scrapes of a target by outcome.', ['target', 'outcome']),
    scrapeSeconds: histogram(registry, 'scrape_duration_seconds', 'Duration of a scrape.', CALL_SECONDS, ['target']),
    targetUp: gauge(registry, 'target_up', 'Whether the last scrape of a target worked: 1 or 0.', ['target']),
    lastSuccess: gauge(
      registry,
      'target_last_success_timestamp_seconds',
      'When the last scrape of a target that was recorded ended, in seconds since 1970.',
      ['target'],
    ),
  }
}

function sourceMetrics(registry: Registry) {
  const ofTargets = targetMetrics(registry)
  return {
    ...ofTargets,
    /** What is not scraped any more is not shown any more. */
    forgetTarget(target: string) {
      for (const outcome of SCRAPE_OUTCOMES) ofTargets.scrapes.remove({ target, outcome })
      for (const metric of [ofTargets.scrapeSeconds, ofTargets.targetUp, ofTargets.lastSuccess])
        metric.remove({ target })
    },
    parseErrors: counter(registry, 'parse_errors_total', 'Lines of an exposition that could not be read.', []),
    rejectedSamples: counter(registry, 'rejected_samples_total', 'Samples that are no readings, by reason.', [
      'reason',
    ]),
    readings: counter(registry, 'readings_total', 'Readings by what was decided about them.', ['decision']),
  }
}

function pushMetrics(registry: Registry) {
  return {
    pushes: counter(registry, 'pushes_total', 'Pushes of readings by protocol and outcome.', ['protocol', 'outcome']),
    pushSeconds: histogram(
      registry,
      'push_duration_seconds',
      'Time from the beginning of a push until it was recorded or refused.',
      CALL_SECONDS,
      ['protocol'],
    ),
    pushedSamples: counter(registry, 'pushed_samples_total', 'Pushed samples by what they are.', ['protocol', 'kind']),
    lastPush: gauge(
      registry,
      'push_last_success_timestamp_seconds',
      'When the last push that was recorded came, in seconds since 1970.',
      ['protocol'],
    ),
  }
}

function ledgerMetrics(registry: Registry) {
  return {
    commitSeconds: histogram(
      registry,
      'ledger_commit_seconds',
      'Duration of a commit of the ledger.',
      COMMIT_SECONDS,
      [],
    ),
    entries: counter(registry, 'entries_total', 'Entries written to the ledger by kind.', ['kind']),
    chargedCredits: counter(registry, 'charged_credits_total', 'Credits charged, to about 15 digits.', []),
  }
}

function publishMetrics(registry: Registry) {
  return {
    publishes: counter(registry, 'publishes_total', 'Publishes of a group by outcome.', ['outcome']),
    publishSeconds: histogram(registry, 'publish_seconds', 'Duration of a publish.', CALL_SECONDS, []),
    readToWrite: histogram(
      registry,
      'perun_read_to_write_seconds',
      'Time from the beginning of a read of Perun to the write that relies on it: an edit in between is overwritten.',
      WINDOW_SECONDS,
      [],
    ),
    doubtfulWrites: histogram(
      registry,
      'perun_doubtful_write_seconds',
      'Age of a write to Perun that was never answered when it was known what came of it: arrived, late (after a newer one) or lost.',
      DOUBT_SECONDS,
      ['outcome'],
    ),
    drifts: counter(registry, 'drift_total', 'Values in Perun that this worker did not write.', []),
    perunCalls: counter(registry, 'perun_calls_total', 'Calls of Perun by outcome.', ['method', 'outcome']),
    perunCallSeconds: histogram(registry, 'perun_call_seconds', 'Duration of a call of Perun.', CALL_SECONDS, [
      'method',
    ]),
  }
}

function notifyMetrics(registry: Registry) {
  return {
    notices: counter(registry, 'notices_total', 'Notices of groups by what became of them.', ['kind', 'state']),
    messages: counter(registry, 'messages_total', 'Attempts to send mails and webhooks by outcome.', [
      'channel',
      'outcome',
    ]),
  }
}

function httpMetrics(registry: Registry) {
  return {
    httpRequests: counter(registry, 'http_requests_total', 'Answered HTTP requests.', ['route', 'status']),
    httpSeconds: histogram(registry, 'http_request_seconds', 'Duration of an HTTP request.', CALL_SECONDS, ['route']),
  }
}

function buildInfo(registry: Registry, version: string) {
  gauge(registry, 'build_info', 'Always 1; the version of the program is a label.', ['version']).set({ version }, 1)
}

function liveGauges(registry: Registry, readers: Partial<Readers>) {
  liveGauge(registry, 'pushes_under_way', 'Pushes that arrive or wait to be recorded.', () =>
    readers.pushesUnderWay?.(),
  )
  liveGauge(registry, 'queue_size', 'Groups that wait for a lane.', () => readers.queueSize?.() ?? 0)
  liveGauge(registry, 'lanes', 'Lanes at work.', () => readers.lanes?.() ?? 0)
  liveGauge(
    registry,
    'ledger_writable',
    'Whether the ledger can be written: 1 or 0.',
    () => readers.ledgerWritable?.() ?? 0,
  )
  liveGauge(registry, 'targets_file_ok', 'Whether the file of targets can be used: 1 or 0.', () =>
    readers.targetsFileOk?.(),
  )
  liveGauge(registry, 'ledger_bytes', 'Size of the ledger and of its log.', () => readers.ledgerBytes?.())
  liveGauge(registry, 'ledger_free_bytes', 'Space that is left on the disk of the ledger.', () =>
    readers.ledgerFreeBytes?.(),
  )
  liveGauge(registry, 'dirty_groups', 'Groups whose total Perun was not told yet.', () => readers.dirtyGroups?.())
  liveCounts(registry, 'publishing', 'What publishing does, as 1: publishing, waiting, stopped, off.', 'state', () =>
    readers.publishing?.(),
  )
  liveCounts(registry, 'replicas', 'Workers that share the ledger, by state: working, gone.', 'state', () =>
    readers.replicas?.(),
  )
  liveCounts(registry, 'groups', 'Groups by state.', 'state', () => readers.groups?.())
  liveCounts(registry, 'holds', 'Unresolved holds by kind.', 'kind', () => readers.holds?.())
}

type Live = number | boolean | undefined

/** What is not known is not shown: 0 would say that it is nothing. */
function liveGauge(registry: Registry, name: string, help: string, read: () => Live | Promise<Live>) {
  new Gauge({
    name: PREFIX + name,
    help,
    registers: [registry],
    async collect() {
      const value = await read()
      if (value === undefined) this.remove()
      else this.set(Number(value))
    },
  })
}

function groupGauges(registry: Registry, read: () => Promise<GroupNumbers>, withForecasts: boolean) {
  type Numbers = GroupNumbers['groups'][number]
  const one = (number: 'used' | 'granted' | 'burnPerDay') => (numbers: Numbers) => [
    { labels: { group: numbers.group }, value: numbers[number] },
  ]
  const show = (name: string, help: string, labelNames: readonly string[], valuesOf: (numbers: Numbers) => Shown[]) =>
    unkeptGauge(registry, name, help, labelNames, async () => (await read()).groups.flatMap(valuesOf))
  show('group_used_credits', 'Credits that a group has used, to about 15 digits.', ['group'], one('used'))
  show(
    'group_granted_credits',
    'Credits that are granted to a group in Perun, to about 15 digits.',
    ['group'],
    one('granted'),
  )
  liveGauge(registry, 'group_metrics_left_out', 'Groups beyond those that metrics show by name.', () =>
    read().then(({ leftOut }) => leftOut),
  )
  if (!withForecasts) return
  show('group_burn_credits_per_day', 'Credits that a group uses a day at present.', ['group'], one('burnPerDay'))
  show(
    'group_runs_out_timestamp_seconds',
    'When the credits of a group run out, in seconds since 1970: as expected, and in four of five cases between early and late.',
    ['group', 'bound'],
    ({ group, runsOut }) => bounds.map((bound) => ({ labels: { group, bound }, value: inSeconds(runsOut[bound]) })),
  )
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms / 1_000)
}

interface Shown {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | undefined
}

/** Very many values, which are not kept from one answer to the next. */
function unkeptGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => Promise<readonly Shown[]>,
) {
  const gauge = new Gauge({ name: PREFIX + name, help, labelNames, registers: [registry] })
  const get = gauge.get.bind(gauge)
  gauge.get = async () => {
    const known = (await read()).filter((each): each is Shown & { value: number } => each.value !== undefined)
    return { ...(await get()), values: known }
  }
}

/** A label value that is no longer counted disappears instead of keeping its last number. */
function liveCounts(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => Counts | Promise<Counts> | undefined,
) {
  new Gauge({
    name: PREFIX + name,
    help,
    labelNames: [label],
    registers: [registry],
    async collect() {
      const counts = (await read()) ?? {}
      this.reset()
      for (const [value, count] of Object.entries(counts)) this.set({ [label]: value }, count)
    },
  })
}

function counter<L extends string>(registry: Registry, name: string, help: string, labelNames: L[]): Counter<L> {
  return new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] })
}

function gauge<L extends string>(registry: Registry, name: string, help: string, labelNames: L[]): Gauge<L> {
  return new Gauge({ name: PREFIX + name, help, labelNames, registers: [registry] })
}

function histogram<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  buckets: number[],
  labelNames: L[],
): Histogram<L> {
  return new Histogram({ name: PREFIX + name, help, buckets, labelNames, registers: [registry] })
}
