/** What people edited in Perun. */
import { formatCredits } from '../../core/credits.ts'
import { formatInstant } from '../../core/time.ts'
import type { StoredDrift } from '../../ledger/ledger.ts'
import type { HttpParts } from '../parts.ts'
import {
  beforeSummary,
  cutPage,
  ledgerTrouble,
  limitSummary,
  link,
  queryLimit,
  queryNumber,
  queryText,
  type Route,
} from '../route.ts'
import { ofGroup } from '../schemas/common.ts'
import { driftsPage } from '../schemas/entries.ts'

/** `GET /api/drifts`, newest first. */
export function driftsRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/drifts',
    who: 'operator',
    summary: 'Used credits in Perun that this worker did not write, with who changed them and when, newest first',
    query: { group: ofGroup, before: beforeSummary, limit: limitSummary },
    answers: { 200: { description: 'A page of drifts', json: driftsPage }, 400: 'No such page', 503: ledgerTrouble },
    async handle(ctx) {
      const [group, limit] = [queryText(ctx, 'group'), queryLimit(ctx)]
      const before = queryNumber(ctx, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER })
      const wanted = { ...(group !== undefined && { group }), ...(before !== undefined && { before }) }
      const { page, last } = cutPage(await ledger.drifts({ ...wanted, limit: limit + 1 }), limit)
      const next = last === undefined ? null : link('/api/drifts', { group, before: last.id, limit })
      ctx.body = { drifts: page.map(driftJson), next }
    },
  }
}

function driftJson({ id, group, site, seenAt, expected, shown, modifiedAt, modifiedBy, entryId }: StoredDrift) {
  const credits = (amount: bigint | undefined) => (amount === undefined ? null : formatCredits(amount))
  return {
    id,
    group,
    site,
    seen_at: formatInstant(seenAt),
    expected: credits(expected),
    /** null: the used credits were gone, and nothing was written over that. */
    shown: credits(shown),
    modified_at: modifiedAt ?? null,
    modified_by: modifiedBy ?? null,
    /** The id of the adjustment that follows it. */
    entry: entryId ?? null,
  }
}
