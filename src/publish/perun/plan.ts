/**
 * What has to happen so that Perun shows what the ledger says: a pure function of both.
 *
 * - First contact: see `contact.ts`.
 * - Perun shows something that we did not write: see `drift.ts`.
 * - A write that was never answered: see `doubts.ts`.
 * - A write happens at first contact and when the rounded total differs from what is shown. It carries used credits and
 *   timestamps together. Growth that does not change the rounded total writes nothing.
 */
import { type Credits, formatRounded, roundCredits } from '../../core/credits.ts'
import type { Instant } from '../../core/time.ts'
import type { GroupAccount, Settlement, SiteAccount } from '../../ledger/ledger.ts'
import { keepAway, makeContact } from './contact.ts'
import { type Doubts, judgeDoubts, ownTime } from './doubts.ts'
import {
  type Draft,
  HOLD_RETRY,
  isPresent,
  kindsAboutPublishing,
  parseShown,
  type Ready,
  type SiteView,
  siteOf,
} from './draft.ts'
import { agree } from './drift.ts'
import { latest, mergeTimestamps } from './times.ts'

/** One call of `setAttributes`. */
export interface Write {
  /** Counts the writes of the group. */
  readonly number: number
  readonly site: string
  readonly groupId: number
  readonly used: string
  readonly timestamps: Readonly<Record<string, string>>
  /** The latest reading that these timestamps tell of. */
  readonly upTo: Instant
  /** When the reading began of what it replaces. */
  readonly readAt: Instant
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
  /** What came of writes that were never answered. */
  readonly resolved: Doubts['resolved']
}

/** Whether Perun has to be asked about a group at all: nothing new to show means nothing to read. */
export function isSettled(account: GroupAccount, precision: number, now: Instant): boolean {
  if (!account.opened || account.published === undefined || account.intended.length > 0) return false
  if (account.holds.some(isAboutPublishing)) return false
  // What was on hold may have fallen behind.
  if (!sitesToLookAt(account, now).every((site) => isPublished(site) && site.retryAt === undefined)) return false
  return roundCredits(publishable(account), precision) === account.published
}

function isAboutPublishing(key: string): boolean {
  return kindsAboutPublishing.some((kind) => key.startsWith(`${kind}/`))
}

/** Whether the group was published at this site and nothing is known against it. */
export function isPublished({ contact, publishedAt }: SiteAccount): boolean {
  return contact === 'active' && publishedAt !== undefined
}

/** The sites that are not on hold now. What lies further ahead than any retry was set by a clock that was wrong. */
export function sitesToLookAt({ sites }: GroupAccount, now: Instant): SiteAccount[] {
  return sites.filter(({ retryAt }) => retryAt === undefined || retryAt <= now || retryAt > now + HOLD_RETRY)
}

/** The total without what was charged at sites where Perun does not know the group. */
function publishable({ used, sites }: GroupAccount): Credits {
  return sites.filter(({ contact }) => contact !== 'active').reduce((total, { charged }) => total - charged, used)
}

/**
 * @param views What Perun shows of the group at each of `sitesToLookAt`.
 * @param precision Decimals of published credits, 0 to 6.
 * @param now Not later than the reading of the views began.
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
    drifts: [],
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
  // Of two that were read within a millisecond, the later one: a late write may have come in between.
  const newest = ready
    .map(({ view }) => view)
    .sort((a, b) => a.readAt - b.readAt)
    .at(-1)
  const parsed = newest === undefined ? undefined : parseShown(newest)
  const shownNow = parsed === 'unreadable' ? undefined : parsed
  const doubts = judgeDoubts(account, ready, shownNow, now)
  const isAgreed = newest !== undefined && agree(draft, newest, ready, doubts.used)
  const seen: Seen = {
    ready: isAgreed ? ready : [],
    doubts,
    ...(newest?.granted !== undefined && { granted: newest.granted }),
  }
  return finish(draft, shownNow === undefined ? seen : { ...seen, shownNow })
}

/** What Perun shows. */
interface Seen {
  /** The sites that can be written. */
  readonly ready: readonly Ready[]
  readonly shownNow?: Credits
  readonly granted?: string
  readonly doubts: Doubts
}

function finish(draft: Draft, { ready, shownNow, granted, doubts }: Seen): Plan {
  const { account, entries, drifts, contacts, holds, released, sites, now, precision } = draft
  const total = entries.reduce((sum, { amount }) => sum + amount, account.used)
  const target = publishable({ ...account, used: total, sites })
  const shown = roundCredits(target, precision)
  const writes = sitesToWrite(ready, shownNow !== shown, doubts).map((each, index) =>
    toWrite(each, account.newestIntention + 1 + index, formatRounded(target, precision)),
  )
  // A hold forgets what arrived before it, too.
  const arrived = doubts.arrived.length > 0 ? (doubts.used ?? account.published) : undefined
  const known = ready.length > 0 ? shownNow : arrived
  const settlement: Settlement = {
    group: account.group,
    at: now,
    ...(entries.length > 0 && { entries }),
    ...(drifts.length > 0 && { drifts }),
    ...(contacts.size > 0 && { contacts: [...contacts].map(([site, contact]) => ({ site, ...contact })) }),
    ...(holds.length > 0 && { holds }),
    ...(released.length > 0 && { released }),
    ...(granted !== undefined && { granted }),
    // What is shown now is what the next look expects, until a write is known to have replaced it.
    ...(known !== undefined && { published: { used: known, sites: doubts.arrived } }),
    ...numbersOf(doubts),
    ...(writes.length > 0 && {
      intended: writes.map(({ number, site, upTo }) => ({ number, site, used: shown, upTo })),
    }),
  }
  const skipped = account.sites.length - sitesToLookAt(account, now).length
  return { settlement, writes, shown, held: holds.length + skipped > 0, total, resolved: doubts.resolved }
}

/** What arrived is done as what was answered: if Perun comes to an older write now, it is late. */
function numbersOf({ resolved }: Doubts): Pick<Settlement, 'arrived' | 'resolved'> {
  const [arrived, others] = [true, false].map((isArrived) =>
    resolved.filter(({ outcome }) => (outcome === 'arrived') === isArrived).map(({ number }) => number),
  ) as [number[], number[]]
  return { ...(arrived.length > 0 && { arrived }), ...(others.length > 0 && { resolved: others }) }
}

/** Those that were left behind come first: they must not wait for the others again. */
function sitesToWrite(ready: readonly Ready[], differs: boolean, { outdated }: Doubts): readonly Ready[] {
  const left = ready.filter(({ site }) => outdated.has(site.site))
  const others = ready.filter((each) => !left.includes(each) && (isNew(each) || (differs && isBehind(each))))
  const writes = [...left, ...others]
  return differs && writes.length === 0 ? ready.slice(0, 1) : writes
}

/** Whether it was never published, or was on hold while it fell behind, or while an older write set it back. */
function isNew(each: Ready): boolean {
  const { publishedAt, retryAt, watermarks } = each.site
  if (publishedAt === undefined) return true
  return retryAt !== undefined && (isBehind(each) || ownTime(each) !== latest(watermarks))
}

function isBehind({ site: { watermarks, publishedAt } }: Pick<Ready, 'site'>): boolean {
  // Also if it is later than all: a clock was wrong when that was published.
  return latest(watermarks) !== publishedAt
}

function toWrite({ site: { site, watermarks }, view }: Ready, number: number, used: string): Write {
  const timestamps = mergeTimestamps(view.timestamps, watermarks)
  return { number, site, groupId: view.id, used, timestamps, upTo: latest(watermarks), readAt: view.readAt }
}
