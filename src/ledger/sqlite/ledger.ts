/**
 * The ledger in a SQLite file: one process, no server, durable at each commit (see `../ledger.ts` for what is promised).
 *
 * SQLite works while we wait for it, so a transaction can never meet another one.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type Ledger, LedgerError, type Recorded } from '../ledger.ts'
import { createAccounts } from './accounts.ts'
import { createCatchUpNotes } from './catchUp.ts'
import { createCorrections } from './corrections.ts'
import { type Connect, type Database, openDatabase, tryToWrite } from './database.ts'
import { createHoldCloser } from './holds.ts'
import { createMessages } from './messages.ts'
import { createLineWatch, createNotices, watchLines } from './notices.ts'
import { createReader } from './reader.ts'
import { createRecorder } from './recorder.ts'
import { createRegistry } from './registry.ts'
import { createSeriesStore } from './seriesStore.ts'
import { createSettler } from './settler.ts'
import { cannotOpen, createWatch, type Watch } from './trouble.ts'

export interface SqliteOptions {
  /** Told how long each commit took, in seconds. */
  readonly onCommit?: (seconds: number) => void
  /** Parts of a grant, in percent and rising, whose crossing is a notice; none if not given. */
  readonly notifyAt?: readonly number[]
  /** Opens connections; to files if not given. */
  readonly connect?: Connect | undefined
}

/** @throws {LedgerError} if the file cannot be opened or another worker has it. */
export function openSqliteLedger(path: string, options: SqliteOptions = {}): Ledger {
  const database = openDatabase(path, options.connect)
  try {
    return ledgerIn(database, options)
  } catch (error) {
    database.close()
    throw cannotOpen(database.path, error)
  }
}

function ledgerIn(database: Database, { onCommit, notifyAt = [] }: SqliteOptions): Ledger {
  const { db } = database
  const watch = createWatch(database.path)
  const registry = createRegistry(db)
  const store = createSeriesStore(db, registry)
  const lines = createLineWatch(db, notifyAt)
  const recorder = createRecorder(db, registry, store, lines)
  const accounts = createAccounts(db, lines, store)
  const closeHold = createHoldCloser(db, recorder)
  const check = createCheck(db, watch)
  const settler = createSettler(accounts.settle, inTransaction)

  /** Why the last readings were not recorded, if they were not: they need more space than what `check` tries. */
  let refusal: string | undefined

  function inTransaction<Result>(work: () => Result): Result {
    return watch.write(() => transact(work))
  }

  function transact<Result>(work: () => Result): Result {
    const begun = performance.now()
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      registry.keep()
      store.keep()
      onCommit?.((performance.now() - begun) / 1_000)
      return result
    } catch (error) {
      registry.forget()
      store.forget()
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  function record(work: () => Recorded): Recorded {
    try {
      const recorded = inTransaction(work)
      refusal = undefined
      return recorded
    } catch (error) {
      if (error instanceof LedgerError) refusal = error.message
      throw error
    }
  }

  watchLines(db, notifyAt)
  return {
    ...createReader(db, watch),
    ...createCatchUpNotes(db, watch, inTransaction),
    ...createCorrections(db, inTransaction, lines, store),
    ...createNotices(db, watch, inTransaction),
    ...createMessages(db, watch, inTransaction),
    async record(series, decide) {
      return record(() => recorder.write(decide(recorder.load(series))))
    },
    closeHold: async (id, why, decide) => inTransaction(() => closeHold(id, why, decide)),
    stored: async (series) => watch.read(() => recorder.load(series)),
    openedBy: async (source) => registry.openedBy(source),
    seriesOf: async (site, metric) => watch.read(() => recorder.seriesOf(site, metric)),
    latestJump: async (site) => watch.read(() => recorder.latestJump(site)),
    openHolds: async (keys) => watch.read(() => recorder.openHolds(keys)),
    async dirtyGroups() {
      settler.flush()
      return watch.read(accounts.dirty)
    },
    async doubtfulGroups() {
      settler.flush()
      return watch.read(accounts.doubtful)
    },
    async newestIntention(group) {
      if (settler.isWaiting(group)) settler.flush()
      return watch.read(() => accounts.newestIntention(group))
    },
    async shownGroups() {
      settler.flush()
      return watch.read(accounts.shown)
    },
    async account(group) {
      if (settler.isWaiting(group)) settler.flush()
      return watch.read(() => accounts.account(group))
    },
    settle: settler.settle,
    check: async () => check() ?? refusal,
    async close() {
      settler.flush()
      database.close()
    },
  }
}

/** How long what a check found is true, in milliseconds: whoever asks often must not wear out the disk. */
const CHECK_VALID = 2_000

function createCheck(db: DatabaseSync, watch: Watch): () => string | undefined {
  let found: string | undefined
  let at = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - at < CHECK_VALID) return found
    at = performance.now()
    try {
      watch.write(() => tryToWrite(db))
      found = undefined
    } catch (error) {
      found = error instanceof Error ? error.message : String(error)
    }
    return found
  }
}
