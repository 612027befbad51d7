/** Waiting for a claim that another replica may have: for what only one of them may do at a time. */
import { SECOND } from '../core/time.ts'
import type { Claim, Claims } from '../ledger/claims.ts'

export interface TurnOptions {
  readonly claims: Pick<Claims, 'claim'>
  readonly name: string
  /** Resolves after `ms` or once `signal` is aborted. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** Told before each pause why it is not had: the trouble with the ledger, or `undefined` if another one has it. */
  readonly onWait?: ((trouble: string | undefined) => void) | undefined
}

/** How soon a claim that was released is had, in milliseconds. */
const PAUSE = SECOND

/** @returns `undefined` once `signal` is aborted. */
export async function awaitTurn(
  { claims, name, wait, onWait }: TurnOptions,
  signal: AbortSignal,
): Promise<Claim | undefined> {
  while (!signal.aborted) {
    try {
      const claim = await claims.claim(name)
      if (claim !== undefined && signal.aborted) await claim.release()
      else if (claim !== undefined) return claim
      else onWait?.(undefined)
    } catch (error) {
      onWait?.(error instanceof Error ? error.message : String(error))
    }
    await wait(PAUSE, signal)
  }
  return undefined
}
