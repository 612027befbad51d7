/** How long after a look at Perun we wrote: the time in which somebody's edit would be overwritten unseen. In seconds. */
export interface WriteWindow {
  readonly last?: number
  /** Since the start. */
  readonly longest?: number
}

export function createWriteWindow(): { observe(seconds: number): void; readonly now: WriteWindow } {
  let now: WriteWindow = {}
  return {
    observe(seconds) {
      now = { last: seconds, longest: Math.max(now.longest ?? 0, seconds) }
    },
    get now() {
      return now
    },
  }
}
