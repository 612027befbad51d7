/**
 * Opens a ledger for a backup so that nothing of it changes.
 *
 * A worker that runs, or was killed, leaves two files beside the ledger (`-wal`, `-shm`), which are used as any reader would.
 * Without them the file is read as it is: opened in the usual way, SQLite would make them.
 */
import { existsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { EXIT_NO_INPUT, EXIT_RESOURCE, messageOf, ToolError } from '../program.ts'

export interface Snapshot {
  /** Sees the ledger as it was when this was opened, whatever is written meanwhile. */
  readonly db: DatabaseSync
  /** @throws {ToolError} if the file was written although nobody seemed to have it open. */
  close(): void
}

/** @throws {ToolError} if there is no such ledger, or it cannot be read. */
export function openSnapshot(path: string): Snapshot {
  if (!existsSync(path)) throw new ToolError(EXIT_NO_INPUT, `There is no ledger ${path}.`)
  const isShared = existsSync(`${path}-wal`) && existsSync(`${path}-shm`)
  const before = isShared ? undefined : fingerprint(path)
  if (!isShared && existsSync(`${path}-wal`)) {
    const advice = 'Start and stop a worker with it once, which takes its newest transactions over'
    throw new ToolError(
      EXIT_RESOURCE,
      `The ledger ${path} has a -wal and no -shm: it is a copy of one in use. ${advice}.`,
    )
  }
  const url = pathToFileURL(path)
  url.search = isShared ? 'mode=ro' : 'immutable=1'
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(url, { readOnly: true, timeout: 5_000 })
    // What is read first decides what this transaction sees to its end.
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return { db, close: () => close(path, db!, before) }
  } catch (error) {
    db?.close()
    throw new ToolError(EXIT_RESOURCE, `The ledger ${path} cannot be read: ${messageOf(error)}.`)
  }
}

function close(path: string, db: DatabaseSync, before: string | undefined): void {
  db.close()
  if (before === undefined || fingerprint(path) === before) return
  throw new ToolError(EXIT_RESOURCE, `A worker began to write ${path} meanwhile: do it again.`)
}

function fingerprint(path: string): string {
  const { size, mtimeNs } = statSync(path, { bigint: true })
  return `${size}@${mtimeNs}/${existsSync(`${path}-wal`)}`
}
