/**
 * The ledger in a SQLite file: one process, no server, durable at each commit (see `../ledger.ts` for what is promised).
 *
 * SQLite works while we wait for it, so a transaction can never meet another one.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Ledger } from '../ledger.ts'
import { createAccounts } from './accounts.ts'
import { type Connect, openDatabase, tryToWrite } from './database.ts'
import { createHoldCloser } from './holds.ts'
import { createReader } from './reader.ts'
import { createRecorder } from './recorder.ts'
import { createRegistry } from './registry.ts'
import { createSettler } from './settler.ts'

export interface SqliteOptions {
  /** Told how long each commit took, in seconds. */
  readonly onCommit?: (seconds: number) => void
  /** Opens connections; to files if not given. */
  readonly connect?: Connect | undefined
}

/** @throws {LedgerError} if the file cannot be opened or another worker has it. */
export function openSqliteLedger(path: string, { onCommit, connect }: SqliteOptions = {}): Ledger {
  const database = openDatabase(path, connect)
  const { db } = database
  const registry = createRegistry(db)
  const recorder = createRecorder(db, registry)
  const accounts = createAccounts(db)
  const closeHold = createHoldCloser(db, recorder)
  const check = createCheck(db)
  const settler = createSettler(accounts.settle, inTransaction)

  function inTransaction<Result>(work: () => Result): Result {
    const begun = performance.now()
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      registry.keep()
      onCommit?.((performance.now() - begun) / 1_000)
      return result
    } catch (error) {
      registry.forget()
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  return {
    ...createReader(db),
    async record(series, decide) {
      return inTransaction(() => recorder.write(decide(recorder.load(series))))
    },
    closeHold: async (id, why, decide) => inTransaction(() => closeHold(id, why, decide)),
    stored: async (series) => recorder.load(series),
    async dirtyGroups() {
      settler.flush()
      return accounts.dirty()
    },
    async account(group) {
      if (settler.isWaiting(group)) settler.flush()
      return accounts.account(group)
    },
    settle: settler.settle,
    check: async () => check(),
    async close() {
      settler.flush()
      database.close()
    },
  }
}

/** How long what a check found is true, in milliseconds: whoever asks often must not wear out the disk. */
const CHECK_VALID = 2_000

function createCheck(db: DatabaseSync): () => string | undefined {
  let found: string | undefined
  let at = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - at < CHECK_VALID) return found
    at = performance.now()
    try {
      tryToWrite(db)
      found = undefined
    } catch (error) {
      found = error instanceof Error ? error.message : String(error)
    }
    return found
  }
}
