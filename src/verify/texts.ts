/**
 * Whether texts are stored as the bytes that they are read as.
 *
 * Bytes that are no UTF-8 are read as the replacement character U+FFFD. A name may hold that character, so a changed byte
 * in it might be read as the same name. Only where it occurs, the bytes themselves are looked at.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Value } from './problems.ts'

const REPLACEMENT = '\uFFFD'

export interface TextCheck {
  /** @param text Contains all texts of the row. */
  isSound(text: string, key: readonly Value[]): boolean
}

export function createTextCheck(
  db: DatabaseSync,
  table: string,
  key: readonly string[],
  columns: readonly string[],
): TextCheck {
  let select: StatementSync | undefined
  const strict = new TextDecoder('utf-8', { fatal: true })
  return {
    isSound(text, keyOfRow) {
      if (!text.includes(REPLACEMENT)) return true
      const bytes = columns.map((column) => `CAST(${column} AS BLOB)`).join(', ')
      select ??= db.prepare(`SELECT ${bytes} FROM ${table} WHERE ${key.map((column) => `${column} = ?`).join(' AND ')}`)
      select.setReturnArrays(true)
      // A row whose key is no UTF-8 is not found by what it is read as.
      const row = select.get(...keyOfRow) as unknown as (Uint8Array | null)[] | undefined
      return row?.every((each) => each === null || isText(each, strict)) ?? false
    },
  }
}

function isText(bytes: Uint8Array, decoder: TextDecoder): boolean {
  try {
    decoder.decode(bytes)
    return true
  } catch {
    return false
  }
}
