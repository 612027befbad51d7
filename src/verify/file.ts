/**
 * Opens a ledger for reading so that nothing of it changes and no file stays beside it.
 *
 * SQLite's usual way of reading a file in WAL mode makes two files beside it, `-wal` and `-shm`. So it depends on what is
 * there:
 * - both of them: a worker has the ledger open, or was killed. They are used as any other reader would.
 * - only `-wal`: a copy of a ledger that was in use. It is read with an index in memory.
 * - none of them: a ledger that was closed, or a backup. The file is read as it is.
 *
 * In the latter two cases nothing keeps a worker from beginning to write meanwhile; `close` finds out whether one did.
 */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

/** The ledger cannot be opened at all; said to the operator as it is. */
export class CannotOpenError extends Error {
  override readonly name = 'CannotOpenError'
}

/** The ledger cannot be read on; this says nothing about what is in it. */
export class CannotReadError extends Error {
  override readonly name = 'CannotReadError'
}

export interface LedgerFile {
  readonly db: DatabaseSync
  /** @throws {CannotReadError} if the file changed although nobody seemed to have it open: what was read is worth nothing. */
  close(): void
}

/** @throws {CannotOpenError} if there is no such file, it may not be read, or it is no database. */
export function openLedgerFile(path: string): LedgerFile {
  if (stateOf(path) === undefined) throw new CannotOpenError(`There is no file ${path}, or it may not be looked at.`)
  if (statSync(path).isDirectory()) throw new CannotOpenError(`${path} is a folder: name the ledger in it.`)
  const hasWal = (stateOf(`${path}-wal`)?.size ?? 0n) > 0n
  const isShared = stateOf(`${path}-wal`) !== undefined && stateOf(`${path}-shm`) !== undefined
  const before = isShared ? undefined : fingerprint(path)
  const url = pathToFileURL(path)
  url.search = isShared ? 'mode=ro' : hasWal ? 'mode=ro&vfs=unix-none' : 'immutable=1'
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(url, { readOnly: true, timeout: 5_000 })
    // With this, the index of the WAL is kept in memory. No lock is taken: that way of opening has none.
    if (hasWal && !isShared) db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('PRAGMA cache_size = -16000; BEGIN')
    db.prepare('PRAGMA user_version').get()
    return { db, close: () => close(path, db!, before) }
  } catch (error) {
    db?.close()
    throw isDamage(error) || isTrouble(error)
      ? error
      : new CannotOpenError(`The ledger ${path} cannot be opened: ${messageOf(error)}.`)
  }
}

function close(path: string, db: DatabaseSync, before: string | undefined): void {
  db.close()
  if (before !== undefined && fingerprint(path) !== before) {
    throw new CannotReadError(`The ledger ${path} was changed while it was read: check it again.`)
  }
}

/** What tells that a file, or the one with its latest changes, was written. */
function fingerprint(path: string): string {
  const facts = [path, `${path}-wal`].map((each) => {
    const state = stateOf(each)
    return state === undefined || (each !== path && state.size === 0n) ? 'none' : `${state.size}@${state.mtimeNs}`
  })
  return facts.join(' ')
}

function stateOf(path: string) {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Codes of SQLite: https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
const SQLITE_IOERR = 10
const SQLITE_CORRUPT = 11

/** Whether SQLite says that the file contradicts itself, which is something that was found and no reason to give up. */
export function isDamage(error: unknown): boolean {
  return codeOf(error) === SQLITE_CORRUPT
}

/** Whether SQLite could not read, which says nothing about what is there. */
export function isTrouble(error: unknown): boolean {
  return [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR].includes(codeOf(error))
}

function codeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
