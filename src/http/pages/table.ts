/**
 * Tables that become cards on a phone. Each cell carries the name of its column for that, and everything its role: what is
 * shown as something else than a table would be none for a screen reader.
 */
import { type Html, type HtmlValue, html } from './html.ts'

export interface Column<Row> {
  readonly name: string
  /** Numbers stand at the end of their cell, with digits of one width. */
  readonly isNumber?: boolean
  /** Sentences, or what has no blanks: it takes the room that others leave, and is broken anywhere. */
  readonly isText?: boolean
  /** Where its heading leads to, if the table can be sorted by it; and how it is sorted now. */
  readonly sort?: { readonly address: string; readonly now?: 'ascending' | 'descending' | undefined }
  cell(row: Row): HtmlValue
}

export interface TableOptions<Row> {
  /** What the table is of. */
  readonly caption: HtmlValue
  /** The first column names the row. */
  readonly columns: readonly [Column<Row>, ...Column<Row>[]]
  readonly rows: readonly Row[]
}

export function table<Row>({ caption, columns, rows }: TableOptions<Row>): Html {
  const [first, ...others] = columns
  return html`<div class="table"><table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(heading)}</tr></thead>
<tbody role="rowgroup">
${rows.map(
  (row) => html`<tr role="row"><th scope="row" role="rowheader"${classOf(first)}>${first.cell(row)}</th>${others.map(
    (column) => html`<td role="cell" data-label="${column.name}"${classOf(column)}>${value(column.cell(row))}</td>`,
  )}</tr>
`,
)}</tbody>
</table></div>`
}

/** On a phone a cell is a grid of its heading and one thing more. */
function value(content: HtmlValue): HtmlValue {
  const isNothing = content === undefined || content === null || content === false || content === ''
  return isNothing ? undefined : html`<div>${content}</div>`
}

function heading<Row>({ name, sort, ...column }: Column<Row>): Html {
  const direction = sort?.now !== undefined && html` aria-sort="${sort.now}"`
  const arrow =
    sort?.now !== undefined && html` <span aria-hidden="true">${sort.now === 'ascending' ? '▲' : '▼'}</span>`
  const text = sort === undefined ? name : html`<a href="${sort.address}">${name}${arrow}</a>`
  return html`<th scope="col" role="columnheader"${classOf(column)}${direction}>${text}</th>`
}

function classOf({ isNumber, isText }: { readonly isNumber?: boolean; readonly isText?: boolean }): HtmlValue {
  return (isNumber && html` class="number"`) || (isText && html` class="text"`)
}
