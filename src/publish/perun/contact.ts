/**
 * Whether a group can be charged at a site, and what becomes of what was measured before it could.
 *
 * At first contact what Perun shows becomes the opening entry, so that a group which an older service has charged goes on
 * from there. What was measured while Perun did not know the group is given back.
 */
import type { Credits } from '../../core/credits.ts'
import { formatInstant, MINUTE } from '../../core/time.ts'
import type { GroupAccount, SiteAccount } from '../../ledger/ledger.ts'
import {
  type Draft,
  HOLD_RETRY,
  hold,
  kindsAboutPublishing,
  type Ready,
  type Refusal,
  release,
  setContact,
} from './draft.ts'
import type { Absence, GroupView } from './groups.ts'
import { parseTimestamps } from './times.ts'

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
 * Gives back what was measured before first contact but is not the group's to pay: while Perun did not know it, and of each
 * metric that another service says it has charged beyond where our charges begin.
 */
function giveBack({ account, entries, now }: Draft, site: SiteAccount, view: GroupView): void {
  if (site.contact === 'active' || site.charged === 0n) return
  const { amount, why } = site.contact === 'new' ? overlapping(account, site, view) : beforeContact(site)
  if (amount === 0n) return
  entries.push({
    kind: 'adjustment',
    id: `before contact/${site.site}/${account.group}/${now}`,
    group: account.group,
    site: site.site,
    amount: -amount,
    recordedAt: now,
    actor: 'credits worker',
    reason: `${why}: not charged.`,
  })
}

interface NotToPay {
  readonly amount: Credits
  readonly why: string
}

function beforeContact({ site, contact, charged }: SiteAccount): NotToPay {
  return { amount: charged, why: `Measured while Perun said "${contact}" for this group at site ${site}` }
}

/** Metrics have timestamps of their own: one may have been charged longer than the other. */
function overlapping({ opened }: GroupAccount, { measured = {} }: SiteAccount, { timestamps }: GroupView): NotToPay {
  const chargedByOther = opened ? {} : parseTimestamps(timestamps)
  const twice = Object.entries(measured).filter(
    ([metric, { chargedSince = Number.POSITIVE_INFINITY }]) => chargedSince < (chargedByOther[metric] ?? 0),
  )
  const times = twice.map(([metric]) => `${metric} until ${formatInstant(chargedByOther[metric]!)}`)
  return {
    amount: twice.reduce((sum, [, { charged }]) => sum + charged, 0n),
    why: `Measured before first contact, while another service charged ${times.join(', ')}`,
  }
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
export function open(
  { account, entries, now }: Draft,
  ready: readonly Ready[],
  view: GroupView,
  shown?: Credits,
): void {
  const { group } = account
  const { site } = ready[0]!.site
  const reason = opening(ready, view, shown)
  entries.push({ kind: 'opening', id: `opening/${group}`, group, site, amount: shown ?? 0n, recordedAt: now, reason })
}

function opening(ready: readonly Ready[], { used }: GroupView, shown: Credits | undefined): string {
  if (shown === undefined) return 'First contact: Perun showed no used credits.'
  const begins = ready.flatMap(({ site, view }) => beginsOf(site, view))
  if (begins.length === 0) {
    return `First contact: Perun showed ${used} used credits (without timestamps). What was used before our first reading is not charged.`
  }
  return `First contact: Perun showed ${used} used credits, charged by another service. ${begins.join(' ')}`
}

/** Where each metric that another service charged at a site goes on: the gap, if there is one, is not charged. */
function beginsOf({ site, measured = {} }: SiteAccount, { timestamps }: GroupView): string[] {
  const times = parseTimestamps(timestamps)
  return Object.entries(timestamps).map(([metric, text]) => {
    const [until, since] = [times[metric], measured[metric]?.since]
    const what = `${metric} at site ${site} until ${text}`
    if (since === undefined || until === undefined) return `${what}: there is no reading of ours yet.`
    if (since === until) return `${what}: charging goes on from that reading.`
    if (since < until) return `${what}: our first reading is earlier, what overlaps is given back.`
    return `${what}: what was used between then and our first reading, ${formatInstant(since)}, is not charged.`
  })
}
