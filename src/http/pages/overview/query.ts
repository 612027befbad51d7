/** Which part of the table of groups is asked for, as it stands in the address. */
import type { Context } from 'koa'
import type { GroupState } from '../../../ledger/groupTable.ts'
import { queryChoice, queryNumber, queryText } from '../../route.ts'

export const sorts = ['name', 'used', 'granted', 'left', 'burn', 'runs out'] as const
export type Sort = (typeof sorts)[number]

export const states = ['held', 'new', 'waiting', 'active'] as const satisfies readonly GroupState[]

export interface Query {
  readonly search: string | undefined
  readonly state: GroupState | undefined
  readonly sort: Sort
  readonly isDescending: boolean
  /** From 1. */
  readonly page: number
}

/** Groups on a page. */
export const PAGE = 50
const MOST_PAGES = 100_000

/** @throws {BadRequestError} if it is no such part. A field of a form that was left empty is as if it was not there. */
export function readQuery(ctx: Context): Query {
  const given = (name: string) => queryText(ctx, name) !== ''
  return {
    search: queryText(ctx, 'search') || undefined,
    state: given('state') ? queryChoice(ctx, 'state', states) : undefined,
    sort: (given('sort') ? queryChoice(ctx, 'sort', sorts) : undefined) ?? 'name',
    isDescending: given('direction') && queryChoice(ctx, 'direction', ['ascending', 'descending']) === 'descending',
    page: queryNumber(ctx, 'page', { min: 1, max: MOST_PAGES }) ?? 1,
  }
}

/** The address of a part of the table, as short as it can be. */
export function addressOf({ search, state, sort, isDescending, page }: Query): string {
  const fields = Object.entries({
    search,
    state,
    sort: sort === 'name' ? undefined : sort,
    direction: isDescending ? 'descending' : undefined,
    page: page === 1 ? undefined : String(page),
  }).filter((field): field is [string, string] => field[1] !== undefined)
  return `/${fields.length === 0 ? '' : '?'}${new URLSearchParams(fields)}#groups`
}
