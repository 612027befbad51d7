/**
 * The grammar of a line of an exposition, as generous as Prometheus is, with a reason for whatever cannot be read.
 *
 * One grammar serves Prometheus text and OpenMetrics; they differ in the unit of timestamps and in how one sees that nothing
 * is missing at the end.
 */
import type { Sample } from '../../core/admit.ts'
import { type Instant, LATEST } from '../../core/time.ts'
import { Cursor, SHOWN } from './cursor.ts'

/** `text` is Prometheus text 0.0.4. */
export type Format = 'text' | 'openmetrics'

export interface ParseOptions {
  readonly format: Format
  /** Whether samples of this metric are of interest. */
  readonly wanted: (metric: string) => boolean
}

/** The labels of a line; a `Map` is one. */
export interface LineLabels {
  get(name: string): string | undefined
  keys(): Iterable<string>
}

export interface LineSample extends Sample {
  readonly labels: LineLabels
}

/** Exporters have a dozen. A line may be as long as the whole answer, and each of its labels takes memory. */
const MOST_LABELS = 200

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

/** `undefined` if it is none, or none that a calendar knows. */
export function timestampOf(text: string, format: Format): Instant | undefined {
  const { form, unit } = timestamps[format]
  const at = form.test(text) ? Math.round(Number(text) * unit) : Number.NaN
  return Math.abs(at) <= LATEST ? at : undefined
}

/** As in `Cursor`, `undefined` is what a method returns that could not read on. */
export class LineReader {
  private readonly cursor = new Cursor()
  private readonly options: ParseOptions
  /** Whether `# EOF` of OpenMetrics was read. */
  ended = false

  constructor(options: ParseOptions) {
    this.options = options
  }

  /** Where and why the last line could not be read. */
  problem(): { column: number; message: string } {
    return this.cursor.problem()
  }

  /** @param feed Where the line's line feed is; -1 if the text ends without one. */
  read(text: string, start: number, feed: number): LineSample | 'skipped' | 'no sample' | undefined {
    const { cursor } = this
    cursor.open(text, start, feed)
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
  private sample(metric: string, inBraces: boolean): LineSample | undefined {
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
    const { form, expected } = timestamps[this.options.format]
    const text = this.cursor.word(form, expected)
    if (text === undefined) return undefined
    const at = timestampOf(text, this.options.format)
    return at ?? this.cursor.fail(`${expected} that is a date, not ${text.slice(0, SHOWN)}`)
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
