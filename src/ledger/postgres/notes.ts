/** Writes remarks on series. */
import { CONFLICTS_APART } from '../conflicts.ts'
import type { Note } from '../ledger.ts'
import type { IdOf } from './growths.ts'
import type { Sql } from './sql.ts'

/** What is said of series that are not there is left out, and so are conflicts of those that had one about that time. */
export async function writeNotes(sql: Sql, notes: readonly Note[], idOf: IdOf): Promise<void> {
  const known = notes.filter(({ series }) => idOf(series) !== undefined)
  const written = await withoutKnownConflicts(sql, known, (note) => idOf(note.series)!)
  if (written.length === 0) return
  await sql.run(
    `INSERT INTO notes (kind, series_id, at, text) SELECT kind, series_id, at, text
      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) WITH ORDINALITY AS wanted (kind, series_id, at, text, place)
      ORDER BY place`,
    ...[written.map(({ kind }) => kind), written.map(({ series }) => idOf(series)), written.map(({ at }) => at)],
    written.map(({ text }) => text),
  )
}

async function withoutKnownConflicts(sql: Sql, notes: readonly Note[], idOf: (note: Note) => number): Promise<Note[]> {
  const conflicts = notes.filter(({ kind }) => kind === 'conflict')
  if (conflicts.length === 0) return [...notes]
  const told = await toldConflicts(sql, conflicts, idOf)
  return notes.filter((note) => {
    if (note.kind !== 'conflict') return true
    const before = told.get(idOf(note)) ?? []
    if (before.some((at) => Math.abs(at - note.at) <= CONFLICTS_APART)) return false
    told.set(idOf(note), [...before, note.at])
    return true
  })
}

/** When series had conflicts, about the time of those that are given. */
async function toldConflicts(sql: Sql, conflicts: readonly Note[], idOf: (note: Note) => number) {
  const rows = await sql.all<{ series_id: bigint; at: bigint }>(
    `SELECT DISTINCT series_id, notes.at FROM notes
      JOIN unnest($1::bigint[], $2::bigint[]) AS wanted (id, at) ON series_id = wanted.id
      AND notes.at BETWEEN wanted.at - $3::bigint AND wanted.at + $3::bigint WHERE kind = 'conflict'`,
    ...[conflicts.map(idOf), conflicts.map(({ at }) => at), CONFLICTS_APART],
  )
  const told = new Map<number, readonly number[]>()
  for (const { series_id, at } of rows) {
    const id = Number(series_id)
    told.set(id, [...(told.get(id) ?? []), Number(at)])
  }
  return told
}
