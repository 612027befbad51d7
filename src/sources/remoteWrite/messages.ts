/**
 * What the messages of remote write hold: `prometheus.WriteRequest` (1.0) and `io.prometheus.write.v2.Request` (2.0).
 *
 * They differ in where labels are: in each series, or in one table of texts that all series refer to. Metadata is passed
 * over: what a metric means is declared by the meters of this program. Histograms and exemplars are only counted.
 */
import { MOST_PUSHED, tooLarge } from '../receiver.ts'
import type { PushRefusal } from '../source.ts'
import { broken, type Span, WireReader } from './wire.ts'

/** A series of a request; each of its labels and samples once. */
export interface PushedSeries {
  /** Why its labels cannot be used; then they are not complete. */
  readonly problem: string | undefined
  readonly labels: ReadonlyMap<string, string>
  readonly samples: readonly PushedSample[]
  /** How many there are. */
  readonly histograms: number
  readonly exemplars: number
}

export interface PushedSample {
  /** Where in the bytes the double is. */
  readonly value: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** As many as an exposition may have on a line. */
const MOST_LABELS = 200
/** What has more was made to keep somebody busy. */
const LABELS_OF_NO_SERIES = 10 * MOST_LABELS
/** Series without samples count, too: nothing may go on for ever. */
const MOST_SERIES = MOST_PUSHED
/** Nine of each series of an exporter, and most of these are the same. */
const MOST_SYMBOLS = 250_000

/** The series of a request of 1.0, one after another. @throws {PushRefusal} where it is broken. */
export function* readVersion1(bytes: Buffer): Generator<PushedSeries> {
  const request = new WireReader(bytes)
  const count = createCount()
  while (request.next()) {
    if (!request.is(1, 'span')) request.skip()
    else yield count(readSeries1(bytes, request.span()))
  }
}

/** The same of 2.0. Its table may come after what refers to it. */
export function* readVersion2(bytes: Buffer): Generator<PushedSeries> {
  const request = new WireReader(bytes)
  const symbols: Span[] = []
  const series: Span[] = []
  while (request.next()) {
    if (request.is(4, 'span')) add(symbols, request.span(), MOST_SYMBOLS, 'texts')
    else if (request.is(5, 'span')) add(series, request.span(), MOST_SERIES, 'series')
    else request.skip()
  }
  const texts: string[] = []
  const textOf = (reference: number) => {
    const span = symbols[reference]
    if (span === undefined) throw broken(`there is no text ${reference} in its table`)
    texts[reference] ??= textAt(bytes, span)
    return texts[reference]
  }
  const count = createCount()
  for (const span of series) yield count(readSeries2(bytes, span, textOf))
}

function add(list: Span[], span: Span, most: number, what: string): void {
  if (list.length === most) throw tooLarge(`at most ${most} ${what}`)
  list.push(span)
}

function createCount(): (series: PushedSeries) => PushedSeries {
  let [series, samples] = [0, 0]
  return (one) => {
    series += 1
    samples += one.samples.length
    if (series > MOST_SERIES) throw tooLarge(`at most ${MOST_SERIES} series`)
    if (samples > MOST_PUSHED) throw tooLarge(`at most ${MOST_PUSHED} samples`)
    return one
  }
}

function readSeries1(bytes: Buffer, span: Span): PushedSeries {
  const reader = new WireReader(bytes, span)
  const labels = createLabels()
  const samples: PushedSample[] = []
  let [histograms, exemplars] = [0, 0]
  while (reader.next()) {
    if (reader.is(1, 'span')) labels.read(bytes, reader.span())
    else if (reader.is(2, 'span')) addSample(samples, readSample(bytes, reader.span()))
    else {
      exemplars += Number(reader.field === 3)
      histograms += Number(reader.field === 4)
      reader.skip()
    }
  }
  return { ...labels.result(), samples, histograms, exemplars }
}

function readSeries2(bytes: Buffer, span: Span, textOf: (reference: number) => string): PushedSeries {
  const reader = new WireReader(bytes, span)
  const references = createReferences()
  const samples: PushedSample[] = []
  let [histograms, exemplars] = [0, 0]
  while (reader.next()) {
    if (reader.field === 1) references.read(bytes, reader)
    else if (reader.is(2, 'span')) addSample(samples, readSample(bytes, reader.span()))
    else {
      histograms += Number(reader.field === 3)
      exemplars += Number(reader.field === 4)
      reader.skip()
    }
  }
  const labels = createLabels()
  for (const [name, value] of references.pairs()) labels.add(textOf(name), textOf(value))
  return { ...labels.result(), samples, histograms, exemplars }
}

/** A list of numbers, which may stand together or one by one. Those beyond what is looked at are only counted. */
function createReferences() {
  const first: number[] = []
  let count = 0
  const add = (reference: number) => {
    count += 1
    if (count > 2 * LABELS_OF_NO_SERIES) throw tooManyLabels()
    if (count <= 2 * (MOST_LABELS + 1)) first.push(reference)
  }
  return {
    read(bytes: Buffer, reader: WireReader): void {
      if (!reader.isSpan()) {
        if (reader.is(1, 'varint')) add(reader.varint())
        return
      }
      const packed = new WireReader(bytes, reader.span())
      while (!packed.isAtEnd) add(packed.varint())
    },
    *pairs(): Generator<[name: number, value: number]> {
      if (count % 2 === 1) throw broken('a label has a name and no value')
      for (let index = 0; index < first.length; index += 2) yield [first[index]!, first[index + 1]!]
    },
  }
}

function addSample(samples: PushedSample[], sample: PushedSample): void {
  if (samples.length === MOST_PUSHED) throw tooLarge(`at most ${MOST_PUSHED} samples`)
  samples.push(sample)
}

function textAt(bytes: Buffer, { start, end }: Span): string {
  return bytes.toString('utf8', start, end)
}

/** A field that is not there is zero, as always in protobuf. */
const ZERO = -1

function readSample(bytes: Buffer, span: Span): PushedSample {
  const reader = new WireReader(bytes, span)
  let [value, at] = [ZERO, 0]
  while (reader.next()) {
    if (reader.is(1, 'eightBytes')) value = reader.double()
    else if (reader.is(2, 'varint')) at = reader.int64()
    else reader.skip()
  }
  return { value, at }
}

/** The labels of a series. What is beyond the limit is not looked at. */
function createLabels() {
  const labels = new Map<string, string>()
  let problem: string | undefined
  let count = 0
  function add(name: string, value: string): void {
    count += 1
    if (count > LABELS_OF_NO_SERIES) throw tooManyLabels()
    if (labels.size === MOST_LABELS) problem = `Expected at most ${MOST_LABELS} labels of a series`
    // Decoding puts this character where there is no UTF-8: different names would become the same.
    else if (name.includes('\uFFFD') || value.includes('\uFFFD')) problem = 'Expected valid UTF-8 in labels'
    else if (labels.has(name)) problem = 'Expected each label of a series once'
    else labels.set(name, value)
  }
  return {
    add,
    read(bytes: Buffer, span: Span): void {
      if (labels.size === MOST_LABELS) {
        add('', '')
        return
      }
      const reader = new WireReader(bytes, span)
      let [name, value] = ['', '']
      while (reader.next()) {
        if (reader.is(1, 'span')) name = textAt(bytes, reader.span())
        else if (reader.is(2, 'span')) value = textAt(bytes, reader.span())
        else reader.skip()
      }
      add(name, value)
    },
    result: () => ({ labels, problem }),
  }
}

function tooManyLabels(): PushRefusal {
  return tooLarge(`at most ${LABELS_OF_NO_SERIES} labels of a series`)
}
