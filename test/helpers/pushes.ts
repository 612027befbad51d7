/**
 * Pushes for tests: the wire formats written by hand, from their specifications and without any code of the worker, and
 * recordings of real ones.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compress } from 'snappyjs'
import { createIntake } from '#src/billing/intake.ts'
import type { AdmissionRules } from '#src/core/admit.ts'
import type { Clock } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { decodeLines } from '#src/sources/influx/decode.ts'
import { createPushBudget } from '#src/sources/pushBudget.ts'
import { createReceiver, type Decode } from '#src/sources/receiver.ts'
import { decodeRemoteWrite } from '#src/sources/remoteWrite/decode.ts'
import type { Deliver, Push } from '#src/sources/source.ts'
import { meters, silent } from './billing.ts'

const fixtures = join(import.meta.dirname, '../fixtures')

export interface WrittenSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly (readonly [at: number, value: number | bigint])[]
  readonly histograms?: number
  readonly exemplars?: number
}

/** Bits of the NaN that marks the end of a series. */
export const STALE = 0x7ff0_0000_0000_0002n

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

/** A field of bytes, a text or a message. */
export function part(field: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])
}

function sample([at, value]: WrittenSeries['samples'][number]): Buffer {
  const double = Buffer.alloc(8)
  if (typeof value === 'bigint') double.writeBigUInt64LE(value)
  else double.writeDoubleLE(value)
  return Buffer.concat([Buffer.of(1 * 8 + 1), double, Buffer.of(2 * 8), varint(at)])
}

function times(count: number | undefined, field: number): Buffer[] {
  return Array.from({ length: count ?? 0 }, () => part(field, part(15, 'x')))
}

/** `prometheus.WriteRequest` */
export function version1(series: readonly WrittenSeries[], more: readonly Buffer[] = []): Buffer {
  const all = series.map(({ labels, samples, histograms, exemplars }) => [
    ...Object.entries(labels).map(([name, value]) => part(1, Buffer.concat([part(1, name), part(2, value)]))),
    ...samples.map((each) => part(2, sample(each))),
    ...times(exemplars, 3),
    ...times(histograms, 4),
  ])
  return Buffer.concat([...all.map((each) => part(1, Buffer.concat(each))), ...more])
}

/** `io.prometheus.write.v2.Request` */
export function version2(series: readonly WrittenSeries[]): Buffer {
  const symbols = new Map([['', 0]])
  const numberOf = (text: string) => {
    if (!symbols.has(text)) symbols.set(text, symbols.size)
    return varint(symbols.get(text)!)
  }
  const all = series.map(({ labels, samples, histograms, exemplars }) => [
    part(1, Buffer.concat(Object.entries(labels).flatMap(([name, value]) => [numberOf(name), numberOf(value)]))),
    ...samples.map((each) => part(2, sample(each))),
    ...times(histograms, 3),
    ...times(exemplars, 4),
    part(5, Buffer.concat([Buffer.of(8), varint(2)])),
  ])
  return Buffer.concat([
    ...[...symbols.keys()].map((text) => part(4, text)),
    ...all.map((each) => part(5, Buffer.concat(each))),
  ])
}

export function snappy(bytes: Uint8Array): Buffer {
  return Buffer.from(compress(bytes))
}

export const remoteWriteHeaders = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' }
export const version2Headers = {
  ...remoteWriteHeaders,
  'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
}

export function usage(
  project: string,
  samples: WrittenSeries['samples'],
  metric = 'project_vcpu_usage',
): WrittenSeries {
  const labels = { __name__: metric, location_id: '8676', project_id: `id-${project}`, project_name: project }
  return { labels, samples }
}

/** The files of a folder of recordings, in the order in which they were made. */
export function recordedPushes(folder: string, ending: '.snappy' | '.lp'): { name: string; body: Buffer }[] {
  return readdirSync(join(fixtures, folder))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => ({ name, body: readFileSync(join(fixtures, folder, name)) }))
}

/** What an independent decoder made of recordings of remote write. */
export function decodedRecordings(folder: string): Recorded[] {
  const text = readFileSync(join(fixtures, folder, 'decoded.jsonl'), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded)
}

interface Recorded {
  readonly file: string
  readonly timeseries: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly samples: readonly (readonly [number, number | 'STALE'])[]
  }[]
}

export function rules(now: number, more: Partial<AdmissionRules> = {}): AdmissionRules {
  return { meters, labels: new Map(), at: now, ...more }
}

export function push(body: Uint8Array | string, about: Partial<Omit<Push, 'body'>> = {}): Push {
  async function* chunks() {
    yield typeof body === 'string' ? Buffer.from(body) : body
  }
  return { body: chunks(), contentType: undefined, contentEncoding: undefined, precision: undefined, ...about }
}

/** Real receivers that record in a ledger. */
export function receiversOver(ledger: Ledger, clock: Clock) {
  const about = {
    ledger,
    maxSeries: 1_000,
    smallSites: 'charge',
    meters,
    clock,
    logger: silent,
    onChanged: () => {},
  } as const
  const intake = createIntake(about)
  return receiversOf((delivery) => intake.take(delivery), clock)
}

export function receiversOf(deliver: Deliver, clock: Clock, budget = createPushBudget(), logger = silent) {
  const receiver = (protocol: string, decode: Decode) =>
    createReceiver({ protocol, decode, budget, meters, deliver, newTaskId: () => 'push-1', clock, logger })
  return { remoteWrite: receiver('remote write', decodeRemoteWrite), influx: receiver('influx', decodeLines) }
}
