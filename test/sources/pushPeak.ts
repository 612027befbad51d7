/**
 * A program that takes pushes of a kind, 64 at a time, as the worker does: `node pushPeak.ts <kind>`. Says what came of them
 * and how much memory it took beyond what it had when they were made.
 */
import { gzipSync } from 'node:zlib'
import { PUSH_LIMITS } from '#src/sources/pushBudget.ts'
import { PushRefusal } from '#src/sources/source.ts'
import { part, push, receiversOf, snappy, usage, version1 } from '../helpers/pushes.ts'

const MEBIBYTE = 2 ** 20
const now = Date.now()
const of = (size: number, piece: string) => Buffer.alloc(size, piece)

/** As large as a body may be when it is decompressed. */
const whole = (field: number, content: Buffer) => part(field, content.subarray(0, 32 * MEBIBYTE - 10))

const v1: Record<string, () => Buffer> = {
  'samples of one series': () =>
    version1([
      usage(
        'a',
        Array.from({ length: 100_000 }, (_, index) => [now - index, 1] as const),
      ),
    ]),
  'empty labels': () => whole(1, of(32 * MEBIBYTE, '\x0a\x00')),
}
const v2: Record<string, () => Buffer> = {
  'empty texts': () => of(32 * MEBIBYTE - 2, '\x22\x00'),
}
const lines: Record<string, () => Buffer> = {
  'line feeds': () => of(16 * MEBIBYTE, '\n'),
}

async function outcomeOf(kind: string): Promise<Record<string, number>> {
  // Nothing is recorded before all have come.
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const { remoteWrite, influx } = receiversOf(() => promise, { now: () => now })
  const protobuf = (type = '') => ({ contentType: `application/x-protobuf${type}`, contentEncoding: 'snappy' })
  const take = (() => {
    if (kind === 'a bomb of gzip') {
      const body = gzipSync(Buffer.alloc(64 * MEBIBYTE))
      return () => influx.take(push(body, { contentEncoding: 'gzip' }))
    }
    const text = lines[kind]?.()
    if (text !== undefined) return () => influx.take(push(text))
    const body = snappy((v1[kind] ?? v2[kind])!())
    const about = kind in v1 ? protobuf() : protobuf(';proto=io.prometheus.write.v2.Request')
    return () => remoteWrite.take(push(body, about))
  })()
  const outcomes: Record<string, number> = {}
  const count = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  const all = Array.from({ length: PUSH_LIMITS.pushes }, () =>
    take().then(
      () => count('taken'),
      (error: unknown) => count(error instanceof PushRefusal ? error.reason : String(error)),
    ),
  )
  setTimeout(() => resolve(undefined), 3_000)
  await Promise.all(all)
  return outcomes
}

const outcomes = await outcomeOf(process.argv[2]!)
// `maxRSS` is in kilobytes.
const peak = Math.round(process.resourceUsage().maxRSS / 1_024)
process.stdout.write(JSON.stringify({ outcomes, peak }))
