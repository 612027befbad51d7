/**
 * Reads an exposition: Prometheus text 0.0.4 and OpenMetrics 1.0, piece by piece.
 *
 * Blanks are taken as generously as Prometheus text has them, and exemplars are passed over in both formats, because
 * proxies change the content type. Metadata (`# HELP`, `# TYPE`, `# UNIT`) is passed over too: what a metric means is
 * declared by the meters of this program, not by its peer.
 *
 * A bad line costs that line only. Lines about metrics that nobody wants are not looked at beyond their name, so nothing
 * is said about whether the rest of them is well-formed.
 */
import { KnownTexts } from './knownTexts.ts'
import { LineReader, type LineSample, type ParseOptions } from './lineReader.ts'
import { LineShapes } from './lineShapes.ts'
import { copyOf, type Piece } from './pieces.ts'

export type { Format } from './lineReader.ts'

export interface ParseError {
  /** Both count from 1; columns in UTF-16 units. */
  readonly line: number
  readonly column: number
  readonly message: string
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

/**
 * Handed each wanted sample with its line, in order.
 *
 * Its labels may be asked for until the function returns. Their texts may be kept; its value may be a view into the piece
 * that keeps all of it in memory.
 */
export type OnSample = (sample: LineSample, line: number) => void

/** Reads a text that is there as a whole. Never throws, whatever the text is. */
export function parseExposition(text: string, options: ParseOptions, onSample: OnSample): Exposition {
  const reader = new ExpositionReader(options, onSample)
  reader.read({ text, bytes: undefined })
  return reader.end()
}

export class ExpositionReader {
  private readonly options: ParseOptions
  private readonly onSample: OnSample
  private readonly lines: LineReader
  private readonly shapes: LineShapes
  private readonly errors: ParseError[] = []
  private samples = 0
  private skipped = 0
  private errorCount = 0
  private line = 0
  private isTerminated = true

  /** @param known What the same target has shown before. */
  constructor(options: ParseOptions, onSample: OnSample, known = new KnownTexts()) {
    this.options = options
    this.onSample = onSample
    this.lines = new LineReader(options)
    this.shapes = new LineShapes(options.format, known)
  }

  /** Never throws, but for what `onSample` throws. */
  read(piece: Piece): void {
    const { text } = piece
    this.shapes.open(piece)
    for (let start = 0; start < text.length; ) {
      const feed = text.indexOf('\n', start)
      this.line += 1
      this.readLine(text, start, feed)
      start = feed === -1 ? text.length : feed + 1
    }
    if (text !== '') this.isTerminated = text.endsWith('\n')
  }

  end(): Exposition {
    const { samples, skipped, errors, errorCount } = this
    const complete = this.options.format === 'openmetrics' ? this.lines.ended : this.isTerminated
    return { samples, skipped, errors, errorCount, complete }
  }

  private readLine(text: string, start: number, feed: number): void {
    // What comes after the end is no sample, however well it is made.
    const usual = this.lines.ended ? undefined : this.shapes.read(start, feed)
    if (usual !== undefined) {
      this.samples += 1
      this.onSample(usual, this.line)
      return
    }
    const result = this.lines.read(text, start, feed)
    if (result === undefined) {
      this.errorCount += 1
      if (this.errors.length < ERRORS_KEPT) this.errors.push({ line: this.line, ...this.lines.problem() })
    } else if (result === 'skipped') {
      this.skipped += 1
    } else if (result !== 'no sample') {
      this.shapes.learn(start, feed)
      this.samples += 1
      this.onSample(withCopies(result), this.line)
    }
  }
}

function withCopies({ labels, ...rest }: LineSample): LineSample {
  return { ...rest, labels: new Map([...labels.keys()].map((name) => [copyOf(name), copyOf(labels.get(name)!)])) }
}
