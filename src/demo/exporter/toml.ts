/**
 * Reads the fields of a TOML file and says, when one cannot be used, which one and where a person finds it.
 *
 * Fields that nobody asks for are ignored, as the real exporter ignores them.
 */
import { parse, TomlDate, TomlError, type TomlTable, type TomlValue } from 'smol-toml'
import type { Instant } from '../../core/time.ts'

/** What the exporter was given cannot be used; the message is one sentence that says what and why. */
export class UnusableError extends Error {
  override readonly name = 'UnusableError'
}

/** A table of the file and how to point at it: `project "BioVis" of domain "biology"`. */
export interface Section {
  readonly table: TomlTable
  readonly where: string
}

/** @throws {UnusableError} with the line and column if `text` is not TOML. `file` names it: `the cloud file`. */
export function readToml(text: string, file: string): Section {
  try {
    return { table: parse(text), where: file }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n')[0]!.replace('Invalid TOML document: ', '')
    throw new UnusableError(`In ${file}, line ${error.line}, column ${error.column}: ${reason}`, { cause: error })
  }
}

export function wrong({ where }: Section, field: string, expected: string, found?: TomlValue): UnusableError {
  const got = found === undefined ? 'nothing' : typeof found === 'number' ? String(found) : JSON.stringify(found)
  return new UnusableError(`In ${where}: expected "${field}" to be ${expected}, got ${got}`)
}

export function textField(section: Section, field: string, fallback: string): string {
  const value = section.table[field] ?? fallback
  if (typeof value !== 'string') throw wrong(section, field, 'a text', value)
  return value
}

export function positiveField(section: Section, field: string, fallback: number): number {
  const value = section.table[field] ?? fallback
  if (typeof value !== 'number' || !(value > 0 && value < Infinity)) {
    throw wrong(section, field, 'a positive number', value)
  }
  return value
}

/** An empty table if the field is missing. */
export function tableField(section: Section, field: string): TomlTable {
  const value = section.table[field] ?? {}
  if (!isTable(value)) throw wrong(section, field, 'a table', value)
  return value
}

/** No tables if the field is missing. */
export function tablesField(section: Section, field: string): readonly TomlTable[] {
  const value = section.table[field] ?? []
  if (!Array.isArray(value) || !value.every(isTable)) throw wrong(section, field, 'an array of tables', value)
  return value
}

/** A date without a zone is UTC and a day without a time its midnight; `undefined` for anything that is not a date. */
export function instantOf(value: TomlValue | undefined): Instant | undefined {
  return value instanceof TomlDate && !value.isTime() ? value.getTime() : undefined
}

export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof TomlDate)
}
