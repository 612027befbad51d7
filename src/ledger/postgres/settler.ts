/**
 * Lets settlements of groups that are published at the same time share a transaction, as a commit waits for the disk. They
 * are written in the order in which they were asked for; while some are written, the next ones gather.
 */
import type { Settlement } from '../ledger.ts'
import type { Connections } from './database.ts'
import { lockGroups } from './groupLocks.ts'
import { lockHolds } from './holdRows.ts'
import type { SettlementWriter } from './settlements.ts'
import type { Sql } from './sql.ts'

export interface Settler {
  settle(settlement: Settlement, options?: { readonly urgent?: boolean }): Promise<void>
  /** Whether a settlement of the group is asked for and not written yet. */
  isWaiting(group: string): boolean
  /** Resolves when all that waits is written. */
  flush(): Promise<void>
}

interface Waiting {
  readonly settlement: Settlement
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What is not urgent waits so long for others, in milliseconds. */
const PATIENCE = 100

/** Settlements in one transaction: others wait for the groups in it. */
const MOST = 500

/** @param expectMember Refuses whoever lost the right to settle. */
export function createSettler(
  database: Connections,
  write: SettlementWriter,
  expectMember: (sql: Sql) => Promise<void>,
): Settler {
  let waiting: Waiting[] = []
  let writing: readonly Waiting[] = []
  let current: Promise<void> = Promise.resolve()
  let soon: NodeJS.Immediate | undefined
  let later: NodeJS.Timeout | undefined

  function flush(): Promise<void> {
    clearImmediate(soon)
    clearTimeout(later)
    soon = undefined
    later = undefined
    current = current.then(writeAll)
    return current
  }

  async function writeAll(): Promise<void> {
    const batch = waiting.slice(0, MOST)
    if (batch.length === 0) return
    waiting = waiting.slice(MOST)
    writing = batch
    try {
      await writeTogether(batch)
      for (const { resolve } of batch) resolve()
    } catch (error) {
      // One that cannot be written keeps no other from being.
      if (batch.length === 1) batch[0]!.reject(error)
      else for (const each of batch) await writeTogether([each]).then(each.resolve, each.reject)
    } finally {
      writing = []
    }
    if (waiting.length > 0) await writeAll()
  }

  async function writeTogether(batch: readonly Waiting[]): Promise<void> {
    await database.transact(async (sql) => {
      await expectMember(sql)
      await lockGroups(sql, [...new Set(batch.map(({ settlement }) => settlement.group))])
      const keys = batch.flatMap(({ settlement: { holds = [], released = [] } }) => [...holds, ...released])
      if (keys.length > 0) await lockHolds(sql, [...new Set(keys.map(({ key }) => key))])
      for (const round of rounds(batch.map(({ settlement }) => settlement))) await write(sql, round)
    })
  }

  return {
    settle: (settlement, { urgent = true } = {}) =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ settlement, resolve, reject })
        if (urgent) soon ??= setImmediate(() => void flush())
        else later ??= setTimeout(() => void flush(), PATIENCE)
      }),
    isWaiting: (group) => [...waiting, ...writing].some(({ settlement }) => settlement.group === group),
    flush,
  }
}

/** Settlements of different groups are written at once, those of one group one after another. */
function rounds(settlements: readonly Settlement[]): Settlement[][] {
  const counts = new Map<string, number>()
  const found: Settlement[][] = []
  for (const settlement of settlements) {
    const round = counts.get(settlement.group) ?? 0
    counts.set(settlement.group, round + 1)
    found[round] ??= []
    found[round].push(settlement)
  }
  return found
}
