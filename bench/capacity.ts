/**
 * What so many groups cost one worker with a SQLite ledger, computed from measured costs, what breaks first and what takes over.
 *
 *   node bench/capacity.ts [name=value …]
 *
 * Each cost below has a default that was measured on the machine of docs/PERFORMANCE.md, where its origin is said; whoever has
 * figures of another machine gives them: `node bench/capacity.ts readingMicros=30 callMs=80 workers=20`.
 */
import { table } from './report.ts'

/** A number that the plan is computed from. */
interface Given {
  readonly value: number
  readonly unit: string
  readonly origin: string
}

const given = (value: number, unit: string, origin: string): Given => ({ value, unit, origin })

/** Costs that were measured, and what is wanted. */
export const inputs = {
  metersOfGroup: given(2, 'series', 'vCPU and RAM'),
  intervalSeconds: given(60, 's', 'OS_CREDITS_SCRAPE_INTERVAL'),
  workers: given(10, 'writes', 'OS_CREDITS_WORKERS'),
  callMs: given(
    20,
    'ms',
    'latency that Perun is given in bench/round.ts; measure your own: perun_call_seconds in /metrics',
  ),
  readingMicros: given(28, 'µs', 'bench/ingest.ts: further deliveries, text to ledger'),
  hourMicros: given(46, 'µs', 'bench/ingest.ts: next hour, text to ledger'),
  publishMs: given(0.6, 'ms', 'bench/round.ts: CPU of a round, without recording, ÷ writes'),
  entryBytes: given(
    397,
    'B',
    'bench/history.ts 10000000: size of the file ÷ entries; indexes and sums of days included',
  ),
  seriesBytes: given(400, 'B', 'docs/ARCHITECTURE.md, what is kept: a series that was opened'),
  baseMiB: given(154, 'MiB', 'bench/round.ts 500: RSS after the rounds, without its groups'),
  groupBytes: given(6_300, 'B', 'bench/round.ts 500 and 4000: difference of RSS ÷ groups'),
  bulkBytes: given(
    2_031,
    'B',
    "an answer of the simulator to the bulk read ÷ groups; Perun's beans have the same fields",
  ),
  lookMicros: given(
    45,
    'µs',
    'CPU of the bulk read of 10,000 groups ÷ groups; the time that Perun itself takes comes on top',
  ),
  maxAgeSeconds: given(10, 's', 'OS_CREDITS_PERUN_MAX_AGE'),
  cpuShare: given(0.5, 'of a core', 'wanted: recording takes no more, so that publishing and people have the rest'),
  perunAgeSeconds: given(900, 's', 'wanted: what Perun shows is not older'),
  memoryMiB: given(700, 'MiB', 'wanted: resident memory'),
  diskGiB: given(100, 'GiB', 'wanted: a year of the ledger'),
  seriesOfTarget: given(250_000, 'series', 'OS_CREDITS_MAX_SERIES'),
} satisfies Record<string, Given>

export type Costs = Readonly<Record<keyof typeof inputs, number>>

export const defaults = Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value])) as Costs

/** Something that ends somewhere. */
interface Limit {
  readonly what: string
  /** How much of what is wanted or possible is used; more than 1 is too much. Rises with the groups. */
  readonly share: (groups: number, costs: Costs) => number
  /** What takes over. */
  readonly next: string
}

export const limits: readonly Limit[] = [
  {
    what: 'the disk',
    share: (groups, costs) => diskBytesOfYear(groups, costs) / (costs.diskGiB * 2 ** 30),
    next: 'partitioned PostgreSQL: partitions on several disks, old ones on cheap ones',
  },
  {
    what: 'memory',
    share: (groups, costs) => memoryMiB(groups, costs) / costs.memoryMiB,
    next: 'workers on PostgreSQL that share out targets and groups',
  },
  {
    what: 'a look at all groups of Perun',
    share: (groups, costs) => (groups * costs.lookMicros) / 1e6 / costs.maxAgeSeconds,
    next: 'a longer OS_CREDITS_PERUN_MAX_AGE, else each group is read by itself; then several Perun writers, each with its sites',
  },
  {
    what: 'recording',
    share: (groups, costs) => recording(groups, costs) / costs.cpuShare,
    next: 'Prometheus as reading store, of which the worker takes fewer readings; then workers on PostgreSQL that share out targets',
  },
  {
    what: 'the age of what Perun shows',
    share: (groups, costs) => (groups * secondsOfWrite(costs)) / costs.perunAgeSeconds,
    next: 'more OS_CREDITS_WORKERS until a core is full; then several Perun writers: replicas on PostgreSQL',
  },
]

