/** Values in Perun that somebody edited: each that has a value is followed by an adjustment of its group. */
import type { DatabaseSync } from 'node:sqlite'
import { rows } from './books.ts'
import type { Problems } from './problems.ts'

interface DriftRow {
  readonly id: bigint
  readonly group_name: string
  readonly expected: bigint | null
  readonly shown: bigint | null
  readonly entry_id: string | null
}

export function checkDrifts(db: DatabaseSync, problems: Problems): void {
  const select = db.prepare('SELECT group_name, kind, amount FROM entries WHERE id = ?')
  select.setReadBigInts(true)
  for (const drift of rows<DriftRow>(db, 'SELECT id, group_name, expected, shown, entry_id FROM drifts')) {
    if (drift.entry_id === null) continue
    const entry = select.get(drift.entry_id) as { group_name: string; kind: string; amount: bigint } | undefined
    const isFit = entry?.kind === 'adjustment' && entry.group_name === drift.group_name
    if (!isFit) problems.add('drifts', `${drift.id}`, 'the adjustment that follows it', drift.entry_id, null)
  }
}
