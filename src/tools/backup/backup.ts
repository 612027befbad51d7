/** Copies a ledger, also while a worker writes it, into a file that is whole and checked or not there at all. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { backup } from 'node:sqlite'
import { EXIT_PROBLEMS, EXIT_RESOURCE, EXIT_USAGE, messageOf, ToolError } from '../program.ts'
import { openSnapshot } from './source.ts'

export interface BackupOptions {
  readonly ledger: string
  readonly to: string
  /** Replaces what is there. */
  readonly force: boolean
  /** Says what is wrong with a ledger; `undefined` if nothing is. */
  readonly check: (path: string) => Promise<string | undefined>
  readonly onProgress?: (part: number) => void
}

/** Pages copied at a time: some megabytes. */
const RATE = 1_000

/**
 * @returns The size of the copy, in bytes.
 * @throws {ToolError} and leaves no new file.
 */
export async function backUp({ ledger, to, force, check, onProgress }: BackupOptions): Promise<number> {
  expectFree(ledger, to, force)
  // In the same folder, so that its last step is a renaming.
  const part = `${to}.part-${process.pid}`
  try {
    await copy(ledger, part, onProgress)
    const problem = await check(part)
    if (problem !== undefined)
      throw new ToolError(EXIT_PROBLEMS, `The copy is not all right, so it is not kept. ${problem}`)
    sync(part)
    if (!force) expectFree(ledger, to, force)
    renameSync(part, to)
    sync(dirname(resolve(to)))
    return statSync(to).size
  } catch (error) {
    if (error instanceof ToolError) throw error
    throw new ToolError(EXIT_RESOURCE, `The backup ${to} cannot be written: ${messageOf(error)}.`)
  } finally {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${part}${end}`, { force: true })
  }
}

function expectFree(ledger: string, to: string, force: boolean): void {
  const files = ['', '-wal', '-shm', '.lock'].map((end) => resolve(`${ledger}${end}`))
  if (files.includes(resolve(to)))
    throw new ToolError(EXIT_USAGE, `${to} belongs to the ledger itself: name another file.`)
  if (!existsSync(to)) return
  if (statSync(to).isDirectory()) throw new ToolError(EXIT_USAGE, `${to} is a folder: name the file.`)
  if (!force) throw new ToolError(EXIT_USAGE, `There is a file ${to} already. --force replaces it.`)
}

async function copy(ledger: string, part: string, onProgress: BackupOptions['onProgress']): Promise<void> {
  const snapshot = openSnapshot(ledger)
  try {
    await backup(snapshot.db, part, {
      rate: RATE,
      progress: ({ totalPages, remainingPages }) => onProgress?.(1 - remainingPages / totalPages),
    })
  } finally {
    snapshot.close()
  }
}

/** What was written is on the disk when this returns. */
function sync(path: string): void {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}
