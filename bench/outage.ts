/**
 * What it costs that Perun is down for a day while readings go on, and how long it takes until Perun shows all of it again.
 *
 *   node bench/outage.ts [groups=10000] [hours=24] [scrape interval in s=600] [latency in ms=20] [lanes=10]
 *
 * The day is virtual: the clock leaps from scrape to scrape, so only what the worker does takes time. Each scrape is a delivery
 * in which every project has grown. The Perun simulator is a process of its own, which answers 503 and then works again with
 * the latency. Groups that wait must never be more than there are groups, and memory must not grow with the outage.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HOUR, SECOND } from '#src/core/time.ts'
import { expositionOf, projectName } from '../test/helpers/cloud.ts'
import { spawnPerun } from './perun.ts'
import { readings } from './readings.ts'
import { describeMachine, mib, table } from './report.ts'
import { assemble, createLeapingClock } from './worker.ts'

const groups = Number(process.argv[2] ?? 10_000)
const hours = Number(process.argv[3] ?? 24)
const interval = Number(process.argv[4] ?? 600) * SECOND
const latency = Number(process.argv[5] ?? 20)
const workers = Number(process.argv[6] ?? 10)

const folder = mkdtempSync(join(tmpdir(), 'outage-'))
const path = join(folder, 'credits.db')
await using perun = await spawnPerun(Array.from({ length: groups }, (_, index) => projectName(index)))
const start = Date.UTC(2026, 0, 1)
const clock = createLeapingClock(start)
let lastWrite = 0
let writes = 0
let firstWrite: number | undefined
const onPublished = () => {
  lastWrite = performance.now()
  firstWrite ??= lastWrite
  writes += 1
}
const { intake, lanes, outbox, ledger, close } = assemble({ path, perun, workers, maxAge: 10_000, clock, onPublished })
await outbox.start()

async function scrape(): Promise<void> {
  const hoursSoFar = (clock.now() - start) / HOUR
  await intake.take(readings.from(expositionOf({ projects: groups, hours: 1_000.1234567 + hoursSoFar }), clock.now()))
}

console.log(
  `Perun is down for ${hours} h: ${groups} groups with two meters each, a scrape every ${interval / SECOND} s of virtual time. ${describeMachine()}`,
)
await scrape()
await lanes.idle()
const rows = [['what', 'seconds', 'RSS', 'ledger and its log', 'entries', 'groups that wait', 'how obtained']]
const add = async (what: string, seconds: number, how: string) => {
  globalThis.gc?.()
  const { entries } = await ledger.summary()
  const waiting = lanes.waiting + lanes.working
  rows.push([
    what,
    seconds.toFixed(1),
    mib(process.memoryUsage.rss()),
    mib(diskNow()),
    String(entries),
    String(waiting),
    how,
  ])
}
await add('before', 0, 'all published')

await perun.setDown(true)
let most = 0
const begun = performance.now()
const quarter = Math.max(1, Math.round(hours / 4))
for (let at = interval; at <= hours * HOUR; at += interval) {
  clock.leap(interval)
  await scrape()
  most = Math.max(most, lanes.waiting + lanes.working)
  if (at % (quarter * HOUR) === 0)
    await add(`${at / HOUR} h without Perun`, (performance.now() - begun) / SECOND, 'real time of recording so far')
}
await perun.setDown(false)
await perun.setLatency(latency)
await perun.resetCalls()
const back = performance.now()
firstWrite = undefined
writes = 0
while ((await ledger.dirtyGroups()).length > 0) await new Promise((done) => setTimeout(done, 100))
await add(
  'Perun shows all of it',
  (lastWrite - back) / SECOND,
  'since Perun is back, until the last write was answered',
)
table(rows)
const floor = (writes * latency) / workers / SECOND
console.log(
  `The first write was answered ${(((firstWrite ?? back) - back) / SECOND).toFixed(1)} s after Perun was back (it is tried each minute at most), ` +
    `the rest took ${((lastWrite - (firstWrite ?? back)) / SECOND).toFixed(1)} s for ${writes} writes, ` +
    `${((lastWrite - (firstWrite ?? back)) / SECOND / floor).toFixed(2)} of the floor writes × latency ÷ lanes = ${floor.toFixed(1)} s.`,
)
console.log(`Most groups that waited: ${most}. Calls since then: ${JSON.stringify(await perun.calls())}`)
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)
await close()
rmSync(folder, { recursive: true })

function diskNow(): number {
  return [path, `${path}-wal`].reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}
