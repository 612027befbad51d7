/**
 * What must be true of a group at a site, looked at in the commit that changes it: who was in contact stays so, and what was
 * measured before that, while Perun did not know the group, is given back.
 */
import type { AccountRow } from './rows.ts'
import type { Verdict } from './story.ts'

/** A publish reads an account, asks Perun for this long at most, and then writes what it made of it. */
const LONGEST_LOOK = 300_000

interface Known {
  readonly contact: string
  /** Since when something is charged, in true time. */
  readonly chargedSince: number | undefined
}

export class AccountOracle {
  readonly #verdict: Verdict
  readonly #now: () => number
  readonly #known = new Map<string, Known>()

  constructor(verdict: Verdict, now: () => number) {
    this.#verdict = verdict
    this.#now = now
  }

  /** @param isGivenBack Whether an entry gives back what was charged there before first contact. */
  look({ group_name: group, site, contact, charged }: AccountRow, isGivenBack: () => boolean): void {
    const key = `${site}/${group}`
    const before = this.#known.get(key)
    // A correction may have left nothing, as a re-pricing at 0 does: then there is nothing to give back.
    const chargedSince = charged === 0n ? undefined : (before?.chargedSince ?? this.#now())
    this.#known.set(key, { contact, chargedSince })
    if (before === undefined || before.contact === contact) return
    this.#verdict.check(before.contact !== 'active', 'who was in contact stays so', () => `${key} is ${contact}`)
    if (contact !== 'active' || before.contact === 'new' || chargedSince === undefined) return
    const isSo = this.#now() - chargedSince < LONGEST_LOOK || isGivenBack()
    this.#verdict.check(isSo, 'what was measured before contact is given back', () => `${key}: ${charged}`)
  }
}
