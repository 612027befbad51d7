/**
 * The texts of labels, each in memory once.
 *
 * An exporter shows its projects in the same order in each of its metrics, and at each scrape. So what a label is in a row was
 * most likely seen in that row before: if it is compared and the same, the text that is there is taken, and no copy is made
 * of a million names that are known. Where the order is another one, nothing is lost but the comparison.
 *
 * Only texts are remembered, never what a line is made of: that is read anew from each line.
 */
import { copyOf, type Piece } from './pieces.ts'

/** What a label was in each row, as far as it was another text than in the row before. */
type Rows = (string | undefined)[]

/** Characters that are kept of a target between two scrapes: 200,000 projects with their ids. */
const MOST_KEPT = 16 * 1_024 * 1_024
/** What a label takes beside its texts, in characters. */
const OF_LABEL = 256

/** Of one target. */
export class KnownTexts {
  private before = new Map<string, Rows>()
  private now = new Map<string, Rows>()
  /** Characters that are in `now`. */
  private size = 0

  /** The scrape was a whole one: the next one finds its texts, and none of those before. */
  keep(): void {
    this.before = this.size > MOST_KEPT ? new Map() : this.now
    this.forget()
  }

  /** What a scrape brought that is not kept. */
  forget(): void {
    this.now = new Map()
    this.size = 0
  }

  /** A label in the lines of a metric. */
  column(label: string): Column {
    const rows = this.now.get(label) ?? []
    if (!this.now.has(label)) this.size += label.length + OF_LABEL
    this.now.set(label, rows)
    return new Column(rows, this.before.get(label) ?? [], (size) => {
      this.size += size
    })
  }
}

/** A label, from row to row. */
export class Column {
  private readonly now: Rows
  private readonly before: Rows
  private readonly count: (size: number) => void
  private last = ''

  constructor(now: Rows, before: Rows, count: (size: number) => void) {
    this.now = now
    this.before = before
    this.count = count
  }

  /** The text from `start` to `end` of the row, as one that keeps nothing else in memory. */
  value(row: number, { text, bytes }: Piece, start: number, end: number): string {
    const seen = this.now[row]
    const known = seen ?? this.before[row] ?? this.last
    const isKnown = known.length === end - start && text.startsWith(known, start)
    if (isKnown && (known === seen || known === this.last)) return known
    const value = isKnown ? known : copied(text, bytes, start, end)
    // A list with gaps would be a slow one. Rows that nobody asked about are as those before.
    while (this.now.length < row) this.now.push(undefined)
    this.now[row] = value
    this.last = value
    this.count(value.length)
    return value
  }
}

function copied(text: string, bytes: Buffer | undefined, start: number, end: number): string {
  return bytes === undefined ? copyOf(text.slice(start, end)) : bytes.toString('latin1', start, end)
}
