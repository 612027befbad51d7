/**
 * Reads InfluxDB's line protocol: `measurement,tag=value field=1.5,other="text" timestamp`.
 *
 * InfluxDB writes a line feed in a tag as it is, which cuts the line in two. What comes behind is a part of a name, and
 * whoever chose the name may have written it like a line of its own. So the line after a cut one is never taken, and of the
 * others of that text only those that have the tags that Prometheus adds to each series, if the cut one had them: a name that
 * looks like that is longer than OpenStack lets the name of a project be (64 characters).
 *
 * Nothing is thrown: a bad line costs that line.
 */
import type { Sample } from '../../core/admit.ts'
import { LATEST } from '../../core/time.ts'
import { ERRORS_KEPT, type PushError } from '../source.ts'

export const precisions = { ns: 1e-6, n: 1e-6, u: 1e-3, µ: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const
export type Precision = keyof typeof precisions

export interface LineOptions {
  /** The unit of timestamps. */
  readonly precision: Precision
  /** Whether samples of this measurement are of interest. */
  readonly wanted: (measurement: string) => boolean
}

export interface Lines {
  /** Lines about measurements that are not wanted; they are not looked at beyond their end. */
  readonly skipped: number
  /** Lines that were wanted and could be read. */
  readonly samples: number
  /** Fields beside the one that is charged. */
  readonly ignored: number
  readonly errors: readonly PushError[]
  readonly errorCount: number
}

/** Those of an exporter have some 250 characters, and a project's name takes 1,024 bytes at most. */
const LONGEST_LINE = 65_536
const MOST_TAGS = 200

/** Hands each sample to `onSample` with the number of its line, in order. Its strings may be parts of `text`: copy what is kept. */
export function* readLines(
  text: string,
  options: LineOptions,
  onSample: (sample: Sample, line: number) => void,
): Generator<void, Lines> {
  const errors: PushError[] = []
  const count = { skipped: 0, samples: 0, ignored: 0, errorCount: 0 }
  let [at, line] = [0, 1]
  let doubt = noDoubt
  while (at < text.length) {
    const end = endOfLine(text, at)
    const result = readLine(text.slice(at, end.at), end.form, options, doubt)
    if (result.kind === 'bad') {
      count.errorCount += 1
      if (errors.length < ERRORS_KEPT) errors.push({ line, message: result.message })
    } else if (result.kind === 'sample') {
      count.samples += 1
      count.ignored += result.ignored
      onSample(result.sample, line)
    } else if (result.kind === 'skipped') count.skipped += 1
    doubt = doubtAfter(doubt, text, at, end)
    line += end.feeds
    at = end.at + 1
    yield
  }
  return { ...count, errors, errorCount: count.errorCount }
}

/** How a line ends: after its fields, before there were any, or in the midst of a text in quotes. */
type Form = 'whole' | 'cut' | 'open'

interface End {
  /** Where its line feed is, or the end of the text. */
  readonly at: number
  readonly form: Form
  /** Line feeds up to its end: texts in quotes may hold some. */
  readonly feeds: number
}

const [FEED, BLANK, QUOTE, BACKSLASH, HASH] = [10, 32, 34, 92, 35]

/** Goes through the text once, whatever is in it. Only texts of fields are in quotes; in tags a quote is a character. */
function endOfLine(text: string, start: number): End {
  let at = start
  while (at < text.length && text.charCodeAt(at) !== FEED && text.charCodeAt(at) !== BLANK)
    at += text.charCodeAt(at) === BACKSLASH && text.charCodeAt(at + 1) === BLANK ? 2 : 1
  if (at >= text.length || text.charCodeAt(at) === FEED) return { at, form: 'cut', feeds: 1 }
  if (text.charCodeAt(start) === HASH) return { at: lineFeed(text, at), form: 'whole', feeds: 1 }
  let [isQuoted, feeds] = [false, 1]
  for (; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === BACKSLASH && isQuoted) at += 1
    else if (char === QUOTE) isQuoted = !isQuoted
    else if (char === FEED && !isQuoted) break
    else if (char === FEED) feeds += 1
  }
  return { at: Math.min(at, text.length), form: isQuoted ? 'open' : 'whole', feeds }
}

function lineFeed(text: string, from: number): number {
  const at = text.indexOf('\n', from)
  return at === -1 ? text.length : at
}

/** What is not believed after a line that was cut. */
interface Doubt {
  readonly isNext: boolean
  /** Tags that a line needs to be believed. */
  readonly marks: readonly string[]
}

const noDoubt: Doubt = { isNext: false, marks: [] }

/** Tags that Prometheus gives each series. */
const MARKS = ['__name__', 'instance', 'job']

function doubtAfter(before: Doubt, text: string, start: number, { at, form }: End): Doubt {
  const cut = form === 'cut' ? text.slice(start, Math.min(at, start + LONGEST_LINE)) : ''
  if (cut.trim() === '' || cut.startsWith('#'))
    return before.isNext && cut === '' ? { ...before, isNext: false } : before
  const marks = MARKS.filter((mark) => before.marks.includes(mark) || cut.includes(`,${mark}=`))
  return { isNext: true, marks }
}

