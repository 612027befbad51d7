/**
 * What somebody changed in Perun: the ledger follows it with an adjustment, and never overwrites it unseen.
 *
 * Used credits that vanished, or are no number any more, are a hold: only a person can say what they should be.
 */
import { type Credits, formatRounded } from '../../core/credits.ts'
import type { Drift, GroupAccount, HoldKind } from '../../ledger/ledger.ts'
import { open } from './contact.ts'
import { type Draft, HOLD_RETRY, hold, isOnHold, parseShown, type Ready, release, setContact } from './draft.ts'
import type { GroupView } from './groups.ts'

/** How the id of an entry begins that follows an edit in Perun. */
const DRIFT = 'drift/'

/** Whether an entry follows an edit that somebody made in Perun. */
export function isDrift({ id }: { readonly id: string }): boolean {
  return id.startsWith(DRIFT)
}

/**
 * Makes ledger and Perun agree on what was shown until now. Returns false if only a person can.
 *
 * @param view The newest of those that are ready.
 * @param arrived The value of a write without an answer that Perun is known to have done since the last answer.
 */
export function agree(draft: Draft, view: GroupView, ready: readonly Ready[], arrived: Credits | undefined): boolean {
  const { account } = draft
  const shown = parseShown(view)
  const expected = account.opened ? (arrived ?? account.published) : undefined
  if (shown === 'unreadable') {
    const reason = `Perun shows used credits of ${account.group} that are no possible number. Correct them there.`
    return holdEverywhere(draft, ready, 'refused', reason, factsOf(view, ready, expected))
  }
  const hasTimes = ready.some(({ view: { timestamps } }) => Object.keys(timestamps).length > 0)
  const weHavePublished = account.opened ? expected !== undefined : hasTimes
  if (shown === undefined && weHavePublished) {
    // Nobody can have edited what was never there.
    const facts = account.opened ? factsOf(view, ready, expected) : undefined
    return holdEverywhere(draft, ready, 'used credits missing', missing(account, expected), facts)
  }
  for (const each of account.sites) release(draft, each, 'used credits missing')
  if (!account.opened) open(draft, ready, view, shown)
  else if (shown !== undefined && shown !== (expected ?? 0n) && !isOurs(account, shown))
    follow(draft, view, shown, factsOf(view, ready, expected))
  return true
}

/** Whether a write of ours that was never answered explains what is shown. */
function isOurs({ intended }: GroupAccount, shown: Credits): boolean {
  return intended.some(({ used }) => used === shown)
}

function factsOf({ usedModifiedAt, usedModifiedBy }: GroupView, ready: readonly Ready[], expected?: Credits): Drift {
  return {
    site: ready[0]!.site.site,
    ...(expected !== undefined && { expected }),
    ...(usedModifiedAt !== undefined && { modifiedAt: usedModifiedAt }),
    ...(usedModifiedBy !== undefined && { modifiedBy: usedModifiedBy }),
  }
}

function follow({ account, entries, drifts, now }: Draft, view: GroupView, shown: Credits, facts: Drift): void {
  const { group, newestIntention } = account
  // The same edit can only be made again after we wrote something else, so the number keeps the two apart.
  const entryId = `${DRIFT}${group}/${facts.modifiedAt ?? now}/${shown}/${newestIntention}`
  drifts.push({ ...facts, shown, entryId })
  entries.push({
    kind: 'adjustment',
    id: entryId,
    group,
    site: facts.site,
    amount: shown - (facts.expected ?? 0n),
    recordedAt: now,
    actor: facts.modifiedBy ?? 'unknown',
    reason: drift(view, facts.expected),
  })
}

/**
 * Used credits belong to the group: what is wrong with them is one hold, and no site is looked at for a while. The drift is
 * told when the hold begins, if there is one.
 */
function holdEverywhere(draft: Draft, ready: readonly Ready[], kind: HoldKind, reason: string, facts?: Drift): false {
  if (facts !== undefined && !draft.account.sites.some((site) => isOnHold(draft, site, kind))) draft.drifts.push(facts)
  hold(draft, ready[0]!.site, kind, reason)
  for (const { site } of ready) setContact(draft, site, site.contact, draft.now + HOLD_RETRY)
  return false
}

function drift({ used, usedModifiedAt }: GroupView, expected: Credits | undefined): string {
  const before = expected === undefined ? 'nothing' : formatRounded(expected, 6)
  return `Perun shows ${used} instead of ${before} since ${usedModifiedAt ?? 'an unknown time'}: edited there. The ledger follows.`
}

function missing({ group, opened }: GroupAccount, expected: Credits | undefined): string {
  if (!opened) {
    return `Perun shows timestamps of ${group} that another service wrote, but no used credits. Set its used credits there to what that service charged, 0 if it charged nothing: the ledger begins with them.`
  }
  const last = expected === undefined ? '' : ` (last ${formatRounded(expected, 2)})`
  return `Perun shows no used credits of ${group} any more although they were published${last}. Nothing is written until they are set again there.`
}
