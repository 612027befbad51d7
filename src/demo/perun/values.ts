/**
 * Values of attributes: what Perun accepts, what counts as empty, when two are the same, and what its database makes of
 * them.
 *
 * Perun keeps a list or a map as one line of text with commas and colons. A line break in an item can defeat its parser;
 * that is imitated here by the outcome, not by the text: see `throughDatabase`.
 */
import { runtime } from './exceptions.ts'

export type JavaType =
  | 'java.lang.String'
  | 'java.lang.Integer'
  | 'java.lang.Boolean'
  | 'java.util.ArrayList'
  | 'java.util.LinkedHashMap'

type List = readonly (string | null)[]
type Dictionary = Readonly<Record<string, string | null>>
export type Value = string | number | boolean | List | Dictionary

const LARGEST_INTEGER = 2 ** 31 - 1

/** Setting an attribute to an empty value removes it. The string `0` and the number 0 are not empty. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true
  if (typeof value === 'string') return value.trim() === ''
  return typeof value === 'object' && Object.keys(value).length === 0
}

/**
 * The value as an attribute of `type` holds it.
 *
 * @param value Not empty.
 * @throws {PerunException} `ConsistencyErrorException` for a number that is no 32-bit integer, `InternalErrorException` for
 *   any other value that does not fit: a mistake of the client looks like a failure of the server.
 */
export function checkedValue(type: JavaType, value: unknown): Value {
  if (typeof value === 'number' && !(Number.isInteger(value) && Math.abs(value) <= LARGEST_INTEGER)) {
    throw runtime('ConsistencyErrorException', `Attribute value ${value} is not an integer`)
  }
  if (javaTypeOf(value) !== type) {
    throw runtime('InternalErrorException', `Attribute's type mismatch: a ${javaTypeOf(value)} is no ${type}`)
  }
  const items = typeof value === 'object' ? Object.values(value as object) : []
  if (items.some((item) => typeof item !== 'string' && item !== null)) {
    throw runtime('InternalErrorException', 'java.lang.ClassCastException: an item cannot be cast to java.lang.String')
  }
  return value as Value
}

function javaTypeOf(value: unknown): JavaType {
  if (typeof value === 'string') return 'java.lang.String'
  if (typeof value === 'number') return 'java.lang.Integer'
  if (typeof value === 'boolean') return 'java.lang.Boolean'
  return Array.isArray(value) ? 'java.util.ArrayList' : 'java.util.LinkedHashMap'
}

/** Whether setting `b` over `a` changes nothing: text by text; the order of a map's keys does not count. */
export function sameValue(a: Value, b: Value): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b
  const [left, right] = [Object.entries(a), Object.entries(b)]
  return (
    left.length === right.length && left.every(([key, item]) => Object.hasOwn(b, key) && Reflect.get(b, key) === item)
  )
}

const lineBreak = /[\n\r\u0085\u2028\u2029]/

/**
 * The value as it is read back from the database, or `undefined` when Perun cannot read it any more.
 *
 * A list item with a line break and a comma comes back as several. A map entry with a line break and a comma or a colon
 * cannot be read at all. An item that is literally `\0` comes back as null.
 */
export function throughDatabase(value: Value): Value | undefined {
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return (value as List).flatMap(itemThroughDatabase)
  const entries = Object.entries(value as Dictionary)
  if (entries.some(([key, item]) => isUnreadable(`${key}${item ?? ''}`))) return undefined
  return entries.some(([, item]) => item === '\\0')
    ? Object.fromEntries(entries.map(([key, item]) => [key, item === '\\0' ? null : item]))
    : value
}

function isUnreadable(entry: string): boolean {
  return lineBreak.test(entry) && /[,:]/.test(entry)
}

function itemThroughDatabase(item: string | null): List {
  if (item === null || item === '\\0') return [null]
  if (!lineBreak.test(item)) return [item]
  const pieces = item.split(',')
  return pieces.map((piece, index) => (index < pieces.length - 1 ? `${piece}\\` : piece))
}
