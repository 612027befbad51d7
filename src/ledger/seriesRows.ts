/** Series as rows, the same in each ledger that has tables. */
import type { FormerLine, Point, SeriesState } from '../core/decide.ts'
import { decimal, formatDecimal } from '../core/decimals.ts'
import type { OpenEntry } from '../core/entries.ts'
import type { Series } from '../core/series.ts'
import type { SeriesChange, StoredSeries } from './ledger.ts'

export interface SeriesColumns {
  readonly site: string
  readonly metric: string
  readonly project_id: string
  readonly project_name: string
}

export function seriesOf(row: SeriesColumns): Series {
  return { site: row.site, metric: row.metric, projectId: row.project_id, projectName: row.project_name }
}

/** Whole numbers are bigint where a driver reads them so. */
export interface SeriesStateRow {
  readonly id: number | bigint
  readonly at: number | bigint
  readonly value: string
  readonly origin: string | null
  readonly carry: string
  readonly pace: number
  readonly still_since: number | bigint | null
  readonly former_lines: string | null
  readonly open_number: number | bigint | null
  readonly open_window: number | bigint | null
  readonly open_price: string | null
  readonly open_base: string | null
  readonly head: string
  readonly opened_by: string | null
}

/** Where an entry begins, by its number. */
export type StartOf = (number: number) => Point | undefined

export function toStoredSeries(row: SeriesStateRow, startOf: StartOf): StoredSeries {
  const chain = {
    head: row.head,
    ...(row.open_base !== null && { openBase: row.open_base }),
    ...(row.opened_by !== null && { openedBy: row.opened_by }),
  }
  const stored = { number: Number(row.id), state: toSeriesState(row), carry: decimal(row.carry), chain }
  if (row.open_number === null || row.open_window === null || row.open_price === null) return stored
  return { ...stored, open: openEntry(Number(row.open_number), Number(row.open_window), row.open_price, startOf) }
}

/** An open entry; where it begins is looked up when it is asked for. A class: accessors of literals are slow to make. */
class OpenEntryRow implements OpenEntry {
  readonly number: number
  readonly window: number
  readonly priceVersion: string
  readonly #startOf: StartOf

  constructor(number: number, window: number, priceVersion: string, startOf: StartOf) {
    this.number = number
    this.window = window
    this.priceVersion = priceVersion
    this.#startOf = startOf
  }

  get from(): Point | undefined {
    return this.#startOf(this.number)
  }
}

export function openEntry(number: number, window: number, priceVersion: string, startOf: StartOf): OpenEntry {
  return new OpenEntryRow(number, window, priceVersion, startOf)
}

export type StateColumns = Pick<SeriesStateRow, 'at' | 'value' | 'origin' | 'pace' | 'still_since' | 'former_lines'>

export function toSeriesState({ at, value, origin, pace, still_since, former_lines }: StateColumns): SeriesState {
  return {
    watermark: { at: Number(at), value: decimal(value), ...(origin !== null && { origin }) },
    pace,
    ...(still_since !== null && { stillSince: Number(still_since) }),
    ...(former_lines !== null && { formerLines: (JSON.parse(former_lines) as LineText[]).map(parseLine) }),
  }
}

/** The columns of a series that change, in the order of the statement that updates them. */
export const MUTABLE = [
  ...['at', 'value', 'origin', 'carry', 'pace', 'still_since', 'former_lines'],
  ...['open_number', 'open_window', 'open_price', 'open_base', 'head'],
]

export const noOpenEntry = [null, null, null, null]

/** What the seal of a series covers, as SQL. */
export const SEALED_OF_SERIES = ['site', 'metric', 'project_id', 'project_name', 'opened_by', ...MUTABLE].join(', ')

export function identityOf({ site, metric, projectId, projectName }: Series): string[] {
  return [site, metric, projectId, projectName]
}

/** The columns of a series' state, the first ones of `MUTABLE`. */
export function columnsOf({ state: { watermark, pace, stillSince, formerLines }, carry }: SeriesChange) {
  return [
    watermark.at,
    formatDecimal(watermark.value),
    watermark.origin ?? null,
    formatDecimal(carry),
    pace,
    stillSince ?? null,
    formerLines === undefined ? null : JSON.stringify(formerLines.map(formatLine)),
  ] as const
}

/** A former line as it is stored: decimals are text. */
type LineText = Omit<FormerLine, 'value' | 'charged'> & { readonly value: string; readonly charged: string }

function formatLine(line: FormerLine): LineText {
  return { ...line, value: formatDecimal(line.value), charged: formatDecimal(line.charged) }
}

function parseLine(line: LineText): FormerLine {
  return { ...line, value: decimal(line.value), charged: decimal(line.charged) }
}
