/**
 * Takes deliveries over from the sources: one after another, in parts that do not keep the program from answering.
 *
 * When `take` resolves, all of the delivery is durable. When it rejects, some parts may be and the rest is not: delivering
 * it again is harmless, because what was recorded is not later than its watermark.
 */
import PQueue from 'p-queue'
import type { Rejections } from '../core/admit.ts'
import type { Meters } from '../core/meters.ts'
import { portioning } from '../core/portions.ts'
import type { Reading } from '../core/series.ts'
import type { SmallSites } from '../core/smallSite.ts'
import { sorting } from '../core/sorting.ts'
import type { Clock } from '../core/time.ts'
import { type Hold, type Ledger, type Recorded, TotalTooLargeError } from '../ledger/ledger.ts'
import { inTurns, nextTurn } from '../sources/inTurns.ts'
import type { Delivery, Lateness } from '../sources/source.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Billed, type BillingContext, bill, type Outcome } from './biller.ts'
import { createPartSize, fixedPartSize } from './partSize.ts'
import { createSeriesLimit, type SeriesLimit } from './seriesLimit.ts'
import { agreeingClocks, createJudge, unitKeys, type Verdicts } from './sites.ts'
import { createUnitWarning } from './unitWarning.ts'

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
  /** Told which groups have a new total, once for a delivery and as soon as all is recorded that it has of them. */
  readonly onChanged: (groups: readonly string[]) => void
  /** Readings recorded in one transaction; if not given, as many as take some milliseconds. */
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

/** Readings that are looked at in one go; then other work has its turn. */
const LOOK = 2_000

/**
 * Turns for others between two parts. Publishing goes on in steps (an answer comes, what it leads to is recorded, the next write is
 * sent), none of which should have to wait for a part: with one turn, half as many groups are written meanwhile.
 */
const TURNS = 3

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
  part,
}: IntakeOptions): Intake {
  const queue = new PQueue({ concurrency: 1 })
  const warnUnit = createUnitWarning(meters, logger)
  const size = part === undefined ? createPartSize() : fixedPartSize(part)

  async function record({ source, readings, rejected }: Delivery): Promise<Lateness> {
    const outcomes: Partial<Record<Outcome, number>> = {}
    const changed = new Set<string>()
    const limit = createSeriesLimit(source, maxSeries, await ledger.openedBy(source))
    const portions = await inTurns(portioning(readings))
    let admitted = 0
    try {
      for (const [index, portion] of portions.entries()) {
        const look = await lookAt(portion, limit)
        admitted += look.readings.length
        const isLast = index === portions.length - 1
        const { holds, released } = isLast ? conclusionsOf(readings, source, limit) : { holds: [], released: [] }
        await recordPortion(look, isLast, { source, outcomes, changed, holds, released })
      }
    } finally {
      tell(changed, changed)
    }
    onRejected?.(rejected)
    const { surplus } = limit.outcome()
    countUnrecorded({ surplus, stale: readings.length - surplus - admitted }, outcomes)
    await inTurns(warnUnit(readings))
    const level = (outcomes.held ?? 0) + (outcomes.rebased ?? 0) + (outcomes.redated ?? 0) > 0 ? 'warn' : 'debug'
    logger[level]({ source, readings: readings.length, outcomes }, 'Delivery recorded')
    return { late: outcomes.late ?? 0, outdated: outcomes.outdated ?? 0 }
  }

  /** What a portion as a whole says, before any of it is recorded. */
  async function lookAt(portion: readonly Reading[], limit: SeriesLimit): Promise<Look> {
    const judge = createJudge(smallSites)
    const readings: Reading[] = []
    let since = 0
    for (const some of parts(await inTurns(sorting(portion, byGroup)), part ?? LOOK)) {
      const stored = await ledger.stored(some.map(({ series }) => series))
      judge.look(some, stored)
      for (const reading of limit.admit(some, stored)) readings.push(reading)
      since += some.length
      if (since < LOOK) continue
      since = 0
      await nextTurn()
    }
    return { readings, verdicts: await judge.verdicts(ledger) }
  }

  /** What only all of a delivery tells. */
  function conclusionsOf(readings: readonly Reading[], source: string, limit: SeriesLimit) {
    const { holds, released } = limit.outcome()
    return { holds, released: [...agreeingClocks(readings, clock.now(), source), ...released] }
  }

  async function recordPortion(
    { readings, verdicts }: Look,
    isLast: boolean,
    about: Omit<Progress, 'verdicts'>,
  ): Promise<void> {
    let { holds, released } = about
    let begin = 0
    // At least one part: without readings there may still be something to record about the delivery.
    do {
      const some = readings.slice(begin, begin + size.next)
      const before = performance.eventLoopUtilization()
      await recordPart(some, { ...about, verdicts, holds, released })
      size.took(some.length, performance.eventLoopUtilization(before).active)
      begin += some.length
      holds = []
      released = []
      if (isLast) tell(complete(some, readings[begin]), about.changed)
      for (let turns = begin < readings.length ? TURNS : 1; turns > 0; turns -= 1) await nextTurn()
    } while (begin < readings.length)
  }

  /** Tells those of some groups that changed: once each, as they are published whenever they are told. */
  function tell(groups: Iterable<string>, changed: Set<string>): void {
    const some = [...groups].filter((group) => changed.delete(group))
    if (some.length > 0) onChanged(some)
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

function* parts(readings: readonly Reading[], size: number): Generator<readonly Reading[]> {
  for (let start = 0; start < readings.length; start += size) yield readings.slice(start, start + size)
}

/** The groups of a part whose readings are all recorded: those of a group come together, and the next part may begin with more. */
function complete(part: readonly Reading[], next: Reading | undefined): Set<string> {
  const groups = new Set(part.map(({ series }) => series.projectName))
  if (next !== undefined) groups.delete(next.series.projectName)
  return groups
}

/** The readings of a group together, so that its total is written once, and told as soon as it is. */
function byGroup(a: Reading, b: Reading): number {
  const [left, right] = [a.series.projectName, b.series.projectName]
  return left === right ? 0 : left < right ? -1 : 1
}

function addUp(total: Partial<Record<Outcome, number>>, part: Partial<Record<Outcome, number>>): void {
  for (const [outcome, count] of Object.entries(part) as [Outcome, number][]) {
    total[outcome] = (total[outcome] ?? 0) + count
  }
}
