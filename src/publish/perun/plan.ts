/**
 * What has to happen so that Perun shows what the ledger says: a pure function of both.
 *
 * - First contact: what Perun shows becomes the opening entry, so that a group which an older service has charged goes on
 *   from there. What was measured while Perun did not know the group is given back.
 * - Perun shows something that we did not write: a person edited it. The ledger follows with an adjustment; it is never
 *   overwritten unseen. Used credits that vanished are not written again until somebody decides.
 * - A write happens at first contact and when the rounded total differs from what is shown. It carries used credits and
 *   timestamps together. Growth that does not change the rounded total writes nothing.
 */
import { type Credits, formatRounded, LARGEST_TOTAL, parseCredits, roundCredits } from '../../core/credits.ts'
import { formatInstant, formatPerunTimestamp, type Instant, MINUTE, parsePerunTimestamp } from '../../core/time.ts'
import {
  type Contact,
  type GroupAccount,
  type Hold,
  type HoldKind,
  INTENTION_MEMORY,
  type Settlement,
  type SiteAccount,
} from '../../ledger/ledger.ts'
import type { Absence, GroupView } from './groups.ts'

/** One call of `setAttributes`. */
export interface Write {
  readonly site: string
  readonly groupId: number
  readonly used: string
  readonly timestamps: Readonly<Record<string, string>>
  /** The latest reading that these timestamps tell of. */
  readonly upTo: Instant
}

export interface Plan {
  /** To be recorded before anything is written. */
  readonly settlement: Settlement
  readonly writes: readonly Write[]
  /** What is shown after the writes, in micro-credits. */
  readonly shown: Credits
  /** Whether a hold keeps some of it from being published. */
  readonly held: boolean
  /** The sum of all entries after the settlement. */
  readonly total: Credits
}

/** Why a site of a group cannot be published now, beside the absences that Perun tells of. */
export interface Refusal {
  readonly refused: string
}

export type SiteView = GroupView | Absence | Refusal

/** How the id of an entry begins that follows an edit in Perun. */
const DRIFT = 'drift/'

/** How long a group on hold is left alone before Perun is asked again. */
export const HOLD_RETRY = 5 * MINUTE

/** Whether Perun has to be asked about a group at all: nothing new to show means nothing to read. */
export function isSettled(account: GroupAccount, precision: number, now: Instant): boolean {
  if (!account.opened || account.published === undefined || openIntentions(account, now).length > 0) return false
  if (account.holds.some(isAboutPublishing)) return false
  if (!sitesToLookAt(account, now).every(isPublished)) return false
  return roundCredits(publishable(account), precision) === account.published
}

/** What Perun may show or come to show because we asked for it. */
function openIntentions({ intended }: GroupAccount, now: Instant): Credits[] {
  return intended.filter(({ at }) => at >= now - INTENTION_MEMORY).map(({ used }) => used)
}

const kindsAboutPublishing = ['unknown group', 'not assigned', 'no grant', 'used credits missing', 'refused'] as const

function isAboutPublishing(key: string): boolean {
  return kindsAboutPublishing.some((kind) => key.startsWith(`${kind}/`))
}

/** Whether the group was published at this site and nothing is known against it. */
export function isPublished({ contact, publishedAt }: SiteAccount): boolean {
  return contact === 'active' && publishedAt !== undefined
}

/** The sites that are not on hold now. */
export function sitesToLookAt({ sites }: GroupAccount, now: Instant): SiteAccount[] {
  return sites.filter(({ retryAt }) => retryAt === undefined || retryAt <= now)
}

/** The total without what was charged at sites where Perun does not know the group. */
function publishable({ used, sites }: GroupAccount): Credits {
  return sites.filter(({ contact }) => contact !== 'active').reduce((total, { charged }) => total - charged, used)
}

/**
 * @param views What Perun shows of the group at each of `sitesToLookAt`.
 * @param precision Decimals of published credits, 0 to 6.
 */
