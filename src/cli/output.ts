/** How answers are written: as they are for programs, else as the command lays them out. */
import { type Fields, listOf } from './answers.ts'
import type { Answer, Query } from './client.ts'
import type { Call, Context, Options } from './command.ts'
import { UsageError } from './errors.ts'
import { printableJson, printableLines } from './printable.ts'
import { type Column, table } from './table.ts'
import type { Terminal } from './terminal.ts'

/** The answer as it was sent; on a terminal with escapes for the characters that would not show, which mean the same. */
export function writeJson(text: string, { out, isTerminal }: Pick<Terminal, 'out' | 'isTerminal'>): void {
  if (text !== '') out(`${isTerminal ? printableJson(text) : text}\n`)
}

/** Writes an answer as it is, or what `layOut` makes of it. */
export function write(answer: Answer, { terminal, wantsJson }: Context, layOut: (fields: Fields) => string): void {
  if (wantsJson) writeJson(answer.text, terminal)
  else terminal.out(layOut(answer.fields))
}

export const csvOption = {
  csv: { doc: 'print them as comma-separated values, as the API answers them' },
} as const satisfies Options

/** @throws {UsageError} if both are wanted. */
export function wantsCsv(call: Call, { wantsJson }: Context): boolean {
  if (call.has('csv') && wantsJson) throw new UsageError('--csv and --json: expected one of them.')
  return call.has('csv')
}

/** Writes all pages of a list as one text of comma-separated values; on a terminal with escapes, as everything there. */
export async function writeCsv(path: string, query: Query, { client, terminal }: Context): Promise<void> {
  let isFirst = true
  for await (const text of client.csvPages(path, query)) {
    // Each page names the columns.
    const shown = isFirst ? text : text.slice(text.indexOf('\n') + 1)
    terminal.out(terminal.isTerminal ? printableLines(shown) : shown)
    isFirst = false
  }
}

export interface Listing {
  readonly path: string
  readonly query?: Query
  /** The field of each page that holds the rows. */
  readonly field: string
  readonly columns: readonly Column<Fields>[]
  /** At most so many rows; all if it is not given. */
  readonly limit: number | undefined
  /** What is written if there are none. */
  readonly none: string
  /** Said after the rows. */
  readonly after?: (shown: number, lastPage: Fields) => string | undefined
}

/** The largest page that the worker gives. */
const PAGE = 1_000

/** Writes the rows of all pages as one table, or each page as it is. */
export async function writeListing(
  { path, query, field, columns, limit = Number.POSITIVE_INFINITY, none, after }: Listing,
  { client, terminal, wantsJson }: Context,
): Promise<void> {
  const rows: Fields[] = []
  let last: Fields = {}
  for await (const { text, fields } of client.pages(path, { ...query, limit: Math.min(limit, PAGE) })) {
    if (wantsJson) writeJson(text, terminal)
    rows.push(...listOf(fields, field))
    last = fields
    if (rows.length >= limit) break
  }
  if (wantsJson) return
  const shown = rows.slice(0, limit)
  terminal.out(shown.length === 0 ? `${none}\n` : table(columns, shown, terminal))
  const more = after?.(shown.length, last)
  if (more !== undefined) terminal.err(`${more}\n`)
}
