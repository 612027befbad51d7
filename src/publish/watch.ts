/**
 * When to look again at groups with a write that was never answered: at once, then at growing distances.
 *
 * Such a group may be clean, because a newer write was answered. If Perun comes to the older one nevertheless, nobody would
 * notice until the group grows. A group is watched as long as the ledger names it, which ends when the write is too old to
 * happen.
 */

/** How many sweeps lie between two looks; the last distance goes on. */
const DISTANCES = [1, 2, 4, 5]

/**
 * Returns what is asked once in each sweep with all groups that are in doubt then: those of them to look at now. Groups that
 * are no longer in doubt are forgotten.
 */
export function createWatch(): (doubtful: readonly string[]) => string[] {
  let watched = new Map<string, { looks: number; sweepsLeft: number }>()
  return (doubtful) => {
    const due: string[] = []
    const next: typeof watched = new Map()
    for (const group of doubtful) {
      const { looks, sweepsLeft } = watched.get(group) ?? { looks: 0, sweepsLeft: 0 }
      if (sweepsLeft > 0) {
        next.set(group, { looks, sweepsLeft: sweepsLeft - 1 })
        continue
      }
      due.push(group)
      const distance = DISTANCES[Math.min(looks, DISTANCES.length - 1)]!
      next.set(group, { looks: looks + 1, sweepsLeft: distance - 1 })
    }
    watched = next
    return due
  }
}
