/** The tables of a ledger as the oracles read them, all whole numbers as bigints. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export interface EntryRow {
  readonly number: bigint
  readonly id: string
  readonly kind: 'charge' | 'adjustment' | 'opening'
  readonly group_name: string
  readonly site: string | null
  readonly at: bigint
  readonly amount: bigint
  readonly series_id: bigint | null
  readonly from_at: bigint | null
  readonly from_value: string | null
  readonly to_value: string | null
  readonly per_unit: string | null
  readonly carry_in: string | null
  readonly carry_out: string | null
  readonly actor: string | null
}

export interface SeriesRow {
  readonly id: bigint
  readonly site: string
  readonly metric: string
  readonly project_id: string
  readonly project_name: string
  readonly at: bigint
  readonly value: string
  readonly carry: string
  readonly open_number: bigint | null
  readonly opened_by: string
}

/** Growth that is or was held back. */
export interface HeldRow {
  readonly hold_id: bigint
  readonly series_id: bigint
  readonly from_at: bigint
  readonly from_value: string
  readonly to_value: string
  readonly to_at: bigint
  readonly withdrawn: bigint
  readonly isAccepted: bigint
}

export function isSame(a: EntryRow, b: EntryRow | undefined): boolean {
  return b !== undefined && columns.every((column) => a[column] === b[column])
}

const columns = [
  'number',
  'id',
  'kind',
  'group_name',
  'site',
  'at',
  'amount',
  'series_id',
  'from_at',
  'from_value',
  'to_value',
  'per_unit',
  'carry_in',
  'carry_out',
  'actor',
] as const satisfies (keyof EntryRow)[]

export function describe(row: EntryRow): string {
  const { number, kind, group_name, amount, from_value, to_value, from_at, at } = row
  const times = `${from_at === null ? '' : new Date(Number(from_at)).toISOString()}–${new Date(Number(at)).toISOString()}`
  return `entry ${number} (${kind} of ${group_name}, ${amount} for ${from_value} → ${to_value}, ${times})`
}

export interface TotalRow {
  readonly name: string
  readonly used: bigint
  /** What was charged at sites where Perun does not know the group. */
  readonly apart: bigint
  readonly dirty: bigint
  readonly published: bigint | null
  readonly opened: bigint
  readonly granted: string | null
}

export interface NoticeRow {
  readonly id: bigint
  readonly group_name: string
  readonly line: bigint
  readonly granted: string
  readonly used: bigint
}

export interface AccountRow {
  readonly group_name: string
  readonly site: string
  readonly charged: bigint
  readonly contact: string
}

export interface NoteRow {
  readonly id: bigint
  readonly kind: string
  readonly series_id: bigint
  readonly at: bigint
  readonly text: string
}

export type Statements = ReturnType<typeof prepare>

export function prepare(db: DatabaseSync) {
  const statement = (sql: string): StatementSync => {
    const prepared = db.prepare(sql)
    prepared.setReadBigInts(true)
    return prepared
  }
  const entryColumns = columns.join(', ')
  return {
    series: statement(
      'SELECT id, site, metric, project_id, project_name, at, value, carry, open_number, opened_by FROM series',
    ),
    entries: statement(`SELECT ${entryColumns} FROM entries ORDER BY number`),
    changed: statement(`SELECT ${entryColumns} FROM entries
      WHERE number > ?1 OR number IN (SELECT value FROM json_each(?2)) ORDER BY number`),
    totals: statement(`SELECT name, used, dirty, published, opened, granted, coalesce((SELECT sum(charged) FROM accounts
      WHERE group_name = name AND contact <> 'active'), 0) AS apart FROM groups`),
    accounts: statement('SELECT group_name, site, charged, contact FROM accounts'),
    held: statement(`SELECT hold_id, series_id, from_at, from_value, to_value, to_at, withdrawn,
      coalesce(closed_why LIKE 'Accepted by%', 0) AS isAccepted FROM held_growths JOIN holds ON holds.id = hold_id`),
    newNotices: statement(`SELECT id, group_name, line, granted, used FROM notices
      WHERE kind = 'threshold' AND id > ? ORDER BY id`),
    isGivenBack: statement('SELECT 1 FROM entries WHERE id LIKE ? AND group_name = ? AND amount < 0'),
    published: statement('SELECT published FROM groups WHERE name = ?'),
    notes: statement('SELECT id, kind, series_id, at, text FROM notes ORDER BY id'),
    newNotes: statement('SELECT id, kind, series_id, at, text FROM notes WHERE id > ? ORDER BY id'),
  }
}
