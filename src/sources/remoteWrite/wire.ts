/**
 * Reads the wire format of Protocol Buffers: fields one after another, each with its number and one of four forms.
 *
 * Nothing is read beyond the end of a message, however long its parts say they are; a number has at most ten bytes.
 */
import { PushRefusal } from '../source.ts'

/** A message, or a part of one: from where to where it lies in the bytes. */
export interface Span {
  readonly start: number
  readonly end: number
}

const FORMS = { varint: 0, eightBytes: 1, span: 2, fourBytes: 5 } as const
export type Form = keyof typeof FORMS

export class WireReader {
  readonly bytes: Buffer
  /** Of the field that was read last. */
  field = 0
  private form = 0
  private at: number
  private readonly end: number

  constructor(bytes: Buffer, { start, end }: Span = { start: 0, end: bytes.length }) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** Goes to the next field. Its value has to be read or passed over before the one after it. */
  next(): boolean {
    if (this.at === this.end) return false
    const tag = this.varint()
    this.field = Math.floor(tag / 8)
    this.form = tag % 8
    if (this.field < 1 || this.field > 0x1fff_ffff) throw broken(`there is no field ${this.field}`)
    return true
  }

  /** Whether the field is this one. A known field in another form than its own is an error. */
  is(field: number, form: Form): boolean {
    if (this.field !== field) return false
    if (this.form !== FORMS[form]) throw broken(`field ${field} has another form than its own`)
    return true
  }

  /** The same for a list of numbers, which may stand together or one by one. */
  isSpan(): boolean {
    return this.form === FORMS.span
  }

  skip(): void {
    if (this.form === FORMS.varint) this.varint()
    else if (this.form === FORMS.eightBytes) this.advance(8)
    else if (this.form === FORMS.span) this.span()
    else if (this.form === FORMS.fourBytes) this.advance(4)
    else throw broken(`there is no form ${this.form}`)
  }

  span(): Span {
    const length = this.varint()
    const start = this.at
    this.advance(length)
    return { start, end: this.at }
  }

  /** Where the eight bytes of a double are. */
  double(): number {
    const start = this.at
    this.advance(8)
    return start
  }

  /** Not below zero; exact up to 2^53, which is more than any length or index may be. */
  varint(): number {
    let value = 0
    for (let index = 0; index < 10; index += 1) {
      if (this.at >= this.end) throw broken('it ends within a number')
      const byte = this.bytes[this.at]!
      this.at += 1
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw broken('a number has more than ten bytes')
  }

  /** A whole number that may be below zero; exact up to 2^53. */
  int64(): number {
    const start = this.at
    const value = this.varint()
    if (value < 2 ** 53) return value
    let exact = 0n
    for (let at = this.at - 1; at >= start; at -= 1) exact = (exact << 7n) | BigInt(this.bytes[at]! & 0x7f)
    return Number(BigInt.asIntN(64, exact))
  }

  get isAtEnd(): boolean {
    return this.at === this.end
  }

  private advance(bytes: number): void {
    if (bytes > this.end - this.at) throw broken('a part is longer than what holds it')
    this.at += bytes
  }
}

export function broken(why: string): PushRefusal {
  return new PushRefusal('malformed', `The body is no protobuf message of remote write: ${why}.`)
}
