/** What is known of the pushes of a protocol: how the last ones went, what all of them brought. Pure. */
import { noRejections, type Rejections } from '../core/admit.ts'
import type { Instant } from '../core/time.ts'
import type { Decoded } from './receiver.ts'
import type { PushStatus } from './source.ts'

export function newPushStatus(protocol: string): PushStatus {
  return {
    protocol,
    lastPush: undefined,
    lastSuccess: undefined,
    lastError: undefined,
    taken: 0,
    refused: 0,
    samples: 0,
    readings: 0,
    staleMarkers: 0,
    ignored: 0,
    rejected: noRejections(),
    errors: [],
  }
}

export function afterTaken(before: PushStatus, at: Instant, decoded: Decoded): PushStatus {
  const { samples, readings, staleMarkers, ignored, rejected, errors } = decoded
  return {
    ...before,
    lastPush: at,
    lastSuccess: at,
    lastError: undefined,
    taken: before.taken + 1,
    samples: before.samples + samples,
    readings: before.readings + readings.length,
    staleMarkers: before.staleMarkers + staleMarkers,
    ignored: before.ignored + ignored,
    rejected: sum(before.rejected, rejected),
    errors: errors.length > 0 ? errors : before.errors,
  }
}

export function afterRefusal(before: PushStatus, at: Instant, lastError: string): PushStatus {
  return { ...before, lastPush: at, lastError, refused: before.refused + 1 }
}

function sum(one: Readonly<Rejections>, other: Readonly<Rejections>): Rejections {
  const total = { ...one }
  for (const reason of Object.keys(other) as (keyof Rejections)[]) total[reason] += other[reason]
  return total
}
