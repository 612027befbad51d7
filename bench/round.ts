/**
 * How long a round takes: the readings of all groups come in, and Perun shows all of it.
 *
 *   node bench/round.ts [groups=10000] [latency in ms, several = 20] [lanes=10] [max age in s, several = 600,10]
 *
 * The Perun simulator is a process of its own; each of its calls waits for the latency before anything happens. The floor
 * is what no program that writes so many groups at a time (`OS_CREDITS_WORKERS`) can beat: writes × latency ÷ lanes. The row `bare client` is a loop of so many
 * lanes that sends the same writes to the same simulator and does nothing else, no ledger and no look at what it replaces:
 * what the machine, its timers and the simulator allow. `recorded` is the part of the round in which readings are recorded.
 *
 * What Perun showed may be so old when it is replaced: with 600 s the round reads the site once, with the default of 10 s
 * a longer round reads it again. `read→write` is the time from that reading to the write: median and longest.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { SECOND, systemClock } from '#src/core/time.ts'
import { expositionOf, projectName } from '../test/helpers/cloud.ts'
import { writeBare } from './bare.ts'
import { spawnPerun } from './perun.ts'
import { cpuSecondsOf } from './processes.ts'
import { readings } from './readings.ts'
import { describeMachine, median, mib, table } from './report.ts'
import { assemble } from './worker.ts'

const groups = Number(process.argv[2] ?? 10_000)
const latencies = (process.argv[3] ?? '20').split(',').map(Number)
const lanesAtWork = Number(process.argv[4] ?? 10)
const ages = (process.argv[5] ?? '600,10').split(',').map(Number)

console.log(`A round of ${groups} groups with two meters each, ${lanesAtWork} lanes. ${describeMachine()}`)
const rows = [
  [
    'latency',
    'max age',
    'round',
    'seconds',
    'recorded',
    'floor',
    'ratio',
    'CPU s',
    "Perun's CPU s",
    'commits',
    'their s',
    'stall p99 ms',
    'reads',
    'writes',
    'other calls',
    'read→write',
    'RSS now',
  ],
]
for (const latency of latencies) for (const age of ages) rows.push(...(await measure(latency, age)))
table(rows)
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)

async function measure(latency: number, maxAge: number): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'round-'))
  await using perun = await spawnPerun(Array.from({ length: groups }, (_, index) => projectName(index)))
  await perun.setLatency(latency)
  const commits: number[] = []
  const windows: number[] = []
  const { intake, lanes, close } = assemble({
    path: join(folder, 'credits.db'),
    perun,
    workers: lanesAtWork,
    maxAge: maxAge * SECOND,
    clock: systemClock,
    onCommit: (seconds) => commits.push(seconds),
    onWrite: (seconds) => windows.push(seconds),
  })

  /** Measures work that brings all groups to Perun; `record` is told how long it took until they were recorded. */
  async function observe(round: string, work: () => Promise<{ recorded?: number; seconds: number }>) {
    await perun.resetCalls()
    windows.length = 0
    commits.length = 0
    const stalls = monitorEventLoopDelay({ resolution: 1 })
    stalls.enable()
    const [cpu, perunCpu] = [process.cpuUsage(), cpuSecondsOf(perun.pid)]
    const { recorded, seconds } = await work()
    const { user, system } = process.cpuUsage(cpu)
    const perunTook = cpuSecondsOf(perun.pid) - perunCpu
    stalls.disable()
    const calls = await perun.calls()
    const reads = calls.getRichGroupsAssignedToResourceWithAttributesByNames ?? 0
    const writes = calls.setAttributes ?? 0
    const others = Object.values(calls).reduce((sum, count) => sum + count, 0) - reads - writes
    const floor = (writes * latency) / lanesAtWork / SECOND
    return [
      `${latency} ms`,
      `${maxAge} s`,
      round,
      seconds.toFixed(2),
      recorded === undefined ? '–' : recorded.toFixed(2),
      floor.toFixed(2),
      floor === 0 ? '–' : (seconds / floor).toFixed(3),
      ((user + system) / 1e6).toFixed(2),
      perunTook.toFixed(2),
      String(commits.length),
      commits.reduce((sum, each) => sum + each, 0).toFixed(2),
      (stalls.percentile(99) / 1e6).toFixed(0),
      String(reads),
      String(writes),
      String(others),
      windows.length === 0 ? '–' : `${median(windows).toFixed(2)}…${Math.max(...windows).toFixed(2)} s`,
      mib(process.memoryUsage.rss()),
    ]
  }

  const round = (name: string, hours: number) => {
    const delivery = readings.from(expositionOf({ projects: groups, hours }))
    return observe(name, async () => {
      const begun = performance.now()
      await intake.take(delivery)
      const recorded = (performance.now() - begun) / SECOND
      await lanes.idle()
      return { recorded, seconds: (performance.now() - begun) / SECOND }
    })
  }
  const bare = (value: string) =>
    observe('bare client', async () => ({ seconds: await writeBare(perun, lanesAtWork, value) }))

  const results = [
    await round('first contact', 1_000),
    await round('all changed', 1_001),
    await round('all changed again', 1_002),
    await round('unchanged', 1_002),
    await bare('1'),
  ]
  await close()
  rmSync(folder, { recursive: true })
  return results
}