type Result =
  | { readonly kind: 'sample'; readonly sample: Sample; readonly ignored: number }
  | { readonly kind: 'skipped' | 'empty' }
  | { readonly kind: 'bad'; readonly message: string }

// Sticky, and without a way to read the same characters twice. A backslash that escapes nothing stands for itself.
const measurementText = /(?:[^\\, ]|\\[, =]|\\)+/y
const keyText = /(?:[^\\, =]|\\[, =]|\\)+/y
const fieldText = /"(?:[^"\\]|\\[\s\S])*"|[^, "]+/y
const escaped = /\\([, =])/g

function readLine(raw: string, form: Form, options: LineOptions, doubt: Doubt): Result {
  const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
  if (line.trim() === '' || line.startsWith('#')) return { kind: 'empty' }
  if (form === 'cut') return bad('Expected fields after the tags; a line feed in a tag cuts its line in two')
  if (form === 'open') return bad('Expected a closing quote')
  if (doubt.isNext) return bad('Expected a line of its own, not the rest of a line that was cut')
  const measurement = plain(matched(measurementText, line, 0))
  if (measurement === '') return bad('Expected a measurement')
  if (!options.wanted(measurement)) return { kind: 'skipped' }
  return line.length > LONGEST_LINE
    ? bad(`Expected at most ${LONGEST_LINE} characters`)
    : new LineReader(line, measurement, options.precision).read(doubt.marks)
}

function bad(message: string): Result & { kind: 'bad' } {
  return { kind: 'bad', message }
}

function matched(pattern: RegExp, line: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(line)?.[0] ?? ''
}

function plain(text: string): string {
  return text.includes('\\') ? text.replace(escaped, '$1') : text
}

/** What is read of one line; a method that cannot read on gives the message. */
class LineReader {
  private readonly line: string
  private readonly measurement: string
  private readonly precision: Precision
  private at = 0

  constructor(line: string, measurement: string, precision: Precision) {
    this.line = line
    this.measurement = measurement
    this.precision = precision
    this.take(measurementText)
  }

  read(marks: readonly string[]): Result {
    if (this.line.includes('\uFFFD')) return bad('Expected valid UTF-8')
    const tags = this.tags()
    if (typeof tags === 'string') return bad(tags)
    const missing = marks.find((mark) => !tags.has(mark))
    if (missing !== undefined) return bad(`Expected the tag ${missing}, as on the line that was cut before`)
    this.blanks()
    const fields = this.fields()
    if (typeof fields === 'string') return bad(fields)
    this.blanks()
    const at = this.timestamp()
    if (typeof at === 'string') return bad(at)
    if (fields.value === undefined) return bad('Expected a field "value"')
    const sample = { metric: this.measurement, labels: tags, value: numberOf(fields.value), at }
    return { kind: 'sample', sample, ignored: fields.others }
  }

  private tags(): Map<string, string> | string {
    const tags = new Map<string, string>()
    while (this.sees(',')) {
      const name = plain(this.take(keyText))
      if (name === '' || !this.sees('=')) return 'Expected name=value as a tag'
      const value = plain(this.take(keyText))
      if (value === '') return `Expected a value of each tag`
      if (tags.has(name)) return 'Expected each tag once'
      if (tags.size === MOST_TAGS) return `Expected at most ${MOST_TAGS} tags`
      tags.set(name, value)
    }
    return this.line[this.at] === ' ' ? tags : 'Expected a blank after the tags'
  }

  private fields(): { value: string | undefined; others: number } | string {
    let value: string | undefined
    let others = 0
    do {
      const name = plain(this.take(keyText))
      const text = name !== '' && this.sees('=') ? this.take(fieldText) : ''
      if (text === '') return 'Expected name=value as a field'
      if (name !== 'value') others += 1
      else if (value !== undefined) return 'Expected the field "value" once'
      else value = text
    } while (this.sees(','))
    return { value, others }
  }

  private timestamp(): number | undefined | string {
    if (this.at === this.line.length) return undefined
    const text = this.line.slice(this.at).trimEnd()
    if (!/^-?\d{1,19}$/.test(text)) return 'Expected a whole number as the timestamp, and nothing after it'
    const at = toMilliseconds(text, precisions[this.precision])
    return Math.abs(at) <= LATEST ? at : 'Expected a timestamp that is a date'
  }

  private take(pattern: RegExp): string {
    const text = matched(pattern, this.line, this.at)
    this.at += text.length
    return text
  }

  private sees(char: string): boolean {
    if (this.line[this.at] !== char) return false
    this.at += 1
    return true
  }

  private blanks(): void {
    while (this.line[this.at] === ' ') this.at += 1
  }
}

/** A part of a millisecond counts to the one in which it lies. */
function toMilliseconds(text: string, unit: number): number {
  if (unit >= 1) return Number(text) * unit
  const parts = BigInt(Math.round(1 / unit))
  const number = BigInt(text)
  return Number((number - (((number % parts) + parts) % parts)) / parts)
}

/** The digits of a number; a text that is none for anything else, so that it is no reading. */
function numberOf(field: string): string {
  return /^[+-]?\d+[iu]$/.test(field) ? field.slice(0, -1) : field
}
