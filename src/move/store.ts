/** PORT: the tables of a ledger, as moving needs them. Nobody else has the ledger meanwhile. */
import type { Table } from './tables.ts'

/** Whole numbers are bigint, approximate ones number. */
export type Value = string | bigint | number | null

/** Values in the order of `allColumns`. */
export type Row = readonly Value[]

export interface Store {
  /** Where it is, without a password. */
  readonly place: string
  count(table: Table): Promise<number>
  /** Rows after the one with a key, in the order of keys. */
  read(table: Table, after: readonly Value[] | undefined, limit: number): Promise<Row[]>
  close(): Promise<void>
}

/** A ledger that is filled. */
export interface Target extends Store {
  /** What was noted here; `undefined` if nothing is under way. */
  notes(): Promise<ReadonlyMap<string, string> | undefined>
  /** Begins anew, with nothing in it, and notes of what. */
  begin(source: string): Promise<void>
  /** Adds rows and notes how far that is, in one transaction. */
  add(table: Table, rows: readonly Row[], note: string): Promise<void>
  /** The rows with these keys, in any order. */
  find(table: Table, keys: readonly (readonly Value[])[]): Promise<Row[]>
  /** Whether it holds anything. */
  isEmpty(): Promise<boolean>
  /** Makes a ledger of it that workers may open. */
  finish(): Promise<void>
}

export function keyOf(table: Table, row: Row): readonly Value[] {
  return row.slice(0, table.key.length)
}

/** It cannot be moved as things stand; said as it is. */
export class MoveError extends Error {
  override readonly name = 'MoveError'
}
