/** Goes through all entries in the order of their numbers: arithmetic, chains of hashes, and what belongs to what. */
import { createHash, type Hash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { AcceptedGrowths } from './accepted.ts'
import { type Books, rows, type SeriesBook } from './books.ts'
import { difference, type Fixed, microsOf, readFixed, sum, wholeAndRest, writeFixed } from './fixed.ts'
import { chained, chargeFacts, type EntryRow, endFacts, remarkFacts } from './hashes.ts'
import type { Problems } from './problems.ts'
import { createTextCheck } from './texts.ts'

export interface EntryCheck {
  readonly books: Books
  readonly accepted: AcceptedGrowths
  readonly problems: Problems
  /** Told of each entry after it was checked. */
  readonly onEntry: (row: EntryRow, digest: RunningDigest) => void
}

/**
 * A digest over the entries so far that stays true however much is recorded later.
 *
 * It covers what never changes any more once an entry is written: of a charge all but its end, and of each entry before it
 * in its chain everything. The end of the last charge of a series is in it as soon as the series is charged again.
 */
export interface RunningDigest {
  /** `1284301.Yk3…`: how many entries, and the digest over them. */
  value(): string
}

/** Returns the digest over all entries. */
export function checkEntries(db: DatabaseSync, { books, accepted, problems, onEntry }: EntryCheck): string {
  const texts = createTextCheck(db, 'entries', ['number'], textColumns)
  const corrected = db.prepare('SELECT group_name, series_id FROM entries WHERE number = ?')
  corrected.setReadBigInts(true)
  const hash = createHash('sha256')
  let number = 0n
  const digest: RunningDigest = { value: () => digestOf(number, hash) }
  for (const row of rows<EntryRow>(db, 'SELECT * FROM entries ORDER BY number')) {
    problems.compare('entries', 'all rows', 'the number that comes next', number + 1n, row.number)
    number = row.number
    const final = row.kind === 'charge' ? charge(row) : remark(row)
    hash.update(`${final}\n`)
    onEntry(row, digest)
  }
  return digest.value()

  function complain(row: EntryRow, what: string, expected: string, found: string | bigint | null): void {
    problems.add('entries', `${row.number}`, what, expected, found)
  }

  function compare(row: EntryRow, what: keyof EntryRow, expected: string | bigint | null): void {
    problems.compare('entries', `${row.number}`, what, expected, row[what])
  }

  /** Returns the part of its hash that covers what never changes. */
  function charge(row: EntryRow): string {
    const series = row.series_id === null ? undefined : books.series.get(row.series_id)
    if (series === undefined) {
      complain(row, 'its series', 'one', null)
      return ''
    }
    compare(row, 'group_name', series.project_name)
    compare(row, 'site', series.site)
    const ids = idsOf(row, series)
    if (!ids.includes(row.id)) compare(row, 'id', ids[0] ?? null)
    compare(row, 'corrects', null)
    compare(row, 'corrects_to', null)
    checkAmount(row, series)
    checkPeriod(row, series)
    const facts = chargeFacts(row, series)
    const base = chained(series.head, facts)
    compare(row, 'hash', chained(base, endFacts(row)))
    if (!texts.isSound(facts, [row.number])) complain(row, 'its text', 'UTF-8', 'other bytes')
    series.head = row.hash
    series.latest = { number: row.number, at: row.at, price: row.price_version, base }
    addTo(row, series.site)
    return base
  }

  /** A series whose watermark was set back passes an instant again. */
  function idsOf({ from_at }: EntryRow, series: SeriesBook): string[] {
    return namesOf(series, from_at).flatMap((id) => [id, ...series.redated.map((_, index) => `${id}/${index + 1}`)])
  }

  /** `amount + carry_out = (to_value − from_value) × per_unit × 10⁶ + carry_in`, with a carry of less than 1. */
  function checkAmount(row: EntryRow, series: SeriesBook): void {
    compare(row, 'carry_in', series.carry)
    series.carry = row.carry_out ?? ''
    const [from, to] = [readFixed(row.from_value), readFixed(row.to_value)]
    const [perUnit, carryIn] = [readFixed(row.per_unit), readFixed(row.carry_in)]
    if (from === undefined || to === undefined || perUnit === undefined || carryIn === undefined) {
      complain(row, 'its readings, price and carry', 'plain decimals', null)
      return
    }
    const consumption = difference(to, from)
    if (consumption.units < 0n) complain(row, 'to_value', `at least ${row.from_value}`, row.to_value)
    const { whole, rest } = wholeAndRest(sum(microsOf(consumption, perUnit), carryIn))
    compare(row, 'amount', whole)
    compare(row, 'carry_out', writeFixed(rest))
    if (row.actor !== null) note(row, from, to)
  }

  function note(row: EntryRow, from: Fixed, to: Fixed): void {
    const isAccepted = accepted.take(row.series_id!, { at: row.from_at ?? 0n, value: from }, { at: row.at, value: to })
    if (!isAccepted) complain(row, 'the held growth that was accepted', 'one', null)
  }

  /** What is accepted was held, and is older than what was charged meanwhile. */
  function checkPeriod(row: EntryRow, series: SeriesBook): void {
    if (row.from_at === null || row.from_at >= row.at) complain(row, 'from_at', `before ${row.at}`, row.from_at)
    if (row.actor !== null) return
    const isOverlapping = row.from_at !== null && row.from_at < series.until
    if (isOverlapping && !series.redated.some((at) => at <= row.from_at! && at < series.until)) {
      complain(row, 'from_at', `not before ${series.until}, until when its series is charged already`, row.from_at)
    }
    series.until = row.at
  }

  function remark(row: EntryRow): string {
    if (row.kind === 'opening') opening(row)
    else if (row.kind === 'adjustment') adjustment(row)
    else complain(row, 'kind', 'charge, opening or adjustment', row.kind)
    compare(row, 'at', row.recorded_at)
    for (const column of ofCharges) compare(row, column, null)
    const facts = remarkFacts(row)
    const group = books.groups.get(row.group_name)
    const hash = chained(group?.head ?? '', facts)
    compare(row, 'hash', hash)
    if (!texts.isSound(facts, [row.number])) complain(row, 'its text', 'UTF-8', 'other bytes')
    if (group !== undefined) group.head = row.hash
    // What charges were corrected by belongs to their site, as they do.
    addTo(row, row.series_id === null ? null : row.site)
    return hash
  }

  function opening(row: EntryRow): void {
    compare(row, 'id', `opening/${row.group_name}`)
    for (const column of ['actor', 'series_id', 'corrects', 'corrects_to'] as const) compare(row, column, null)
    if (row.site === null) complain(row, 'site', 'one', null)
    const group = books.groups.get(row.group_name)
    if (group !== undefined) group.openings += 1
  }

  /** A correction names earlier entries of its group, all of one series or none, and counts where they do. */
  function adjustment(row: EntryRow): void {
    if (row.actor === null) complain(row, 'actor', 'one', null)
    if (row.corrects === null) {
      compare(row, 'corrects_to', null)
      compare(row, 'series_id', null)
      return
    }
    const { corrects, corrects_to: last } = row
    if (last === null || last < corrects || last >= row.number) {
      complain(row, 'corrects_to', `from ${corrects} up to ${row.number - 1n}`, last)
      return
    }
    for (const number of new Set([corrects, last])) {
      const entry = corrected.get(number) as Pick<EntryRow, 'group_name' | 'series_id'> | undefined
      const isFit = entry?.group_name === row.group_name && entry.series_id === row.series_id
      if (!isFit) complain(row, 'what it corrects', 'entries of its group and series', number)
    }
    const series = row.series_id === null ? undefined : books.series.get(row.series_id)
    if (series !== undefined && row.site !== null) compare(row, 'site', series.site)
  }

  /** @param site Where it counts; nothing if it counts for the group only. */
  function addTo(row: EntryRow, site: string | null): void {
    const group = books.groups.get(row.group_name)
    if (group === undefined) {
      complain(row, 'its group', 'one', null)
      return
    }
    group.used += row.amount
    const account = site === null ? undefined : group.sites.get(site)
    if (account !== undefined) account.charged += row.amount
    else if (site !== null) complain(row, `the account of its group at site ${site}`, 'one', null)
  }
}

/** The columns that only charges have, beside their series. */
const ofCharges = ['from_at', 'from_value', 'to_value', 'price_version', 'per_unit', 'carry_in', 'carry_out'] as const

const textColumns = [
  ...['id', 'kind', 'group_name', 'site', 'from_value', 'to_value', 'price_version', 'per_unit'],
  ...['carry_in', 'carry_out', 'reason', 'actor', 'hash'],
]

/** What a charge of a series is called that begins there, and what it was called by versions that had the instant last. */
function namesOf({ site, metric, project_id, project_name }: SeriesBook, from: bigint | null): [string, string] {
  return [
    `charge/${from}/${site} ${metric} ${project_name} ${project_id} ${project_name.length}`,
    `charge/${site} ${metric} ${project_id.length} ${project_id} ${project_name}/${from}`,
  ]
}

function digestOf(number: bigint, hash: Hash): string {
  return `${number}.${hash.copy().digest('base64url')}`
}
