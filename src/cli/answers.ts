/** What the worker answers, read with care: it is somebody else's until each field was looked at. */
import { UnreachableError } from './errors.ts'
import { printable } from './printable.ts'

/** A JSON object whose fields may be anything. */
export type Fields = Readonly<Record<string, unknown>>

/** @throws {UnreachableError} if it is no object: then no worker of this version answered. */
export function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw strangeAnswer()
}

/** The objects in a field that is a list. @throws {UnreachableError} if it is none. */
export function listOf(fields: Fields, name: string): Fields[] {
  const list = fields[name]
  if (Array.isArray(list)) return list.map(fieldsOf)
  throw strangeAnswer()
}

/** No worker of this version answered. */
export function strangeAnswer(): UnreachableError {
  return new UnreachableError('The answer has another form than expected: is it a credits worker, and of this version?')
}

/** The texts in a field that is a list, printable, with commas between them; `–` if there are none. */
export function showList(value: unknown): string {
  return Array.isArray(value) && value.length > 0 ? value.map(show).join(', ') : '–'
}

/** Any value of JSON as one printable text; `–` for what is absent. */
export function show(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–'
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

/** An instant without what nobody reads of it: `2026-11-21 03:18:17`, which is UTC. */
export function showTime(value: unknown): string {
  return show(value).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, '$1 $2')
}

/** A number of things with commas between thousands; anything else as it is. */
export function showCount(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en') : show(value)
}

/** Counts by name: `3 no grant, 1 site jump`. */
export function showCounts(value: unknown): string {
  const counts = Object.entries(fieldsOf(value ?? {}))
  return counts.length === 0 ? 'none' : counts.map(([name, count]) => `${showCount(count)} ${show(name)}`).join(', ')
}
