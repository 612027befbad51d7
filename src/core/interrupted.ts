/**
 * A site that jumped while its delivery was recorded in part: the process died, or the disk failed, and the rest comes with
 * the next delivery, which cannot tell any more that all of the site jumped. So the ledger remembers the jump.
 */

import { approximate, compare, subtract } from './decimals.ts'
import { explainedGrowth, UNEXPLAINED } from './lines.ts'
import type { Step } from './moves.ts'
import type { Instant } from './time.ts'

/** The jump of a site of which growth was held: its first instant, and the hold about it. */
export interface HeldJump {
  readonly at: Instant
  readonly key: string
  readonly reason: string
}

/** Whether a series grew by more than its pace explains, or nothing is known of that. */
export function isUnexplained({ before, reading }: Step): boolean {
  const { watermark } = before
  if (reading.at <= watermark.at || compare(reading.value, watermark.value) <= 0) return false
  const explained = explainedGrowth(before, reading.at)
  return approximate(subtract(reading.value, watermark.value)) > UNEXPLAINED * explained
}

/** Whether a series was read last before a jump of its site, and so has jumped with it. */
export function isRestOfJump(step: Step, jump: Pick<HeldJump, 'at'>): boolean {
  return step.before.watermark.at < jump.at && jump.at <= step.reading.at && isUnexplained(step)
}
