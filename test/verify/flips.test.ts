/**
 * Any changed byte is found, or changes nothing that the ledger says.
 *
 *   VERIFY_FLIPS=all vitest run test/verify/flips.test.ts     every byte instead of a sample, some minutes
 *   VERIFY_SEED=4711 …                                        another sample, other changes
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { expect, suite, test } from 'vitest'
import { CannotOpenError } from '#src/verify/file.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { compact, temporaryFolder, writeVariedLedger } from './ledgers.ts'

const seed = Number(process.env.VERIFY_SEED ?? 1)
const isWhole = process.env.VERIFY_FLIPS === 'all'
const SAMPLE = 1_500

/** Numbers from 0 up to `limit` that look like chance, the same for each seed (mulberry32). */
function createDice(start: number): (limit: number) => number {
  let state = start
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit)
  }
}

/** All that a ledger says: rows, definitions and version, each value with its type and its very bytes. */
function contentOf(path: string): string {
  const url = pathToFileURL(path)
  url.search = 'immutable=1'
  const db = new DatabaseSync(url, { readOnly: true })
  try {
    const version = JSON.stringify(db.prepare('PRAGMA user_version').get())
    const schema = db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all()
    const tables = schema.filter(({ type }) => type === 'table').map(({ name }) => String(name))
    return [version, JSON.stringify(schema), ...tables.map((table) => rowsOf(db, table))].join('\n')
  } finally {
    db.close()
  }
}

function rowsOf(db: DatabaseSync, table: string): string {
  const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all()
  const values = columns.map(
    ({ name }) => `typeof(${name}), iif(typeof(${name}) = 'real', quote(${name}), hex(${name}))`,
  )
  const select = db.prepare(`SELECT ${values.join(', ')} FROM ${table} NOT INDEXED`)
  return JSON.stringify(select.all().map((row) => Object.values(row)))
}

/** What became of a ledger with a changed byte. */
function outcomeOf(path: string, before: string): 'found' | 'not opened' | 'nothing changed' | 'CHANGED UNSEEN' {
  try {
    if (verifyLedger(path).problemCount > 0) return 'found'
  } catch (error) {
    if (error instanceof CannotOpenError) return 'not opened'
    throw error
  }
  return contentOf(path) === before ? 'nothing changed' : 'CHANGED UNSEEN'
}

suite('a changed byte', () => {
  test('is found anywhere in a ledger, or nothing that it says has changed', { timeout: 3_600_000 }, async () => {
    const path = `${temporaryFolder()}/credits.db`
    await writeVariedLedger(path)
    compact(path)
    expect(verifyLedger(path)).toMatchObject({ problems: [], groups: 4 })
    const before = contentOf(path)
    const bytes = readFileSync(path)
    const dice = createDice(seed)
    const step = isWhole ? 1 : bytes.length / SAMPLE
    const counts: Record<string, number> = {}
    const unseen: string[] = []
    for (let place = 0; place < bytes.length; place += step) {
      const at = Math.min(bytes.length - 1, Math.floor(place + dice(Math.ceil(step))))
      const original = bytes[at]!
      bytes[at] = original ^ (1 + dice(255))
      writeFileSync(path, bytes)
      const outcome = outcomeOf(path, before)
      counts[outcome] = (counts[outcome] ?? 0) + 1
      if (outcome === 'CHANGED UNSEEN') unseen.push(`byte ${at}: ${original} to ${bytes[at]}`)
      bytes[at] = original
    }
    if (isWhole) process.stderr.write(`${bytes.length} bytes, seed ${seed}: ${JSON.stringify(counts)}\n`)
    expect(unseen).toEqual([])
    expect(counts.found).toBeGreaterThan(SAMPLE / 2)
  })
})