export function planPublish(
  account: GroupAccount,
  views: ReadonlyMap<string, SiteView>,
  { precision, now }: { precision: number; now: Instant },
): Plan {
  const draft: Draft = {
    account,
    now,
    precision,
    entries: [],
    contacts: new Map(),
    holds: [],
    released: [],
    sites: [...account.sites],
  }
  const ready: Ready[] = []
  for (const site of sitesToLookAt(account, now)) {
    const view = views.get(site.site)
    if (view === undefined) continue
    if (isPresent(view) && makeContact(draft, site, view)) ready.push({ site: siteOf(draft, site.site), view })
    else if (!isPresent(view)) keepAway(draft, site, view)
  }
  const newest = ready.map(({ view }) => view).sort((a, b) => b.readAt - a.readAt)[0]
  if (newest === undefined || !agree(draft, newest, ready)) return finish(draft, [], newest)
  return finish(draft, ready, newest)
}

/** A site where the group can be charged, and what Perun shows there. */
interface Ready {
  readonly site: SiteAccount
  readonly view: GroupView
}

interface Draft {
  readonly account: GroupAccount
  readonly now: Instant
  readonly precision: number
  readonly entries: NonNullable<Settlement['entries']>[number][]
  readonly contacts: Map<string, { contact: Contact; retryAt?: Instant }>
  readonly holds: Hold[]
  released: { key: string; reason: string }[]
  sites: SiteAccount[]
}

function isPresent(view: SiteView): view is GroupView {
  return typeof view === 'object' && 'id' in view
}

function siteOf({ sites }: Draft, site: string): SiteAccount {
  return sites.find((each) => each.site === site)!
}

function setContact(draft: Draft, site: SiteAccount, contact: Contact, retryAt?: Instant): void {
  draft.contacts.set(site.site, { contact, ...(retryAt !== undefined && { retryAt }) })
  draft.sites = draft.sites.map((each) => (each.site === site.site ? { ...each, contact } : each))
}

