/**
 * How long a worker that was down for a day takes to read what it missed, from a Prometheus.
 *
 *   node bench/catchup.ts [groups=10000] [hours=24] [scrape interval in s=60]
 *
 * The gap is virtual: the ledger's newest readings are so many hours old. Then it is bridged as at a start (`createCatchUp()`):
 * all readings of the gap are read chunk by chunk and recorded in a SQLite file. The Prometheus is a process of its own, which
 * makes answers of the form and the size of a real one's, from numbers instead of a disk.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pino } from 'pino'
import { createCatchUp } from '#src/billing/catchUp.ts'
import { createIntake } from '#src/billing/intake.ts'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { createPrometheusArchive } from '#src/sources/prometheus/archive.ts'
import { expositionOf } from '../test/helpers/cloud.ts'
import { hoursAt, spawnArchive } from './archive.ts'
import { SITE } from './perun.ts'
import { cpuSecondsOf, memoryOf } from './processes.ts'
import { readings } from './readings.ts'
import { describeMachine, mib, table } from './report.ts'
import { createLeapingClock } from './worker.ts'

const groups = Number(process.argv[2] ?? 10_000)
const hours = Number(process.argv[3] ?? 24)
const interval = Number(process.argv[4] ?? 60) * SECOND

const folder = mkdtempSync(join(tmpdir(), 'catchup-'))
const path = join(folder, 'credits.db')
await using prometheus = await spawnArchive(groups, interval)
const logger = pino({ level: 'silent' })
const clock = createLeapingClock(Date.UTC(2026, 0, 1))
const ledger = openSqliteLedger(path)
const intake = createIntake({ ...readings.billing, clock, ledger, logger, onChanged: () => {} })

const last = clock.now()
await intake.take(readings.from(expositionOf({ projects: groups, hours: hoursAt(last) }), last))
await ledger.noteTakenOver({ site: String(SITE), at: last, begun: 0, missing: 0 })
const before = { rss: process.memoryUsage.rss(), disk: diskNow() }
clock.leap(hours * HOUR)

const { meters } = readings.billing
const archive = createPrometheusArchive({
  url: prometheus.url,
  meters,
  whitelist: undefined,
  site: undefined,
  timeout: MINUTE,
  clock,
})
let deliveries = 0
const catchUp = createCatchUp({
  ledger,
  archive,
  sites: [String(SITE)],
  meters,
  take(delivery) {
    deliveries += 1
    return intake.take(delivery)
  },
  least: 5 * MINUTE,
  clock,
  newTaskId: () => 'bench',
  onTakenOver: () => {},
  logger,
})

const stalls = monitorEventLoopDelay({ resolution: 1 })
stalls.enable()
const [cpu, theirs, begun] = [process.cpuUsage(), cpuSecondsOf(prometheus.pid), performance.now()]
await catchUp.run(() => {})
const seconds = (performance.now() - begun) / SECOND
stalls.disable()
const { user, system } = process.cpuUsage(cpu)
const { status } = catchUp
if (status.state !== 'done') throw new Error(`Catching up ended as ${JSON.stringify(status)}`)
const { entries } = await ledger.summary()

console.log(
  `Catching up over ${hours} h of ${groups} groups with two meters each, one reading each ${interval / SECOND} s. ${describeMachine()}`,
)
table([
  ['what', 'value', 'how obtained'],
  ['seconds', seconds.toFixed(1), 'from the start until scrapes may begin'],
  ['readings', status.readings.toLocaleString('en'), 'handed over'],
  ['readings/s', Math.round(status.readings / seconds).toLocaleString('en'), 'readings ÷ seconds'],
  ['chunks', String(deliveries), 'answers of Prometheus, empty ones too'],
  ['CPU s', ((user + system) / 1e6).toFixed(1), 'of this process'],
  ["Prometheus' CPU s", (cpuSecondsOf(prometheus.pid) - theirs).toFixed(1), 'of the process that stands for it'],
  ['longest stall ms', (stalls.max / 1e6).toFixed(0), 'of the event loop'],
  ['stall p99 ms', (stalls.percentile(99) / 1e6).toFixed(0), 'of the event loop'],
  ['entries', entries.toLocaleString('en'), 'in the ledger afterwards'],
  ['disk', mib(diskNow()), `the ledger and its log; before ${mib(before.disk)}`],
  ['RSS', mib(process.memoryUsage.rss()), `now; before ${mib(before.rss)}`],
  ['peak RSS', mib(memoryOf(process.pid, 'VmHWM')), 'VmHWM'],
])
await ledger.close()
rmSync(folder, { recursive: true })

function diskNow(): number {
  return [path, `${path}-wal`].reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}
