/**
 * Text for terminals.
 *
 * Names of projects and messages of peers may hold anything. Written as they are, some characters move the cursor, change
 * colours or the title, or turn the direction of what follows, and one could make a line say something else than it does.
 * So every text from outside goes through `printable`.
 */

/** Controls, formats that turn the direction or show nothing, the two line separators, halves of characters. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]|(?![\u200c\u200d])\p{Cf}/gu

/** The text with each such character written as `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** The same for each line; where lines end stays as it is. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(printable).join('\n')
}

/** JSON that means the same and whose characters all show: what JSON itself leaves as it is becomes an escape of JSON. */
export function printableJson(text: string): string {
  return text.replace(/(?![\n\r\t ])[\p{Cc}\p{Zl}\p{Zp}\p{Cf}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const wide =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u
const plain = /^[ -~]*$/

/** How many columns a printable text takes. */
export function displayWidth(text: string): number {
  if (plain.test(text)) return text.length
  return graphemes(text).reduce((total, each) => total + widthOf(each), 0)
}

/** The beginning of a text that is too wide, with `…` for the rest. */
export function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let [kept, taken] = ['', 0]
  for (const each of graphemes(text)) {
    taken += widthOf(each)
    if (taken > width - 1) break
    kept += each
  }
  return `${kept}…`
}

function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function widthOf(grapheme: string): number {
  return wide.test(grapheme) ? 2 : 1
}
