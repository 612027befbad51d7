/**
 * Decodes a push of InfluxDB's line protocol, as a subscription sends it: measurements are metrics, tags are labels, and the
 * field `value` is charged. A line without a timestamp is of now.
 */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type AdmissionRules, admit, noRejections, whyRejected } from '../../core/admit.ts'
import type { Reading } from '../../core/series.ts'
import { detached } from '../detached.ts'
import { type Arrived, type Decoded, LARGEST_DECOMPRESSED, MOST_PUSHED, tooLarge } from '../receiver.ts'
import { ERRORS_KEPT, type PushError, PushRefusal } from '../source.ts'
import { type Lines, type Precision, precisions, readLines } from './lines.ts'

/** Lines that are read before other work has its turn: some milliseconds. */
const PART = 2_000

/** @throws {PushRefusal} if no line of it can be read, its precision or compression is unknown, or it is too large. */
export async function decodeLines(push: Arrived, rules: AdmissionRules): Promise<Decoded> {
  const precision = precisionOf(push)
  const text = new TextDecoder().decode(await decompressed(push))
  const readings: Reading[] = []
  const rejected = noRejections()
  const unusable: PushError[] = []
  let unusableCount = 0
  const wanted = (measurement: string) => rules.meters.has(measurement)
  const lines = await inParts(
    readLines(text, { precision, wanted }, (sample, line) => {
      const result = admit(sample, rules)
      if (typeof result === 'string') {
        rejected[result] += 1
        const message = whyRejected(result, sample, rules)
        if (message === undefined) return
        unusableCount += 1
        if (unusable.length < ERRORS_KEPT) unusable.push({ line, message })
      } else if (readings.length < MOST_PUSHED) readings.push(detached(result))
      else throw tooLarge(`at most ${MOST_PUSHED} samples`)
    }),
  )
  const { skipped, samples, ignored, errors, errorCount } = lines
  if (errorCount > 0 && samples + skipped === 0) {
    throw new PushRefusal('malformed', `No line of it can be read. Line ${errors[0]!.line}: ${errors[0]!.message}.`)
  }
  rejected['unknown metric'] += skipped
  rejected.unreadable += errorCount
  return {
    ...{ readings, rejected, samples: samples + skipped, staleMarkers: 0, ignored },
    ...{ isCounted: false, errors: firstOf([...errors, ...unusable]), errorCount: errorCount + unusableCount },
  }
}

/** In the order of the text. */
function firstOf(errors: readonly PushError[]): PushError[] {
  return errors.toSorted((a, b) => a.line! - b.line!).slice(0, ERRORS_KEPT)
}

async function inParts(reading: Generator<void, Lines>): Promise<Lines> {
  for (let count = 1; ; count += 1) {
    const { done, value } = reading.next()
    if (done === true) return value
    if (count % PART === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

function precisionOf({ precision = '' }: Arrived): Precision {
  // An empty one is the usual one, as in InfluxDB.
  if (precision === '') return 'ns'
  if (Object.hasOwn(precisions, precision)) return precision as Precision
  throw new PushRefusal('malformed', `precision: expected one of ${Object.keys(precisions).join(', ')}.`)
}

const unzip = promisify(gunzip)

async function decompressed({ body, contentEncoding = '' }: Arrived): Promise<Uint8Array> {
  const encoding = contentEncoding.trim().toLowerCase()
  if (encoding === '' || encoding === 'identity') return body
  if (encoding !== 'gzip') throw new PushRefusal('unsupported', 'Expected no Content-Encoding, or gzip.')
  try {
    return await unzip(body, { maxOutputLength: LARGEST_DECOMPRESSED })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(`at most ${LARGEST_DECOMPRESSED} bytes, decompressed,`)
    }
    throw new PushRefusal('malformed', 'The body is no gzip.', { cause: error })
  }
}
