/** A plan in the making: what is known of a group, and what was decided about it so far. */
import { type Credits, LARGEST_TOTAL, parseCredits } from '../../core/credits.ts'
import { formatInstant, type Instant, MINUTE } from '../../core/time.ts'
import type { Contact, Drift, GroupAccount, Hold, HoldKind, Settlement, SiteAccount } from '../../ledger/ledger.ts'
import type { Absence, GroupView } from './groups.ts'

/** Why a site of a group cannot be published now, beside the absences that Perun tells of. */
export interface Refusal {
  readonly refused: string
}

export type SiteView = GroupView | Absence | Refusal

/** A site where the group can be charged, and what Perun shows there. */
export interface Ready {
  readonly site: SiteAccount
  readonly view: GroupView
}

export interface Draft {
  readonly account: GroupAccount
  readonly now: Instant
  readonly precision: number
  readonly entries: NonNullable<Settlement['entries']>[number][]
  readonly drifts: Drift[]
  readonly contacts: Map<string, { contact: Contact; retryAt?: Instant }>
  readonly holds: Hold[]
  released: { key: string; reason: string }[]
  sites: SiteAccount[]
}

export const kindsAboutPublishing = [
  'unknown group',
  'not assigned',
  'no grant',
  'used credits missing',
  'refused',
] as const

/** How long a group on hold is left alone before Perun is asked again. */
export const HOLD_RETRY = 5 * MINUTE

export function isPresent(view: SiteView): view is GroupView {
  return typeof view === 'object' && 'id' in view
}

export function siteOf({ sites }: Draft, site: string): SiteAccount {
  return sites.find((each) => each.site === site)!
}

export function setContact(draft: Draft, site: SiteAccount, contact: Contact, retryAt?: Instant): void {
  draft.contacts.set(site.site, { contact, ...(retryAt !== undefined && { retryAt }) })
  draft.sites = draft.sites.map((each) => (each.site === site.site ? { ...each, contact } : each))
}

export function hold(draft: Draft, site: SiteAccount, kind: HoldKind, reason: string): void {
  const key = holdKey(draft, site, kind)
  draft.released = draft.released.filter((each) => each.key !== key)
  draft.holds.push({ key, kind, site: site.site, group: draft.account.group, reason })
}

export function release(draft: Draft, site: SiteAccount, kind: HoldKind): void {
  if (!isOnHold(draft, site, kind)) return
  draft.released.push({ key: holdKey(draft, site, kind), reason: `No longer so at ${formatInstant(draft.now)}.` })
}

/** Whether such a hold was open before this plan. */
export function isOnHold(draft: Draft, site: SiteAccount, kind: HoldKind): boolean {
  return draft.account.holds.includes(holdKey(draft, site, kind))
}

function holdKey({ account }: Draft, { site }: SiteAccount, kind: HoldKind): string {
  return `${kind}/${site}/${account.group}`
}

/** The used credits that Perun shows, if it shows any. */
export function parseShown({ used }: GroupView): Credits | undefined | 'unreadable' {
  if (used === undefined) return undefined
  try {
    const shown = parseCredits(used)
    return shown > LARGEST_TOTAL || shown < -LARGEST_TOTAL ? 'unreadable' : shown
  } catch {
    return 'unreadable'
  }
}
