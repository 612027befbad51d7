/** What the closed entries add up to by day, beside what the ledger says; group by group, so that one fits into memory. */
import type { DatabaseSync } from 'node:sqlite'
import { rows } from './books.ts'
import { difference, type Fixed, readFixed, sum, writeFixed } from './fixed.ts'
import type { Problems } from './problems.ts'

interface EntryRow {
  readonly at: bigint
  readonly kind: string
  readonly site: string
  readonly metric: string
  readonly amount: bigint
  readonly from_value: string | null
  readonly to_value: string | null
}

interface DayRow {
  readonly day: bigint
  readonly kind: string
  readonly site: string
  readonly metric: string
  readonly entries: bigint
  readonly amount: bigint
  readonly consumption: string
}

interface DaySum {
  entries: bigint
  amount: bigint
  consumption: Fixed
}

const DAY = 86_400_000n
const nothing: Fixed = { units: 0n, places: 0 }

export function checkDays(db: DatabaseSync, problems: Problems): void {
  const selectEntries = db.prepare(`SELECT entries.at, kind, coalesce(entries.site, '') AS site,
    coalesce(metric, '') AS metric, amount, from_value, to_value
    FROM entries LEFT JOIN series ON series.id = series_id
    WHERE group_name = ? AND (open_number IS NULL OR open_number <> number)`)
  const selectDays = db.prepare(
    'SELECT day, kind, site, metric, entries, amount, consumption FROM days WHERE group_name = ?',
  )
  for (const statement of [selectEntries, selectDays]) statement.setReadBigInts(true)
  const names = Array.from(rows<{ name: string }>(db, 'SELECT name FROM groups'), ({ name }) => name)
  for (const name of names) {
    const sums = new Map<string, DaySum>()
    for (const row of selectEntries.iterate(name) as Iterable<unknown>) addEntry(sums, row as EntryRow)
    for (const row of selectDays.iterate(name) as Iterable<unknown>) compareDay(name, row as DayRow, sums, problems)
    for (const [key, { entries }] of sums) problems.add('days', `${name}, ${key}`, 'entries', entries, null)
  }
}

function addEntry(sums: Map<string, DaySum>, entry: EntryRow): void {
  // An entry that ends at midnight belongs to the day before.
  const before = entry.at - 1n
  const day = (before / DAY - (before % DAY < 0n ? 1n : 0n)) * DAY
  const key = keyOf({ ...entry, day })
  const own = sums.get(key) ?? { entries: 0n, amount: 0n, consumption: nothing }
  sums.set(key, own)
  own.entries += 1n
  own.amount += entry.amount
  const [from, to] = [readFixed(entry.from_value), readFixed(entry.to_value)]
  if (from !== undefined && to !== undefined) own.consumption = sum(own.consumption, difference(to, from))
}

function compareDay(group: string, row: DayRow, sums: Map<string, DaySum>, problems: Problems): void {
  const key = keyOf(row)
  const expected = sums.get(key) ?? { entries: 0n, amount: 0n, consumption: nothing }
  sums.delete(key)
  const place = `${group}, ${key}`
  problems.compare('days', place, 'entries', expected.entries, row.entries)
  problems.compare('days', place, 'amount', expected.amount, row.amount)
  problems.compare('days', place, 'consumption', writeFixed(expected.consumption), row.consumption)
}

function keyOf({ day, kind, site, metric }: Pick<DayRow, 'day' | 'kind' | 'site' | 'metric'>): string {
  return [day, kind, site, metric].join(' ').trim()
}
