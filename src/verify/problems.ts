/** What is wrong with a ledger: counted without end, kept up to a limit. */

export interface Problem {
  /** A table of the ledger, or `file`, `schema` or `digest`. */
  readonly table: string
  /** Which row, or which thing. */
  readonly key: string
  /** What of it, as the beginning of a sentence: `amount`, `the seal`. */
  readonly what: string
  readonly expected: string
  readonly found: string
}

export interface Problems {
  readonly kept: readonly Problem[]
  readonly count: number
  add(table: string, key: string, what: string, expected: Value, found: Value): void
  /** Adds a problem unless both are the same. */
  compare(table: string, key: string, what: string, expected: Value, found: Value): void
}

/** What a column may hold. */
export type Value = string | number | bigint | Uint8Array | null

/** A name of 10,000 characters says no more than its beginning. */
const LONGEST_SHOWN = 200

export function createProblems(limit: number): Problems {
  const kept: Problem[] = []
  let count = 0
  function add(table: string, key: string, what: string, expected: Value, found: Value): void {
    count += 1
    if (kept.length < limit) kept.push({ table, key: shown(key), what, expected: shown(expected), found: shown(found) })
  }
  return {
    kept,
    get count() {
      return count
    },
    add,
    compare(table, key, what, expected, found) {
      if (expected !== found) add(table, key, what, expected, found)
    },
  }
}

function shown(value: Value): string {
  const text = value === null ? 'nothing' : value instanceof Uint8Array ? 'bytes instead of text' : String(value)
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`
}
