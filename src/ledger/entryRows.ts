/** Entries as rows, the same in each ledger that has tables. */
import type { Credits } from '../core/credits.ts'
import { decimal } from '../core/decimals.ts'
import type { Instant } from '../core/time.ts'
import type { StoredEntry } from './ledger.ts'
import { type SeriesColumns, seriesOf } from './seriesRows.ts'

/** Rows for `toEntry`. */
export const SELECT_ENTRIES = `SELECT entries.*, series.metric, series.project_id
  FROM entries LEFT JOIN series ON series.id = series_id`

/** @param row Of `entries`, with `metric` and `project_id` of its series; whole numbers as bigint. */
export function toEntry(row: Record<string, unknown>): StoredEntry {
  const facts = {
    number: Number(row.number),
    at: Number(row.at) as Instant,
    id: row.id as string,
    group: row.group_name as string,
    amount: row.amount as Credits,
    recordedAt: Number(row.recorded_at),
    hash: row.hash as string,
  }
  if (row.kind === 'opening') {
    return { ...facts, kind: 'opening', site: (row.site as string | null) ?? '', reason: row.reason as string }
  }
  if (row.kind === 'adjustment') {
    const site = row.site === null ? {} : { site: row.site as string }
    const remark = { reason: row.reason as string, actor: row.actor as string }
    const first = row.corrects === null ? undefined : Number(row.corrects)
    if (first === undefined) return { ...facts, ...site, kind: 'adjustment', ...remark }
    const corrects = { first, last: row.corrects_to === null ? first : Number(row.corrects_to) }
    return { ...facts, ...site, kind: 'adjustment', ...remark, corrects }
  }
  return {
    ...facts,
    kind: 'charge',
    series: seriesOf({ ...row, project_name: row.group_name } as unknown as SeriesColumns),
    from: { at: Number(row.from_at), value: decimal(row.from_value as string) },
    to: { at: facts.at, value: decimal(row.to_value as string) },
    priceVersion: row.price_version as string,
    perUnit: decimal(row.per_unit as string),
    carryIn: decimal(row.carry_in as string),
    carryOut: decimal(row.carry_out as string),
    ...(row.actor !== null && { accepted: { actor: row.actor as string, reason: row.reason as string } }),
  }
}
