/**
 * A program that opens a ledger, for tests that need another process: `node worker.ts <place> wait`, or
 * `node worker.ts <place> bill <n>`, which records n deliveries and says each on a line of its own when it is durable.
 */
import { writeSync } from 'node:fs'
import { MINUTE } from '#src/core/time.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { type Measured, T0 } from '../helpers/billing.ts'
import { deliver } from '../helpers/ledger.ts'

/** Five projects; each consumes a tenth of a vCPU·h times its number in a minute. */
export function measuredAt(minute: number): Measured[] {
  return Array.from({ length: 5 }, (_, index) => ({
    project: `project ${index}`,
    at: T0 + minute * MINUTE,
    value: String((minute * (index + 1)) / 10),
  }))
}

if (import.meta.main) {
  const [place = '', what, count] = process.argv.slice(2)
  const ledger = place.startsWith('postgres:') ? await openPostgresLedger(place) : openSqliteLedger(place)
  if (what === 'wait') writeSync(1, 'open\n')
  for (let minute = 0; what === 'bill' && minute < Number(count); minute += 1) {
    await deliver(ledger, ...measuredAt(minute))
    writeSync(1, `${minute}\n`)
  }
  // Ends with the test that started it, at the latest.
  process.stdin.resume().on('end', () => process.exit())
}
