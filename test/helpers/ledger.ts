/** Puts readings into a ledger, part by part, without a source or an intake. */
import { bill } from '#src/billing/biller.ts'
import type { ChargeEntry } from '#src/core/entries.ts'
import { MINUTE } from '#src/core/time.ts'
import type { Ledger, StoredEntry } from '#src/ledger/ledger.ts'
import { type Measured, meters, reading, T0 } from './billing.ts'

/** Records readings as one part of a delivery. */
export function deliver(ledger: Ledger, ...measured: Measured[]) {
  const readings = measured.map(reading)
  return ledger.record(
    readings.map(({ series }) => series),
    (stored) =>
      bill(readings, stored, { meters, verdicts: () => undefined, now: Math.max(...readings.map(({ at }) => at)) })
        .recording,
  )
}

/** The readings of one project, `[minutes after the start, value]` each, delivered one by one. */
export async function follow(
  ledger: Ledger,
  project: string,
  points: readonly (readonly [number, string])[],
  rest: Partial<Measured> = {},
) {
  for (const [minute, value] of points) await deliver(ledger, { project, at: T0 + minute * MINUTE, value, ...rest })
}

export async function chargesOf(ledger: Ledger, group: string): Promise<(ChargeEntry & StoredEntry)[]> {
  const entries = await ledger.entries(group, { limit: 100_000 })
  return entries.filter((entry) => entry.kind === 'charge').toReversed() as (ChargeEntry & StoredEntry)[]
}
