/** Who shares the ledger, and who does what: claims by the names that people know. */
import { CATCH_UP } from './billing/catchUp.ts'
import { LEAD } from './billing/lead.ts'
import type { Replica } from './http/parts.ts'
import type { Replicas } from './ledger/replicas.ts'
import type { SharedTargets } from './sources/sharedTargets.ts'

export interface ReplicaTable {
  /** The oldest first. */
  list(): Promise<readonly Replica[]>
  isMember(): boolean
}

export function createReplicaTable(replicas: Replicas, targets: Pick<SharedTargets, 'claims'>): ReplicaTable {
  return {
    isMember: () => replicas.isMember(),
    async list() {
      const labels = targets.claims()
      const rows = await replicas.list([...labels.keys(), LEAD, CATCH_UP])
      return rows.map(({ claims, ...row }) => ({
        ...row,
        isLead: claims.includes(LEAD),
        isCatchingUp: claims.includes(CATCH_UP),
        targets: claims.flatMap((claim) => labels.get(claim) ?? []),
      }))
    },
  }
}