/** Whether the group can be charged at this site; begins to, if it is the first time. */
function makeContact(draft: Draft, site: SiteAccount, view: GroupView): boolean {
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
function keepAway(draft: Draft, site: SiteAccount, view: Absence | Refusal): void {
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

/** Makes ledger and Perun agree on what was shown until now. Returns false if only a person can. */
function agree(draft: Draft, view: GroupView, ready: readonly Ready[]): boolean {
  const { account, entries, now } = draft
  const { site } = ready[0]!
  const shown = parseShown(view)
  if (shown === 'unreadable') {
    const reason = `Perun shows used credits of ${account.group} that are no possible number. Correct them there.`
    return holdEverywhere(draft, ready, 'refused', reason)
  }
  const expected = account.opened ? account.published : undefined
  const hasTimes = ready.some(({ view: { timestamps } }) => Object.keys(timestamps).length > 0)
  const weHavePublished = account.opened ? account.published !== undefined : hasTimes
  if (shown === undefined && weHavePublished)
    return holdEverywhere(draft, ready, 'used credits missing', missing(account, expected))
  for (const each of account.sites) release(draft, each, 'used credits missing')
  const facts = { group: account.group, site: site.site, recordedAt: now }
  if (!account.opened) {
    const reason = opening(view, shown)
    entries.push({ ...facts, kind: 'opening', id: `opening/${account.group}`, amount: shown ?? 0n, reason })
  } else if (shown !== undefined && shown !== (expected ?? 0n) && !openIntentions(account, now).includes(shown)) {
    const id = `${DRIFT}${account.group}/${view.usedModifiedAt ?? now}/${shown}`
    const actor = view.usedModifiedBy ?? 'unknown'
    entries.push({
      ...facts,
      kind: 'adjustment',
      id,
      amount: shown - (expected ?? 0n),
      actor,
      reason: drift(view, expected),
    })
  }
  return true
}

/** Used credits belong to the group: what is wrong with them is one hold, and no site is looked at for a while. */
function holdEverywhere(draft: Draft, ready: readonly Ready[], kind: HoldKind, reason: string): false {
  hold(draft, ready[0]!.site, kind, reason)
  for (const { site } of ready) setContact(draft, site, site.contact, draft.now + HOLD_RETRY)
  return false
}

/** Whether an entry follows an edit that somebody made in Perun. */
export function isDrift({ id }: { readonly id: string }): boolean {
  return id.startsWith(DRIFT)
}

function opening(view: GroupView, shown: Credits | undefined): string {
  if (shown === undefined) return 'First contact: Perun showed no used credits.'
  const times = Object.entries(view.timestamps).map(([metric, text]) => `${metric} until ${text}`)
  const until = times.length === 0 ? 'without timestamps' : `charged by another service, ${times.join(', ')}`
  return `First contact: Perun showed ${view.used} used credits (${until}). What was used between then and our first reading is not charged.`
}

function drift({ used, usedModifiedAt }: GroupView, expected: Credits | undefined): string {
  const before = expected === undefined ? 'nothing' : formatRounded(expected, 6)
  return `Perun shows ${used} instead of ${before} since ${usedModifiedAt ?? 'an unknown time'}: edited there. The ledger follows.`
}

function missing({ group }: GroupAccount, expected: Credits | undefined): string {
  const last = expected === undefined ? '' : ` (last ${formatRounded(expected, 2)})`
  return `Perun shows no used credits of ${group} any more although they were published${last}. Nothing is written until they are set again there.`
}

function parseShown({ used }: GroupView): Credits | undefined | 'unreadable' {
  if (used === undefined) return undefined
  try {
    const shown = parseCredits(used)
    return shown > LARGEST_TOTAL || shown < -LARGEST_TOTAL ? 'unreadable' : shown
  } catch {
    return 'unreadable'
  }
}

function finish(draft: Draft, ready: readonly Ready[], newest: GroupView | undefined): Plan {
  const { account, entries, contacts, holds, released, sites, now, precision } = draft
  const total = entries.reduce((sum, { amount }) => sum + amount, account.used)
  const target = publishable({ ...account, used: total, sites })
  const used = formatRounded(target, precision)
  const shown = roundCredits(target, precision)
  const parsed = newest === undefined ? undefined : parseShown(newest)
  const shownNow = parsed === 'unreadable' ? undefined : parsed
  const differs = shownNow !== shown
  const writes = ready
    .filter(({ site }) => site.publishedAt === undefined || differs)
    .filter(({ site }, index) => site.publishedAt === undefined || isBehind(site) || index === 0)
    .map(({ site, view }) => toWrite(site, view, used))
  const settlement: Settlement = {
    group: account.group,
    at: now,
    ...(entries.length > 0 && { entries }),
    ...(contacts.size > 0 && { contacts: [...contacts].map(([site, contact]) => ({ site, ...contact })) }),
    ...(holds.length > 0 && { holds }),
    ...(released.length > 0 && { released }),
    ...(newest?.granted !== undefined && { granted: newest.granted }),
    // What is shown now is what the next look expects, until a write is known to have replaced it.
    ...(ready.length > 0 && shownNow !== undefined && { published: { used: shownNow, sites: [] } }),
    ...(writes.length > 0 && { intended: shown }),
  }
  const skipped = account.sites.length - sitesToLookAt(account, now).length
  return { settlement, writes, shown, held: holds.length + skipped > 0, total }
}

function isBehind({ watermarks, publishedAt }: SiteAccount): boolean {
  return latest(watermarks) > (publishedAt ?? Number.NEGATIVE_INFINITY)
}

function parseTimestamps(timestamps: Readonly<Record<string, string>>): Record<string, Instant> {
  return Object.fromEntries(
    Object.entries(timestamps).flatMap(([metric, text]) => {
      const at = parsePerunTimestamp(text)
      return at === undefined ? [] : [[metric, at]]
    }),
  )
}

function latest(watermarks: Readonly<Record<string, Instant>>): Instant {
  return Math.max(0, ...Object.values(watermarks))
}

/** Timestamps of metrics that are not ours stay as they are: Perun replaces a map as a whole. */
function toWrite({ site, watermarks }: SiteAccount, view: GroupView, used: string): Write {
  const own = Object.entries(watermarks).map(([metric, at]) => [metric, formatPerunTimestamp(at)])
  const timestamps = { ...view.timestamps, ...Object.fromEntries(own) }
  return { site, groupId: view.id, used, timestamps, upTo: latest(watermarks) }
}

function holdKey({ account }: Draft, { site }: SiteAccount, kind: HoldKind): string {
  return `${kind}/${site}/${account.group}`
}

function hold(draft: Draft, site: SiteAccount, kind: HoldKind, reason: string): void {
  const key = holdKey(draft, site, kind)
  draft.released = draft.released.filter((each) => each.key !== key)
  draft.holds.push({ key, kind, site: site.site, group: draft.account.group, reason })
}

function release(draft: Draft, site: SiteAccount, kind: HoldKind): void {
  const key = holdKey(draft, site, kind)
  if (!draft.account.holds.includes(key)) return
  draft.released.push({ key, reason: `No longer so at ${formatInstant(draft.now)}.` })
}
