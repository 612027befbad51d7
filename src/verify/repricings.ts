/** Changes of the price of a past period: those that were applied have exactly the adjustments that they were previewed with. */
import type { DatabaseSync } from 'node:sqlite'
import { rows } from './books.ts'
import type { Problems } from './problems.ts'

interface LineRow {
  readonly repricing_id: string
  readonly series_id: bigint
  readonly first_entry: bigint
  readonly last_entry: bigint
  readonly last_hash: string
  readonly amount: bigint
  readonly applied_at: bigint | null
  readonly undone_at: bigint | null
}

interface AdjustmentRow {
  readonly number: bigint
  readonly kind: string
  readonly series_id: bigint | null
  readonly amount: bigint
}

export function checkRepricings(db: DatabaseSync, problems: Problems): void {
  checkStates(db, problems)
  const selectEntry = db.prepare('SELECT * FROM entries WHERE id = ?')
  selectEntry.setReadBigInts(true)
  const selectHash = db.prepare('SELECT hash FROM entries WHERE number = ?')
  const lines = `SELECT repricing_id, series_id, first_entry, last_entry, last_hash, amount, applied_at, undone_at
    FROM repricing_lines JOIN repricings ON repricings.id = repricing_id`
  /** Ids of adjustments that belong to a line. */
  const known = new Set<string>()
  for (const line of rows<LineRow>(db, lines)) {
    const id = `repricing/${line.repricing_id}/${line.series_id}`
    known.add(id).add(`${id}/undo`)
    const applied = compareEntry(id, line.applied_at !== null, line.amount, line)
    const undone = compareEntry(`${id}/undo`, line.undone_at !== null, -line.amount, line)
    if (applied !== undefined && undone !== undefined && undone < applied) {
      problems.add('repricing_lines', keyOf(line), `the number of ${id}/undo`, `after ${applied}`, `${undone}`)
    }
    // Where nothing is corrected, the last charge goes on to grow.
    if (line.applied_at === null || line.amount === 0n) continue
    const { hash = null } = (selectHash.get(line.last_entry) ?? {}) as { hash?: string }
    problems.compare('repricing_lines', keyOf(line), 'last_hash', hash, line.last_hash)
  }
  const made = "SELECT id, number FROM entries WHERE id >= 'repricing/' AND id < 'repricing0'"
  for (const { id, number } of rows<{ id: string; number: bigint }>(db, made)) {
    if (!known.has(id)) problems.add('entries', `${number}`, 'the repricing that it belongs to', 'one', null)
  }

  /** Returns the number of the entry, if there is one. */
  function compareEntry(id: string, isDue: boolean, amount: bigint, line: LineRow): bigint | undefined {
    const entry = selectEntry.get(id) as AdjustmentRow | undefined
    const isThere = entry !== undefined
    if (isThere !== isDue && !(isDue && amount === 0n)) {
      problems.add(
        'repricing_lines',
        keyOf(line),
        `the adjustment ${id}`,
        isDue ? 'one' : 'none',
        isThere ? 'one' : null,
      )
    }
    if (entry === undefined) return undefined
    problems.compare('repricing_lines', keyOf(line), `the amount of ${id}`, amount, entry.amount)
    problems.compare('repricing_lines', keyOf(line), `the kind of ${id}`, 'adjustment', entry.kind)
    problems.compare('repricing_lines', keyOf(line), `the series of ${id}`, line.series_id, entry.series_id)
    return entry.number
  }
}

/** Instants do not tell which came first, as a clock may have been set right meanwhile; the numbers of entries do. */
function checkStates(db: DatabaseSync, problems: Problems): void {
  const never = 'SELECT id FROM repricings WHERE undone_at IS NOT NULL AND applied_at IS NULL'
  for (const { id } of rows<{ id: string }>(db, never)) {
    problems.add('repricings', id, 'undone_at', 'after it was applied', 'never applied')
  }
}

function keyOf({ repricing_id, series_id }: LineRow): string {
  return `${repricing_id}, ${series_id}`
}
