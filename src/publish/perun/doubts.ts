/**
 * What became of writes that were never answered, as far as Perun shows it.
 *
 * Perun may have done such a write, never got it, or come to it minutes later, after a newer one was answered. It has no
 * compare-and-set to prevent that; so the write is remembered, Perun is looked at until the write is known to have arrived
 * or is too old to happen any more, and what an older value replaced is written again.
 *
 * One call carries used credits and timestamps, which Perun does as a whole. So the timestamps tell at which site a write
 * arrived, though used credits are the same at all of them.
 */
import type { Credits } from '../../core/credits.ts'
import type { Instant } from '../../core/time.ts'
import { type GroupAccount, INTENTION_MEMORY, type OpenIntention } from '../../ledger/ledger.ts'
import type { Ready } from './draft.ts'
import { latest, parseTimestamps } from './times.ts'

/**
 * What came of a write without an answer:
 * - `arrived`: Perun did it, and nothing newer was written in between.
 * - `late`: Perun did it after a newer one was answered: the newer value is written again.
 * - `lost`: it was not seen as long as it could happen.
 */
export type Outcome = 'arrived' | 'late' | 'lost'

export interface Doubts {
  /** The writes that are remembered no longer. */
  readonly resolved: readonly { readonly number: number; readonly at: Instant; readonly outcome: Outcome }[]
  /** What Perun shows of each site because of one of these writes, also where that set it back. */
  readonly arrived: readonly { readonly site: string; readonly upTo: Instant }[]
  /** The used credits of the newest write that arrived, if none newer was answered. */
  readonly used?: Credits
  /** The sites that do not show the newest that they should. */
  readonly outdated: ReadonlySet<string>
}

/**
 * @param now When the reading of `ready` began.
 * @param shown The used credits in the newest view.
 */
export function judgeDoubts(
  account: GroupAccount,
  ready: readonly Ready[],
  shown: Credits | undefined,
  now: Instant,
): Doubts {
  const { intended } = account
  const seen = intended.filter((write) => isSeen(account, write, ready, shown))
  const newest = seen.filter(({ overtaken }) => !overtaken)
  const outdated = intended.filter(
    (write) =>
      ready.some(({ site }) => site.site === write.site) &&
      (write.overtaken ? seen.includes(write) : !newest.some((each) => makesUpFor(each, write))),
  )

  function outcomeOf(write: OpenIntention): Outcome | undefined {
    if (seen.includes(write) && !intended.some((each) => each !== write && isAlike(account, each, write)))
      return write.overtaken ? 'late' : 'arrived'
    // Used credits are the same at all sites, so one is enough to show what came of it, and none is not.
    return ready.length > 0 && isOver(write, now) ? 'lost' : undefined
  }

  return {
    resolved: intended.flatMap((write) => {
      const outcome = outcomeOf(write)
      return outcome === undefined ? [] : [{ number: write.number, at: write.at, outcome }]
    }),
    arrived: newestOfSites(seen.filter((write) => !write.overtaken || bringsTimes(account, write))),
    outdated: new Set(outdated.map(({ site }) => site)),
    ...(newest.length > 0 && { used: newest.at(-1)!.used }),
  }
}

function newestOfSites(writes: readonly OpenIntention[]): Doubts['arrived'] {
  return [...new Map(writes.map(({ site, upTo }) => [site, { site, upTo }])).values()]
}

/** Whether Perun shows what this write, or one just like it, brought: timestamps, or else a value, that were not there. */
function isSeen(
  account: GroupAccount,
  write: OpenIntention,
  ready: readonly Ready[],
  shown: Credits | undefined,
): boolean {
  if (!bringsTimes(account, write)) return shown === write.used && shown !== account.published
  const at = ready.find(({ site }) => site.site === write.site)
  return at !== undefined && ownTime(at) === write.upTo
}

/** Whether timestamps tell this write from what was answered before. */
function bringsTimes({ sites }: GroupAccount, { site, upTo }: OpenIntention): boolean {
  return upTo > 0 && sites.some((each) => each.site === site && each.publishedAt !== upTo)
}

/** The latest timestamp of a metric that is ours. */
export function ownTime({ site: { watermarks }, view }: Ready): Instant {
  const shown = Object.entries(parseTimestamps(view.timestamps))
  return latest(Object.fromEntries(shown.filter(([metric]) => Object.hasOwn(watermarks, metric))))
}

/** Whether it cannot be told which of the two is seen. */
function isAlike(account: GroupAccount, other: OpenIntention, write: OpenIntention): boolean {
  if (!bringsTimes(account, write)) return other.used === write.used
  return other.site === write.site && other.upTo === write.upTo
}

function makesUpFor(seen: OpenIntention, { site, number }: OpenIntention): boolean {
  return seen.site === site && seen.number >= number
}

/** Too old to happen any more. After a clock that was set back nothing may last for ever either. */
function isOver({ at }: OpenIntention, now: Instant): boolean {
  return Math.abs(now - at) >= INTENTION_MEMORY
}
