/**
 * JSON whose numbers keep their digits, in both directions.
 *
 * JavaScript reads `0.1` as a double and writes a double; an amount would not come through exactly. So a number of a body
 * is taken as the text it is written with, and an exact amount is written into an answer as the text that it is.
 */
import { bodyParser } from '@koa/bodyparser'
import type { Context } from 'koa'
import { compare, type Decimal, formatDecimal, parseDecimal } from '../core/decimals.ts'
import { BadRequestError, BodyTooLargeError, UnsupportedBodyError } from './errors.ts'

/** Part of the language since 2025, not yet of TypeScript's library. */
declare global {
  interface JSON {
    rawJSON(text: string): object
    parse(
      text: string,
      reviver: (this: object, key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown
  }
}

/** The longest body that is read, in bytes. */
const LARGEST_BODY = 1_048_576

const readText = bodyParser({
  enableTypes: ['text'],
  extendTypes: { text: ['application/json'] },
  textLimit: LARGEST_BODY,
})

/**
 * The body of a request as JSON, each number in it as the text it was written with: `16` and `"16"` are the same.
 *
 * @throws {UnsupportedBodyError} if it is not sent as `application/json`, or compressed.
 * @throws {BodyTooLargeError} if it is longer than 1 MiB.
 * @throws {BadRequestError} if it is missing or no JSON.
 */
export async function readJson(ctx: Context): Promise<unknown> {
  const { headers } = ctx.req
  if (headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0') {
    throw new BadRequestError('This needs a JSON object as its body.')
  }
  if (!ctx.is('application/json')) throw new UnsupportedBodyError('Send the body as Content-Type: application/json.')
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new UnsupportedBodyError('Send the body without Content-Encoding.')
  }
  return parseJson(await textOf(ctx))
}

async function textOf(ctx: Context): Promise<string> {
  try {
    await readText(ctx, async () => undefined)
  } catch (error) {
    if ((error as { status?: unknown }).status === 413) {
      // What is still coming is thrown away, not left in the connection: a client that is not read would not read us.
      ctx.req.resume()
      throw new BodyTooLargeError(`The body is longer than ${LARGEST_BODY} bytes.`)
    }
    throw new BadRequestError(`The body cannot be read: ${(error as Error).message}.`)
  }
  return String(ctx.request.body)
}

/** Which fields of the objects of bodies were numbers. */
const numbers = new WeakMap<object, Set<string>>()

/** Whether a field of a body was written as a number, not as a text with the same digits. */
export function isWrittenAsNumber(fields: object, name: string): boolean {
  return numbers.get(fields)?.has(name) ?? false
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, function (this: object, key, value, { source }) {
      if (typeof value !== 'number') return value
      numbers.set(this, (numbers.get(this) ?? new Set()).add(key))
      return source
    })
  } catch (error) {
    throw new BadRequestError(`The body is no JSON: ${(error as Error).message}.`)
  }
}

/** A JSON object, or the reason why not. @param what Names it in the reason: `The body`. */
export function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new BadRequestError(`${what}: expected a JSON object, got ${describe(value)}.`)
}

/** A number from `min` to `max`, or the reason why not. */
export function numberOf(value: unknown, what: string, { min, max }: { min: Decimal; max: Decimal }): Decimal {
  const number = typeof value === 'string' ? parseDecimal(value) : undefined
  if (number !== undefined && compare(number, min) >= 0 && compare(number, max) <= 0) return number
  const range = `${formatDecimal(min)} to ${formatDecimal(max)}`
  throw new BadRequestError(`${what}: expected a number from ${range}, got ${describe(value)}.`)
}

/** What was given instead, short and on one line. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** A number for an answer, written with exactly these digits. @param digits A decimal number such as `25.60`. */
export function exactNumber(digits: string): object {
  return JSON.rawJSON(digits)
}
