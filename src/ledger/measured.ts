/** What was measured of a group before it was opened, out of what each ledger with tables finds of it. */
import type { Instant } from '../core/time.ts'
import type { Measured } from './ledger.ts'

/** By site and metric. */
export type MeasuredOfSites = Readonly<Record<string, Readonly<Record<string, Measured>>>>

interface OfMetric {
  readonly site: string
  readonly metric: string
  /** The first reading, or where the first charge begins. */
  readonly since: Instant
}

export function toMeasured(
  begins: readonly OfMetric[],
  charges: readonly (OfMetric & Pick<Measured, 'charged'>)[],
): MeasuredOfSites {
  const measured: Record<string, Record<string, Measured>> = {}
  const note = (site: string, metric: string, facts: Measured) => {
    measured[site] = { ...measured[site], [metric]: facts }
  }
  for (const { site, metric, since } of begins) note(site, metric, { since, charged: 0n })
  for (const { site, metric, since, charged } of charges) {
    note(site, metric, { since: measured[site]?.[metric]?.since ?? since, chargedSince: since, charged })
  }
  return measured
}
