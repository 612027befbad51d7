/**
 * What is believed in a site with few changed totals.
 *
 * There the others are no evidence, so growth is believed only if the series' own pace explains it. Whether the rest is a
 * machine that was started or history that was computed anew, nobody can tell from one step: it is unknown, and held. The
 * next step shows the new pace, so what follows is charged.
 */
import { approximate } from './decimals.ts'
import { hours, isAtRest, lastChange, longestHours, PACE_TOLERANCE, paceAfterJump, UPDATE_ALLOWANCE } from './lines.ts'
import { type Move, type Moves, pairsOf, projectOf, type Step } from './moves.ts'
import type { Instant } from './time.ts'

/**
 * What is done with growth that no pace explains in a small site: `hold` charges nothing that could be wrong, and asks a person
 * whenever a project starts more machines; `charge` believes the project, up to the limit of the meter.
 */
export type SmallSites = 'hold' | 'charge'

/** In a site with fewer changed totals nothing can be said by comparing them. */
const SMALL_SITE = 10

/**
 * A project that was held for starting machines may have started them just before they were computed: it goes on to grow so
 * many times faster than it jumped.
 */
const LATE_START = 10

export function isSmallSite({ all }: Moves): boolean {
  return all.length < SMALL_SITE
}

/** What a pace explains beside a project that is in doubt: exporters compute a little sooner or later. */
const AT_ITS_PACE = 1.05

/**
 * The projects whose growth in one metric is in doubt, by their `projectKey`.
 *
 * One that no pace explains is in doubt in both metrics. Then, or if a project fell in one metric and grew in the other, the
 * site may have been computed anew, and whatever else is not just at its pace is in doubt, too.
 */
export function doubtful(own: Moves, other: Moves): ReadonlySet<string> {
  const [ownSteps, otherSteps] = [grownIn(own), grownIn(other)]
  const site = changedLast([own, other])
  const still = projectsOf([...own.still, ...other.still].map(({ step }) => step))
  const isExplained = (step: Step) => {
    const isAlone = isAtRest(step.before) && still.has(projectOf({ step }))
    return !isAlone && growthOf(step) <= mostExplained(step, site)
  }
  const suspects = projectsOf([...ownSteps, ...otherSteps].filter((step) => !isExplained(step)))
  const isTorn = pairsOf(own.all, other).some(([one, two]) => (one.factor - 1) * (two.factor - 1) < 0)
  if (suspects.size === 0 && !isTorn) return suspects
  return suspects.union(projectsOf(ownSteps.filter((step) => growthOf(step) > expected(step) * AT_ITS_PACE)))
}

function grownIn({ all, begun }: Moves): Step[] {
  return [...all.filter(({ factor }) => factor > 1).map(({ step }) => step), ...begun]
}

function projectsOf(steps: readonly Step[]): Set<string> {
  return new Set(steps.map((step) => projectOf({ step })))
}

/** When a series that grows changed last, of all in the delivery. */
function changedLast(metrics: readonly Moves[]): Instant {
  const moves: readonly Pick<Move, 'step'>[] = metrics.flatMap(({ all, still }) => [...all, ...still])
  return moves.reduce(
    (last, { step }) => (step.before.pace > 0 ? Math.max(last, lastChange(step.before)) : last),
    Number.NEGATIVE_INFINITY,
  )
}

function growthOf({ before, reading }: Step): number {
  return approximate(reading.value) - approximate(before.watermark.value)
}

function expected({ before, reading }: Step): number {
  return before.pace * hours(reading.at - lastChange(before))
}

/**
 * The most that a series may have grown by its pace, delays included. Of one that was opened just now no pace is known:
 * `decide` limits that one by its meter.
 *
 * @param site When its site changed last: the pace of a series at rest explains nothing, unless all of the site was at rest,
 *   because its exporter stood still; then it explains all of that time, and no less.
 */
function mostExplained(step: Step, site: Instant): number {
  const { before, reading } = step
  const elapsed = reading.at - lastChange(before)
  if (isAtRest(before)) {
    const least = (before.pace * hours(elapsed - UPDATE_ALLOWANCE)) / PACE_TOLERANCE
    const hasStopped = site > lastChange(before) + UPDATE_ALLOWANCE || growthOf(step) < least
    return hasStopped ? 0 : before.pace * hours(elapsed + UPDATE_ALLOWANCE) * PACE_TOLERANCE
  }
  if (before.pace > 0) return before.pace * longestHours(before, reading) * PACE_TOLERANCE
  const afterJump = paceAfterJump(before)
  return afterJump === undefined ? Number.POSITIVE_INFINITY : afterJump * longestHours(before, reading) * LATE_START
}
