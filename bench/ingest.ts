/**
 * How fast readings become credits: from the text of an exposition to a ledger on disk.
 *
 *   node bench/ingest.ts [projects=10000] [ledger=sqlite …]
 *
 * A ledger is `sqlite` (a file with synchronous=FULL in a temporary folder), `postgres` (a server that is started for this,
 * with fsync) or the address of an empty database `postgres://…`; several are measured one after another. The first delivery
 * opens all series, the second one appends an entry to each, the further ones extend it: that is what a worker does most of
 * the time. The first delivery of an hour closes each entry and appends the next.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { expositionOf } from '../test/helpers/cloud.ts'
import { missing, startPostgres } from '../test/helpers/postgres.ts'
import { readings as source } from './readings.ts'
import { describeMachine, median, mib, table, timed } from './report.ts'

const projects = Number(process.argv[2] ?? 10_000)
const ledgers = process.argv.length > 3 ? process.argv.slice(3) : ['sqlite']
const start = Date.UTC(2026, 0, 1)
const readings = projects * 2

const textOf = (scrape: number) => expositionOf({ projects, hours: 1_000.1234567 + scrape / 60 })
const first = textOf(0)
const bytes = Buffer.byteLength(first)
const parse = await timed(5, () => source.from(first, start).readings.length)

console.log(
  `Ingest of ${readings} readings (${projects} projects, two meters), ${mib(bytes)} of text. ${describeMachine()}`,
)
const rows = [
  row('', 'text to readings', parse.seconds, `median of 5; ${(bytes / 1e6 / parse.seconds).toFixed(0)} MB/s`),
]
for (const which of ledgers.filter((each) => each !== 'postgres' || missing === undefined))
  rows.push(...(await measure(which)))
table([['ledger', 'what', 'seconds', 'readings/s', 'how obtained'], ...rows])
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)

async function measure(which: string): Promise<string[][]> {
  const { ledger, close } = await open(which)
  let now = start
  const silent = pino({ level: 'silent' })
  const intake = createIntake({
    ...source.billing,
    ledger,
    clock: { now: () => now },
    logger: silent,
    onChanged: () => {},
  })
  const deliveries: number[] = []
  const hours: number[] = []
  for (const scrape of [0, 1, 2, 3, 4, 5, 6, 7, 70, 130, 190]) {
    const text = scrape === 0 ? first : textOf(scrape)
    now = start + scrape * 60_000
    const { seconds } = await timed(1, () => intake.take(source.from(text, now)))
    ;(scrape < 60 ? deliveries : hours).push(seconds)
  }
  await close()
  const name = which.replace(/:.*/, '')
  const rest = deliveries.slice(2)
  return [
    row(name, 'text to ledger, first delivery', deliveries[0]!, 'opens every series'),
    row(name, 'text to ledger, second delivery', deliveries[1]!, 'appends an entry to every series'),
    row(name, 'text to ledger, further deliveries', median(rest), `median of ${rest.length}; extends every entry`),
    row(
      name,
      'text to ledger, next hour',
      median(hours),
      `median of ${hours.length}; closes every entry, appends the next`,
    ),
  ]
}

async function open(which: string): Promise<{ ledger: Ledger; close(): Promise<void> }> {
  if (which === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'ingest-'))
    const ledger = openSqliteLedger(join(folder, 'credits.db'))
    return { ledger, close: () => ledger.close().then(() => rmSync(folder, { recursive: true })) }
  }
  const server = which === 'postgres' ? await startPostgres({ isDurable: true }) : undefined
  const ledger = await openPostgresLedger((await server?.createDatabase()) ?? which)
  return { ledger, close: () => ledger.close().then(() => server?.stop()) }
}

function row(ledger: string, what: string, seconds: number, how: string): string[] {
  return [ledger, what, seconds.toFixed(3), Math.round(readings / seconds).toLocaleString('en'), how]
}
