/**
 * Opens the ledger's file: locked for this process, durable, at the newest version of its tables.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync, type DatabaseSyncOptions } from 'node:sqlite'
import { LedgerError } from '../ledger.ts'

export interface Database {
  readonly db: DatabaseSync
  close(): void
}

/** Opens a connection to a file that SQLite reads and writes. */
export type Connect = (path: string, options?: DatabaseSyncOptions) => DatabaseSync

const connectToFile: Connect = (path, options = {}) => new DatabaseSync(path, options)

/**
 * @param path A file, made with its folder when it is missing, or `:memory:`.
 * @throws {LedgerError} if another worker has it open, it cannot be read or written, or it is newer than this program.
 */
export function openDatabase(given: string, connect = connectToFile): Database {
  const path = given === ':memory:' ? given : realPath(given)
  const lock = path === ':memory:' ? undefined : lockFile(path, connect)
  let db: DatabaseSync | undefined
  try {
    db = connect(path, { timeout: 5_000 })
    // A transaction is on the disk when COMMIT returns: a ledger may not forget what was published from it.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000')
    migrate(db)
    tryToWrite(db)
  } catch (error) {
    db?.close()
    unlock(lock)
    throw error instanceof LedgerError ? error : cannotOpen(path, error)
  }
  const opened = db
  return {
    db: opened,
    close() {
      opened.close()
      unlock(lock)
    },
  }
}

/**
 * Writes something that changes nothing, to the disk: a full disk, a file of another user and a read-only file system let
 * transactions begin and fail only then.
 */
export function tryToWrite(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()!.user_version)
  db.exec(`PRAGMA user_version = ${version}`)
}

/** The file itself, however it is reached: two names for one ledger must meet the same lock. */
function realPath(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
  } catch (error) {
    throw cannotOpen(path, error)
  }
}

/** The locks of this process. A lock that nothing refers to would be collected as garbage, and with it dropped. */
const locks = new Set<DatabaseSync>()

function unlock(lock: DatabaseSync | undefined): void {
  if (lock === undefined) return
  locks.delete(lock)
  lock.close()
}

/**
 * Keeps a second worker away for as long as this process lives. The lock is a write transaction on a small file beside the
 * ledger that is never committed: the system drops it when the process ends, however it ends, and the ledger itself stays
 * readable for backups and checks.
 */
function lockFile(path: string, connect: Connect): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = connect(`${path}.lock`)
    lock.exec('CREATE TABLE IF NOT EXISTS owner (pid INTEGER NOT NULL, since TEXT NOT NULL)')
    lock.exec(`DELETE FROM owner; INSERT INTO owner VALUES (${process.pid}, '${new Date().toISOString()}')`)
    lock.exec('BEGIN IMMEDIATE')
    locks.add(lock)
    return lock
  } catch (error) {
    const owner = lock === undefined ? '' : ownerOf(lock)
    lock?.close()
    if (!isBusy(error)) throw cannotOpen(path, error)
    throw new LedgerError(
      `The ledger ${path} is in use by another worker${owner}. One worker at a time writes a ledger: stop the other one, or give this one its own OS_CREDITS_LEDGER.`,
    )
  }
}

/** The other worker, if it can be read just now. */
function ownerOf(lock: DatabaseSync): string {
  try {
    const owner = lock.prepare('SELECT pid, since FROM owner').get()
    return owner === undefined ? '' : ` (process ${owner.pid}, since ${owner.since})`
  } catch {
    return ''
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5
}

function cannotOpen(path: string, cause: unknown): LedgerError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new LedgerError(
    `The ledger ${path} cannot be opened: ${why}. The file and its folder must be writable for the user of the worker.`,
    {
      cause,
    },
  )
}

/** Brings the tables to the newest version: each numbered file runs once, in order, in a transaction of its own. */
function migrate(db: DatabaseSync): void {
  const folder = join(import.meta.dirname, 'migrations')
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
  const version = Number(db.prepare('PRAGMA user_version').get()!.user_version)
  if (version > files.length) {
    throw new LedgerError(
      `The ledger has version ${version}, this program knows ${files.length}: it was written by a newer one.`,
    )
  }
  for (const [index, file] of files.entries()) {
    if (index < version) continue
    db.exec(`BEGIN IMMEDIATE; ${readFileSync(join(folder, file), 'utf8')}; PRAGMA user_version = ${index + 1}; COMMIT`)
  }
}
