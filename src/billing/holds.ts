/**
 * What people decide about growth that is held back.
 *
 * Accepting charges exactly what was held, once; dismissing charges nothing, ever. Both close the hold for good and need a
 * reason, which stays in the ledger with the name of whoever decided.
 */
import type { Meters } from '../core/meters.ts'
import { type Clock, formatInstant } from '../core/time.ts'
import { Refusal } from '../ledger/corrections.ts'
import { decidableHolds, type Ledger, type StoredHold } from '../ledger/ledger.ts'
import type { Logger } from '../telemetry/logger.ts'
import { accept } from './biller.ts'

export interface HoldDecision {
  readonly verdict: 'accept' | 'dismiss'
  readonly actor: string
  readonly reason: string
}

export type Resolved =
  | { readonly kind: 'closed'; readonly hold: StoredHold }
  /** No hold has this number. */
  | { readonly kind: 'unknown' }
  /** It is closed, not for people to decide, or cannot be accepted; `why` says how it was closed or what to do instead. */
  | { readonly kind: 'refused'; readonly why: string }

export interface HoldDeskOptions {
  readonly ledger: Pick<Ledger, 'closeHold' | 'hold'>
  readonly meters: Meters
  readonly clock: Clock
  readonly logger: Logger
  /** Told which groups have a new total. */
  readonly onChanged: (groups: readonly string[]) => void
}

export function createHoldDesk({ ledger, meters, clock, logger, onChanged }: HoldDeskOptions) {
  return async (id: number, { verdict, actor, reason }: HoldDecision): Promise<Resolved> => {
    const why = `${verdict === 'accept' ? 'Accepted' : 'Dismissed'} by ${actor}: ${reason}`
    try {
      const closed = await ledger.closeHold(id, why, (held) => {
        const now = clock.now()
        if (!decidableHolds.has(held.hold.kind)) {
          throw new Refusal(
            `A hold of kind "${held.hold.kind}" ends by itself once its reason is gone: ${held.hold.reason}`,
          )
        }
        if (verdict === 'accept') return accept(held, { actor, reason }, { meters, now })
        return { at: now, changes: [], notes: [], holds: [], released: [], withdrawn: [], heldGrowths: [] }
      })
      if (closed === undefined) return whyNot(await ledger.hold(id))
      logger.info({ hold: id, kind: closed.hold.kind, group: closed.hold.group, site: closed.hold.site, actor }, why)
      if (closed.groups.length > 0) onChanged(closed.groups)
      return { kind: 'closed', hold: closed.hold }
    } catch (error) {
      if (error instanceof Refusal || error instanceof RangeError) return { kind: 'refused', why: error.message }
      throw error
    }
  }
}

/** Why nothing can be decided about a hold that is not open. */
function whyNot(known: StoredHold | undefined): Resolved {
  if (known?.closed === undefined) return { kind: 'unknown' }
  const { at, why } = known.closed
  return { kind: 'refused', why: `Hold ${known.id} was closed at ${formatInstant(at)}. ${why}` }
}
