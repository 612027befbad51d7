/**
 * What other workers that share the ledger have written to Perun, or followed there: what was read before that is too old to plan
 * on, however young it is, as the value of a colleague would look like somebody's edit.
 *
 * When it was is told by the clock of the ledger as a time that has passed since, so the clocks of the workers need not agree.
 */
import type { Credits } from '../../core/credits.ts'
import type { Clock, Instant } from '../../core/time.ts'
import type { GroupAccount } from '../../ledger/ledger.ts'

export interface Others {
  /** Notes the account of a group that was read just now. */
  note(account: GroupAccount): void
  /** Notes that we wrote: while this is the newest write, and what Perun shows, it is our own. */
  wrote(group: string, number: number, used: Credits): void
  /** Whether somebody else has written the group since, or followed an edit of it. */
  haveWrittenSince(group: string, readAt: Instant): boolean
  /** The group is done with for now. */
  forget(group: string): void
}

export function createOthers(clock: Clock): Others {
  const own = new Map<string, { readonly number: number; readonly used: Credits }>()
  const written = new Map<string, Instant>()

  /** An edit that another worker followed has no number: it is told by its value. */
  function isOwn({ group, published, newestIntention }: GroupAccount): boolean {
    const last = own.get(group)
    return last?.number === newestIntention && last.used === published
  }

  return {
    note(account) {
      const { group, publishedAgo } = account
      if (publishedAgo === undefined || isOwn(account)) written.delete(group)
      else written.set(group, clock.now() - publishedAgo)
    },
    wrote: (group, number, used) => void own.set(group, { number, used }),
    haveWrittenSince: (group, readAt) => readAt <= (written.get(group) ?? Number.NEGATIVE_INFINITY),
    forget: (group) => void written.delete(group),
  }
}
