/** How the targets are shared out among the replicas: each has about as many, and nobody has to be asked who decides. */

/** A replica, as far as sharing out goes. */
export interface Sharer {
  /** Whether it is the one that asks. */
  readonly isSelf: boolean
  /** What it has claimed of the targets that are shared out. */
  readonly claims: readonly string[]
}

/**
 * How many targets the one that asks should have.
 *
 * All have as many, and where that leaves some over, those have one more that have the most already, the oldest first: so
 * whoever sees the same finds shares that add up to all targets, and the fewest targets change hands.
 *
 * @param sharers Those that work, the oldest first.
 * @returns 0 if the one that asks is not among them.
 */
export function shareOf(targets: number, sharers: readonly Sharer[]): number {
  const ranked = sharers.toSorted((a, b) => b.claims.length - a.claims.length)
  const rank = ranked.findIndex(({ isSelf }) => isSelf)
  if (rank === -1) return 0
  return Math.floor(targets / sharers.length) + (rank < targets % sharers.length ? 1 : 0)
}

/**
 * Targets that nobody has claimed, in the order in which the one that asks should try them: each begins at another place, so
 * that those who try at the same time seldom want the same.
 *
 * @param targets All of them, in an order that is the same for everybody.
 * @param sharers The oldest first; also those that do not work any more but have not lost their claims yet.
 */
export function freeTargets(targets: readonly string[], sharers: readonly Sharer[]): readonly string[] {
  const claimed = new Set(sharers.flatMap(({ claims }) => claims))
  const free = targets.filter((target) => !claimed.has(target))
  const self = Math.max(
    0,
    sharers.findIndex(({ isSelf }) => isSelf),
  )
  const first = Math.floor((self * free.length) / Math.max(1, sharers.length))
  return [...free.slice(first), ...free.slice(0, first)]
}
