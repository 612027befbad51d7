/**
 * What the entries add up to, for each series, group and account, beside what the ledger says it is.
 *
 * There is a book for each of them in memory, some hundred bytes; entries pass by one after another and are not kept.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { SeriesNames } from './hashes.ts'
import type { Problems } from './problems.ts'

export interface SeriesBook extends SeriesNames {
  /** The hash of its latest charge. */
  head: string
  /** What was left of a micro-credit after it. */
  carry: string
  /** Its latest charge, as far as the series tells of it while it may still grow. */
  latest?: { readonly number: bigint; readonly at: bigint; readonly price: string | null; readonly base: string }
  /** Until when it is charged, what people accepted aside. */
  until: bigint
  /** The instants to which its watermark was set back, because a clock had been ahead. */
  readonly redated: bigint[]
}

export interface GroupBook {
  readonly name: string
  /** The hash of its latest opening or adjustment. */
  head: string
  /** Micro-credits. */
  used: bigint
  openings: number
  readonly sites: Map<string, AccountBook>
}

export interface AccountBook {
  /** Micro-credits. */
  charged: bigint
  hasSeries: boolean
}

export interface Books {
  readonly series: ReadonlyMap<bigint, SeriesBook>
  readonly groups: ReadonlyMap<string, GroupBook>
}

/** Opens a book for each series, group and account, and finds those that lack their partner. */
export function openBooks(db: DatabaseSync, problems: Problems): Books {
  const groups = new Map<string, GroupBook>()
  for (const { name } of rows<{ name: string }>(db, 'SELECT name FROM groups')) {
    groups.set(name, { name, head: '', used: 0n, openings: 0, sites: new Map() })
  }
  for (const row of rows<{ group_name: string; site: string }>(db, 'SELECT group_name, site FROM accounts')) {
    const group = groups.get(row.group_name)
    if (group === undefined) problems.add('accounts', `${row.group_name}, ${row.site}`, 'its group', 'one', null)
    else group.sites.set(row.site, { charged: 0n, hasSeries: false })
  }
  const series = new Map<bigint, SeriesBook>()
  const names = 'SELECT id, site, metric, project_id, project_name FROM series ORDER BY id'
  for (const { id, ...rest } of rows<SeriesNames & { id: bigint }>(db, names)) {
    series.set(id, { ...rest, head: '', carry: '0', until: 0n, redated: [] })
    const account = groups.get(rest.project_name)?.sites.get(rest.site)
    if (account === undefined) problems.add('series', `${id}`, 'the account of its group at its site', 'one', null)
    else account.hasSeries = true
  }
  const redated = "SELECT series_id, at FROM notes WHERE kind = 'redated' ORDER BY id"
  for (const { series_id, at } of rows<{ series_id: bigint; at: bigint }>(db, redated)) {
    series.get(series_id)?.redated.push(at)
  }
  for (const { name, sites } of groups.values()) {
    if (sites.size === 0) problems.add('groups', name, 'accounts', 'at least one', null)
    for (const [site, { hasSeries }] of sites) {
      if (!hasSeries) problems.add('accounts', `${name}, ${site}`, 'series', 'at least one', null)
    }
  }
  return { series, groups }
}

interface SeriesRow {
  readonly id: bigint
  readonly at: bigint
  readonly carry: string
  readonly head: string
  readonly open_number: bigint | null
  readonly open_window: bigint | null
  readonly open_price: string | null
  readonly open_base: string | null
}

interface GroupRow {
  readonly name: string
  readonly used: bigint
  readonly head: string
  readonly opened: bigint
  readonly dirty: bigint
}

/** Compares all books, once every entry is in them, with what the ledger says. */
export function compareBooks(db: DatabaseSync, { series, groups }: Books, problems: Problems): void {
  for (const row of rows<SeriesRow>(db, `SELECT ${seriesColumns} FROM series ORDER BY id`)) {
    const book = series.get(row.id)
    if (book !== undefined) compareSeries(row, book, problems)
  }
  for (const row of rows<GroupRow>(db, 'SELECT name, used, head, opened, dirty FROM groups')) {
    const book = groups.get(row.name)
    if (book !== undefined) compareGroup(row, book, problems)
  }
  const accounts = 'SELECT group_name, site, charged FROM accounts'
  for (const row of rows<{ group_name: string; site: string; charged: bigint }>(db, accounts)) {
    const account = groups.get(row.group_name)?.sites.get(row.site)
    if (account === undefined) continue
    problems.compare('accounts', `${row.group_name}, ${row.site}`, 'charged', account.charged, row.charged)
  }
}

const seriesColumns = 'id, at, carry, head, open_number, open_window, open_price, open_base'

const HOUR = 3_600_000n

function compareSeries(row: SeriesRow, book: SeriesBook, problems: Problems): void {
  const key = `${row.id}`
  problems.compare('series', key, 'head', book.head, row.head)
  problems.compare('series', key, 'carry', book.carry, row.carry)
  const isBack = book.redated.some((at) => at <= row.at)
  if (book.until > row.at && !isBack)
    problems.add('series', key, 'at', `not before its last charge, ${book.until}`, row.at)
  const { open_number, open_window, open_price, open_base } = row
  if (open_number === null) {
    for (const open of [open_window, open_price, open_base]) {
      if (open !== null) problems.add('series', key, 'what it says of an open charge', null, open)
    }
    return
  }
  const { latest } = book
  problems.compare('series', key, 'open_number', latest?.number ?? null, open_number)
  if (latest === undefined) return
  // A reading at a full hour ends the hour before.
  problems.compare('series', key, 'open_window', ((latest.at - 1n) / HOUR) * HOUR, open_window)
  problems.compare('series', key, 'open_price', latest.price, open_price)
  problems.compare('series', key, 'open_base', latest.base, open_base)
}

function compareGroup(row: GroupRow, book: GroupBook, problems: Problems): void {
  problems.compare('groups', row.name, 'used', book.used, row.used)
  problems.compare('groups', row.name, 'head', book.head, row.head)
  problems.compare('groups', row.name, 'opened', BigInt(book.openings), row.opened)
  if (row.dirty !== 0n && row.dirty !== 1n) problems.add('groups', row.name, 'dirty', '0 or 1', row.dirty)
}

/** The rows that a query without parameters gives, one after another; whole numbers as bigint. */
export function rows<Row>(db: DatabaseSync, sql: string): Iterable<Row> {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  return statement.iterate() as unknown as Iterable<Row>
}
