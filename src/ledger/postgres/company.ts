/** Joins what is about other processes: who else has the ledger open, and which of the work is done here. */
import type { Sharing } from '../sharing.ts'
import type { Database } from './database.ts'
import type { Membership } from './membership.ts'
import { createPresence, type Presence } from './presence.ts'
import { createReplicas } from './replicas.ts'
import type { Sql } from './sql.ts'
import { createWork } from './work.ts'

export interface ReplicaOptions extends Membership {
  /** Told of each time that it became one of the replicas. */
  readonly onJoined?: (id: number) => void
  /** Told what the queue of work says of trouble, and what could not be done about other replicas. */
  readonly onTrouble?: ((message: string) => void) | undefined
}

export interface Company {
  readonly presence: Presence
  /** Absent if this process takes no part in the work. */
  readonly sharing: Sharing | undefined
  /** @throws {LedgerError} as `Presence` does. */
  begin(isAlone: boolean): Promise<void>
  /** Asks for the work of groups that the caller holds, in the transaction that changed their totals. */
  ask(sql: Sql, groups: readonly string[]): Promise<void>
  /** Has this done before a place among the replicas that was lost is taken anew. */
  beforeReturn(settle: () => Promise<void>): void
  end(): Promise<void>
}

export function createCompany(database: Database, replica: ReplicaOptions | undefined): Company {
  return replica === undefined ? onlooker(database) : colleague(database, replica)
}

function onlooker(database: Database): Company {
  const presence = createPresence(database)
  return {
    presence,
    sharing: undefined,
    begin: (isAlone) => presence.begin(isAlone ? 'alone' : 'shared'),
    ask: async () => {},
    beforeReturn() {},
    end: presence.end,
  }
}

function colleague(database: Database, { onJoined, onTrouble, ...membership }: ReplicaOptions): Company {
  let settle = async () => {}
  const work = createWork(database, {
    register: (pool) => replicas.register(pool),
    unregister: (pool) => replicas.unregister(pool),
    isAlone: () => replicas.isAlone(),
    isMember: () => presence.isMember(),
    onTrouble,
  })
  const settled = async () => {
    await work.settled()
    await settle()
  }
  const presence = createPresence(database, {
    membership,
    settled,
    onLost: work.lost,
    onJoined(id) {
      work.joined()
      onJoined?.(id)
    },
  })
  const replicas = createReplicas(database, presence, work, { ...membership, onTrouble })
  return {
    presence,
    sharing: { replicas, work },
    async begin() {
      await work.prepare()
      await presence.begin('shared')
      replicas.begin()
    },
    ask: work.ask,
    beforeReturn(wanted) {
      settle = wanted
    },
    async end() {
      await replicas.end()
      await work.close()
      await presence.end()
    },
  }
}
