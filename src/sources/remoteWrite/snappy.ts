/**
 * Decompresses the block format of Snappy, as remote write uses it.
 *
 * Strict where packages are lenient: bytes that the input does not give would be zeros, and a total whose last bytes are
 * zeros is another total. So the output is exactly as long as the input says, and every copy lies within it.
 */
import { tooLarge } from '../receiver.ts'
import { PushRefusal } from '../source.ts'

/** A copy takes at least three bytes to make 64: what states to be larger than this many times itself is lying. */
const LARGEST_RATIO = 22

/** @throws {PushRefusal} if it is broken, or larger than `most` bytes when decompressed. */
export function decompress(input: Uint8Array, most: number): Buffer {
  const { length, start } = statedLength(input)
  if (length > most) throw tooLarge(`at most ${most} bytes, decompressed,`)
  if (length > input.length * LARGEST_RATIO) throw broken('it states to be longer than it can be')
  const output = Buffer.allocUnsafe(length)
  let [from, to] = [start, 0]
  while (from < input.length) {
    const element = readElement(input, from)
    if (to + element.length > length) throw broken('it is longer than it states')
    if (element.offset === 0) output.set(input.subarray(element.next - element.length, element.next), to)
    else copyWithin(output, to, element)
    from = element.next
    to += element.length
  }
  if (to !== length) throw broken('it is shorter than it states')
  return output
}

interface Element {
  readonly length: number
  /** How far back in the output its bytes are; 0 if they stand in the input, before `next`. */
  readonly offset: number
  /** Where the next element begins. */
  readonly next: number
}

function readElement(input: Uint8Array, at: number): Element {
  const tag = input[at]!
  const kind = tag & 3
  if (kind === 0) return readLiteral(input, at, tag >> 2)
  const bytes = [0, 1, 2, 4][kind]!
  const low = number(input, at + 1, bytes)
  const offset = kind === 1 ? ((tag >> 5) << 8) | low : low
  const length = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
  if (offset === 0) throw broken('a copy is of nothing')
  return { length, offset, next: at + 1 + bytes }
}

function readLiteral(input: Uint8Array, at: number, code: number): Element {
  const bytes = Math.max(0, code - 59)
  const length = 1 + (bytes === 0 ? code : number(input, at + 1, bytes))
  const next = at + 1 + bytes + length
  if (next > input.length) throw broken('it ends within a literal')
  return { length, offset: 0, next }
}

/** What is copied may overlap what is written: then it repeats. */
function copyWithin(output: Buffer, to: number, { offset, length }: Element): void {
  if (offset > to) throw broken('a copy is of what lies before the beginning')
  if (offset >= length) output.copyWithin(to, to - offset, to - offset + length)
  else for (let index = 0; index < length; index += 1) output[to + index] = output[to + index - offset]!
}

/** Little-endian, of up to four bytes. */
function number(input: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > input.length) throw broken('it ends within an element')
  let value = 0
  for (let index = bytes - 1; index >= 0; index -= 1) value = value * 256 + input[at + index]!
  return value
}

/** The length before all elements, in up to five bytes of seven bits. */
function statedLength(input: Uint8Array): { length: number; start: number } {
  let length = 0
  for (let index = 0; index < 5 && index < input.length; index += 1) {
    const byte = input[index]!
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { length, start: index + 1 }
  }
  throw broken('it does not begin with a length')
}

function broken(why: string): PushRefusal {
  return new PushRefusal('malformed', `The body is no Snappy block: ${why}.`)
}
