/**
 * Locks groups: whoever changes what belongs to a group holds its row. All who need several lock them in the order of their
 * names, so that two of them wait for each other in one direction only.
 */
import type { Sql } from './sql.ts'

/** Makes those that are missing. Returns the names of these. */
export async function lockOrMakeGroups(sql: Sql, names: readonly string[]): Promise<string[]> {
  const made = await sql.all<{ name: string }>(
    `INSERT INTO groups (name) SELECT name FROM unnest($1::text[]) AS wanted (name)
      WHERE NOT EXISTS (SELECT 1 FROM groups WHERE groups.name = wanted.name COLLATE "C")
      ORDER BY name COLLATE "C" ON CONFLICT DO NOTHING RETURNING name`,
    names,
  )
  await lockGroups(sql, names)
  return made.map(({ name }) => name)
}

/** Statements after this one see what whoever held them before has committed. */
export async function lockGroups(sql: Sql, names: readonly string[]): Promise<void> {
  await sql.all('SELECT 1 FROM groups WHERE name = ANY($1::text[]) ORDER BY name FOR NO KEY UPDATE', names)
}

/** Takes groups away again that were made for their lock and got nothing. */
export async function unmakeGroups(sql: Sql, names: readonly string[]): Promise<void> {
  await sql.run('DELETE FROM groups WHERE name = ANY($1::text[])', names)
}
