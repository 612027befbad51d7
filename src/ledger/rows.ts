/** Rows of the tables of a ledger as what they mean; whole numbers are bigint, flags 0 or 1. */
import type { Credits } from '../core/credits.ts'
import { decimal } from '../core/decimals.ts'
import type {
  Contact,
  GroupCredits,
  GroupRow,
  HeldGrowth,
  HoldKind,
  Note,
  SeriesRow,
  StoredDrift,
  StoredHold,
} from './ledger.ts'
import { type SeriesColumns, type StateColumns, seriesOf, toSeriesState } from './seriesRows.ts'

export type Row = Record<string, unknown>

export function toGroupRow(row: Row): GroupRow {
  const sites = JSON.parse(row.sites as string) as { site: string; contact: Contact; charged: string }[]
  return {
    group: row.name as string,
    used: row.used as Credits,
    dirty: row.dirty === 1n,
    muted: row.muted === 1n,
    sites: sites.map(({ site, contact, charged }) => ({ site, contact, charged: BigInt(charged) })),
    holds: JSON.parse(row.holds as string) as HoldKind[],
    ...(row.published !== null && { published: row.published as Credits }),
    ...(row.published_at !== null && { publishedAt: Number(row.published_at) }),
    ...(row.granted !== null && { granted: row.granted as string }),
    ...(row.last_reading_at !== null && { lastReadingAt: Number(row.last_reading_at) }),
  }
}

export function toCounts<Name extends string>(rows: Row[]): Partial<Record<Name, number>> {
  return Object.fromEntries(rows.map(({ name, count }) => [name, Number(count)])) as Partial<Record<Name, number>>
}

export function toGroupCredits({ name, used, granted }: Row): GroupCredits {
  return { group: name as string, used: used as Credits, ...(granted !== null && { granted: granted as string }) }
}

export function toSeriesRow(row: Row): SeriesRow {
  const columns = row as unknown as SeriesColumns & StateColumns
  return { ...seriesOf(columns), state: toSeriesState(columns) }
}

export function toNote(row: Row): Note {
  return {
    kind: row.kind as Note['kind'],
    series: seriesOf(row as unknown as SeriesColumns),
    at: Number(row.at),
    text: row.text as string,
  }
}

export function toDrift(row: Row): StoredDrift {
  return {
    id: Number(row.id),
    group: row.group_name as string,
    site: row.site as string,
    seenAt: Number(row.seen_at),
    ...(row.expected !== null && { expected: row.expected as Credits }),
    ...(row.shown !== null && { shown: row.shown as Credits }),
    ...(row.modified_at !== null && { modifiedAt: row.modified_at as string }),
    ...(row.modified_by !== null && { modifiedBy: row.modified_by as string }),
    ...(row.entry_id !== null && { entryId: row.entry_id as string }),
  }
}

export function toHold(row: Row): StoredHold {
  return {
    id: Number(row.id),
    key: row.key as string,
    kind: row.kind as HoldKind,
    site: row.site as string,
    reason: row.reason as string,
    openedAt: Number(row.opened_at),
    seenAt: Number(row.seen_at),
    ...(row.group_name !== null && { group: row.group_name as string }),
    ...(row.closed_at !== null && { closed: { at: Number(row.closed_at), why: row.closed_why as string } }),
  }
}

/** @param row Of `held_growths`, with the columns of its series and the key of its hold. */
export function toGrowth(row: Row): HeldGrowth {
  return {
    holdKey: row.hold_key as string,
    series: seriesOf(row as unknown as SeriesColumns),
    from: { at: Number(row.from_at), value: decimal(row.from_value as string) },
    to: { at: Number(row.to_at), value: decimal(row.to_value as string) },
  }
}
