/** How a group's credits are going: its forecast, from what the ledger says of its days. */
import type { Credits } from '../core/credits.ts'
import { type Decimal, formatDecimal, parseDecimal } from '../core/decimals.ts'
import { type Forecast, forecast } from '../core/forecast.ts'
import { lineOf } from '../core/thresholds.ts'
import { DAY, type Instant } from '../core/time.ts'
import type { DailyCharges, GroupRow, Ledger } from '../ledger/ledger.ts'

/** As far back as a forecast looks. */
const HISTORY = 182 * DAY

/** What is known of a group that has a grant. */
export interface Outlook {
  readonly forecast: Forecast
  /** As notices name it: without superfluous zeros. */
  readonly granted: string
  /** What counts against the grant. */
  readonly used: Credits
}

/** @returns A function that gives nothing for a group that is not published, has no grant or was never measured. */
export function createOutlook(ledger: Pick<Ledger, 'dailyCharges'>) {
  const dailyConsumption = createDailyConsumption(ledger)
  return async (row: GroupRow): Promise<Outlook | undefined> => {
    const { group, lastReadingAt: until } = row
    const grant = grantOf(row)
    if (grant === undefined || until === undefined) return undefined
    const used = countedOf(row)
    const days = await dailyConsumption(group, until)
    // All of a grant are the fewest micro-credits that reach it.
    const granted = lineOf(grant, 100)
    return { forecast: forecast({ days, until, used, granted }), granted: formatDecimal(grant), used }
  }
}

/** Days between charges are there with 0: a group that rests is more common than an exporter that is away. */
function createDailyConsumption({ dailyCharges }: Pick<Ledger, 'dailyCharges'>) {
  return async (group: string, until: Instant): Promise<DailyCharges[]> => {
    const charged = new Map((await dailyCharges(group, until - HISTORY)).map(({ at, credits }) => [at, credits]))
    const [first] = charged.keys()
    const days: DailyCharges[] = []
    for (let at = first ?? until; at < until; at += DAY) days.push({ at, credits: charged.get(at) ?? 0n })
    return days
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
export function briefly({ burnPerDay, runsOut }: Forecast, now: Instant): { burnPerDay: number; runsOutAt?: Instant } {
  return { burnPerDay, ...(runsOut.kind === 'expected' && runsOut.at > now && { runsOutAt: runsOut.at }) }
}
