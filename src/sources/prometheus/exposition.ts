/**
 * Reads an exposition: Prometheus text 0.0.4 and OpenMetrics 1.0.
 *
 * One grammar serves both; they differ in the unit of timestamps and in how one sees that nothing is missing at the end.
 * Blanks are taken as generously as Prometheus text has them, and exemplars are passed over in both formats, because
 * proxies change the content type. Metadata (`# HELP`, `# TYPE`, `# UNIT`) is passed over too: what a metric means is
 * declared by the meters of this program, not by its peer.
 *
 * A bad line costs that line only. Lines about metrics that nobody wants are not looked at beyond their name, so nothing
 * is said about whether the rest of them is well-formed.
 */
import type { Sample } from '../../core/admit.ts'
import { type Instant, LATEST } from '../../core/time.ts'
import { Cursor, SHOWN } from './cursor.ts'

/** `text` is Prometheus text 0.0.4. */
export type Format = 'text' | 'openmetrics'

export interface ParseError {
  /** Both count from 1; columns in UTF-16 units. */
  readonly line: number
  readonly column: number
  readonly message: string
}

export interface ParseOptions {
  readonly format: Format
  /** Whether samples of this metric are of interest. */
  readonly wanted: (metric: string) => boolean
}

export interface Exposition {
  /** Samples handed over. */
  readonly samples: number
  /** Lines about metrics that are not wanted. */
  readonly skipped: number
  /** The first `ERRORS_KEPT` errors; `errorCount` counts all. */
  readonly errors: readonly ParseError[]
  readonly errorCount: number
  /**
   * Whether the end is there: `# EOF` in OpenMetrics, a line feed after the last line in Prometheus text. If not, the
   * text was cut, perhaps within the digits of a value.
   */
  readonly complete: boolean
}

const ERRORS_KEPT = 20

/** Exporters have a dozen. A line may be as long as the whole answer, and each of its labels takes memory. */
const MOST_LABELS = 200

/**
 * Hands each wanted sample to `onSample` with its line, in order. Never throws, whatever the text is.
 *
 * Strings of a sample may be views into `text` that keep all of it in memory: copy what is kept.
 */
export function parseExposition(
  text: string,
  options: ParseOptions,
  onSample: (sample: Sample, line: number) => void,
): Exposition {
  const reader = new LineReader(text, options)
  const errors: ParseError[] = []
  const count = { samples: 0, skipped: 0, errorCount: 0 }
  let start = 0
  for (let line = 1; start < text.length; line += 1) {
    const feed = text.indexOf('\n', start)
    const result = reader.read(start, feed)
    if (result === undefined) {
      count.errorCount += 1
      if (errors.length < ERRORS_KEPT) errors.push({ line, ...reader.problem() })
    } else if (result === 'skipped') {
      count.skipped += 1
    } else if (result !== 'no sample') {
      count.samples += 1
      onSample(result, line)
    }
    start = feed === -1 ? text.length : feed + 1
  }
  return { ...count, errors, complete: reader.complete }
}

const metricName = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const labelName = /[a-zA-Z_][a-zA-Z0-9_]*/y
const value = /^(?:[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)|nan)$/i

const timestamps = {
  text: { form: /^[+-]?\d+$/, expected: 'a timestamp in milliseconds', unit: 1 },
  openmetrics: {
    form: /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i,
    expected: 'a timestamp in seconds',
    unit: 1_000,
  },
} as const

/** The grammar of a line. As in `Cursor`, `undefined` is what a method returns that could not read on. */
class LineReader {
  private readonly cursor: Cursor
  private readonly options: ParseOptions
  private ended = false

  constructor(text: string, options: ParseOptions) {
    this.cursor = new Cursor(text)
    this.options = options
  }

  get complete(): boolean {
    const { text } = this.cursor
    return this.options.format === 'openmetrics' ? this.ended : text === '' || text.endsWith('\n')
  }

