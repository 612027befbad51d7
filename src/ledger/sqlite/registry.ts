/**
 * The numbers of series. A series never changes its number, so all of them are kept in memory: looking 20,000 of them up in
 * the database for each scrape costs more than writing what changed.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type Series, seriesKey } from '../../core/series.ts'
import { type SeriesColumns, seriesOf } from '../seriesRows.ts'
import { createNumbersByText } from './numbersByText.ts'

export interface Registry {
  /** The number of a series, if it has one. */
  find(series: Series): number | undefined
  /** @param source What opened it, if that is known. */
  add(series: Series, id: number, source: string | undefined): void
  /** How many series this source opened. */
  openedBy(source: string): number
  /** Forgets series that were added since the last call of `keep`: their transaction was rolled back. */
  forget(): void
  keep(): void
}

export function createRegistry(db: DatabaseSync): Registry {
  const ids = createNumbersByText()
  const opened = new Map<string, number>()
  let unsure: { key: string; source: string | undefined }[] = []

  function put(key: string, id: number, source: string | undefined): void {
    ids.set(key, id)
    count(source, 1)
  }

  function count(source: string | undefined, more: number): void {
    if (source !== undefined) opened.set(source, (opened.get(source) ?? 0) + more)
  }

  const all = db.prepare('SELECT id, site, metric, project_id, project_name, opened_by FROM series').iterate()
  for (const row of all as Iterable<unknown> as Iterable<SeriesColumns & { id: number; opened_by: string | null }>) {
    put(seriesKey(seriesOf(row)), row.id, row.opened_by ?? undefined)
  }
  return {
    find: (series) => ids.get(seriesKey(series)),
    add(series, id, source) {
      const key = seriesKey(series)
      put(key, id, source)
      unsure.push({ key, source })
    },
    openedBy: (source) => opened.get(source) ?? 0,
    forget() {
      for (const { key, source } of unsure) {
        ids.delete(key)
        count(source, -1)
      }
      unsure = []
    },
    keep() {
      unsure = []
    },
  }
}
