/**
 * Decodes a push of Prometheus remote write, 1.0 and 2.0.
 *
 * Values are doubles. Each becomes the shortest decimal that reads back the same, which is how exporters and Prometheus write
 * them: a sample is the same reading whichever way it came. A stale marker says that a series has ended; it is absence.
 */
import { type AdmissionRules, admit, noRejections, whyRejected } from '../../core/admit.ts'
import type { Reading } from '../../core/series.ts'
import { LATEST } from '../../core/time.ts'
import { nextTurn } from '../inTurns.ts'
import { type Arrived, type Decoded, LARGEST_DECOMPRESSED } from '../receiver.ts'
import { ERRORS_KEPT, type PushError, PushRefusal } from '../source.ts'
import { type PushedSample, type PushedSeries, readVersion1, readVersion2 } from './messages.ts'
import { decompress } from './snappy.ts'

/** Bits of the NaN with which Prometheus marks the end of a series. */
const STALE_MARKER = 0x7ff0_0000_0000_0002n

/** Series that are looked at before other work has its turn: some milliseconds. */
const PART = 2_000

/** @throws {PushRefusal} if it is no such message, in another version or compression, or too large. */
export async function decodeRemoteWrite(push: Arrived, rules: AdmissionRules): Promise<Decoded> {
  const version = versionOf(push)
  const bytes = push.body.length === 0 ? Buffer.alloc(0) : decompress(push.body, LARGEST_DECOMPRESSED)
  const tally = createTally(bytes, rules)
  let count = 0
  for (const series of version === 1 ? readVersion1(bytes) : readVersion2(bytes)) {
    tally.add(series)
    count += 1
    if (count % PART === 0) await nextTurn()
  }
  return { ...tally.result(), isCounted: version === 2 }
}

const versions: Readonly<Record<string, 1 | 2>> = {
  'prometheus.WriteRequest': 1,
  'io.prometheus.write.v2.Request': 2,
}

function versionOf({ contentType = '', contentEncoding = '' }: Arrived): 1 | 2 {
  if (contentEncoding.trim().toLowerCase() !== 'snappy') {
    throw new PushRefusal('unsupported', 'Expected Content-Encoding: snappy.')
  }
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim())
  const message = parameters.find((each) => /^proto=/i.test(each))?.slice('proto='.length) ?? 'prometheus.WriteRequest'
  const version = type!.toLowerCase() === 'application/x-protobuf' ? versions[message.replaceAll('"', '')] : undefined
  if (version !== undefined) return version
  const known = Object.keys(versions).join(' or ')
  throw new PushRefusal('unsupported', `Expected Content-Type: application/x-protobuf, with proto=${known}.`)
}

/** Adds up what the series of a push hold. */
function createTally(bytes: Buffer, rules: AdmissionRules) {
  const readings: Reading[] = []
  const rejected = noRejections()
  const errors: PushError[] = []
  let [samples, staleMarkers, ignored, errorCount] = [0, 0, 0, 0]

  function complain(message: string): void {
    errorCount += 1
    if (errors.length < ERRORS_KEPT) errors.push({ message })
  }

  function add({ labels, samples: own, problem, histograms, exemplars }: PushedSeries): void {
    samples += own.length
    ignored += histograms + exemplars
    if (problem !== undefined) {
      complain(problem)
      rejected.unreadable += own.length
    } else if (!rules.meters.has(labels.get('__name__') ?? '')) rejected['unknown metric'] += own.length
    else for (const sample of own) addSample(labels, sample)
  }

  function addSample(labels: ReadonlyMap<string, string>, { value, at }: PushedSample): void {
    if (value >= 0 && bytes.readBigUInt64LE(value) === STALE_MARKER) {
      staleMarkers += 1
      return
    }
    if (Math.abs(at) > LATEST) {
      rejected.unreadable += 1
      complain('Expected a timestamp that is a date')
      return
    }
    const digits = value < 0 ? '0' : String(bytes.readDoubleLE(value))
    const sample = { metric: labels.get('__name__')!, labels, value: digits, at }
    const result = admit(sample, rules)
    if (typeof result !== 'string') {
      readings.push(result)
      return
    }
    rejected[result] += 1
    const message = whyRejected(result, sample, rules)
    if (message !== undefined) complain(message)
  }

  return { add, result: () => ({ readings, rejected, samples, staleMarkers, ignored, errors, errorCount }) }
}
