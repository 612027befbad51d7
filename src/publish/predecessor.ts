/** PORT: what another service says of the groups that it charged until now. */
import type { Instant } from '../core/time.ts'

/** For each group, the instant up to which each metric is charged. */
export type ChargedUpTo = ReadonlyMap<string, Readonly<Record<string, Instant>>>

export type Legacy =
  | { readonly kind: 'known'; readonly groups: ChargedUpTo }
  /** It cannot be asked now. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** We have no right to ask, either about this site or at all. */
  | { readonly kind: 'forbidden'; readonly reason: string }
  /** This site cannot be asked about until a person acts. */
  | { readonly kind: 'refused'; readonly reason: string }

export interface Predecessor {
  /** Never rejects: what went wrong is an answer. */
  chargedAt(site: string): Promise<Legacy>
}