function diskBytesOfYear(groups: number, costs: Costs): number {
  return groups * costs.metersOfGroup * (24 * 365 * costs.entryBytes + costs.seriesBytes)
}

function memoryMiB(groups: number, costs: Costs): number {
  return costs.baseMiB + (groups * costs.groupBytes) / 2 ** 20
}

/** Part of a core. */
function recording(groups: number, { metersOfGroup, intervalSeconds, readingMicros, hourMicros }: Costs): number {
  const scrapesOfHour = 3_600 / intervalSeconds
  return (groups * metersOfGroup * (readingMicros * Math.max(0, scrapesOfHour - 1) + hourMicros)) / 3.6e9
}

/** Writes follow each other at the pace of Perun, or of one core. */
function secondsOfWrite({ callMs, workers, publishMs }: Costs): number {
  return Math.max(callMs / workers, publishMs) / 1_000
}

/** The number of groups at which a limit is reached. */
function endOf({ share }: Limit, costs: Costs): number {
  let [low, high] = [0, 1e12]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (share(middle, costs) > 1) high = middle
    else low = middle
  }
  return low
}

const SIZES = [1_000, 10_000, 100_000, 1_000_000]

/** What so many groups cost, as docs/PERFORMANCE.md has it; the first row is the head. */
export function costTable(costs: Costs): string[][] {
  const write = secondsOfWrite(costs)
  const head = ['groups', 'series', 'recording', 'a round', 'writes/s', 'publishing meanwhile', 'a look at all groups']
  const rows = SIZES.map((groups) => [
    shown(groups),
    shown(groups * costs.metersOfGroup),
    percent(recording(groups, costs)),
    `${shown(groups * write)} s`,
    shown(1 / write),
    percent(costs.publishMs / 1_000 / write),
    `${shown((groups * costs.bulkBytes) / 2 ** 20)} MiB`,
    `${shown(diskBytesOfYear(groups, costs) / 2 ** 30)} GiB`,
    `${shown(memoryMiB(groups, costs))} MiB`,
    shown(Math.ceil((groups * costs.metersOfGroup) / costs.seriesOfTarget)),
    firstToBreak(groups, costs),
  ])
  return [[...head, 'ledger of a year', 'memory', 'targets', 'what breaks first'], ...rows]
}

/** What ends where, the first one first. */
export function limitTable(costs: Costs): string[][] {
  const rows = limits
    .map((limit) => ({ ...limit, end: endOf(limit, costs) }))
    .sort((a, b) => a.end - b.end)
    .map(({ what, end, next }) => [what, shown(Number(end.toPrecision(2))), next])
  return [['what ends', 'at groups', 'what takes over'], ...rows]
}

function firstToBreak(groups: number, costs: Costs): string {
  const [{ what, share }] = limits
    .map((limit) => ({ what: limit.what, share: limit.share(groups, costs) }))
    .sort((a, b) => b.share - a.share) as [{ what: string; share: number }]
  return share > 1 ? `${what}: ${shown(share, 1)} times too much` : `nothing; ${what} is at ${percent(share)}`
}

function shown(number: number, digits = 0): string {
  return number.toLocaleString('en', { maximumFractionDigits: digits })
}

function percent(share: number): string {
  return `${shown(100 * share, share < 0.1 ? 1 : 0)} %`
}

function readArguments(): Costs {
  const costs: Record<string, number> = { ...defaults }
  for (const argument of process.argv.slice(2)) {
    const [name = '', value] = argument.split('=')
    if (!Object.hasOwn(costs, name) || !(Number(value) > 0))
      throw new RangeError(`Expected NAME=NUMBER with one of ${Object.keys(defaults).join(', ')}, got "${argument}"`)
    costs[name] = Number(value)
  }
  return costs as Costs
}

if (import.meta.main) {
  const costs = readArguments()
  const rows = Object.entries(inputs).map(([name, { value, unit, origin }]) => {
    const used = costs[name as keyof Costs]
    return [name, String(used), unit, used === value ? origin : `given; else ${value}: ${origin}`]
  })
  table([['from', 'value', 'unit', 'origin'], ...rows])
  console.log()
  table(costTable(costs))
  console.log()
  table(limitTable(costs))
}
