/** How the credits of a group with a grant are going, for those who are told: the forecast that its page shows. */
import type { Credits } from '../core/credits.ts'
import { type Decimal, formatDecimal, parseDecimal } from '../core/decimals.ts'
import type { Instant } from '../core/time.ts'
import type { ForecastSummary, Forecasts } from '../ledger/forecasts.ts'
import type { GroupRow } from '../ledger/ledger.ts'

/** What is known of a group that has a grant. */
export interface Outlook {
  readonly forecast: ForecastSummary
  /** As notices name it: without superfluous zeros. */
  readonly granted: string
  /** What counts against the grant. */
  readonly used: Credits
}

/** @returns A function that gives nothing for a group that is not published, has no grant or was charged too little yet. */
export function createOutlook(forecasts: Pick<Forecasts, 'of'>) {
  return async (row: GroupRow): Promise<Outlook | undefined> => {
    const grant = grantOf(row)
    if (grant === undefined) return undefined
    const used = countedOf(row)
    const forecast = await forecasts.of({ ...row, used })
    return forecast && { forecast, granted: formatDecimal(grant), used }
  }
}

function grantOf({ granted, published }: GroupRow): Decimal | undefined {
  const grant = granted === undefined || published === undefined ? undefined : parseDecimal(granted)
  return grant === undefined || grant.digits <= 0n ? undefined : grant
}

/** What was used where the group is not at home is not counted, as for other lines of the grant. */
function countedOf({ used, sites }: GroupRow): Credits {
  return sites.reduce((sum, { contact, charged }) => (contact === 'active' ? sum : sum - charged), used)
}

/** What a message tells of a forecast. A day that has passed is none to wait for. */
export function briefly(
  { burnPerDay, runsOut }: ForecastSummary,
  now: Instant,
): { burnPerDay: number; runsOutAt?: Instant } {
  return { burnPerDay, ...(runsOut.kind === 'expected' && runsOut.at > now && { runsOutAt: runsOut.at }) }
}
