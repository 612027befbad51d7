/** What is wrong with who was where and when: pure functions of what was noted. */

/** Somebody was at something for a while; without an end, until now. */
export interface Stay {
  readonly who: string
  /** The group that was written, or the target that was scraped. */
  readonly where: string
  readonly begin: number
  readonly end: number | undefined
}

/** Two that were at the same at the same time. */
export type Meeting<Each extends Stay = Stay> = readonly [Each, Each]

/** All meetings of two different ones; each stay is compared with the one before it that lasted longest. */
export function meetings<Each extends Stay>(stays: readonly Each[]): Meeting<Each>[] {
  const found: Meeting<Each>[] = []
  const longest = new Map<string, Each[]>()
  for (const stay of stays.toSorted((a, b) => a.begin - b.begin)) {
    const before = (longest.get(stay.where) ?? []).filter(({ end }) => (end ?? Infinity) > stay.begin)
    for (const other of before) if (other.who !== stay.who) found.push([other, stay])
    longest.set(stay.where, [...before, stay])
  }
  return found
}

/** A value that Perun was given. */
export interface Shown {
  readonly where: string
  /** A decimal number with a fixed number of decimals. */
  readonly used: string
}

/** Of writes in the order in which Perun did them: those that showed less than the one before them of the same group. */
export function backwardSteps<Each extends Shown>(writes: readonly Each[]): (readonly [Each, Each])[] {
  const latest = new Map<string, Each>()
  const found: (readonly [Each, Each])[] = []
  for (const write of writes) {
    const before = latest.get(write.where)
    if (before !== undefined && Number(write.used) < Number(before.used)) found.push([before, write])
    latest.set(write.where, write)
  }
  return found
}
