/**
 * Whether a group can be charged at a site, and what becomes of what was measured before it could.
 *
 * At first contact what Perun shows becomes the opening entry, so that a group which an older service has charged goes on
 * from there. What was measured while Perun did not know the group is given back.
 */
import type { Credits } from '../../core/credits.ts'
import { formatInstant, MINUTE } from '../../core/time.ts'
import type { SiteAccount } from '../../ledger/ledger.ts'
import { type Draft, HOLD_RETRY, hold, kindsAboutPublishing, type Refusal, release, setContact } from './draft.ts'
import type { Absence, GroupView } from './groups.ts'
import { latest, parseTimestamps } from './times.ts'

/** Whether the group can be charged at this site; begins to, if it is the first time. */
export function makeContact(draft: Draft, site: SiteAccount, view: GroupView): boolean {
  const { account, now } = draft
  if (view.granted === undefined) {
    hold(
      draft,
      site,
      'no grant',
      `Perun shows no granted credits for ${account.group}: it is charged once credits are granted.`,
    )
    if (site.contact !== 'active') setContact(draft, site, 'no grant', now + HOLD_RETRY)
    else setContact(draft, site, 'active', now + HOLD_RETRY)
    return false
  }
  for (const kind of ['unknown group', 'not assigned', 'no grant', 'refused'] as const) release(draft, site, kind)
  giveBack(draft, site, view)
  if (site.contact !== 'active' || site.retryAt !== undefined) setContact(draft, site, 'active')
  return true
}

/**
 * Gives back what was measured before first contact but is not the group's to pay: while Perun did not know it, and before
 * the instant until which another service says it has charged.
 */
function giveBack({ account, entries, now }: Draft, site: SiteAccount, view: GroupView): void {
  if (site.contact === 'active' || site.charged === 0n) return
  const chargedByOther = account.opened ? undefined : latest(parseTimestamps(view.timestamps))
  const overlaps = chargedByOther !== undefined && site.chargedSince !== undefined && site.chargedSince < chargedByOther
  if (site.contact === 'new' && !overlaps) return
  const why = overlaps
    ? `Measured before first contact, while another service charged until ${formatInstant(chargedByOther)}`
    : `Measured while Perun said "${site.contact}" for this group at site ${site.site}`
  entries.push({
    kind: 'adjustment',
    id: `before contact/${site.site}/${account.group}/${now}`,
    group: account.group,
    site: site.site,
    amount: -site.charged,
    recordedAt: now,
    actor: 'credits worker',
    reason: `${why}: not charged.`,
  })
}

/** Perun says that the group cannot be charged at this site, or refuses to be written. */
export function keepAway(draft: Draft, site: SiteAccount, view: Absence | Refusal): void {
  const { group } = draft.account
  const retryAt = draft.now + HOLD_RETRY
  if (typeof view === 'object') {
    hold(
      draft,
      site,
      'refused',
      `Perun refuses ${group} at site ${site.site} (${view.refused}). It is tried again every ${HOLD_RETRY / MINUTE} minutes.`,
    )
    setContact(draft, site, site.contact, retryAt)
    return
  }
  const sentence = {
    'unknown group': `Perun knows no group ${group} in this organisation. Create it there, or leave the project uncharged.`,
    'not assigned': `Perun does not have group ${group} at site ${site.site}. Assign it to that resource to have it charged.`,
  }[view]
  for (const kind of kindsAboutPublishing) if (kind !== view) release(draft, site, kind)
  hold(draft, site, view, sentence)
  setContact(draft, site, site.contact === 'active' ? 'active' : view, retryAt)
}

/** Begins the ledger of a group with what Perun shows. */
export function open({ account, entries, now }: Draft, { site }: SiteAccount, view: GroupView, shown?: Credits): void {
  const { group } = account
  const reason = opening(view, shown)
  entries.push({ kind: 'opening', id: `opening/${group}`, group, site, amount: shown ?? 0n, recordedAt: now, reason })
}

function opening(view: GroupView, shown: Credits | undefined): string {
  if (shown === undefined) return 'First contact: Perun showed no used credits.'
  const times = Object.entries(view.timestamps).map(([metric, text]) => `${metric} until ${text}`)
  const until = times.length === 0 ? 'without timestamps' : `charged by another service, ${times.join(', ')}`
  return `First contact: Perun showed ${view.used} used credits (${until}). What was used between then and our first reading is not charged.`
}
