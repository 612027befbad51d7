/** What a group's number is made of. */

import { type Credits, formatCredits, formatRounded, formatShown } from '../../core/credits.ts'
import { formatDecimal } from '../../core/decimals.ts'
import { inPath } from '../../core/groupPath.ts'
import type { Meters } from '../../core/meters.ts'
import { formatInstant } from '../../core/time.ts'
import type { Breakdown, BreakdownPart, GroupRow } from '../../ledger/ledger.ts'
import { answerOnce } from '../conditional.ts'
import { formatHeaders } from '../format.ts'
import { entryJson } from '../groupJson.ts'
import type { HttpParts } from '../parts.ts'
import {
  beforeSummary,
  cutPage,
  ledgerTrouble,
  limitSummary,
  link,
  queryLimit,
  queryNumber,
  type Route,
} from '../route.ts'
import { groupParameter } from '../schemas/common.ts'
import { receipt } from '../schemas/entries.ts'
import { unknownGroup } from './groups.ts'

/**
 * `GET /api/groups/:name/explain`: the sums by series and price that add up to the total, what of it Perun shows, and the
 * entries behind them with their hashes, newest first.
 */
export function explainRoute(parts: Pick<HttpParts, 'ledger' | 'meters' | 'precision'>): Route {
  const { ledger, meters, precision } = parts
  return {
    method: 'get',
    path: '/api/groups/:name/explain',
    who: 'reader',
    summary: 'What the used credits of a group are made of: a receipt that can be computed again',
    params: groupParameter,
    query: { before: beforeSummary, limit: limitSummary },
    answers: {
      200: {
        description: 'The sums, and a page of entries, newest first',
        json: receipt,
        headers: { ETag: formatHeaders.ETag },
      },
      304: 'It is what If-None-Match names',
      400: 'No such page',
      404: 'No such group',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const name = ctx.params.name!
      const before = queryNumber(ctx, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER })
      const limit = queryLimit(ctx)
      // Asked for first: entries that are added meanwhile are in neither or in the page only.
      const group = await ledger.group(name)
      const breakdown = await ledger.breakdown(name)
      if (group === undefined || breakdown === undefined) throw unknownGroup(name)
      const rows = await ledger.entries(name, { ...(before !== undefined && { before }), limit: limit + 1 })
      const { page, last } = cutPage(rows, limit)
      const path = `/api/groups/${inPath(name)}/explain`
      const slip = {
        ...totalsJson(group, breakdown, precision),
        charges: breakdown.parts.map((part) => partJson(part, meters)),
        adjustments: { credits: formatCredits(breakdown.adjustments.amount), entries: breakdown.adjustments.entries },
        openings: { credits: formatCredits(breakdown.openings.amount), entries: breakdown.openings.entries },
        entries: page.map((entry) => entryJson(entry, meters)),
        next: last === undefined ? null : link(path, { before: last.number, limit }),
      }
      answerOnce(ctx, JSON.stringify(slip), 'json')
    },
  }
}

/** `used = charges + adjustments + openings`; `shown_in_perun` is that without what is charged where Perun lacks the group, `published` what was written last. */
function totalsJson({ group, sites, granted, published }: GroupRow, breakdown: Breakdown, precision: number) {
  const { used, parts } = breakdown
  const away = sites.filter(({ contact }) => contact !== 'active')
  const publishable = away.reduce((total, { charged }) => total - charged, used)
  const sum = (amounts: readonly Credits[]) => formatCredits(amounts.reduce((total, amount) => total + amount, 0n))
  return {
    group,
    used: formatCredits(used),
    charged: sum(parts.map(({ amount }) => amount)),
    granted: granted ?? null,
    shown_in_perun: formatRounded(publishable, precision),
    published: published === undefined ? null : formatShown(published, precision),
    not_shown: away.map(({ site, contact, charged }) => ({ site, contact, charged: formatCredits(charged) })),
  }
}

function partJson(part: BreakdownPart, meters: Meters) {
  const { series, priceVersion, perUnit, consumption, amount, entries, first, last, from, to } = part
  const meter = meters.get(series.metric)
  return {
    site: series.site,
    meter: meter?.name ?? null,
    metric: series.metric,
    project_id: series.projectId,
    unit: meter?.unit ?? null,
    price_version: priceVersion,
    price: formatDecimal(perUnit),
    consumption: formatDecimal(consumption),
    credits: formatCredits(amount),
    from: formatInstant(from),
    to: formatInstant(to),
    entries,
    first_entry: first,
    last_entry: last,
  }
}
