/** Reads and writes what is stored of series; what was read or written lately is remembered. */
import type { DatabaseSync } from 'node:sqlite'
import type { Point } from '../../core/decide.ts'
import { decimal } from '../../core/decimals.ts'
import type { OpenEntry } from '../../core/entries.ts'
import type { Series } from '../../core/series.ts'
import type { SeriesChange, StoredSeries } from '../ledger.ts'
import { type Hash, sealOf } from '../receipts.ts'
import { columnsOf, identityOf, MUTABLE, noOpenEntry, type SeriesStateRow, toStoredSeries } from '../seriesRows.ts'
import type { Registry } from './registry.ts'
import { createSeriesMemory, type SeriesMemory } from './seriesMemory.ts'

export interface SeriesStore extends Pick<SeriesMemory, 'drop' | 'forget' | 'keep'> {
  /** What is stored of each series, in their order. */
  load(series: readonly Series[]): (StoredSeries | undefined)[]
  /** Writes what a series has become; the caller has begun a transaction. */
  save(id: number, change: SeriesChange, ends: ChainEnd): void
}

/** How the chain of a series ends. */
export interface ChainEnd {
  readonly head: Hash
  /** The entry that may still grow. */
  readonly open?: OpenEntry | undefined
  readonly openBase?: Hash | undefined
  /** What opened the series. */
  readonly openedBy?: string | undefined
}

export function createSeriesStore(db: DatabaseSync, registry: Registry): SeriesStore {
  const select =
    db.prepare(`SELECT series.id, series.at, series.value, origin, carry, pace, still_since, former_lines, open_number, open_window, open_price, open_base, head, opened_by
    FROM json_each(?) AS wanted JOIN series ON series.id = wanted.value`)
  const update = db.prepare(
    `UPDATE series SET ${MUTABLE.map((name) => `${name} = ?`).join(', ')}, seal = ? WHERE id = ?`,
  )
  const grow = db.prepare('UPDATE series SET at = ?, value = ?, carry = ?, pace = ?, head = ?, seal = ? WHERE id = ?')
  const selectStart = db.prepare('SELECT from_at, from_value FROM entries WHERE number = ?')
  const memory = createSeriesMemory(startOf)

  function startOf(number: number): Point | undefined {
    const row = selectStart.get(number) as { from_at: number; from_value: string } | undefined
    return row && { at: row.from_at, value: decimal(row.from_value) }
  }

  function load(series: readonly Series[]): (StoredSeries | undefined)[] {
    const ids = series.map((each) => registry.find(each))
    const stored = ids.map((id) => (id === undefined ? undefined : memory.get(id)))
    const missing = ids.filter((id, index) => id !== undefined && stored[index] === undefined)
    if (missing.length === 0) return stored
    const read = new Map<number, StoredSeries>()
    for (const row of select.all(JSON.stringify(missing)) as unknown as SeriesStateRow[]) {
      const each = toStoredSeries(row, startOf)
      memory.put(each)
      read.set(each.number, each)
    }
    return ids.map((id, index) => (id === undefined ? undefined : (stored[index] ?? read.get(id)!)))
  }

  function save(id: number, change: SeriesChange, { head, open, openBase, openedBy }: ChainEnd): void {
    const { series, before, state, carry } = change
    const ofState = columnsOf(change)
    const ofOpen = open === undefined ? noOpenEntry : [open.number, open.window, open.priceVersion, openBase ?? null]
    const columns = [...ofState, ...ofOpen, head]
    const seal = sealOf([...identityOf(series), openedBy ?? null, ...columns])
    if (before !== undefined && onlyGrew(before, change, open)) {
      const [at, value, , left, pace] = ofState
      grow.run(at, value, left, pace, head, seal, id)
    } else {
      update.run(...columns, seal, id)
    }
    memory.put({
      number: id,
      state,
      carry,
      chain: { head, ...(openBase !== undefined && { openBase }), ...(openedBy !== undefined && { openedBy }) },
      ...(open !== undefined && { open }),
    })
  }

  return { load, save, drop: memory.drop, forget: memory.forget, keep: memory.keep }
}

/** Whether the columns that seldom change stay what they are: to write them again would take twice as long. */
function onlyGrew({ state: was, open: wasOpen }: StoredSeries, { state }: SeriesChange, open?: OpenEntry): boolean {
  if (was.formerLines !== undefined || state.formerLines !== undefined) return false
  if (was.stillSince !== state.stillSince || was.watermark.origin !== state.watermark.origin) return false
  return wasOpen?.number === open?.number
}
