/** What catching up asks the ledger, and what it notes there. */
import type { Instant } from '../core/time.ts'

/** That the groups of a site were looked up as another service left them. */
export interface TakenOver {
  readonly site: string
  readonly at: Instant
  /** Metrics of groups whose charging began at the very instant that was left behind, and those that began later. */
  readonly begun: number
  readonly missing: number
}

export interface CatchUpLedger {
  /** The newest watermark of each site. */
  chargedUpTo(): Promise<ReadonlyMap<string, Instant>>
  /** The sites that were taken over. */
  takenOver(): Promise<readonly TakenOver[]>
  /** Notes it once; the first time counts. */
  noteTakenOver(taken: TakenOver): Promise<void>
}
