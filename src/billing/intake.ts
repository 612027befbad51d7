/**
 * Takes deliveries over from the sources: one after another, in parts that do not keep the program from answering.
 *
 * When `take` resolves, all of the delivery is durable. When it rejects, some parts may be and the rest is not: delivering
 * it again is harmless, because what was recorded is not later than its watermark.
 */
import PQueue from 'p-queue'
import type { Rejections } from '../core/admit.ts'
import type { Meters } from '../core/meters.ts'
import { inPortions } from '../core/portions.ts'
import type { Reading } from '../core/series.ts'
import type { SmallSites } from '../core/smallSite.ts'
import type { Clock } from '../core/time.ts'
import { type Hold, type Ledger, type Recorded, TotalTooLargeError } from '../ledger/ledger.ts'
import type { Delivery, Lateness } from '../sources/source.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Billed, type BillingContext, bill, type Outcome, ramPerCpu } from './biller.ts'
import { createSeriesLimit, type SeriesLimit } from './seriesLimit.ts'
import { agreeingClocks, createJudge, unitKeys, type Verdicts } from './sites.ts'

export interface IntakeOptions {
  readonly ledger: Pick<Ledger, 'record' | 'stored' | 'openedBy' | 'seriesOf' | 'openHolds' | 'latestJump'>
  /** How many series a target may open. */
  readonly maxSeries: number
  /** What is done with growth that no pace explains in a small site; `hold` if not given. */
  readonly smallSites?: SmallSites
  readonly meters: Meters
  readonly clock: Clock
  readonly logger: Logger
  /** Told what became of readings, when it is durable. */
  readonly onBilled?: (billed: Omit<Billed, 'recording'>) => void
  readonly onRejected?: (rejected: Readonly<Rejections>) => void
  /** Told which groups have a new total. */
  readonly onChanged: (groups: readonly string[]) => void
  /** Readings recorded in one transaction; `PART` if not given. */
  readonly part?: number | undefined
}

/** What a delivery has come to so far. */
interface Progress {
  readonly verdicts: Verdicts
  readonly outcomes: Partial<Record<Outcome, number>>
  readonly changed: Set<string>
  readonly source: string
  /** Holds about the delivery as a whole, and those that it shows to be over, until that is recorded. */
  readonly holds: readonly Hold[]
  readonly released: readonly string[]
}

/** What a portion as a whole says. */
interface Look {
  /** Those that are to be recorded, by group. */
  readonly readings: readonly Reading[]
  readonly verdicts: Verdicts
}

export interface Intake {
  take(delivery: Delivery): Promise<Lateness>
  /** Deliveries that wait or are being recorded. */
  readonly size: number
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>
}

/** Readings recorded in one transaction: some 20 ms of work, so that a health check never waits long. */
const PART = 2_000

/** GiB per vCPU: real clouds lie between 1 and 64. Beyond these, RAM is counted in another unit than the meter says. */
const PLAUSIBLE_RATIO = { least: 0.05, most: 512 }

