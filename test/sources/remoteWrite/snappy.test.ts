import fc from 'fast-check'
import { compress } from 'snappyjs'
import { expect, suite, test } from 'vitest'
import { decompress } from '#src/sources/remoteWrite/snappy.ts'
import { PushRefusal } from '#src/sources/source.ts'
import { varint } from '../../helpers/pushes.ts'

const MOST = 1_000_000

function reasonOf(input: Uint8Array, most = MOST): string | undefined {
  try {
    decompress(input, most)
    return undefined
  } catch (error) {
    if (error instanceof PushRefusal) return error.reason
    throw error
  }
}

/** Bytes that repeat, as those of labels do. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.integer({ min: 1, max: 400 })), { maxLength: 12 })
  .map((parts) => Buffer.concat(parts.flatMap(([bytes, count]) => Array<Uint8Array>(count).fill(bytes))))

suite('decompress', () => {
  test('gives back what another program compressed', () => {
    fc.assert(
      fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 70_000 })), (bytes) => {
        expect(decompress(compress(bytes), 10 * MOST).equals(bytes)).toBe(true)
      }),
    )
  })

  // A package that fills up with zeros makes another total of a double that lost its last bytes.
  test('takes nothing that ends early, wherever', () => {
    fc.assert(
      fc.property(repetitive, fc.nat(), (bytes, at) => {
        fc.pre(bytes.length > 0)
        const whole = compress(bytes)
        expect(reasonOf(whole.subarray(0, at % whole.length), 10 * MOST)).toBe('malformed')
      }),
    )
  })

  test('never fails in another way than by a refusal, and never gives more than was asked for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const reason = reasonOf(bytes)
        expect([undefined, 'malformed', 'too large']).toContain(reason)
        if (reason === undefined) expect(decompress(bytes, MOST).length).toBeLessThanOrEqual(MOST)
      }),
      { numRuns: 3_000 },
    )
  })

  test.each([
    ['nothing', Buffer.of(), 'malformed'],
    ['a length without an end', Buffer.of(255, 255, 255, 255, 255), 'malformed'],
    ['more than is allowed', Buffer.concat([varint(MOST + 1), Buffer.alloc(MOST)]), 'too large'],
    ['four gigabytes in ten bytes', Buffer.concat([varint(2 ** 32 - 1), Buffer.alloc(5)]), 'too large'],
    ['a megabyte in ten bytes', Buffer.concat([varint(MOST), Buffer.alloc(7)]), 'malformed'],
    ['more than it states', Buffer.of(1, 0, 65, 0, 65), 'malformed'],
    ['a copy of nothing', Buffer.of(5, 0, 65, 1, 0), 'malformed'],
    ['a copy of what lies before the beginning', Buffer.of(5, 0, 65, 1, 2), 'malformed'],
    ['a literal that is longer than the rest', Buffer.of(5, 16, 65), 'malformed'],
  ])('refuses %s', (_name, bytes, reason) => {
    expect(reasonOf(bytes)).toBe(reason)
  })

  test('takes a copy that repeats itself, and long distances', () => {
    expect(decompress(Buffer.of(5, 0, 65, 1, 1), MOST).toString()).toBe('AAAAA')
    expect(decompress(Buffer.of(4, 4, 65, 66, 6, 2, 0), MOST).toString()).toBe('ABAB')
    expect(decompress(Buffer.of(4, 4, 65, 66, 7, 2, 0, 0, 0), MOST).toString()).toBe('ABAB')
    expect(decompress(Buffer.of(2, 240, 1, 65, 66), MOST).toString()).toBe('AB')
  })
})
