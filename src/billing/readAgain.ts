/**
 * Reads the readings of a plan again and hands them to the intake, as scrapes would have brought them.
 *
 * Nothing is remembered about how far it came: what is not later than its watermark changes nothing, so whoever was
 * interrupted begins again, at the last finished chunk or at the beginning.
 */
import { noRejections, type Rejection, type Rejections } from '../core/admit.ts'
import { type CatchUpPlan, createThinning, keyOf, type Takeover, takeoverKey } from '../core/catchUp.ts'
import type { Reading } from '../core/series.ts'
import type { Clock, Instant } from '../core/time.ts'
import { type Archive, ArchiveError } from '../sources/archive.ts'
import type { Deliver } from '../sources/source.ts'

export interface ReadAgainOptions {
  readonly archive: Archive
  /** Resolves when it is durable. */
  readonly take: Deliver
  readonly clock: Clock
  readonly newTaskId: () => string
  /** Keeps one reading of a series in so many milliseconds; 0 keeps all. */
  readonly step: number
  /** Told after each chunk, when all until then is durable. */
  readonly onProgress?: (progress: Progress) => void
}

export interface Progress {
  /** All until then is done. */
  readonly upTo: Instant
  /** Readings handed over so far. */
  readonly readings: number
}

export interface ReadAgain {
  readonly readings: number
  readonly rejected: Readonly<Rejections>
  /** Takeovers whose reading could not be had: they begin with the first one after it. */
  readonly missing: readonly Takeover[]
}

/**
 * @param signal Ends it after the present chunk.
 * @throws {ArchiveError} if it cannot be read on.
 * @throws {LedgerError} if it cannot be recorded.
 */
export async function readAgain(
  plan: CatchUpPlan,
  { archive, take, clock, newTaskId, step, onProgress }: ReadAgainOptions,
  signal: AbortSignal,
): Promise<ReadAgain> {
  const missing = new Map(plan.takeovers.map((each) => [takeoverKey(each), each]))
  const thin = createThinning(step)
  const rejected = noRejections()
  let count = 0

  async function hand(readings: readonly Reading[], turnedAway: Readonly<Rejections>): Promise<void> {
    for (const { series, at } of readings) {
      const key = keyOf(series)
      if (missing.get(key)?.at === at) missing.delete(key)
    }
    const delivery = { id: newTaskId(), source: archive.name, receivedAt: clock.now() }
    await take({ ...delivery, readings, rejected: noRejections() })
    count += readings.length
    for (const [reason, times] of Object.entries(turnedAway)) rejected[reason as Rejection] += times
  }

  async function readAll(): Promise<void> {
    for (const moment of momentsOf(plan.alone)) await hand(await archive.readAt(moment, signal), noRejections())
    for await (const chunk of archive.read(plan.period, signal)) {
      const wanted = chunk.readings.filter(({ series, at }) => at >= (plan.startOf(series) ?? Number.POSITIVE_INFINITY))
      await hand(thin(wanted), chunk.rejected)
      onProgress?.({ upTo: chunk.upTo, readings: count })
      if (signal.aborted) return
    }
  }

  await readAll().catch((error: unknown) => {
    // Who stopped it in the middle of an answer has what came before.
    if (!(signal.aborted && error instanceof ArchiveError)) throw error
  })
  return { readings: count, rejected, missing: [...missing.values()] }
}

/** Those of one instant are asked for together; in order of time, so that what is told of them is. */
function* momentsOf(takeovers: readonly Takeover[]) {
  const sorted = takeovers.toSorted((a, b) => a.at - b.at)
  for (const [, own] of Map.groupBy(sorted, ({ site, metric, at }) => `${at} ${site} ${metric}`)) {
    const { site, metric, at } = own[0]!
    yield { site, metric, at, projectNames: own.map(({ group }) => group) }
  }
}
