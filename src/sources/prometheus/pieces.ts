/**
 * The body of an answer in pieces of whole lines, so that no more than a piece is in memory as a text, and other work has its
 * turn between two of them.
 */
import { isAscii } from 'node:buffer'

/** Some lines of an exposition. Only the last piece may end without a line feed. */
export interface Piece {
  readonly text: string
  /** The same as bytes, if each of them is a character. */
  readonly bytes: Buffer | undefined
}

/** Bytes. Some 500 lines of an exporter; half a millisecond of work. */
const PIECE = 65_536

const FEED = 10

/** @param body UTF-8. What is none is replaced by `U+FFFD`. */
export async function* inPieces(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Piece> {
  const decode = createDecoder()
  let begun: Buffer[] = []
  for await (const chunk of body) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    for (let end = endOfPiece(rest); end > 0; end = endOfPiece(rest)) {
      yield decode(joined(begun, rest.subarray(0, end)))
      begun = []
      rest = rest.subarray(end)
    }
    if (rest.length > 0) begun.push(rest)
  }
  if (begun.length > 0) yield decode(joined(begun))
}

/** Behind the last line feed of a piece, or the first one of what is longer; 0 if there is none. */
function endOfPiece(bytes: Buffer): number {
  const last = bytes.subarray(0, PIECE).lastIndexOf(FEED)
  return (last === -1 ? bytes.indexOf(FEED, PIECE) : last) + 1
}

function joined(begun: readonly Buffer[], last: Buffer = Buffer.alloc(0)): Buffer {
  return begun.length === 0 ? last : Buffer.concat([...begun, last])
}

function createDecoder(): (bytes: Buffer) => Piece {
  // Lines are cut where no character is, so each piece may be decoded by itself. Only the first may begin with a mark.
  const [first, others] = [new TextDecoder(), new TextDecoder('utf-8', { ignoreBOM: true })]
  let isFirst = true
  return (bytes) => {
    const decoder = isFirst ? first : others
    isFirst = false
    if (isAscii(bytes)) return { text: bytes.toString('latin1'), bytes }
    return { text: decoder.decode(bytes), bytes: undefined }
  }
}

/** A part of a text keeps all of the text in memory; a copy does not. */
export function copyOf(text: string): string {
  const encoding = text.isWellFormed() ? 'utf8' : 'utf16le'
  return Buffer.from(text, encoding).toString(encoding)
}
