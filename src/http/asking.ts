/** What people write when they decide something: fields of a body, each checked, and who they are. */
import { type Decimal, parseDecimal } from '../core/decimals.ts'
import { type Instant, parseInstant } from '../core/time.ts'
import { BadRequestError } from './errors.ts'
import { describe, isWrittenAsNumber, objectOf } from './json.ts'

/** A reason is for people to read, not for a novel. */
const LONGEST_TEXT = 1_000

/**
 * The fields of a body.
 *
 * @throws {BadRequestError} if it is no object, or has a field that is none of `names`.
 */
export function fieldsOf<Name extends string>(body: unknown, names: readonly Name[]): Partial<Record<Name, unknown>> {
  const given = objectOf(body, 'The body')
  const unknown = Object.keys(given).filter((name) => !(names as readonly string[]).includes(name))
  if (unknown.length === 0) return given as Partial<Record<Name, unknown>>
  throw new BadRequestError(`Expected only ${names.join(', ')}, got ${unknown.join(', ').slice(0, 80)}.`)
}

/** A body that says nothing but why and who. @throws {BadRequestError} */
export function readAsking(body: unknown): { reason: string; actor: string } {
  return readWhy(fieldsOf(body, ['reason', 'actor']))
}

/** Of a body that says more: why and who. @throws {BadRequestError} */
export function readWhy(given: Given<'reason' | 'actor'>): { reason: string; actor: string } {
  return { reason: readText(given, 'reason'), actor: readActor(given) }
}

/** Who decides; `operator` if not given. @throws {BadRequestError} */
export function readActor(given: Given<'actor'>): string {
  return given.actor === undefined || given.actor === null ? 'operator' : readText(given, 'actor')
}

type Given<Name extends string> = Partial<Record<Name, unknown>>

/** A field of a body. @throws {BadRequestError} if it is no text, empty or too long. */
export function readText<Name extends string>(given: Given<Name>, name: Name): string {
  const value = given[name]
  const isNumber = isWrittenAsNumber(given, name)
  const text = typeof value === 'string' && !isNumber ? value.trim() : ''
  if (text !== '' && text.length <= LONGEST_TEXT) return text
  const got = isNumber ? `the number ${value}` : describe(value)
  throw new BadRequestError(`${name}: expected a text of 1 to ${LONGEST_TEXT} characters, got ${got}.`)
}

/** @throws {BadRequestError} if it is no decimal number. */
export function readDecimal(name: string, value: unknown): Decimal {
  const number = typeof value === 'string' ? parseDecimal(value) : undefined
  if (number !== undefined) return number
  throw new BadRequestError(`${name}: expected a decimal number such as "1.5", got ${describe(value)}.`)
}

/** @throws {BadRequestError} if it is no instant such as `2026-01-31` or `2026-01-31T12:00:00Z`. */
export function readInstant(name: string, value: unknown): Instant {
  const at = typeof value === 'string' ? parseInstant(value) : undefined
  if (at !== undefined) return at
  throw new BadRequestError(`${name}: expected 2026-01-31 or 2026-01-31T12:00:00Z, got ${describe(value)}.`)
}
