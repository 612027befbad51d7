/**
 * How long people wait for a page of a worker with very many groups.
 *
 *   node bench/pages.ts [groups=10000] [days=14]
 *
 * Each group is recorded with one reading a day, in a SQLite file in a temporary folder. Then a server on the loopback
 * interface is asked for one page after another; the time is that of the client, to the first byte and to the last one.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DAY } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { T0 } from '../test/helpers/billing.ts'
import { projectName } from '../test/helpers/cloud.ts'
import { recordGroups } from '../test/helpers/manyGroups.ts'
import { startFace } from '../test/http/server.ts'
import { describeMachine, mib, table, timed } from './report.ts'

const groups = Number(process.argv[2] ?? 10_000)
const days = Number(process.argv[3] ?? 14)
const REQUESTS = 200

const folder = mkdtempSync(join(tmpdir(), 'pages-'))
const ledger = openSqliteLedger(join(folder, 'credits.db'))
const recorded = await timed(1, () => recordGroups(ledger, groups, days))
const end = T0 + days * DAY
await using face = await startFace({ ledger, clock: { now: () => end } })

console.log(`Pages of ${groups} groups with ${days} days each. ${describeMachine()}`)
console.log(`Recording them took ${recorded.seconds.toFixed(0)} s.`)
const pages = Math.ceil(groups / 50)
// Forecasts are kept for an hour. Nobody has looked yet, so those of these pages are made now.
table([
  ['page', 'first byte p50 ms', 'p95 ms', 'all of it p95 ms', 'KiB'],
  await measure('overview, each page once', (index) => `/?page=${1 + ((index * 7_919) % pages)}`),
  await measure('overview, the first page', () => '/'),
  await measure('search for part of a name', (index) => `/?search=${projectName((index * 7_919) % groups).slice(-3)}`),
  await measure('sorted by used credits, the last page', () => `/?sort=used&page=${pages}`),
  await measure('sorted by what is left', () => '/?sort=left'),
  await measure('only waiting ones', () => '/?state=waiting'),
  ...(await ranked()),
  await measure('holds', () => '/holds'),
  await measure('planner', () => '/plan?size.cpu=4&days=10'),
])
console.log(`Peak memory of this process (RSS): ${mib(process.resourceUsage().maxRSS * 1_024)}`)
await ledger.close()
rmSync(folder, { recursive: true })

/** While forecasts of all groups are made in the background, and then by them. */
async function ranked(): Promise<string[][]> {
  const meanwhile = await measure('sorted by burn, while the order is made', () => '/?sort=burn')
  const begun = performance.now()
  while ((await ask('/?sort=burn')).text.includes('are being made')) await new Promise((done) => setTimeout(done, 100))
  console.log(`Then the order of all groups was known after ${Math.round(performance.now() - begun)} ms more.`)
  return [meanwhile, await measure('sorted by burn', () => '/?sort=burn&direction=descending')]
}

async function measure(what: string, address: (index: number) => string): Promise<string[]> {
  const [first, all]: [number[], number[]] = [[], []]
  let bytes = 0
  for (let index = 0; index < REQUESTS; index += 1) {
    const answer = await ask(address(index))
    first.push(answer.firstByte)
    all.push(answer.all)
    bytes = answer.text.length
  }
  return [what, at(first, 0.5), at(first, 0.95), at(all, 0.95), (bytes / 1_024).toFixed(0)]
}

async function ask(path: string): Promise<{ firstByte: number; all: number; text: string }> {
  const begun = performance.now()
  const outgoing = request({ host: '127.0.0.1', port: face.port, path, headers: { Accept: 'text/html' } })
  outgoing.end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const firstByte = performance.now() - begun
  let text = ''
  for await (const part of incoming.setEncoding('utf8')) text += part
  if (incoming.statusCode !== 200) throw new Error(`${path}: ${incoming.statusCode}`)
  return { firstByte, all: performance.now() - begun, text }
}

function at(times: readonly number[], share: number): string {
  const sorted = times.toSorted((one, other) => one - other)
  return sorted[Math.ceil(sorted.length * share) - 1]!.toFixed(1)
}
