/**
 * What a correction looks at. Its decision may not wait, and a database has to be asked: so a decision that looks at
 * something that is not there yet is stopped, what it wants is read, and it is asked again from the beginning.
 */
import type { Credits } from '../../core/credits.ts'
import type { AdjustmentEntry } from '../../core/entries.ts'
import { toLine, toRepricing } from '../correctionRows.ts'
import type { Correction, CorrectionFacts, Repricing } from '../corrections.ts'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import type { StoredEntry } from '../ledger.ts'
import { one, type Sql } from './sql.ts'

/** Stops a decision: something has to be read first. */
class Wanted extends Error {
  readonly read: () => Promise<void>

  constructor(read: () => Promise<void>) {
    super('Something has to be read first')
    this.read = read
  }
}

/** @returns What was decided, with all entries. @throws Whatever the decision throws. */
export async function decideWith(
  sql: Sql,
  decide: (facts: CorrectionFacts) => Correction,
): Promise<Correction & { readonly entries: readonly AdjustmentEntry[] }> {
  const facts = createFacts(sql)
  for (;;) {
    try {
      const correction = decide(facts)
      // A generator looks at facts, too.
      return { ...correction, entries: [...correction.entries] }
    } catch (error) {
      if (!(error instanceof Wanted)) throw error
      await error.read()
    }
  }
}

function createFacts(sql: Sql): CorrectionFacts {
  const known = new Map<string, unknown>()

  /** What is known by this name, or an end of the decision until it is. */
  function fact<Value>(name: string, read: () => Promise<Value>): Value {
    if (known.has(name)) return known.get(name) as Value
    throw new Wanted(async () => void known.set(name, await read()))
  }

  /** Entries by their ids, each asked for once. */
  const named = new Map<string, StoredEntry | undefined>()
  function entriesNamed(ids: readonly string[]): ReadonlyMap<string, StoredEntry> {
    const missing = ids.filter((id) => !named.has(id))
    if (missing.length > 0) throw new Wanted(() => readNamed(sql, missing, named))
    return new Map(ids.flatMap((id) => (named.get(id) === undefined ? [] : [[id, named.get(id)!] as const])))
  }

  return {
    used: (group) => fact(`used ${group}`, () => usedOf(sql, group)),
    entry: (number) => fact(`entry ${number}`, () => entryWith(sql, number)),
    entryNamed: (id) => entriesNamed([id]).get(id),
    entriesNamed,
    repricing: (id) => fact(`repricing ${id}`, () => repricingWith(sql, id)),
    repricings: () => fact('repricings', () => allRepricings(sql)),
    lines: (id) => fact(`lines ${id}`, async () => (await sql.all(SELECT_LINES, id)).map(toLine)),
    hasMoved: (repricing) => fact(`moved ${repricing.id}`, () => hasMoved(sql, repricing)),
  }
}

async function readNamed(sql: Sql, ids: readonly string[], named: Map<string, StoredEntry | undefined>): Promise<void> {
  for (const id of ids) named.set(id, undefined)
  for (const row of await sql.all(`${SELECT_ENTRIES} WHERE entries.id = ANY($1::text[])`, ids)) {
    const entry = toEntry(row)
    named.set(entry.id, entry)
  }
}

export async function entryNamed(sql: Sql, id: string): Promise<StoredEntry | undefined> {
  const row = await one(sql.all(`${SELECT_ENTRIES} WHERE entries.id = $1`, id))
  return row === undefined ? undefined : toEntry(row)
}

async function entryWith(sql: Sql, number: number): Promise<StoredEntry | undefined> {
  const row = await one(sql.all(`${SELECT_ENTRIES} WHERE number = $1`, number))
  return row === undefined ? undefined : toEntry(row)
}

async function usedOf(sql: Sql, group: string): Promise<Credits | undefined> {
  return (await one<{ used: Credits }>(sql.all('SELECT used FROM groups WHERE name = $1', group)))?.used
}

export async function repricingWith(sql: Sql, id: string): Promise<Repricing | undefined> {
  const row = await one(sql.all('SELECT * FROM repricings WHERE id = $1', id))
  return row === undefined ? undefined : toRepricing(row)
}

export async function allRepricings(sql: Sql): Promise<Repricing[]> {
  return (await sql.all('SELECT * FROM repricings ORDER BY previewed_at DESC, id')).map(toRepricing)
}

const SELECT_LINES = `SELECT repricing_lines.*, site, metric, project_id, project_name FROM repricing_lines
  JOIN series ON series.id = series_id WHERE repricing_id = $1 ORDER BY series_id`

const HAS_MOVED = `SELECT EXISTS (SELECT 1 FROM entries JOIN series ON series.id = series_id
    WHERE number > $1 AND kind = 'charge' AND metric = $2 AND from_at < $3 AND entries.at > $4)
  OR EXISTS (SELECT 1 FROM repricing_lines JOIN entries ON number = last_entry
    WHERE repricing_id = $5 AND hash <> last_hash) AS moved`

async function hasMoved(sql: Sql, { id, metric, period, seenEntry }: Repricing): Promise<boolean> {
  const row = await one<{ moved: boolean }>(sql.all(HAS_MOVED, seenEntry, metric, period.to, period.from, id))
  return row!.moved
}
