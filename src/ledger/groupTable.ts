/** Groups as a table that people search, sort and turn the pages of. */
import type { GroupRow } from './ledger.ts'

/**
 * How a group stands, the first that applies:
 * - `held`: something is not charged or published until it is resolved; its holds say what.
 * - `new`: none of its sites was looked up in Perun yet.
 * - `waiting`: its total moved and Perun was not told yet.
 * - `active`: Perun shows what the ledger says.
 */
export type GroupState = 'held' | 'new' | 'waiting' | 'active'

/** `left` compares approximately: a grant is a text of Perun's. Groups without a grant come last in both directions. */
export type GroupOrder = 'name' | 'used' | 'granted' | 'left'

export interface GroupTableQuery {
  /** Only groups with this in their name, in capitals or not. */
  readonly search?: string | undefined
  readonly state?: GroupState | undefined
  /** By what, or the names in the order that is wanted; groups that are not named come after them. */
  readonly order: GroupOrder | readonly string[]
  /** Of no effect for names. */
  readonly descending?: boolean
  readonly limit: number
  readonly offset: number
}

export interface GroupTable {
  readonly rows: readonly GroupRow[]
  /** How many groups are searched for in all. */
  readonly total: number
}
