/**
 * How long a round takes: the readings of all groups come in, and Perun shows all of it.
 *
 *   node bench/round.ts [groups=10000] [latency in ms, several with commas = 0,20] [lanes=10]
 *
 * The Perun simulator is a process of its own; each of its calls waits for the latency before anything happens. The floor
 * is what no program with so many lanes can beat: writes × latency ÷ lanes. What Perun showed may be 10 minutes old here,
 * so that the round is measured with one read of the site; with the default of 10 s a longer round reads it again. The
 * last but one column is the time from reading what a write replaces to the write: median and longest.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import { createLanes } from '#src/billing/lanes.ts'
import { systemClock } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { createOutbox } from '#src/publish/outbox.ts'
import { createPerunPublisher } from '#src/publish/perun/publisher.ts'
import { createPerunRpc } from '#src/publish/perun/rpc.ts'
import { expositionOf, projectName } from '../test/helpers/cloud.ts'
import { names, spawnPerun } from './perun.ts'
import { readings } from './readings.ts'
import { describeMachine, median, mib, table } from './report.ts'

const groups = Number(process.argv[2] ?? 10_000)
const latencies = (process.argv[3] ?? '0,20').split(',').map(Number)
const lanesAtWork = Number(process.argv[4] ?? 10)

console.log(`A round of ${groups} groups with two meters each, ${lanesAtWork} lanes. ${describeMachine()}`)
const rows = [
  ['latency', 'round', 'seconds', 'floor', 'ratio', 'CPU s', 'reads', 'writes', 'other calls', 'read→write', 'RSS now'],
]
for (const latency of latencies) rows.push(...(await measure(latency)))
table(rows)
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)

async function measure(latency: number): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'round-'))
  await using perun = await spawnPerun(Array.from({ length: groups }, (_, index) => projectName(index)))
  await perun.setLatency(latency)
  const ledger = openSqliteLedger(join(folder, 'credits.db'))
  const logger = pino({ level: 'silent' })
  const rpc = createPerunRpc({ ...perun, timeout: 30_000, connections: lanesAtWork + 2 })
  const windows: number[] = []
  const lanes = createLanes({ workers: lanesAtWork, work: (group) => outbox.work(group) })
  const publisher = createPerunPublisher({
    rpc,
    ledger,
    voId: perun.voId,
    names,
    maxAge: 600_000,
    precision: 2,
    clock: systemClock,
    logger,
    demand: () => lanes.waiting,
    onWrite: (seconds) => windows.push(seconds),
  })
  const outbox = createOutbox({ ledger, publisher, lanes: () => lanes, clock: systemClock, logger })
  const intake = createIntake({ ...readings.billing, ledger, logger, onChanged: outbox.wake })

  async function round(name: string, hours: number): Promise<string[]> {
    await perun.resetCalls()
    windows.length = 0
    const delivery = readings.from(expositionOf({ projects: groups, hours }))
    const [begun, cpu] = [performance.now(), process.cpuUsage()]
    await intake.take(delivery)
    await lanes.idle()
    const seconds = (performance.now() - begun) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    const calls = await perun.calls()
    const reads = calls.getRichGroupsAssignedToResourceWithAttributesByNames ?? 0
    const writes = calls.setAttributes ?? 0
    const others = Object.values(calls).reduce((sum, count) => sum + count, 0) - reads - writes
    const floor = (writes * latency) / lanesAtWork / 1_000
    return [
      `${latency} ms`,
      name,
      seconds.toFixed(2),
      floor.toFixed(2),
      floor === 0 ? '–' : (seconds / floor).toFixed(2),
      ((user + system) / 1e6).toFixed(2),
      String(reads),
      String(writes),
      String(others),
      windows.length === 0 ? '–' : `${median(windows).toFixed(2)}…${Math.max(...windows).toFixed(2)} s`,
      mib(process.memoryUsage().rss),
    ]
  }

  const results = [
    await round('first contact', 1_000),
    await round('all changed', 1_001),
    await round('all changed again', 1_002),
    await round('unchanged', 1_002),
  ]
  outbox.stop()
  await publisher.close()
  await ledger.close()
  rmSync(folder, { recursive: true })
  return results
}