export function createIntake({
  ledger,
  maxSeries,
  smallSites,
  meters,
  clock,
  logger,
  onBilled,
  onRejected,
  onChanged,
  part: size = PART,
}: IntakeOptions): Intake {
  const queue = new PQueue({ concurrency: 1 })
  const warnUnit = createUnitWarning(meters, logger)

  async function record({ source, readings, rejected }: Delivery): Promise<Lateness> {
    const outcomes: Partial<Record<Outcome, number>> = {}
    const changed = new Set<string>()
    const limit = createSeriesLimit(source, maxSeries, await ledger.openedBy(source))
    const portions = inPortions(readings)
    let admitted = 0
    try {
      for (const [index, portion] of portions.entries()) {
        const look = await lookAt(portion, limit)
        admitted += look.readings.length
        const isLast = index === portions.length - 1
        const { holds, released } = isLast ? conclusionsOf(readings, source, limit) : { holds: [], released: [] }
        await recordPortion(look, { source, outcomes, changed, holds, released })
      }
    } finally {
      // A group has readings in several parts: told after each, it would be published more than once.
      if (changed.size > 0) onChanged([...changed])
    }
    onRejected?.(rejected)
    const { surplus } = limit.outcome()
    countUnrecorded({ surplus, stale: readings.length - surplus - admitted }, outcomes)
    warnUnit(readings)
    const level = (outcomes.held ?? 0) + (outcomes.rebased ?? 0) + (outcomes.redated ?? 0) > 0 ? 'warn' : 'debug'
    logger[level]({ source, readings: readings.length, outcomes }, 'Delivery recorded')
    return { late: outcomes.late ?? 0, outdated: outcomes.outdated ?? 0 }
  }

  /** What a portion as a whole says, before any of it is recorded. */
  async function lookAt(portion: readonly Reading[], limit: SeriesLimit): Promise<Look> {
    const judge = createJudge(smallSites)
    const readings: Reading[] = []
    for (const part of parts(portion.toSorted(byGroup), size)) {
      const stored = await ledger.stored(part.map(({ series }) => series))
      judge.look(part, stored)
      for (const reading of limit.admit(part, stored)) readings.push(reading)
    }
    return { readings, verdicts: await judge.verdicts(ledger) }
  }

  /** What only all of a delivery tells. */
  function conclusionsOf(readings: readonly Reading[], source: string, limit: SeriesLimit) {
    const { holds, released } = limit.outcome()
    return { holds, released: [...agreeingClocks(readings, clock.now(), source), ...released] }
  }

  async function recordPortion({ readings, verdicts }: Look, about: Omit<Progress, 'verdicts'>): Promise<void> {
    let { holds, released } = about
    for (const part of parts(readings, size)) {
      await recordPart(part, { ...about, verdicts, holds, released })
      holds = []
      released = []
      await nextTurn()
    }
  }

  /** Those of series that may not be opened, and those that came twice. */
  function countUnrecorded(counts: { surplus: number; stale: number }, outcomes: Progress['outcomes']): void {
    const some = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
    if (Object.keys(some).length === 0) return
    addUp(outcomes, some)
    onBilled?.({ outcomes: some, charged: 0n, begun: 0 })
  }

  async function recordPart(part: readonly Reading[], progress: Progress): Promise<void> {
    const { outcomes, changed, ...about } = progress
    // Asked for each part: a person may decide meanwhile.
    const unitHolds = await ledger.openHolds(unitKeys(part))
    const { billed, groups, opened } = await billPart(part, { ...about, unitHolds })
    onBilled?.(billed)
    addUp(outcomes, billed.outcomes)
    for (const group of groups) changed.add(group)
    for (const { kind, site, group, reason } of opened) logger.warn({ hold: kind, site, group }, reason)
  }

  /** A group whose total can take no more is billed again without charges, so that all others get theirs. */
  async function billPart(
    part: readonly Reading[],
    about: Omit<BillingContext, 'meters' | 'now'>,
  ): Promise<Recorded & { billed: Billed }> {
    let billed: Billed | undefined
    try {
      const recorded = await ledger.record(
        part.map(({ series }) => series),
        (stored) => {
          billed = bill(part, stored, { ...about, meters, now: clock.now() })
          return billed.recording
        },
      )
      return { ...recorded, billed: billed! }
    } catch (error) {
      if (!(error instanceof TotalTooLargeError) || about.full !== undefined) throw error
      return billPart(part, { ...about, full: new Set(error.groups) })
    }
  }

  return {
    take: (delivery) => queue.add(() => record(delivery)),
    get size() {
      return queue.size + queue.pending
    },
    idle: () => queue.onIdle(),
  }
}

/** At least one part: without readings there may still be something to record about the delivery. */
function* parts(readings: readonly Reading[], size: number): Generator<readonly Reading[]> {
  yield readings.slice(0, size)
  for (let start = size; start < readings.length; start += size) yield readings.slice(start, start + size)
}

/** Lets what else there is to do have its turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The readings of a group together, so that its total is written once. */
function byGroup(a: Reading, b: Reading): number {
  const [left, right] = [a.series.projectName, b.series.projectName]
  return left === right ? 0 : left < right ? -1 : 1
}

function addUp(total: Partial<Record<Outcome, number>>, part: Partial<Record<Outcome, number>>): void {
  for (const [outcome, count] of Object.entries(part) as [Outcome, number][]) {
    total[outcome] = (total[outcome] ?? 0) + count
  }
}

/** Nobody reads more warnings than this. */
const MOST_WARNED = 1_000

/** Warns once for each site whose RAM looks as if it were counted in another unit: old exporters count MiB·h. */
function createUnitWarning(meters: Meters, logger: Logger): (readings: readonly Reading[]) => void {
  const cpu = [...meters.values()].find(({ unit }) => unit === 'vCPU·h')
  const ram = [...meters.values()].find(({ unit }) => unit === 'GiB·h' || unit === 'MiB·h')
  const warned = new Set<string>()
  return (readings) => {
    if (cpu === undefined || ram === undefined || warned.size >= MOST_WARNED) return
    for (const [site, own] of Map.groupBy(readings, ({ series }) => series.site)) {
      const ratio = warned.has(site) ? undefined : ramPerCpu(own, cpu.metric, ram.metric)
      if (ratio === undefined) continue
      const inGiB = ram.unit === 'GiB·h' ? ratio : ratio / 1_024
      if (inGiB >= PLAUSIBLE_RATIO.least && inGiB <= PLAUSIBLE_RATIO.most) continue
      warned.add(site)
      logger.warn(
        { site, ratio: Math.round(ratio * 100) / 100, unit: ram.unit },
        `Site ${site} reports ${ratio.toPrecision(3)} times as much ${ram.metric} as ${cpu.metric}: its exporter seems to count another unit than the ${ram.unit} of meter ${ram.name}`,
      )
    }
  }
}
