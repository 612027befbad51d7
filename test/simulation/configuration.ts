/** What a seed stands for: how large its world is, which faults there are, and how often. */
import { MINUTE, SECOND } from '#src/core/time.ts'
import { Random } from './random.ts'

export interface Configuration {
  readonly seed: number
  /** How long faults happen, in ms; quiet time follows. */
  readonly duration: number
  readonly interval: number
  /** How often exporters compute their totals. */
  readonly update: number
  readonly sites: number
  readonly projects: number
  /** Readings recorded in one transaction: small, so that a delivery has several. */
  readonly part: number
  readonly workers: number
  readonly precision: number
  /** Units per hour beyond which growth is held; a tight one is met now and then. */
  readonly maxGrowth: number
  /** Series that each target may open: seldom fewer than there are. */
  readonly maxSeries: number
  readonly changesPrice: boolean
  /** A second target for the first site: a Prometheus that federates it, or a second exporter that lags behind. */
  readonly twin: 'none' | 'federated' | 'lagging'
  /** Sites that are read through a federating Prometheus, with timestamps. */
  readonly federated: boolean
  readonly csrf: boolean
  /**
   * Nothing is distorted but one site, once, by a new table of weights; in its projects machines run all the time. The process
   * often dies while it records that.
   */
  readonly isWeightedAnew: boolean
  /** Consumption goes on until the end, or stops when the faults do. */
  readonly staysBusy: boolean
  readonly faults: Faults
}

/** Probabilities for each event, or how many there are in an hour. Zero: never. */
export interface Faults {
  /** The process dies before or after a statement or a call. */
  readonly crash: number
  readonly killsPerHour: number
  /** The process is asked to stop, and started again. */
  readonly stopsPerHour: number
  readonly scrape: number
  readonly oddDelivery: number
  readonly disk: number
  readonly diskWindowsPerHour: number
  readonly perun: number
  readonly perunWindowsPerHour: number
  readonly editsPerHour: number
  readonly changesPerHour: number
  readonly distortionsPerHour: number
  readonly clockStepsPerHour: number
  readonly decisionsPerHour: number
}

const none: Faults = {
  crash: 0,
  killsPerHour: 0,
  stopsPerHour: 0,
  scrape: 0,
  oddDelivery: 0,
  disk: 0,
  diskWindowsPerHour: 0,
  perun: 0,
  perunWindowsPerHour: 0,
  editsPerHour: 0,
  changesPerHour: 0,
  distortionsPerHour: 0,
  clockStepsPerHour: 0,
  decisionsPerHour: 6,
}

/** The most there is of each fault. */
const most: Faults = {
  crash: 0.004,
  killsPerHour: 4,
  stopsPerHour: 2,
  scrape: 0.25,
  oddDelivery: 0.4,
  disk: 0.004,
  diskWindowsPerHour: 1,
  perun: 0.3,
  perunWindowsPerHour: 2,
  editsPerHour: 6,
  changesPerHour: 4,
  distortionsPerHour: 8,
  clockStepsPerHour: 2,
  decisionsPerHour: 12,
}

export function configurationOf(seed: number): Configuration {
  const usual = usualConfiguration(seed)
  if (seed % 20 !== 9) return usual
  const faults = { ...none, scrape: usual.faults.scrape, perun: usual.faults.perun }
  return {
    ...usual,
    projects: 5,
    maxGrowth: 1_000_000_000,
    maxSeries: MANY_SERIES,
    twin: 'none',
    isWeightedAnew: true,
    faults,
  }
}

function usualConfiguration(seed: number): Configuration {
  const random = new Random(seed).branch('configuration')
  const interval = random.pick([30 * SECOND, MINUTE, MINUTE, 2 * MINUTE, 2 * MINUTE, 5 * MINUTE])
  return {
    seed,
    duration: random.whole(25, 60) * interval,
    interval,
    update: random.pick([20 * SECOND, MINUTE, 3 * MINUTE]),
    sites: random.whole(1, 3),
    projects: random.whole(2, 6),
    part: random.pick([1, 2, 3, 5, 2_000]),
    workers: random.pick([1, 2, 4, 12]),
    precision: random.pick([0, 2, 2, 4, 6]),
    maxGrowth: random.pick([1_000_000, 1_000_000, 10_000, 60]),
    maxSeries: random.pick([MANY_SERIES, MANY_SERIES, MANY_SERIES, 7]),
    changesPrice: random.chance(0.5),
    twin: random.pick(['none', 'none', 'federated', 'lagging'] as const),
    federated: random.chance(0.4),
    csrf: random.chance(0.3),
    isWeightedAnew: false,
    staysBusy: random.chance(0.5),
    faults: faultsOf(random),
  }
}

export const MANY_SERIES = 250_000

/** Each fault is there or not; in one seed of ten none is, so that plain arithmetic is looked at for itself. */
function faultsOf(random: Random): Faults {
  if (random.chance(0.1)) return none
  const share = random.pick([0.2, 0.5, 0.8])
  const chosen = Object.entries(most).map(([name, value]) => {
    const level = random.pick([0.2, 0.5, 1])
    return [name, random.chance(share) ? value * level : none[name as keyof Faults]]
  })
  return Object.fromEntries(chosen) as unknown as Faults
}

/**
 * How long it is quiet in the end, longer than anything may take that the faults left behind: a call that is done late, a
 * login that is not tried for a while, a hold that is looked at again. Projects consume for its first half at most.
 */
export const QUIET = 75 * MINUTE
