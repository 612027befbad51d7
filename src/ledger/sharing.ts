/** PORT, what the workers that share a ledger share beside it. */
import type { Replicas } from './replicas.ts'
import type { SharedWork } from './sharedWork.ts'

export interface Sharing {
  readonly replicas: Replicas
  readonly work: SharedWork
}
