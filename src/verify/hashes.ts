/** The hashes of entries and the seals of rows, computed again from what is stored. */
import { hash } from 'node:crypto'
import type { Value } from './problems.ts'

/** A row of `entries`, its columns as they are stored. */
export interface EntryRow {
  readonly number: bigint
  readonly id: string
  readonly kind: string
  readonly group_name: string
  readonly site: string | null
  readonly at: bigint
  readonly amount: bigint
  readonly recorded_at: bigint
  readonly series_id: bigint | null
  readonly from_at: bigint | null
  readonly from_value: string | null
  readonly to_value: string | null
  readonly price_version: string | null
  readonly per_unit: string | null
  readonly carry_in: string | null
  readonly carry_out: string | null
  readonly reason: string | null
  readonly actor: string | null
  readonly corrects: bigint | null
  readonly corrects_to: bigint | null
  readonly hash: string
}

/** The names of a series. */
export interface SeriesNames {
  readonly site: string
  readonly metric: string
  readonly project_id: string
  readonly project_name: string
}

/** The facts of a charge that never change, as text. */
export function chargeFacts(row: EntryRow, { site, metric, project_id, project_name }: SeriesNames): string {
  const names = `${text(row.group_name)},${text(site)},${text(metric)},${text(project_id)},${text(project_name)}`
  const from = `${row.from_at},${text(row.from_value)}`
  const price = `${text(row.price_version)},${text(row.per_unit)},${text(row.carry_in)}`
  return `["charge",${text(row.id)},${names},${from},${price},${row.recorded_at},${text(row.actor)},${text(row.reason)}]`
}

/** The facts of where a charge ends, as text. */
export function endFacts(row: EntryRow): string {
  return `[${row.at},${text(row.to_value)},${text(row.carry_out)}]`
}

/** The facts of an opening or an adjustment, as text. */
export function remarkFacts(row: EntryRow): string {
  const what = `${text(row.kind)},${text(row.id)},${text(row.group_name)},${text(row.site)}`
  return `[${what},"${row.amount}",${row.recorded_at},${text(row.reason)},${text(row.actor)},${row.corrects},${row.corrects_to}]`
}

/** The hash of facts that follow an entry. @param previous Its hash, or nothing at the beginning of a chain. */
export function chained(previous: string, facts: string): string {
  return hash('sha256', `${previous}\n${facts}`, 'base64url')
}

function text(value: string | null): string {
  return JSON.stringify(value)
}

/** The columns of a row as the text that its seal is made of: each in a form that no other columns give. */
export function sealText(values: readonly Value[]): string {
  return values.map((value) => (typeof value === 'string' ? `${value.length}:${value}|` : `${value}|`)).join('')
}

export function seal(sealed: string): string {
  return hash('sha256', sealed, 'base64url').slice(0, 16)
}
