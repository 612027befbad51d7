/**
 * The numbers of series. A series never changes its number, so all of them are kept in memory: looking 20,000 of them up in
 * the database for each scrape costs more than writing what changed.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type Series, seriesKey } from '../../core/series.ts'

export interface Registry {
  /** The number of a series, if it has one. */
  find(series: Series): number | undefined
  add(series: Series, id: number): void
  /** Forgets series that were added since the last call of `keep`: their transaction was rolled back. */
  forget(): void
  keep(): void
}

export function createRegistry(db: DatabaseSync): Registry {
  const ids = new Map<string, number>()
  for (const row of db.prepare('SELECT id, site, metric, project_id, project_name FROM series').iterate()) {
    ids.set(seriesKey(seriesOf(row as unknown as SeriesColumns)), (row as { id: number }).id)
  }
  let unsure: string[] = []
  return {
    find: (series) => ids.get(seriesKey(series)),
    add(series, id) {
      const key = seriesKey(series)
      ids.set(key, id)
      unsure.push(key)
    },
    forget() {
      for (const key of unsure) ids.delete(key)
      unsure = []
    },
    keep() {
      unsure = []
    },
  }
}

export interface SeriesColumns {
  readonly site: string
  readonly metric: string
  readonly project_id: string
  readonly project_name: string
}

export function seriesOf(row: SeriesColumns): Series {
  return { site: row.site, metric: row.metric, projectId: row.project_id, projectName: row.project_name }
}
