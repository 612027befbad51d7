/**
 * Adds closed entries up by day, exactly, in the transaction that closes them. What never changes again is added once;
 * growth of an open entry costs nothing here.
 */
import type { DatabaseSync } from 'node:sqlite'
import { add, type Decimal, decimal, formatDecimal, subtract, zero } from '../../core/decimals.ts'
import { DAY, type Instant } from '../../core/time.ts'

export interface Days {
  /** Adds entries that will not change any more. */
  add(entries: readonly number[]): void
  /** Adds the open entries of a group, which its caller closes. */
  addOpen(group: string): void
}

/** Where an entry without a site or a series has nothing, a day has an empty text: it is part of the key. */
const COLUMNS = `entries.kind, coalesce(entries.site, '') AS site, coalesce(metric, '') AS metric, entries.amount`
const FROM = 'FROM entries LEFT JOIN series ON series.id = entries.series_id'
const MERGE = `ON CONFLICT DO UPDATE SET entries = entries + excluded.entries, amount = amount + excluded.amount,
  consumption = decimal_sum(consumption, excluded.consumption)`
const INSERT = 'INSERT INTO days (group_name, day, kind, site, metric, amount, entries, consumption)'

/** `dayOf` as SQL; division there goes towards zero. */
const DAY_OF_ENTRY = `((entries.at - 1) / ${DAY} - ((entries.at - 1) % ${DAY} < 0)) * ${DAY}`

export function createDays(db: DatabaseSync): Days {
  const select = `${INSERT} SELECT group_name, ${DAY_OF_ENTRY}, ${COLUMNS}, 1,
    coalesce(decimal_difference(to_value, from_value), '0') ${FROM}`
  const addEntries = db.prepare(`${select} WHERE number IN (SELECT value FROM json_each(?)) ${MERGE}`)
  const addOpenEntries = db.prepare(`${select} WHERE number IN
    (SELECT open_number FROM series WHERE project_name = ? AND open_number IS NOT NULL) ${MERGE}`)
  return {
    add(entries) {
      if (entries.length > 0) addEntries.run(JSON.stringify(entries))
    },
    addOpen(group) {
      addOpenEntries.run(group)
    },
  }
}

/** The day that an instant belongs to, named by its beginning in UTC. */
function dayOf(at: Instant): Instant {
  return Math.floor((at - 1) / DAY) * DAY
}

/** Entries read at a time: a ledger of millions does not fit into memory at once. */
const PAGE = 10_000
/** Sums kept in memory until they are written. */
const MOST_SUMS = 50_000

/** Adds up the entries of a ledger that was written before there were days. The caller has begun a transaction. */
export function fillDays(db: DatabaseSync): void {
  const select = db.prepare(`SELECT number, group_name, entries.at, ${COLUMNS}, from_value, to_value ${FROM}
    WHERE number > ? AND number NOT IN (SELECT open_number FROM series WHERE open_number IS NOT NULL)
    ORDER BY number LIMIT ${PAGE}`)
  select.setReadBigInts(true)
  const insert = db.prepare(`${INSERT} VALUES (?, ?, ?, ?, ?, ?, ?, ?) ${MERGE}`)
  const sums = new Map<string, DaySum>()
  const flush = () => {
    for (const { place, amount, entries, consumption } of sums.values())
      insert.run(...place, amount, entries, formatDecimal(consumption))
    sums.clear()
  }
  let last = 0n
  for (let rows = select.all(last); rows.length > 0; rows = select.all(last)) {
    for (const row of rows as unknown as EntryRow[]) {
      last = row.number
      const place = [row.group_name, dayOf(Number(row.at)), row.kind, row.site, row.metric] as const
      const key = JSON.stringify(place)
      const sum = sums.get(key) ?? { place, amount: 0n, entries: 0, consumption: zero }
      sums.set(key, sum)
      sum.amount += row.amount
      sum.entries += 1
      if (row.to_value !== null) sum.consumption = add(sum.consumption, consumptionOf(row))
    }
    if (sums.size > MOST_SUMS) flush()
  }
  flush()
}

interface DaySum {
  readonly place: readonly [group: string, day: Instant, kind: string, site: string, metric: string]
  amount: bigint
  entries: number
  consumption: Decimal
}

interface EntryRow {
  readonly number: bigint
  readonly group_name: string
  readonly at: bigint
  readonly kind: string
  readonly site: string
  readonly metric: string
  readonly amount: bigint
  readonly from_value: string
  readonly to_value: string | null
}

function consumptionOf({ from_value, to_value }: EntryRow): Decimal {
  return subtract(decimal(to_value!), decimal(from_value))
}
