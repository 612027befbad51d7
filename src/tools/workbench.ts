/** A ledger and what records readings into it, without the rest of a worker. */

import type { Outcome } from '../billing/biller.ts'
import { createIntake, type IntakeOptions } from '../billing/intake.ts'
import type { LedgerLocation } from '../config/ledgerLocation.ts'
import type { Settings } from '../config/settings.ts'
import type { Meters } from '../core/meters.ts'
import type { Clock } from '../core/time.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { openPostgresLedger } from '../ledger/postgres/ledger.ts'
import { openSqliteLedger } from '../ledger/sqlite/ledger.ts'
import type { Deliver } from '../sources/source.ts'
import { createLogging } from '../telemetry/logger.ts'

export interface Workbench {
  readonly ledger: Ledger
  readonly take: Deliver
  /** What became of the readings that were taken. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
}

/**
 * @param location A ledger; the path may be `:memory:`.
 * @throws {LedgerError} if it cannot be opened or a worker has it.
 */
export async function openWorkbench(
  location: LedgerLocation,
  settings: Settings,
  meters: Meters,
  clock: Clock,
): Promise<Workbench> {
  const ledger = await openLedger(location, settings)
  const outcomes: Partial<Record<Outcome, number>> = {}
  const onBilled: IntakeOptions['onBilled'] = (billed) => {
    for (const [name, count] of Object.entries(billed.outcomes) as [Outcome, number][])
      outcomes[name] = (outcomes[name] ?? 0) + count
  }
  const { maxSeries, smallSites } = settings
  const logger = createLogging({ level: 'silent', destination: { write: () => undefined } }).logger('billing')
  const intake = createIntake({
    ledger,
    maxSeries,
    smallSites,
    meters,
    clock,
    logger,
    onBilled,
    onChanged: () => undefined,
  })
  return { ledger, take: (delivery) => intake.take(delivery), outcomes }
}

/** Other lines of grants than those of the worker would have it look at them anew. */
async function openLedger(location: LedgerLocation, { notifyAt }: Settings): Promise<Ledger> {
  if (location.kind === 'sqlite') return openSqliteLedger(location.path, { notifyAt })
  return openPostgresLedger(location.url, { notifyAt, isAlone: true })
}
