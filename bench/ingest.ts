/**
 * How fast readings become credits: from the text of an exposition to a ledger on disk.
 *
 *   node bench/ingest.ts [projects=10000]
 *
 * The ledger is a SQLite file with synchronous=FULL in a temporary folder. The first delivery opens all series, the second
 * one appends an entry to each, the further ones extend it: that is what a worker does most of the time. The first delivery
 * of an hour closes each entry and appends the next.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { expositionOf } from '../test/helpers/cloud.ts'
import { readings as source } from './readings.ts'
import { describeMachine, median, mib, table, timed } from './report.ts'

const projects = Number(process.argv[2] ?? 10_000)
const start = Date.UTC(2026, 0, 1)
const folder = mkdtempSync(join(tmpdir(), 'ingest-'))
let now = start
const clock = { now: () => now }
const ledger = openSqliteLedger(join(folder, 'credits.db'))
const intake = createIntake({
  ...source.billing,
  ledger,
  clock,
  logger: pino({ level: 'silent' }),
  onChanged: () => {},
})

const textOf = (scrape: number) => expositionOf({ projects, hours: 1_000.1234567 + scrape / 60 })
const first = textOf(0)
const bytes = Buffer.byteLength(first)

const parse = await timed(5, () => source.from(first, now).readings.length)
const deliveries: number[] = []
const hours: number[] = []
const minutes = [0, 1, 2, 3, 4, 5, 6, 7, 70, 130, 190]
for (const scrape of minutes) {
  const text = scrape === 0 ? first : textOf(scrape)
  now = start + scrape * 60_000
  const { seconds } = await timed(1, () => deliver(text))
  ;(scrape < 60 ? deliveries : hours).push(seconds)
}
await ledger.close()
rmSync(folder, { recursive: true })

const readings = projects * 2
const steady = median(deliveries.slice(2))
console.log(
  `Ingest of ${readings} readings (${projects} projects, two meters), ${mib(bytes)} of text. ${describeMachine()}`,
)
table([
  ['what', 'seconds', 'readings/s', 'how obtained'],
  row('text to readings', parse.seconds, `median of 5; ${(bytes / 1e6 / parse.seconds).toFixed(0)} MB/s`),
  row('text to ledger, first delivery', deliveries[0]!, 'opens every series'),
  row('text to ledger, second delivery', deliveries[1]!, 'appends an entry to every series'),
  row('text to ledger, further deliveries', steady, `median of ${deliveries.length - 2}; extends every entry`),
  row('text to ledger, next hour', median(hours), `median of ${hours.length}; closes every entry, appends the next`),
])
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)

async function deliver(text: string): Promise<void> {
  await intake.take(source.from(text, now))
}

function row(what: string, seconds: number, how: string): string[] {
  return [what, seconds.toFixed(3), Math.round(readings / seconds).toLocaleString('en'), how]
}
