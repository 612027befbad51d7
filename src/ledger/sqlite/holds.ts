/** Closes holds that a person decided about. */
import type { DatabaseSync } from 'node:sqlite'
import type { HeldBack, Recording, StoredHold } from '../ledger.ts'
import { toGrowth, toHold } from '../rows.ts'
import { SELECT_GROWTHS } from './reader.ts'
import type { Recorder } from './recorder.ts'

/** No limit, as SQLite writes it. */
const ALL = -1

/** Closes a hold and writes what was decided; the caller has begun a transaction. */
export function createHoldCloser(db: DatabaseSync, recorder: Recorder) {
  const selectHold = db.prepare('SELECT * FROM holds WHERE id = ? AND closed_at IS NULL')
  const selectGrowths = db.prepare(SELECT_GROWTHS)
  const closeHold = db.prepare('UPDATE holds SET closed_at = ?, closed_why = ? WHERE id = ?')

  return (id: number, why: string, decide: (held: HeldBack) => Recording) => {
    const row = selectHold.get(id)
    if (row === undefined) return undefined
    const hold: StoredHold = toHold(row)
    const growths = selectGrowths.all(id, ALL).map(toGrowth)
    const recording = decide({ hold, growths, stored: recorder.load(growths.map(({ series }) => series)) })
    closeHold.run(recording.at, why, id)
    return { hold, groups: recorder.write(recording).groups }
  }
}
