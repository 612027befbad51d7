/**
 * Reads lines that are made like one before, which nearly all lines of an exporter are: `metric{a="…",b="…"} 1.5`, with the
 * same labels in the same order.
 *
 * What stands between the values of labels is learned once from a line that `LineReader` has read, and compared as a whole
 * from then on. A line that does not fit, or has anything unusual in it (escapes, broken UTF-8, exemplars, other blanks), is
 * left to `LineReader`: whatever is read here is read there alike.
 */

import type { Column, KnownTexts } from './knownTexts.ts'
import { type Format, type LineLabels, type LineSample, timestampOf } from './lineReader.ts'
import { copyOf, type Piece } from './pieces.ts'

/** Those of an exporter have some 250 characters. What is longer is not learned from. */
const LONGEST_LINE = 16_384
/** An exporter has a shape for each metric. Sites behind a federation may have labels of their own. */
const MOST_SHAPES = 8
/** How often a shape is learned in one answer: where there are more than are kept, learning costs more than it saves. */
const MOST_LEARNED = 64
/** How often it is looked what lines have in common; where that changes all the time, it does not help. */
const MOST_LOOKS = 64

export class LineShapes {
  private readonly format: Format
  private readonly known: KnownTexts
  /** The one that fitted last comes first. */
  private readonly shapes: Shape[] = []
  private learned = 0
  private piece: Piece = { text: '', bytes: undefined }
  /** Where the next characters are that a line must not have to be read here. */
  private readonly oddities = [new Next('\\'), new Next('\uFFFD')]

  constructor(format: Format, known: KnownTexts) {
    this.format = format
    this.known = known
  }

  open(piece: Piece): void {
    this.piece = piece
    for (const each of this.oddities) each.open(piece.text)
  }

  /**
   * The sample of a line, if it fits.
   *
   * Its labels are good until the next line is read; what one gets of them are copies that may be kept.
   */
  read(start: number, feed: number): LineSample | undefined {
    for (const each of this.oddities) if (each.from(start) < feed) return undefined
    for (let index = 0; index < this.shapes.length; index += 1) {
      const shape = this.shapes[index]!
      const end = shape.fit(this.piece, start)
      if (end === undefined) continue
      if (index > 0) {
        this.shapes.splice(index, 1)
        this.shapes.unshift(shape)
      }
      return end < feed ? this.sample(shape, end, feed) : undefined
    }
    return undefined
  }

  private sample(shape: Shape, at: number, feed: number): LineSample | undefined {
    const { text } = this.piece
    const end = endOfNumber(text, at)
    if (end === feed) return { metric: shape.metric, labels: shape, value: text.slice(at, end), at: undefined }
    if (end === at || text[end] !== ' ') return undefined
    const time = timestampOf(text.slice(end + 1, feed), this.format)
    return time === undefined
      ? undefined
      : { metric: shape.metric, labels: shape, value: text.slice(at, end), at: time }
  }

  /** Remembers how a line is made that `LineReader` could read. */
  learn(start: number, feed: number): void {
    if (feed - start > LONGEST_LINE || this.learned === MOST_LEARNED) return
    const head = usualHead.exec(this.piece.text.slice(start, feed))?.[0]
    if (head === undefined) return
    this.learned += 1
    this.shapes.unshift(new Shape(head, this.known))
    if (this.shapes.length > MOST_SHAPES) this.shapes.pop()
  }
}

