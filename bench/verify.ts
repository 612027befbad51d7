/**
 * How fast a ledger is checked, and in how much memory.
 *
 *   node bench/verify.ts [entries=1000000] [projects=10000]
 *
 * The ledger is written by the worker's own code in a process of its own: two meters, a reading each hour, so that every
 * reading is an entry. Then it is checked in this process.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { expositionOf } from '../test/helpers/cloud.ts'
import { readings as source } from './readings.ts'
import { describeMachine, mib, table, timed } from './report.ts'

const HOUR = 3_600_000
const start = Date.UTC(2026, 0, 1)
const entries = Number(process.argv[2] ?? 1_000_000)
const projects = Number(process.argv[3] ?? 10_000)
const target = process.argv[4]

if (target === undefined) await measure()
else await write(target)

async function write(path: string): Promise<void> {
  let now = start
  const clock = { now: () => now }
  const ledger = openSqliteLedger(path)
  const logger = pino({ level: 'silent' })
  const intake = createIntake({ ...source.billing, ledger, clock, logger, onChanged: () => {} })
  for (let hour = 0; hour <= entries / projects / 2; hour += 1) {
    now = start + hour * HOUR
    await intake.take(source.from(expositionOf({ projects, hours: 1_000.1234567 + hour }), now))
  }
  await ledger.close()
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'verify-'))
  const path = join(folder, 'credits.db')
  spawnSync(process.execPath, [import.meta.filename, String(entries), String(projects), path], { stdio: 'inherit' })
  const size = statSync(path).size
  const before = process.memoryUsage.rss()
  const { seconds, result } = await timed(1, () => verifyLedger(path))
  rmSync(folder, { recursive: true })
  if (result.problemCount > 0) throw new Error(`The ledger has ${result.problemCount} problems`)
  console.log(`Check of a ledger of ${mib(size)}. ${describeMachine()}`)
  table([
    ['entries', 'series', 'seconds', 'entries/s'],
    [
      result.entries.toLocaleString('en'),
      result.series.toLocaleString('en'),
      seconds.toFixed(1),
      Math.round(result.entries / seconds).toLocaleString('en'),
    ],
  ])
  const peak = process.resourceUsage().maxRSS * 1_024
  console.log(`Peak memory of this process (RSS): ${mib(peak)}, before the check ${mib(before)}`)
}
