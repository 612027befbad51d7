/**
 * Comma-separated values as RFC 4180 has them. Spreadsheets take a cell that begins with one of `= + - @` for a formula and
 * compute it, and names come from strangers: such a cell begins with an apostrophe here, unless it is a number.
 */

/** @param rows The first one names the columns. */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

function cell(given: string): string {
  const text = /^[=+\-@\t\r]/.test(given) && !/^-?\d+(\.\d+)?$/.test(given) ? `'${given}` : given
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
