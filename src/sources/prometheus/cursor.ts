/**
 * A place in a line of text, and what is needed to move on from it: blanks, punctuation, words, quoted strings.
 *
 * A method that cannot move on notes what it had expected and returns `undefined` or `false`. Nothing is thrown: a large
 * text of nothing but errors would keep the program busy for minutes.
 */

// Sticky, and without a way to read the same characters twice: no text can make them slow.
const plainText = /[^"\\\n]*/y
const word = /[^ \t\n]+/y

const escapes: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' }

/** How much of the text an error message shows. */
export const SHOWN = 30

export class Cursor {
  private text = ''
  /** Whether the line ends with a line feed, and not where the text ends. */
  terminated = false
  private start = 0
  private at = 0
  private end = 0
  private expected = ''

  /**
   * Goes to the first character of a line of `text` that is not blank.
   *
   * @param feed Where the line's line feed is; -1 if the text ends without one.
   */
  open(text: string, start: number, feed: number): void {
    this.text = text
    this.terminated = feed !== -1
    const end = this.terminated ? feed : this.text.length
    this.start = start
    this.at = start
    this.end = end > start && this.text[end - 1] === '\r' ? end - 1 : end
    this.skipBlanks()
  }

  get atEnd(): boolean {
    return this.at >= this.end
  }

  /** Whether a blank or the end of the line lies before the cursor. */
  get afterBlank(): boolean {
    const before = this.text[this.at - 1]
    return before === ' ' || before === '\t' || this.atEnd
  }

  /** Whether the whole line is `content`. */
  holds(content: string): boolean {
    return this.end - this.start === content.length && this.text.startsWith(content, this.start)
  }

  sees(char: string): boolean {
    return this.at < this.end && this.text[this.at] === char
  }

  /** Passes over `char` and the blanks behind it, if it is there. */
  take(char: string): boolean {
    if (!this.sees(char)) return false
    this.at += 1
    this.skipBlanks()
    return true
  }

  /** What the sticky `pattern` reads, up to the end of the line at most. */
  match(pattern: RegExp, expected: string): string | undefined {
    const length = this.lengthOf(pattern)
    if (length === 0) return this.fail(expected)
    const matched = this.text.slice(this.at, this.at + length)
    this.at += length
    this.skipBlanks()
    return matched
  }

  /** All up to the next blank, if it is of the given form. */
  word(form: RegExp, expected: string): string | undefined {
    const length = this.lengthOf(word)
    const found = this.text.slice(this.at, this.at + length)
    if (!form.test(found)) return this.fail(expected)
    this.at += length
    this.skipBlanks()
    return found
  }

  /** A string in quotes, unescaped. A backslash that escapes nothing stands for itself. */
  quoted(expected: string): string | undefined {
    if (!this.sees('"')) return this.fail(expected)
    const from = this.at + 1
    let to = from + this.lengthOf(plainText, from)
    const escaped = this.text[to] === '\\'
    while (this.text[to] === '\\' && to + 1 < this.end) to += 2 + this.lengthOf(plainText, to + 2)
    if (to >= this.end || this.text[to] !== '"') return this.fail('a closing quote on this line')
    const raw = this.text.slice(from, to)
    // Decoding put this character where there was no UTF-8: different names would become the same.
    if (raw.includes('\uFFFD')) return this.fail('valid UTF-8')
    this.at = to + 1
    this.skipBlanks()
    return escaped ? raw.replace(/\\[\\"n]/g, (pair) => escapes[pair]!) : raw
  }

  fail(expected: string): undefined {
    this.expected = expected
    return undefined
  }

  /** Where and why reading stopped. */
  problem(): { column: number; message: string } {
    const found = this.atEnd
      ? 'the end of the line'
      : JSON.stringify(this.text.slice(this.at, this.end).slice(0, SHOWN))
    return { column: this.at - this.start + 1, message: `Expected ${this.expected}, got ${found}` }
  }

  private lengthOf(pattern: RegExp, from = this.at): number {
    pattern.lastIndex = from
    return pattern.test(this.text) ? Math.max(0, Math.min(pattern.lastIndex, this.end) - from) : 0
  }

  private skipBlanks(): void {
    while (this.at < this.end && (this.text[this.at] === ' ' || this.text[this.at] === '\t')) this.at += 1
  }
}
