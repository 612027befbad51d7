/** Rows of groups, with what belongs to them in other tables. */
import type { Credits } from '../../core/credits.ts'
import type { Contact, GroupRow, HoldKind } from '../ledger.ts'

export type Row = Record<string, unknown>

/** Columns for `toGroupRow`, of `groups`. */
export const GROUP_COLUMNS = `name, used, dirty, granted, published, published_at, (SELECT json_group_array(json_object(
    'site', site, 'contact', contact, 'charged', CAST(charged AS TEXT))) FROM accounts WHERE group_name = name) AS sites,
  (SELECT json_group_array(DISTINCT kind) FROM holds WHERE group_name = name AND closed_at IS NULL) AS holds,
  (SELECT max(at) FROM series WHERE project_name = name) AS last_reading_at,
  EXISTS (SELECT 1 FROM mutes WHERE group_name = name) AS muted`

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