  /** Where and why the last line could not be read. */
  problem(): { column: number; message: string } {
    return this.cursor.problem()
  }

  read(start: number, feed: number): Sample | 'skipped' | 'no sample' | undefined {
    const { cursor } = this
    cursor.open(start, feed)
    if (cursor.atEnd) return 'no sample'
    if (this.ended) return cursor.fail('nothing after "# EOF"')
    if (cursor.sees('#')) return this.comment()
    const inBraces = cursor.take('{')
    const metric = inBraces ? cursor.quoted('a metric name in quotes') : cursor.match(metricName, 'a metric name')
    if (metric === undefined) return undefined
    return this.options.wanted(metric) ? this.sample(metric, inBraces) : 'skipped'
  }

  private comment(): 'no sample' {
    this.ended = this.options.format === 'openmetrics' && this.cursor.holds('# EOF')
    return 'no sample'
  }

  /** What follows the metric's name. A name of other characters stands in the braces: `{"my.metric",a="b"} 1`. */
  private sample(metric: string, inBraces: boolean): Sample | undefined {
    const { cursor } = this
    const labels = inBraces ? this.labels(cursor.take(',')) : this.optionalLabels()
    const digits = labels && cursor.word(value, 'a number')
    if (labels === undefined || digits === undefined) return undefined
    const at = this.hasTimestamp() ? this.timestamp() : null
    if (at === undefined || !this.optionalExemplar()) return undefined
    if (!cursor.atEnd) return cursor.fail('the end of the line')
    // A value that ends where the text ends may have lost digits.
    if (!cursor.terminated) return cursor.fail('a line feed')
    return { metric, labels, value: digits, at: at ?? undefined }
  }

  private optionalLabels(): Map<string, string> | undefined {
    if (this.cursor.take('{')) return this.labels(true)
    return this.cursor.afterBlank ? new Map() : this.cursor.fail('a blank or "{"')
  }

  /** `name="value",…}`, with or without a comma at the end. `more` if a label may come first. */
  private labels(more: boolean): Map<string, string> | undefined {
    const { cursor } = this
    const labels = new Map<string, string>()
    for (let next = more; next && !cursor.sees('}'); next = cursor.take(',')) {
      if (labels.size === MOST_LABELS) return cursor.fail(`at most ${MOST_LABELS} labels`)
      if (!this.label(labels)) return undefined
    }
    return cursor.take('}') ? labels : cursor.fail('"," or "}"')
  }

  private label(labels: Map<string, string>): true | undefined {
    const { cursor } = this
    const name = cursor.sees('"') ? cursor.quoted('a label name') : cursor.match(labelName, 'a label name or "}"')
    if (name === undefined) return undefined
    if (labels.has(name)) return cursor.fail(`each label once, not "${name.slice(0, SHOWN)}" again`)
    if (!cursor.take('=')) return cursor.fail('"="')
    const text = cursor.quoted('a label value in quotes')
    if (text === undefined) return undefined
    labels.set(name, text)
    return true
  }

  private hasTimestamp(): boolean {
    return !this.cursor.atEnd && !this.cursor.sees('#')
  }

  private timestamp(): Instant | undefined {
    const { form, expected, unit } = timestamps[this.options.format]
    const text = this.cursor.word(form, expected)
    if (text === undefined) return undefined
    const at = Math.round(Number(text) * unit)
    return Math.abs(at) <= LATEST ? at : this.cursor.fail(`${expected} that is a date, not ${text.slice(0, SHOWN)}`)
  }

  /** `# {labels} value timestamp`; all that matters is whether it is well-formed. */
  private optionalExemplar(): true | undefined {
    const { cursor } = this
    if (!cursor.take('#')) return true
    if (!cursor.take('{')) return cursor.fail('"{"')
    if (this.labels(true) === undefined || cursor.word(value, 'a number') === undefined) return undefined
    return this.hasTimestamp() && this.timestamp() === undefined ? undefined : true
  }
}
