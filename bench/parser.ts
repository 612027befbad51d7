/**
 * How fast the text of an exposition is read, beside what npm has for it: on the same text, in one run.
 *
 *   node bench/parser.ts [projects=50000, or a file] [runs=7]
 *
 * Like with like: each makes objects with name, labels and value of all samples. The last rows are what the worker does: from
 * the bytes of an answer to readings, with exact numbers; a target's first scrape, and one that finds the names of the last.
 * What counts is the median of the CPU time, so that what else the machine does matters less.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import exposition from 'exposition'
import parsePrometheusTextFormat from 'parse-prometheus-text-format'
import { getMetricsFromIterator } from 'prom2javascript'
import { ExpositionReader } from '#src/sources/prometheus/exposition.ts'
import { KnownTexts } from '#src/sources/prometheus/knownTexts.ts'
import { inPieces } from '#src/sources/prometheus/pieces.ts'
import { scrape } from '#src/sources/prometheus/scrape.ts'
import { expositionOf } from '../test/helpers/cloud.ts'
import { readings } from './readings.ts'
import { describeMachine, median, table } from './report.ts'

const given = process.argv[2] ?? '50000'
const runs = Number(process.argv[3] ?? 7)

const bytes = /^\d+$/.test(given)
  ? Buffer.from(expositionOf({ projects: Number(given), hours: 1_000.1234567 }))
  : contentOf(given)
const text = bytes.toString()
const count = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length

const OURS = 'this program'
const known = new KnownTexts()
const parsers: { name: string; what: string; run: () => Promise<number> | number }[] = [
  { name: 'parse-prometheus-text-format', what: 'samples', run: () => parsePrometheusTextFormat(text).length },
  { name: 'exposition', what: 'samples', run: () => exposition.parse(text).length },
  {
    name: 'prom2javascript',
    what: 'samples',
    run: async () => Object.keys(await getMetricsFromIterator(text.split('\n')[Symbol.iterator]())).length,
  },
  { name: OURS, what: 'samples', run: samplesOf },
  { name: OURS, what: 'readings of a first scrape', run: () => readingsOf(new KnownTexts()) },
  { name: OURS, what: 'readings of a further one', run: () => readingsOf(known) },
]

async function samplesOf(): Promise<number> {
  const samples: object[] = []
  const reader = new ExpositionReader(
    { format: 'text', wanted: () => true },
    ({ metric, labels: found, value, at }) => {
      const labels: Record<string, string> = {}
      for (const name of found.keys()) labels[name] = found.get(name)!
      samples.push({ metric, labels, value, at })
    },
  )
  for await (const piece of inPieces([bytes])) reader.read(piece)
  return samples.length
}

async function readingsOf(known: KnownTexts): Promise<number> {
  const request = { url: 'http://exporter.example', timeout: 1, signal: new AbortController().signal }
  const fetch = async () => ({ format: 'text' as const, body: [bytes] })
  return (await scrape(request, readings.rules(), { fetch, known })).readings.length
}

function contentOf(path: string): Buffer {
  const content = readFileSync(path)
  return path.endsWith('.gz') ? gunzipSync(content) : content
}

/** Runs that are not counted: in them code is compiled, and what the parser before has left is collected. */
const WARM_UP = 3

/** Of CPU, which is what a program takes also while others are at work. */
const seconds: number[][] = []
for (const { run: parse } of parsers) {
  const own: number[] = []
  for (let run = 0; run < WARM_UP + runs; run += 1) {
    const begun = process.cpuUsage()
    await parse()
    const { user, system } = process.cpuUsage(begun)
    if (run >= WARM_UP) own.push((user + system) / 1e6)
  }
  seconds.push(own)
}

const speeds = seconds.map((own) => bytes.length / 1e6 / median(own))
const best = Math.max(...speeds.filter((_, index) => parsers[index]!.name !== OURS))
console.log(`${count} lines, ${(bytes.length / 1e6).toFixed(1)} MB, median of ${runs} runs. ${describeMachine()}`)
table([
  ['parser', 'makes', 'MB/s of CPU', 'µs a line', 'by the best of npm'],
  ...parsers.map(({ name, what }, index) => {
    const perLine = (median(seconds[index]!) / count) * 1e6
    return [name, what, speeds[index]!.toFixed(1), perLine.toFixed(2), (speeds[index]! / best).toFixed(2)]
  }),
])
