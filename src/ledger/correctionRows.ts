/** Rows of re-pricings as what they mean; whole numbers are bigint. */
import type { Credits } from '../core/credits.ts'
import { decimal } from '../core/decimals.ts'
import { makesNegative } from '../core/repricing.ts'
import type { Repricing, RepricingGroup, RepricingLine, RepricingSummary } from './corrections.ts'
import type { Row } from './rows.ts'
import { type SeriesColumns, seriesOf } from './seriesRows.ts'

export function toRepricing(row: Row): Repricing {
  const applied = { at: Number(row.applied_at), actor: row.applied_by as string }
  const undone = { at: Number(row.undone_at), actor: row.undone_by as string, reason: row.undone_why as string }
  return {
    id: row.id as string,
    metric: row.metric as string,
    period: { from: Number(row.from_at), to: Number(row.to_at) },
    perUnit: decimal(row.per_unit as string),
    reason: row.reason as string,
    actor: row.actor as string,
    previewedAt: Number(row.previewed_at),
    seenEntry: Number(row.seen_entry),
    ...(row.applied_at !== null && { applied }),
    ...(row.undone_at !== null && { undone }),
  }
}

export function toLine(row: Row): RepricingLine {
  return {
    series: seriesOf(row as unknown as SeriesColumns),
    seriesNumber: Number(row.series_id),
    first: Number(row.first_entry),
    last: Number(row.last_entry),
    lastHash: row.last_hash as string,
    consumption: decimal(row.consumption as string),
    amount: row.amount as Credits,
  }
}

export function toRepricingGroup(row: Row): RepricingGroup {
  const facts = { group: row.name as string, used: row.used as Credits, amount: row.amount as Credits }
  return row.granted === null ? facts : { ...facts, granted: row.granted as string }
}

/** @param groups What each group has used, and the number and the sum of its lines. */
export function summaryOf(groups: Iterable<Row>): RepricingSummary {
  let summary = { groups: 0, series: 0, amount: 0n, negative: { applying: 0, undoing: 0 } }
  for (const row of groups) {
    const [used, amount] = [row.used as Credits, row.amount as Credits]
    const { applying, undoing } = summary.negative
    summary = {
      groups: summary.groups + 1,
      series: summary.series + Number(row.series),
      amount: summary.amount + amount,
      negative: {
        applying: applying + Number(makesNegative(used, amount)),
        undoing: undoing + Number(makesNegative(used, -amount)),
      },
    }
  }
  return summary
}
