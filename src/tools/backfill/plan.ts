/** What a backfill reads: from when on of each site, and where groups of another service go on. */
import { handedOver, ownStanding } from '../../billing/standings.ts'
import { type CatchUpPlan, planCatchUp, type SiteStanding } from '../../core/catchUp.ts'
import type { Meters } from '../../core/meters.ts'
import { DAY, type Instant } from '../../core/time.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Predecessor } from '../../publish/predecessor.ts'
import type { Archive } from '../../sources/archive.ts'
import { EXIT_UNAVAILABLE, EXIT_USAGE, ToolError } from '../program.ts'

export interface PlanOptions {
  readonly ledger: Pick<Ledger, 'chargedUpTo' | 'takenOver' | 'seriesOf'>
  readonly archive: Archive
  /** Absent if Perun is not known: then all series begin with their first reading. */
  readonly predecessor: Predecessor | undefined
  /** Sites that the settings name. */
  readonly sites: readonly string[]
  readonly meters: Meters
  /** Where each site begins; where the ledger ends, if not given. */
  readonly from: Instant | undefined
  readonly to: Instant
  readonly now: Instant
  readonly signal: AbortSignal
}

/** How far back sites are looked for if nobody says from when on. */
const LOOK_BACK = 30 * DAY

export interface BackfillPlan {
  /** Absent if there is nothing to be read. */
  readonly plan: CatchUpPlan | undefined
  readonly standings: readonly SiteStanding[]
  /** The sites that were looked up in Perun. */
  readonly lookedUp: readonly string[]
}

/**
 * @throws {ToolError} if there is nothing to begin from, or Perun cannot be asked.
 * @throws {ArchiveError}
 */
export async function planBackfill(options: PlanOptions): Promise<BackfillPlan> {
  const { ledger, archive, from, to, now, signal } = options
  if (from !== undefined && from >= to) throw new ToolError(EXIT_USAGE, '--from has to be earlier than --to.')
  const charged = await ledger.chargedUpTo()
  const found = await archive.sites({ after: from ?? now - LOOK_BACK, upTo: to }, signal)
  const sites = [...new Set([...found, ...options.sites, ...charged.keys()])].sort()
  const taken = new Set((await ledger.takenOver()).map(({ site }) => site))
  const isToAsk = (site: string) => options.predecessor !== undefined && !taken.has(site)
  const answers = new Map<string, Answer>()
  for (const site of sites.filter(isToAsk)) answers.set(site, await askFor(site, charged.get(site), options))
  const lookedUp = [...answers].filter(([, answer]) => !('untold' in answer)).map(([site]) => site)
  const standings: SiteStanding[] = []
  for (const site of sites) {
    const answer = answers.get(site) ?? ownStanding(site, charged.get(site))
    // Where no site may be read, rights are missing; where others may be, this one is foreign.
    if ('untold' in answer && answer.isForbidden && lookedUp.length + taken.size === 0)
      throw cannotAsk(site, answer.untold)
    const own = 'untold' in answer ? ownStanding(site, charged.get(site)) : answer
    standings.push(from === undefined ? own : { ...own, chargedUpTo: from - 1 })
  }
  if (standings.every(({ chargedUpTo }) => chargedUpTo === undefined))
    throw new ToolError(EXIT_USAGE, 'The ledger has no reading yet, so --from has to say where to begin.')
  return { plan: planCatchUp(standings, { now: to, least: 0 }), standings, lookedUp }
}

/** Of a site that Perun refuses nothing is taken over. */
type Answer = SiteStanding | { readonly untold: string; readonly isForbidden: boolean }

async function askFor(
  site: string,
  own: Instant | undefined,
  { predecessor, ledger, meters, now }: PlanOptions,
): Promise<Answer> {
  const legacy = await predecessor!.chargedAt(site)
  if (legacy.kind === 'known') return (await handedOver(site, legacy.groups, own, { ledger, meters, now })).standing
  if (legacy.kind !== 'unavailable') return { untold: legacy.reason, isForbidden: legacy.kind === 'forbidden' }
  throw cannotAsk(site, legacy.reason)
}

function cannotAsk(site: string, reason: string): ToolError {
  const advice = 'Groups that another service charged could begin at a wrong instant'
  return new ToolError(
    EXIT_UNAVAILABLE,
    `Perun cannot say what is to be taken over at site ${site}: ${reason}. ${advice}.`,
  )
}
