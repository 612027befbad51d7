/** How sites stand before their readings are read again: up to when they are charged, and what is to be taken over. */
import type { SiteStanding, Takeover } from '../core/catchUp.ts'
import type { Meters } from '../core/meters.ts'
import type { Instant } from '../core/time.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { ChargedUpTo } from '../publish/predecessor.ts'

/** A site that another service has not charged, as far as anybody knows. */
export function ownStanding(site: string, chargedUpTo: Instant | undefined): SiteStanding {
  return { site, takeovers: [], ...(chargedUpTo !== undefined && { chargedUpTo }) }
}

export interface Handover {
  readonly standing: SiteStanding
  /** Groups whose time lies ahead of our clock: it was written in another time zone, or by a wrong clock. */
  readonly ahead: readonly Takeover[]
}

/**
 * A site as the other service left it. What the ledger has readings of is begun already and is no takeover; neither is what
 * it is charged for no more.
 */
export async function handedOver(
  site: string,
  charged: ChargedUpTo,
  own: Instant | undefined,
  { ledger, meters, now }: { ledger: Pick<Ledger, 'seriesOf'>; meters: Meters; now: Instant },
): Promise<Handover> {
  const left: Takeover[] = []
  for (const metric of meters.keys()) {
    const begun = new Set((await ledger.seriesOf(site, metric)).map(({ series }) => series.projectName))
    for (const [group, times] of charged) {
      const at = times[metric]
      if (at !== undefined && !begun.has(group)) left.push({ site, metric, group, at })
    }
  }
  const takeovers = left.filter(({ at }) => at <= now)
  // Whoever came further: of a site that is taken over for the second time, after a crash, the ledger has a part.
  const chargedUpTo = newest(
    [...[...charged.values()].flatMap((times) => Object.values(times)), own ?? Number.POSITIVE_INFINITY],
    now,
  )
  const standing = { ...ownStanding(site, chargedUpTo), takeovers }
  return { standing, ahead: left.filter(({ at }) => at > now) }
}

function newest(times: readonly Instant[], now: Instant): Instant | undefined {
  const past = times.filter((at) => at <= now)
  return past.length === 0 ? undefined : past.reduce((latest, at) => Math.max(latest, at))
}
