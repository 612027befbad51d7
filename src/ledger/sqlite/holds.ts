/** Closes holds that a person decided about. */
import type { DatabaseSync } from 'node:sqlite'
import { decimal } from '../../core/decimals.ts'
import type { HeldBack, HeldGrowth, Recording, StoredHold } from '../ledger.ts'
import { toHold } from './reader.ts'
import type { Recorder } from './recorder.ts'
import { type SeriesColumns, seriesOf } from './registry.ts'

interface GrowthColumns extends SeriesColumns {
  readonly from_at: number
  readonly from_value: string
  readonly to_at: number
  readonly to_value: string
}

/** Closes a hold and writes what was decided; the caller has begun a transaction. */
export function createHoldCloser(db: DatabaseSync, recorder: Recorder) {
  const selectHold = db.prepare('SELECT * FROM holds WHERE id = ? AND closed_at IS NULL')
  const selectGrowths = db.prepare(`SELECT from_at, from_value, to_at, to_value, site, metric, project_id, project_name
    FROM held_growths JOIN series ON series.id = series_id WHERE hold_id = ? AND withdrawn = 0 ORDER BY series_id, to_at`)
  const closeHold = db.prepare('UPDATE holds SET closed_at = ?, closed_why = ? WHERE id = ?')

  return (id: number, why: string, decide: (held: HeldBack) => Recording) => {
    const row = selectHold.get(id)
    if (row === undefined) return undefined
    const hold: StoredHold = toHold(row)
    const growths = (selectGrowths.all(id) as unknown as GrowthColumns[]).map((each) => toGrowth(hold, each))
    const recording = decide({ hold, growths, stored: recorder.load(growths.map(({ series }) => series)) })
    closeHold.run(recording.at, why, id)
    return { hold, groups: recorder.write(recording).groups }
  }
}

function toGrowth(hold: StoredHold, row: GrowthColumns): HeldGrowth {
  return {
    holdKey: hold.key,
    series: seriesOf(row),
    from: { at: row.from_at, value: decimal(row.from_value) },
    to: { at: row.to_at, value: decimal(row.to_value) },
  }
}
