/**
 * Nobody can see an edit that is made between our reading and our writing, so that time is short, also where a write waits
 * for another one of its group. Where Perun takes longer to show a group than that, it is written as soon as it has.
 */
import type { Configuration } from './configuration.ts'
import type { Verdict } from './story.ts'

/** What the worker may write on, in milliseconds. */
export const MAX_AGE = 10_000

export class WriteWindowOracle {
  readonly #verdict: Verdict
  /** A clock that is set measures nothing. */
  readonly #isOff: boolean
  /** When the newest of all that was shown of a group was asked for. */
  readonly #askedAt = new Map<string, number>()
  /** When a question about a group, or about a whole site, was answered last. */
  readonly #answeredAt = new Map<string | undefined, number>()

  constructor(verdict: Verdict, { faults }: Pick<Configuration, 'faults'>) {
    this.#verdict = verdict
    this.#isOff = faults.clockStepsPerHour > 0
  }

  shown(group: string, askedAt: number): void {
    this.#askedAt.set(group, Math.max(askedAt, this.#askedAt.get(group) ?? askedAt))
  }

  /** @param group Undefined for all groups of a site. */
  answered(group: string | undefined, at: number): void {
    this.#answeredAt.set(group, at)
  }

  writes(group: string, at: number): void {
    const age = at - (this.#askedAt.get(group) ?? Number.NEGATIVE_INFINITY)
    const isAtOnce = [group, undefined].some((each) => this.#answeredAt.get(each) === at)
    // The worker counts whole milliseconds.
    this.#verdict.check(
      this.#isOff || age <= MAX_AGE + 1 || isAtOnce,
      'a write is sent within the longest age of what was read',
      () => `${group}: ${age} ms after it was asked for`,
    )
  }
}