const usualHead = /^[a-zA-Z_:][a-zA-Z0-9_:]*\{(?:[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\uFFFD]*",?)+\} (?! )/

/** The labels of the line that it was fitted to last. */
class Shape implements LineLabels {
  readonly metric: string
  private readonly names: readonly string[]
  private readonly columns: readonly Column[]
  private readonly places: ReadonlyMap<string, number>
  /** What stands before the first value: `metric{a="`. */
  private readonly first: string
  /** What stands behind each value: `",b="`, `"} `. */
  private readonly behind: readonly string[]
  /** Where the values are, from the start of the line. */
  private readonly starts: number[]
  private readonly ends: number[]
  /** The beginning of a line that goes on for many lines, up to a value, and how many values are in it. */
  private head = ''
  private alike = 0
  private looks = 0
  private valueSeen: readonly string[] = []
  private start = 0
  private piece: Piece = { text: '', bytes: undefined }
  /** How many lines it has fitted. */
  private row = 0

  /** @param head A line up to its value. Its quotes enclose values and nothing else. */
  constructor(head: string, known: KnownTexts) {
    const outside = head.split('"').filter((_, index) => index % 2 === 0)
    const last = outside.length - 1
    this.names = outside.slice(0, last).map((text) => internalized(/[a-zA-Z0-9_]+(?==$)/.exec(text)![0]))
    this.metric = internalized(head.slice(0, head.indexOf('{')))
    this.columns = this.names.map((name) => known.column(name))
    this.places = new Map(this.names.map((name, place) => [name, place]))
    this.first = copyOf(`${outside[0]}"`)
    this.behind = outside.slice(1).map((text, place) => copyOf(place === last - 1 ? `"${text}` : `"${text}"`))
    this.starts = this.names.map(() => 0)
    this.ends = this.names.map(() => 0)
  }

  /** Where the line's value begins; `undefined` if the line is made otherwise. It may lie behind the end of the line. */
  fit(piece: Piece, start: number): number | undefined {
    const { text } = piece
    const isLikeLast = this.alike > 0 && text.startsWith(this.head, start)
    if (!isLikeLast && !text.startsWith(this.first, start)) return undefined
    const from = isLikeLast ? this.alike : 0
    let at = start + (isLikeLast ? this.head.length : this.first.length)
    // From here on the places are those of this line.
    if (!isLikeLast) this.alike = 0
    for (let place = from; place < this.behind.length; place += 1) {
      const behind = this.behind[place]!
      const end = text.indexOf('"', at)
      if (end === -1 || !text.startsWith(behind, end)) return undefined
      this.starts[place] = at - start
      this.ends[place] = end - start
      at = end + behind.length
    }
    this.piece = piece
    this.start = start
    this.row += 1
    if (!isLikeLast && this.looks < MOST_LOOKS) this.lookForHead(text.slice(start, at))
    return at
  }

  /** Which labels at the beginning are the same as on the line that was looked at last, such as those of the domain. */
  private lookForHead(line: string): void {
    this.looks += 1
    const places = this.starts.findIndex((at, place) => line.slice(at, this.ends[place]) !== this.valueSeen[place])
    this.alike = places === -1 ? this.starts.length : places
    this.head = copyOf(line.slice(0, this.starts[this.alike]))
    this.valueSeen = this.starts.map((at, place) => copyOf(line.slice(at, this.ends[place])))
  }

  get(name: string): string | undefined {
    const place = this.places.get(name)
    if (place === undefined) return undefined
    // What many lines begin with is known without a look at each.
    if (place < this.alike) return this.valueSeen[place]
    const { row, piece, start } = this
    return this.columns[place]!.value(row, piece, start + this.starts[place]!, start + this.ends[place]!)
  }

  keys(): readonly string[] {
    return this.names
  }
}

/** The same text as the engine holds it for names of properties: to compare it with another such name takes no look at it. */
function internalized(text: string): string {
  return Object.keys({ [text]: true })[0]!
}

/** Where a character is next in a text, which is not looked through again for each line. */
class Next {
  private readonly char: string
  private text = ''
  private at = -1

  constructor(char: string) {
    this.char = char
  }

  open(text: string): void {
    this.text = text
    this.at = -1
  }

  from(start: number): number {
    if (this.at >= start) return this.at
    const found = this.text.indexOf(this.char, start)
    this.at = found === -1 ? Number.POSITIVE_INFINITY : found
    return this.at
  }
}

const [POINT, SMALL_E, PLUS, MINUS] = [46, 101, 43, 45]

/** Where a number such as `12`, `1.5` or `1.0047e+06` ends that begins at `at`; `at` if there is none. */
function endOfNumber(text: string, at: number): number {
  const whole = endOfDigits(text, at)
  if (whole === at) return at
  let end = text.charCodeAt(whole) === POINT ? endOfDigits(text, whole + 1) : whole
  if (text.charCodeAt(end) !== SMALL_E) return end
  const sign = text.charCodeAt(end + 1)
  const from = sign === PLUS || sign === MINUS ? end + 2 : end + 1
  end = endOfDigits(text, from)
  return end === from ? at : end
}

function endOfDigits(text: string, from: number): number {
  let at = from
  for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at)) at += 1
  return at
}
