/** Groups as publishing finds them: accounts, and what Perun shows. */
import { parseCredits } from '#src/core/credits.ts'
import { HOUR, type Instant, MINUTE } from '#src/core/time.ts'
import type { GroupAccount, OpenIntention, SiteAccount } from '#src/ledger/ledger.ts'
import type { GroupView } from '#src/publish/perun/groups.ts'
import { T0 } from './billing.ts'

export const NOW = T0 + HOUR
export const LATER = T0 + 2 * HOUR
export const credits = parseCredits

/** A site where 10 credits were charged and published, unless told otherwise. */
export function site({ charged = '10', ...rest }: Partial<Omit<SiteAccount, 'charged'>> & { charged?: string } = {}) {
  const facts = { site: 'A', contact: 'active', watermarks: { cpu: T0 }, publishedAt: T0 } as const
  return { ...facts, charged: credits(charged), ...rest } satisfies SiteAccount
}

/** Where nothing was looked up yet. */
export function newSite(name: string, charged = '0', chargedSince: Instant = T0): SiteAccount {
  const measured = { cpu: { since: chargedSince, chargedSince, charged: credits(charged) } }
  return { site: name, contact: 'new', charged: credits(charged), watermarks: { cpu: T0 }, measured }
}

interface AccountFacts {
  readonly used?: string
  readonly published?: string | null
  readonly intended?: string
  readonly opened?: boolean
  readonly sites?: SiteAccount[]
  readonly holds?: string[]
}

/** A group that used 10 credits, all of them published, unless told otherwise. */
export function account({
  used = '10',
  published = '10',
  intended,
  opened = true,
  ...rest
}: AccountFacts = {}): GroupAccount {
  return {
    group: 'g',
    used: credits(used),
    opened,
    sites: [site()],
    holds: [],
    ...(published !== null && { published: credits(published) }),
    intended: intended === undefined ? [] : [write(1, intended)],
    newestIntention: intended === undefined ? 0 : 1,
    ...rest,
  }
}

/** A write at site A that was never answered; it brought no other times, unless told otherwise. */
export function write(number: number, used: string, rest: Partial<OpenIntention> = {}): OpenIntention {
  return { number, site: 'A', used: credits(used), upTo: T0, at: NOW - MINUTE, overtaken: false, ...rest }
}

export function newAccount(used: string, sites: SiteAccount[] = [newSite('A', used)]): GroupAccount {
  return account({ used, published: null, opened: false, sites })
}

export function view(used: string | undefined, rest: Partial<GroupView> = {}): GroupView {
  return { id: 7, granted: '200', timestamps: {}, readAt: NOW, ...(used !== undefined && { used }), ...rest }
}
