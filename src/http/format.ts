/** JSON or comma-separated values, as is asked for. */
import { queryChoice, type RouteContext } from './route.ts'
import { type Schema, text, word } from './schema.ts'

const formats = ['json', 'csv'] as const

/** What `format` means, for the descriptions of routes. */
export const formatSummary = word('Whatever Accept says', formats)

/** Which headers such an answer has. */
export const formatHeaders = {
  ETag: 'Names what it is, for If-None-Match',
  Link: 'The address of the next page, if there is one',
} as const

/** @throws {BadRequestError} if `format` is neither. */
export function queryFormat(ctx: RouteContext): (typeof formats)[number] {
  return queryChoice(ctx, 'format', formats) ?? (ctx.accepts('json', 'csv') === 'csv' ? 'csv' : 'json')
}

/** Names the next page where comma-separated values have no room for it. */
export function linkNext(ctx: RouteContext, next: string | null): void {
  if (next !== null) ctx.set('Link', `<${next}>; rel="next"`)
}

/** @param row An example, without the end of its line. */
export function csvSchema(description: string, columns: readonly string[], row: string): Schema {
  const head = columns.join(',')
  return text(description, `${head}\r\n${row}\r\n`, { pattern: `^${head}\\r\\n` })
}
