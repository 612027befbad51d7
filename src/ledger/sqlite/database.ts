/**
 * Opens the ledger's file: locked for this process, durable, at the newest version of its tables.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync, type DatabaseSyncOptions } from 'node:sqlite'
import { add, type Decimal, decimal, formatDecimal, subtract } from '../../core/decimals.ts'
import { LedgerError } from '../ledger.ts'
import { sealOf } from '../receipts.ts'
import { chainEntries } from './chain.ts'
import { fillDays } from './days.ts'
import { cannotOpen, foundDamaged, isBusy } from './trouble.ts'
import { damageOf } from './wal.ts'

export interface Database {
  readonly db: DatabaseSync
  /** The file itself, however it was reached. */
  readonly path: string
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
    const isUnclean = existsSync(`${path}-wal`)
    if (isUnclean) checkLog(path)
    db = connect(path, { timeout: 5_000 })
    // A transaction is on the disk when COMMIT returns: a ledger may not forget what was published from it.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000')
    defineFunctions(db)
    if (isUnclean) check(db, path)
    migrate(db)
    tryToWrite(db)
  } catch (error) {
    db?.close()
    unlock(lock)
    throw cannotOpen(path, error)
  }
  const opened = db
  return {
    db: opened,
    path,
    close() {
      opened.close()
      unlock(lock)
    },
  }
}

/** What SQL lacks: digests of rows, and exact decimals. */
function defineFunctions(db: DatabaseSync): void {
  db.function('seal', { deterministic: true, varargs: true, useBigIntArguments: true }, (...values) =>
    sealOf(values as (string | number | bigint | null)[]),
  )
  const define = (name: string, compute: (a: Decimal, b: Decimal) => Decimal) =>
    db.function(name, { deterministic: true }, (a, b) =>
      a === null || b === null ? null : formatDecimal(compute(decimal(a as string), decimal(b as string))),
    )
  define('decimal_sum', add)
  define('decimal_difference', subtract)
}

/**
 * Writes something that changes nothing, to the disk: a full disk, a file of another user and a read-only file system let
 * transactions begin and fail only then.
 */
export function tryToWrite(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()!.user_version)
  db.exec(`PRAGMA user_version = ${version}`)
}

/**
 * The file itself, however it is reached: two names for one ledger must meet the same lock. It is made when it is missing,
 * because a link to nothing leads nowhere yet.
 */
function realPath(given: string): string {
  try {
    makeFolder(dirname(resolve(given)))
    if (existsSync(given) && statSync(given).isDirectory()) throw new LedgerError(`The ledger ${given} is a folder.`)
    closeSync(openSync(given, 'a'))
    const path = realpathSync(given)
    expectOneName(path)
    return path
  } catch (error) {
    throw cannotOpen(given, error)
  }
}

/** Not Node's own way to make the folders above: below /proc and the like it tries for ever. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}

/**
 * The lock and the newest transactions lie in files beside the ledger, by its name. With a second name, or mounted without
 * its folder, it would have two of each: two workers could write it, and what one of them committed would be lost.
 */
function expectOneName(path: string): void {
  const { nlink, dev } = statSync(path)
  if (nlink > 1) {
    throw new LedgerError(
      `The ledger ${path} has ${nlink} names (hard links), and files beside it for each. Remove the others, or copy the file.`,
    )
  }
  if (dev !== statSync(dirname(path)).dev) {
    throw new LedgerError(
      `The ledger ${path} is mounted without its folder. Files beside it belong to it: mount the folder instead.`,
    )
  }
}

/** Bytes. Larger ledgers are not checked: it would take longer than whoever waits for the start has patience. */
const CHECKED_SIZE = 1_000_000_000

/** What was in the log has to be in the ledger, before SQLite forgets what it cannot read. */
function checkLog(path: string): void {
  const finding = damageOf(readFileSync(`${path}-wal`))
  if (finding !== undefined) throw foundDamaged(path, finding)
}

/** Looks at all pages after an end that was none, such as a power failure: see `docs/decisions/0012-check-after-a-crash.md`. */
function check(db: DatabaseSync, path: string): void {
  if (statSync(path).size > CHECKED_SIZE) return
  const { quick_check: finding } = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
  if (finding !== 'ok') throw foundDamaged(path, finding.replaceAll('\n', ' '))
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

/** What SQL alone cannot do, by the version whose file comes before it in the same transaction. */
const programs: Readonly<Record<number, (db: DatabaseSync) => void>> = { 4: chainEntries, 6: fillDays }

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
    db.exec(`BEGIN IMMEDIATE; ${readFileSync(join(folder, file), 'utf8')}`)
    programs[index + 1]?.(db)
    db.exec(`PRAGMA user_version = ${index + 1}; COMMIT`)
  }
}
