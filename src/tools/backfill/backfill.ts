/** Reads a period from an archive into a ledger, or into a copy of it to see what would come of that. */
import { patient } from '../../billing/patience.ts'
import { type Progress, readAgain } from '../../billing/readAgain.ts'
import type { Settings } from '../../config/settings.ts'
import { stepFor, type Takeover } from '../../core/catchUp.ts'
import { type Clock, type Instant, MINUTE } from '../../core/time.ts'
import type { HoldKind } from '../../ledger/ledger.ts'
import { sitesOf } from '../../past.ts'
import type { Predecessor } from '../../publish/predecessor.ts'
import type { Archive } from '../../sources/archive.ts'
import { newTaskId } from '../../telemetry/context.ts'
import { type Change, changesOf, totalsOf } from '../totals.ts'
import type { Workbench } from '../workbench.ts'
import { planBackfill } from './plan.ts'

export interface BackfillOptions {
  readonly workbench: Workbench
  readonly archive: Archive
  readonly predecessor: Predecessor | undefined
  readonly settings: Settings
  readonly clock: Clock
  readonly from: Instant | undefined
  /** Now, if not given. */
  readonly to: Instant | undefined
  /** Chosen by the length of the period, if not given. */
  readonly step: number | undefined
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** @param part From 0 to 1. */
  readonly onProgress: (part: number, progress: Progress) => void
  readonly onWait: (reason: string) => void
}

export interface Backfilled {
  /** All until then is recorded; absent if there was nothing to be read. */
  readonly upTo: Instant | undefined
  readonly after: Instant | undefined
  readonly readings: number
  readonly outcomes: Workbench['outcomes']
  readonly changes: readonly Change[]
  /** Takeovers whose reading could not be had. */
  readonly missing: readonly Takeover[]
  /** Holds that are open now and were not before. */
  readonly holds: Readonly<Partial<Record<HoldKind, number>>>
}

/** How long Prometheus may be silent. */
const PATIENCE = MINUTE

export async function backfill(options: BackfillOptions, signal: AbortSignal): Promise<Backfilled> {
  const { workbench, settings, clock, wait, onWait } = options
  const { ledger, take, outcomes } = workbench
  const now = clock.now()
  const archive = patient(options.archive, { clock, limit: PATIENCE, wait, onWait })
  const [before, holds] = [await totalsOf(ledger), (await ledger.summary()).holds]
  const about = { ...options, ledger, archive, sites: sitesOf(settings), meters: settings.meters, now, signal }
  const { plan, standings, lookedUp } = await planBackfill({ ...about, to: options.to ?? now })
  let progress: Progress = { upTo: plan?.period.after ?? now, readings: 0 }
  let reached: Instant | undefined
  const onProgress = (current: Progress) => {
    progress = current
    reached = current.upTo
    const { after, upTo } = plan!.period
    options.onProgress((current.upTo - after) / (upTo - after), current)
  }
  let missing: readonly Takeover[] = []
  if (plan !== undefined) {
    const step = options.step ?? stepFor(plan.period)
    const result = await readAgain(
      plan,
      { archive, take, clock, newTaskId: () => newTaskId('backfill'), step, onProgress },
      signal,
    )
    // What was not reached before a stop is not missing: nobody has looked for it.
    const end = signal.aborted ? (reached ?? Number.NEGATIVE_INFINITY) : plan.period.upTo
    missing = result.missing.filter(({ at }) => at <= end)
  }
  // Groups whose time lies after the end of the period are still to be taken over.
  const isWhole = !signal.aborted && options.to === undefined
  for (const { site, takeovers } of isWhole ? standings.filter((each) => lookedUp.includes(each.site)) : []) {
    const lost = missing.filter((each) => each.site === site).length
    await ledger.noteTakenOver({ site, at: now, begun: takeovers.length - lost, missing: lost })
  }
  return {
    ...{ after: plan?.period.after, upTo: plan && progress.upTo, readings: progress.readings, outcomes, missing },
    changes: changesOf(before, await totalsOf(ledger)),
    holds: newHolds(holds, (await ledger.summary()).holds),
  }
}

function newHolds(before: Backfilled['holds'], after: Backfilled['holds']): Backfilled['holds'] {
  const all = Object.entries(after) as [HoldKind, number][]
  const grown = all.map(([kind, count]) => [kind, count - (before[kind] ?? 0)] as const)
  return Object.fromEntries(grown.filter(([, count]) => count > 0))
}
