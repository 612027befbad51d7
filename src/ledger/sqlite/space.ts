/** How much room the ledger takes, and how much there is. */
import { stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

export interface Space {
  /** Of the ledger and of its log, in bytes. */
  readonly bytes: number
  /** What is left for this process on their disk, in bytes. */
  readonly free: number
}

/** @returns `undefined` if it cannot be told: the ledger is in memory, or its file cannot be looked at. */
export async function spaceOf(path: string): Promise<Space | undefined> {
  try {
    const [file, log, disk] = await Promise.all([
      stat(path),
      stat(`${path}-wal`).catch(() => ({ size: 0 })),
      statfs(dirname(resolve(path))),
    ])
    return { bytes: file.size + log.size, free: disk.bavail * disk.bsize }
  } catch {
    return undefined
  }
}
