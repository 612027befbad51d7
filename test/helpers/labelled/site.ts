/**
 * A made-up site whose true consumption is known: machines with sizes, flavours and lifetimes, and an exporter that sums them
 * up from its start date on with today's weights, as the real one does.
 *
 * All times are whole seconds since the site began, all sizes whole numbers and weights whole tenths, so what is summed up is
 * exact. A total is shown with nine decimals, cut off: less than a thousandth of a micro-credit is lost.
 */
import type { Random } from './random.ts'

export type Metric = 'cpu' | 'ram'

export interface Machine {
  readonly flavour: number
  readonly from: number
  /** Runs until then. */
  until: number
  /** Not in the sum: deleted and purged, or the cloud did not answer for it. */
  isDropped?: boolean
}

export interface Project {
  readonly name: string
  machines: Machine[]
  /** Taken in by another project: it is not shown any more. */
  isGone?: boolean
}

/** vCPUs and GiB. */
export const flavours = [
  { cpu: 1, ram: 2 },
  { cpu: 2, ram: 4 },
  { cpu: 4, ram: 16 },
  { cpu: 8, ram: 64 },
  { cpu: 28, ram: 64 },
] as const

export type Weights = readonly Readonly<Record<Metric, number>>[]

export interface Site {
  readonly projects: Project[]
  /** The weights, in tenths, and since when they are in force; what was consumed before is charged with the ones before. */
  readonly weights: { readonly since: number; readonly tenths: Weights }[]
  /** What the exporter sums up from. */
  start: number
  /** Machines that ended before are not in its database any more. */
  purgedBefore: number
  /** How much it shows for a GiB·h. */
  ramUnit: number
}

const FOREVER = Number.MAX_SAFE_INTEGER

/** @param age Seconds; some projects are as old as the site, some an hour. */
export function makeSite(random: Random, { projects, age }: { projects: number; age: number }): Site {
  const tenths = flavours.map((_, index) => ({ cpu: 10 + (index > 3 ? 10 : 0), ram: 10 + (index > 2 ? 15 : 0) }))
  return {
    projects: Array.from({ length: projects }, (_, index) => makeProject(random, `project ${index}`, age)),
    weights: [{ since: 0, tenths }],
    start: 0,
    purgedBefore: 0,
    ramUnit: 1,
  }
}

function makeProject(random: Random, name: string, age: number): Project {
  const began = random.isOne(0.3) ? 0 : Math.floor(age - random.magnitude(3_600, age))
  const count = Math.max(1, Math.floor(random.magnitude(1, 12)))
  const isStopped = random.isOne(0.15)
  const favourite = random.whole(0, flavours.length - 1)
  const machines = Array.from({ length: count }, (_, index): Machine => {
    const from = index === 0 ? began : random.whole(began, age - 1)
    const until = isStopped || random.isOne(0.3) ? random.whole(from + 1, age) : FOREVER
    return { flavour: random.isOne(0.7) ? favourite : random.whole(0, flavours.length - 1), from, until }
  })
  return { name, machines }
}

export function runningMachine(flavour: number, from: number): Machine {
  return { flavour, from, until: FOREVER }
}

/** What the exporter computes at an instant, as it writes it; `undefined` for a project it does not show. */
export function shown(site: Site, project: Project, metric: Metric, at: number): string | undefined {
  if (project.isGone === true || project.machines.length === 0) return undefined
  const { tenths } = site.weights.at(-1)!
  let sum = 0
  for (const machine of project.machines) {
    if (machine.isDropped === true || machine.until <= site.purgedBefore) continue
    sum += seconds(machine, site.start, at) * flavours[machine.flavour]![metric] * tenths[machine.flavour]![metric]
  }
  return format(metric === 'ram' ? sum * site.ramUnit : sum)
}

/** Tenths of unit-seconds that a project has really consumed up to an instant, each weighed as it was then. */
export function consumed(site: Site, project: Project, metric: Metric, at: number): number {
  let sum = 0
  for (const machine of project.machines) {
    for (const [index, { since, tenths }] of site.weights.entries()) {
      const until = Math.min(at, site.weights[index + 1]?.since ?? at)
      sum += seconds(machine, since, until) * flavours[machine.flavour]![metric] * tenths[machine.flavour]![metric]
    }
  }
  return sum
}

function seconds({ from, until }: Machine, low: number, high: number): number {
  return Math.max(0, Math.min(until, high) - Math.max(from, low))
}

/** Of tenths of unit-seconds in an hour. */
const PER_HOUR = 36_000n
const NANO = 10n ** 9n

/** Unit-hours with nine decimals, cut off. */
function format(sum: number): string {
  const nanos = (BigInt(sum) * NANO) / PER_HOUR
  return `${nanos / NANO}.${String(nanos % NANO).padStart(9, '0')}`
}

/** Whole micro-credits at one credit per unit-hour. */
export function micros(sum: number): bigint {
  return (BigInt(sum) * 1_000_000n) / PER_HOUR
}
