/** What publishing reads of a group. */
import type { Credits } from '../../core/credits.ts'
import {
  type Contact,
  type GroupAccount,
  LedgerError,
  type OpenIntention,
  type ShownGroup,
  type SiteAccount,
} from '../ledger.ts'
import { type MeasuredOfSites, toMeasured } from '../measured.ts'
import { takenForDead } from './presence.ts'
import { one, type Sql } from './sql.ts'

export async function dirtyGroups(sql: Sql): Promise<string[]> {
  const rows = await sql.all<{ name: string }>(
    'SELECT name FROM groups WHERE dirty = 1 ORDER BY published_at NULLS FIRST, name',
  )
  return rows.map(({ name }) => name)
}

export async function doubtfulGroups(sql: Sql): Promise<string[]> {
  const rows = await sql.all<{ group_name: string }>('SELECT DISTINCT group_name FROM intentions ORDER BY group_name')
  return rows.map(({ group_name }) => group_name)
}

/** @throws {LedgerError} if others took this replica for dead. */
export async function newestIntention(sql: Sql, group: string, replica: number | undefined): Promise<number> {
  const row = await one<{ newest: bigint | null; is_there: boolean }>(
    sql.all(
      `SELECT (SELECT newest_intention FROM groups WHERE name = $1) AS newest,
        $2::bigint IS NULL OR EXISTS (SELECT 1 FROM replicas WHERE id = $2 AND gone_at IS NULL) AS is_there`,
      group,
      replica,
    ),
  )
  if (!row!.is_there) throw new LedgerError(takenForDead)
  return Number(row!.newest ?? 0)
}

export async function shownGroups(sql: Sql): Promise<ShownGroup[]> {
  const rows = await sql.all<{ name: string; published: Credits; granted: string | null; sites: string }>(
    `SELECT name, published, granted, json_agg(site ORDER BY site) AS sites FROM groups JOIN accounts ON group_name = name
      WHERE published IS NOT NULL AND contact = 'active' AND published_up_to IS NOT NULL GROUP BY name ORDER BY name`,
  )
  return rows.map(({ name, published, granted, sites }) => ({
    group: name,
    published,
    ...(granted !== null && { granted }),
    sites: JSON.parse(sites) as string[],
  }))
}

interface AccountRow {
  readonly used: bigint
  readonly opened: bigint
  readonly published: bigint | null
  readonly settled_ago: bigint | null
  readonly newest_intention: bigint
  readonly sites: string
  readonly watermarks: string
  readonly begins: string
  readonly charges: string
  readonly intended: string
  readonly holds: string
}

/** All of it in one statement, so that it is as of one moment. */
const SELECT_ACCOUNT = `SELECT used, opened, published, newest_intention,
  floor(extract(epoch FROM clock_timestamp() - settled_at) * 1000)::bigint AS settled_ago,
  (SELECT coalesce(json_agg(json_build_object('site', site, 'contact', contact, 'charged', charged::text, 'retryAt', retry_at,
      'publishedAt', published_up_to) ORDER BY site), '[]') FROM accounts WHERE group_name = name) AS sites,
  (SELECT coalesce(json_agg(json_build_object('site', site, 'metric', metric, 'at', at) ORDER BY metric), '[]')
    FROM (SELECT site, metric, max(at) AS at FROM series WHERE project_name = name GROUP BY site, metric) AS newest) AS watermarks,
  CASE WHEN opened = 1 THEN '[]' ELSE (SELECT coalesce(json_agg(begun), '[]')
    FROM (SELECT site, metric, min(notes.at) AS since FROM series JOIN notes ON series_id = series.id AND kind = 'opened'
      WHERE project_name = name GROUP BY site, metric) AS begun) END AS begins,
  CASE WHEN opened = 1 THEN '[]' ELSE (SELECT coalesce(json_agg(charge), '[]')
    FROM (SELECT series.site, metric, min(from_at) AS since, sum(amount)::text AS charged
      FROM entries JOIN series ON series.id = series_id WHERE group_name = name AND kind = 'charge'
      GROUP BY series.site, metric) AS charge) END AS charges,
  (SELECT coalesce(json_agg(json_build_object('number', number, 'site', site, 'used', used::text, 'upTo', up_to, 'at', at,
      'overtaken', overtaken = 1) ORDER BY number), '[]') FROM intentions WHERE group_name = name) AS intended,
  (SELECT coalesce(json_agg(key ORDER BY id), '[]') FROM holds WHERE group_name = name AND closed_at IS NULL) AS holds
  FROM groups WHERE name = $1`

export async function accountOf(sql: Sql, group: string): Promise<GroupAccount | undefined> {
  const row = await one<AccountRow>(sql.all(SELECT_ACCOUNT, group))
  if (row === undefined) return undefined
  return {
    group,
    used: row.used,
    opened: row.opened === 1n,
    sites: sitesOf(row),
    intended: (JSON.parse(row.intended) as IntentionText[]).map((each) => ({ ...each, used: BigInt(each.used) })),
    newestIntention: Number(row.newest_intention),
    ...(row.settled_ago !== null && { publishedAgo: Number(row.settled_ago) }),
    holds: JSON.parse(row.holds) as string[],
    ...(row.published !== null && { published: row.published }),
  }
}

type IntentionText = Omit<OpenIntention, 'used'> & { readonly used: string }

interface SiteText {
  readonly site: string
  readonly contact: Contact
  readonly charged: string
  readonly retryAt: number | null
  readonly publishedAt: number | null
}

function sitesOf(row: AccountRow): SiteAccount[] {
  const watermarks: Record<string, Record<string, number>> = {}
  for (const { site, metric, at } of JSON.parse(row.watermarks) as { site: string; metric: string; at: number }[]) {
    watermarks[site] = { ...watermarks[site], [metric]: at }
  }
  const measured = measuredOf(row)
  return (JSON.parse(row.sites) as SiteText[]).map(({ site, contact, charged, retryAt, publishedAt }) => ({
    site,
    contact,
    charged: BigInt(charged),
    watermarks: watermarks[site] ?? {},
    ...(measured[site] !== undefined && { measured: measured[site] }),
    ...(retryAt !== null && { retryAt }),
    ...(publishedAt !== null && { publishedAt }),
  }))
}

interface OfMetric {
  readonly site: string
  readonly metric: string
  readonly since: number
}

function measuredOf({ begins, charges }: AccountRow): MeasuredOfSites {
  const charged = JSON.parse(charges) as (OfMetric & { charged: string })[]
  return toMeasured(
    JSON.parse(begins) as OfMetric[],
    charged.map((each) => ({ ...each, charged: BigInt(each.charged) })),
  )
}
