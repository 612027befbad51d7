/** Tables and lists of facts, fitted to the width of the terminal. */
import { cutTo, displayWidth } from './printable.ts'
import { type Style, styled, type Terminal } from './terminal.ts'

export interface Column<Row> {
  readonly head: string
  /** Printable. */
  readonly value: (row: Row) => string
  readonly align?: 'right'
  /** May be cut where the terminal is narrow. */
  readonly isElastic?: true
  /** May be left out where the terminal is narrow. */
  readonly isExtra?: true
  readonly style?: (row: Row) => Style | undefined
}

type Paper = Pick<Terminal, 'width' | 'hasColours'>

const GAP = '  '
/** An elastic column is cut to this many columns, not further. */
const NARROWEST = 12

/**
 * A line for each row. Where it is too wide for the terminal, elastic columns are cut, then extra columns are left out from
 * the right; where that is not enough, each row becomes a list of facts. A number is never cut.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paper: Paper): string {
  for (const fewer of narrower(columns)) {
    const cells = rows.map((row) => fewer.map(({ value }) => value(row)))
    const widths = fit(fewer, cells, paper.width)
    if (widths !== undefined) return lines(fewer, rows, cells, widths, paper)
  }
  return rows.map((row) => record(columns, row, paper)).join('\n')
}

/** All columns, then without the last extra one, and so on. */
function narrower<Row>(columns: readonly Column<Row>[]): (readonly Column<Row>[])[] {
  const extra = columns.findLastIndex(({ isExtra }) => isExtra)
  return [columns, ...(extra === -1 ? [] : narrower(columns.toSpliced(extra, 1)))]
}

function lines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  cells: readonly string[][],
  widths: readonly number[],
  paper: Paper,
): string {
  const cut = (text: string, index: number) => pad(cutTo(text, widths[index]!), widths[index]!, columns[index]!.align)
  const heads = columns.map(({ head }, index) => cut(head, index)).join(GAP)
  const body = rows.map((row, number) => {
    const shown = columns.map(({ style }, index) => styled(cut(cells[number]![index]!, index), style?.(row), paper))
    return `${trimEnd(shown.join(GAP))}\n`
  })
  return `${styled(trimEnd(heads), 'bold', paper)}\n${body.join('')}`
}

/** Name and value on a line each; values from `value` are printable. Those without a value are left out. */
export function facts(pairs: readonly (readonly [string, string | undefined])[], indent = ''): string {
  const given = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined)
  const width = Math.max(0, ...given.map(([name]) => displayWidth(name)))
  return given.map(([name, value]) => `${indent}${pad(name, width)}${GAP}${value}\n`).join('')
}

/** How wide each column becomes; `undefined` if it does not fit whatever is cut. */
function fit(columns: readonly Column<never>[], cells: readonly string[][], width: number): number[] | undefined {
  const widths = columns.map(({ head }, index) =>
    cells.reduce((widest, line) => Math.max(widest, displayWidth(line[index]!)), displayWidth(head)),
  )
  let surplus = widths.reduce((total, each) => total + each, GAP.length * (widths.length - 1)) - width
  while (surplus > 0) {
    // The widest one gives first, down to the width of the next.
    const elastic = widths.flatMap((each, index) => (columns[index]!.isElastic && each > NARROWEST ? [each] : []))
    if (elastic.length === 0) return undefined
    const widest = Math.max(...elastic)
    const next = Math.max(NARROWEST, ...elastic.filter((each) => each < widest))
    const index = widths.findIndex((each, at) => columns[at]!.isElastic && each === widest)
    const cut = Math.min(surplus, Math.max(1, widest - next))
    widths[index] = widest - cut
    surplus -= cut
  }
  return widths
}

function record<Row>(columns: readonly Column<Row>[], row: Row, paper: Paper): string {
  return facts(columns.map(({ head, value, style }) => [head, styled(value(row), style?.(row), paper)]))
}

function pad(text: string, width: number, align?: 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'right' ? blanks + text : text + blanks
}

function trimEnd(line: string): string {
  return line.replace(/ +$/, '')
}
