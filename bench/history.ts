/**
 * How long people wait for the history of a group in a large ledger.
 *
 *   node bench/history.ts [entries=10000000] [years=2] [file]
 *
 * Entries of two meters, one for each hour, are written straight into the tables of a SQLite file in a temporary folder, as
 * a ledger of version 5 had them; its hashes are not true. Opening it adds the days up, as for a ledger that was kept for
 * years. Then a server on the loopback interface is asked about groups at random, one request after another; the time is
 * that of the client, from the request to the end of the answer. A file that is named is kept, and used as it is if it is
 * there: ten million entries take some ten minutes to write.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { HOUR } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { cpu, ram } from '../test/helpers/billing.ts'
import { projectName } from '../test/helpers/cloud.ts'
import { startFace } from '../test/http/server.ts'
import { describeMachine, mib, table, timed } from './report.ts'

const wanted = Number(process.argv[2] ?? 10_000_000)
const years = Number(process.argv[3] ?? 2)
const end = Date.UTC(2026, 9, 10, 12)
const hours = Math.round(years * 8_766)
const metrics = [cpu.metric, ram.metric]
const groups = Math.max(1, Math.round(wanted / hours / metrics.length))
const SITE = '8676'
const REQUESTS = 200
/** The version before there were days. */
const VERSION = 5
const MIGRATIONS = join(import.meta.dirname, '../src/ledger/sqlite/migrations')

const folder = mkdtempSync(join(tmpdir(), 'history-'))
const path = process.argv[4] ?? join(folder, 'credits.db')
const written = await timed(1, () => existsSync(path) || writeEntries(path))
const opened = await timed(1, () => openSqliteLedger(path))
const ledger = opened.result
await using face = await startFace({ ledger, clock: { now: () => end } })

const entries = groups * metrics.length * hours
console.log(
  `History of ${groups} groups: ${entries} entries in ${years} years, ${mib(statSync(path).size)}. ${describeMachine()}`,
)
console.log(`Writing them took ${written.seconds.toFixed(0)} s, adding up their days ${opened.seconds.toFixed(1)} s.`)

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)
const year = `from=${dayOf(end - 364 * 24 * HOUR)}`
const month = `start_date=${dayOf(end - 30 * 24 * HOUR)}`
table([
  ['what', 'p50 ms', 'p95 ms', 'max ms', 'KiB', 'how obtained'],
  await measure('a year by day, UTC', `history?${year}`),
  await measure('a year by day, Berlin', `history?${year}&tz=Europe/Berlin`),
  await measure('a year by day, New York', `history?${year}&tz=America/New_York`),
  await measure('a year by day and site, CSV', `history?${year}&tz=Europe/Berlin&by=site&format=csv`),
  await measure('the same again, 304', `history?${year}&tz=Europe/Berlin`, true),
  await measure('all years by month, Berlin', 'history?step=month&tz=Europe/Berlin'),
  await measure('1,000 hours, Berlin', `history?step=hour&tz=Europe/Berlin&from=${dayOf(end - 1_000 * HOUR)}`),
  await measure('forecast', 'forecast'),
  await measure('explain, 100 entries', 'explain?limit=100'),
  await measure('the page of a group, 30 days', 'groups'),
  await measure('the page of a group, a year', 'groups?span=year'),
  await measure('credits_history, all', 'credits_history'),
  await measure('credits_history, 30 days', `credits_history?${month}`),
])
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)
await ledger.close()
rmSync(folder, { recursive: true })

