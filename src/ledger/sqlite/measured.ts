/** What was measured of a group before it was opened: for publishing, which decides at first contact what of it counts. */
import type { DatabaseSync } from 'node:sqlite'
import { type MeasuredOfSites, toMeasured } from '../measured.ts'

interface BeginRow {
  readonly site: string
  readonly metric: string
  readonly since: number
}

interface ChargeRow {
  readonly site: string
  readonly metric: string
  readonly since: bigint
  readonly charged: bigint
}

export function createMeasuredReader(db: DatabaseSync): (group: string) => MeasuredOfSites {
  const selectBegins = db.prepare(`SELECT site, metric, min(notes.at) AS since
    FROM series JOIN notes ON series_id = series.id AND kind = 'opened' WHERE project_name = ? GROUP BY site, metric`)
  const selectCharges = db.prepare(`SELECT series.site, metric, min(from_at) AS since, sum(amount) AS charged
    FROM entries JOIN series ON series.id = series_id WHERE group_name = ? AND kind = 'charge'
    GROUP BY series.site, metric`)
  selectCharges.setReadBigInts(true)

  return (group) => {
    const begins = selectBegins.all(group) as unknown as BeginRow[]
    const charges = selectCharges.all(group) as unknown as ChargeRow[]
    return toMeasured(
      begins,
      charges.map((row) => ({ ...row, since: Number(row.since) })),
    )
  }
}
