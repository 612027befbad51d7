/**
 * Lets settlements of groups that are published at the same time share a transaction: a commit waits for the disk, and the
 * disk does not care how much it is told. They are written in the order in which they were asked for.
 */
import type { Settlement } from '../ledger.ts'

export interface Settler {
  settle(settlement: Settlement, options?: { readonly urgent?: boolean }): Promise<void>
  /** Whether a settlement of the group is asked for and not written yet. */
  isWaiting(group: string): boolean
  /** Writes all that waits. */
  flush(): void
}

interface Waiting {
  readonly settlement: Settlement
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What is not urgent waits so long for others, in milliseconds. */
const PATIENCE = 100

export function createSettler(
  write: (settlement: Settlement) => void,
  inTransaction: (work: () => void) => void,
): Settler {
  let waiting: Waiting[] = []
  let groups = new Set<string>()
  let soon: NodeJS.Immediate | undefined
  let later: NodeJS.Timeout | undefined

  function flush(): void {
    clearImmediate(soon)
    clearTimeout(later)
    soon = undefined
    later = undefined
    const batch = waiting
    if (batch.length === 0) return
    waiting = []
    groups = new Set()
    try {
      inTransaction(() => {
        for (const { settlement } of batch) write(settlement)
      })
      for (const { resolve } of batch) resolve()
    } catch {
      for (const each of batch) writeAlone(each)
    }
  }

  /** One that cannot be written keeps no other from being. */
  function writeAlone({ settlement, resolve, reject }: Waiting): void {
    try {
      inTransaction(() => write(settlement))
      resolve()
    } catch (error) {
      reject(error)
    }
  }

  return {
    settle: (settlement, { urgent = true } = {}) =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ settlement, resolve, reject })
        groups.add(settlement.group)
        if (urgent) soon ??= setImmediate(flush)
        else later ??= setTimeout(flush, PATIENCE)
      }),
    isWaiting: (group) => groups.has(group),
    flush,
  }
}