async function measure(what: string, query: string, again = false): Promise<string[]> {
  const times: number[] = []
  let bytes = 0
  for (let index = 0; index < REQUESTS + 10; index += 1) {
    // A number that jumps about: neighbours in the file would be in memory already.
    const group = projectName((index * 7_919) % groups)
    const address = /^(history|forecast|explain)/.test(query)
      ? `/api/groups/${group}/${query}`
      : query.startsWith('groups')
        ? `/${query.replace('groups', `groups/${group}`)}`
        : `/api/${query.replace('credits_history', `credits_history/${group}`)}`
    const headers = again ? { 'If-None-Match': (await face.get(address)).headers.etag! } : {}
    const begun = performance.now()
    const { status, text } = await face.get(address, headers)
    if (index >= 10) times.push(performance.now() - begun)
    if (status !== (again ? 304 : 200)) throw new Error(`${address}: ${status} ${text}`)
    bytes = Math.max(bytes, text.length)
  }
  times.sort((a, b) => a - b)
  const quantile = (part: number) => times[Math.ceil(part * times.length) - 1]!.toFixed(1)
  const how = `${REQUESTS} requests, groups at random`
  return [what, quantile(0.5), quantile(0.95), quantile(1), (bytes / 1_024).toFixed(0), how]
}

function writeEntries(file: string): void {
  const db = new DatabaseSync(file)
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA foreign_keys = OFF')
  db.function('seal', { varargs: true }, () => '')
  for (let version = 1; version <= VERSION; version += 1) db.exec(migration(version))
  db.exec(`DROP INDEX entries_of_group; PRAGMA user_version = ${VERSION}; BEGIN`)
  const addGroup = db.prepare('INSERT INTO groups (name, opened, granted) VALUES (?, 1, ?)')
  const addAccount = db.prepare("INSERT INTO accounts (group_name, site, contact) VALUES (?, ?, 'active')")
  const addSeries = db.prepare(`INSERT INTO series (site, metric, project_id, project_name, at, value, carry, pace)
    VALUES (?, ?, ?, ?, ?, '0', '0', 1)`)
  const addEntry =
    db.prepare(`INSERT INTO entries (id, kind, group_name, site, at, amount, recorded_at, series_id, from_at,
    from_value, to_value, price_version, per_unit, carry_in, carry_out, hash)
    VALUES (?, 'charge', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '1', ?, ?, '0123456789012345678901234567890123456789012')`)
  for (let index = 0; index < groups; index += 1) {
    addGroup.run(projectName(index), '1000000')
    addAccount.run(projectName(index), SITE)
    for (const metric of metrics) addSeries.run(SITE, metric, `id-${index}`, projectName(index), end)
  }
  const values = new Float64Array(groups * metrics.length)
  for (let hour = hours; hour > 0; hour -= 1) {
    const at = end - (hour - 1) * HOUR
    for (let series = 0; series < values.length; series += 1) {
      const from = values[series]!
      const to = from + 1_000_000_000 + ((series * 104_729 + hour * 7_919) % 3_000_000_000)
      values[series] = to
      const name = projectName(Math.floor(series / metrics.length))
      const id = `charge/${at}/${SITE} ${metrics[series % 2]} id-${name} ${name}`
      const amount = Math.floor(to / 1_000) - Math.floor(from / 1_000)
      const values9 = [units(from), units(to), `meter${series % 2}@2024-01-01=1`, rest(from), rest(to)] as const
      addEntry.run(id, name, SITE, at, amount, at, series + 1, at - HOUR, ...values9)
    }
  }
  db.exec(`UPDATE series SET open_window = ${end - HOUR}, open_price = 'cpu@2024-01-01=1',
    open_number = (SELECT max(number) FROM entries) - ${values.length} + id`)
  db.exec('CREATE INDEX entries_of_group ON entries (group_name, at)')
  db.exec('UPDATE groups SET used = (SELECT sum(amount) FROM entries WHERE group_name = name)')
  db.exec('UPDATE accounts SET charged = (SELECT used FROM groups WHERE name = group_name); COMMIT')
  db.close()
}

function migration(version: number): string {
  return readFileSync(join(MIGRATIONS, `${String(version).padStart(4, '0')}.sql`), 'utf8')
}

/** Billionths of a unit as a decimal. */
function units(billionths: number): string {
  return `${Math.floor(billionths / 1e9)}.${String(billionths % 1e9).padStart(9, '0')}`
}

/** What is left of a micro-credit at a price of 1. */
function rest(billionths: number): string {
  return `0.${String(billionths % 1_000).padStart(3, '0')}`
}
