/**
 * A route is data and a handler. The data says who may ask, what for and which answers there are: the app guards it by
 * that, and the description of the API is made from it.
 */
import type { Context } from 'koa'
import type { Who } from './auth.ts'
import type { Viewer } from './door.ts'
import { BadRequestError } from './errors.ts'
import { describe } from './json.ts'
import { type Schema, text, whole } from './schema.ts'

/**
 * Where a schema is taken, a text in its place says what it means and leaves open what it looks like. That is for a route
 * in the making: a test wants the schema.
 */
export interface Route {
  readonly method: 'get' | 'post'
  /** With parameters as `:name`. */
  readonly path: string
  readonly who: Who
  /** Whoever watches the worker has to get through, however many others ask: not counted by the rate limit. */
  readonly isForWatchers?: true
  /** Programs push readings to it: it has a limit of its own and is not counted by the rate limit. */
  readonly isForPushes?: true
  /** It is for people with a browser (`pages/`), not for programs: a page, what a form is sent to, a file that pages need. */
  readonly isForPeople?: true
  readonly summary: string
  /** Under which heading the description of the API has it, if that is not the first part of its path after `/api`. */
  readonly tag?: string
  /** Each parameter of the path. */
  readonly params?: Readonly<Record<string, Schema>>
  /** Each parameter of the query. */
  readonly query?: Readonly<Record<string, string | Schema>>
  /** What the JSON body has to be. */
  readonly body?: string | Schema
  /** What a body that is no JSON has to be, by its media type. */
  readonly payload?: Readonly<Record<string, Schema>>
  /** What each status means, besides those of `commonAnswers.ts`. A text is enough for problems and for no content. */
  readonly answers: Readonly<Record<number, string | AnswerShape>>
  /** Answers by setting the body; throws an `HttpError` for anything but success. */
  handle(ctx: RouteContext): void | Promise<void>
}

/** What an answer holds: one of these media types, or each of them as is asked for. */
export interface AnswerShape {
  readonly description: string
  readonly json?: Schema
  readonly csv?: Schema
  readonly text?: Schema
  readonly html?: Schema
  /** What each of its headers means; of the optional ones, those that only some answers have. */
  readonly headers?: Readonly<Record<string, string>>
  readonly optionalHeaders?: Readonly<Record<string, string>>
}

/** What 503 means of routes that ask the ledger. */
export const ledgerTrouble = 'The ledger cannot be used: its disk is full or fails, or it is damaged'

/** The parameters of the path are decoded. */
export type RouteContext = Context & {
  readonly params: Readonly<Record<string, string>>
  readonly state: {
    readonly viewer: Viewer
    /** Of pages: whether whoever asks may do what an operator may, by a session, a key, or without keys. */
    readonly isOperator: boolean
  }
}

/** What is asked for in an address after the `?`. */
export type Asked = Pick<Context, 'query'>

/**
 * A parameter of the query, if it is given.
 *
 * @throws {BadRequestError} if it is given more than once.
 */
export function queryText({ query }: Asked, name: string): string | undefined {
  const given = query[name]
  if (Array.isArray(given)) throw new BadRequestError(`${name}: expected one value, got ${given.length}.`)
  return given
}

/**
 * A parameter of the query that is a whole number.
 *
 * @throws {BadRequestError} if it is none from `min` to `max`.
 */
export function queryNumber(ctx: Asked, name: string, { min, max }: { min: number; max: number }): number | undefined {
  const given = queryText(ctx, name)
  if (given === undefined) return undefined
  const number = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN
  if (number >= min && number <= max) return number
  throw new BadRequestError(`${name}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(given)}.`)
}

/**
 * A parameter of the query that is one of some words.
 *
 * @throws {BadRequestError} if it is none of them.
 */
export function queryChoice<Choice extends string>(
  ctx: Asked,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const given = queryText(ctx, name)
  const choice = choices.find((each) => each === given)
  if (given === undefined || choice !== undefined) return choice
  const expected = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`
  throw new BadRequestError(`${name}: expected ${expected}, got ${describe(given)}.`)
}

const DEFAULT_LIMIT = 100
const LARGEST_LIMIT = 1_000

/** What `limit` means, for the descriptions of routes. */
export const limitSummary = limitUpTo(LARGEST_LIMIT, DEFAULT_LIMIT)

export function limitUpTo(maximum: number, fallback: number): Schema {
  return whole('How many at most', fallback, { minimum: 1, maximum, default: fallback })
}

/** What `after` means: groups come by name. */
export const afterSummary = text('Only groups whose name comes after this one', 'BioVis')

/** What `before` means: numbers fall from page to page. */
export const beforeSummary = whole('Only those with a smaller number', 4_712, { minimum: 1 })

/** @throws {BadRequestError} if `limit` is not a whole number from 1 to 1000. */
export function queryLimit(ctx: Asked): number {
  return queryNumber(ctx, 'limit', { min: 1, max: LARGEST_LIMIT }) ?? DEFAULT_LIMIT
}

/** The rows of one page, of one row more than it holds; `last` is given if there is a next page. */
export function cutPage<Row>(rows: readonly Row[], limit: number): { page: readonly Row[]; last: Row | undefined } {
  const page = rows.slice(0, limit)
  return { page, last: rows.length > limit ? page.at(-1) : undefined }
}

/** An address here with a query; parameters without a value are left out. */
export function link(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
