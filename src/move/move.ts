/**
 * Moves a ledger: every row of every table, as it is, in batches. How far it is stands in the target, in the transaction of
 * each batch, so a move that was interrupted goes on where it was. In the end everything is looked at again.
 */
import { createHash } from 'node:crypto'
import { check, type Tell } from './check.ts'
import { keyOf, MoveError, type Row, type Store, type Target, type Value } from './store.ts'
import { type Table, tables } from './tables.ts'

export interface MoveOptions {
  /** Throws away what an interrupted move left in the target. */
  readonly isAnew?: boolean
  /** Rows of one transaction. */
  readonly batch?: number
  readonly tell?: { readonly copied: Tell; readonly checked: Tell; readonly resumed?: () => void }
}

const BATCH = 2_000

/**
 * @returns What is wrong with what was moved; nothing if it is a ledger now.
 * @throws {MoveError} if the target holds something else, or the source changed since an interrupted move.
 */
export async function move(source: Store, target: Target, options: MoveOptions = {}): Promise<string[]> {
  const { isAnew = false, batch = BATCH, tell } = options
  const notes = await target.notes()
  if (notes === undefined && !(await target.isEmpty())) {
    throw new MoveError(`The ledger ${target.place} is not empty: a ledger is moved into an empty one only.`)
  }
  const state = await fingerprint(source, batch)
  const isResumed = notes !== undefined && !isAnew
  if (isResumed && notes.get('source') !== state) {
    throw new MoveError(
      `The ledger ${source.place} has changed since its move into ${target.place} was interrupted: begin anew with --anew.`,
    )
  }
  if (isResumed) tell?.resumed?.()
  else await target.begin(state)
  for (const table of tables)
    await copy(source, target, { table, batch, note: isResumed ? notes.get(table.name) : undefined, tell })
  const problems = await check(source, target, batch, tell?.checked ?? (() => {}))
  if (problems.length === 0) await target.finish()
  return problems
}

interface Copying {
  readonly table: Table
  readonly batch: number
  /** How far it is. */
  readonly note: string | undefined
  readonly tell: MoveOptions['tell']
}

async function copy(source: Store, target: Target, { table, batch, note, tell }: Copying): Promise<void> {
  let after: readonly Value[] | undefined = note === undefined ? undefined : readKey(note)
  for (;;) {
    const rows = await source.read(table, after, batch)
    if (rows.length === 0) return
    after = keyOf(table, rows.at(-1)!)
    await target.add(table, rows, writeKey(after))
    tell?.copied(table.name, rows.length)
  }
}

/** A key as text: a whole number is not a text of digits. */
function writeKey(key: readonly Value[]): string {
  return JSON.stringify(key.map((value) => (typeof value === 'bigint' ? { number: String(value) } : value)))
}

function readKey(text: string): Value[] {
  return (JSON.parse(text) as (string | { number: string })[]).map((value) =>
    typeof value === 'string' ? value : BigInt(value.number),
  )
}

/** Tells two states of a ledger apart: whatever is recorded changes a series, a group or the number of rows. */
async function fingerprint(store: Store, batch: number): Promise<string> {
  const hash = createHash('sha256')
  for (const table of tables) {
    hash.update(`${table.name} ${await store.count(table)}\n`)
    if (!['series', 'groups', 'holds'].includes(table.name)) continue
    let after: readonly Value[] | undefined
    for (let rows: Row[] = []; ; ) {
      rows = await store.read(table, after, batch)
      for (const row of rows) hash.update(row.map(String).join('|'))
      if (rows.length < batch) break
      after = keyOf(table, rows.at(-1)!)
    }
  }
  return hash.digest('base64url')
}
