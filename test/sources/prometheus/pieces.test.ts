import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { inPieces, type Piece } from '../../../src/sources/prometheus/pieces.ts'

async function piecesOf(body: Iterable<Uint8Array>): Promise<Piece[]> {
  return Array.fromAsync(inPieces(body))
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf])

suite('pieces of a body', () => {
  const parts = fc.array(
    fc.oneof(
      fc.constantFrom(Buffer.from('\n'), Buffer.from('\r\n'), Buffer.from('ü€😀'), BOM, Buffer.from([0xc3])),
      fc.uint8Array({ maxLength: 20 }),
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
    ),
  )

  test('are the text that all of it is, cut only behind line feeds, however it arrives', async () => {
    const property = fc.asyncProperty(parts, fc.array(fc.nat(30)), async (bytes, cuts) => {
      const whole = Buffer.concat(bytes)
      const pieces = await piecesOf(chunksOf(whole, cuts))
      expect(pieces.map(({ text }) => text).join('')).toBe(new TextDecoder().decode(whole))
      for (const { text } of pieces.slice(0, -1)) expect(text.endsWith('\n')).toBe(true)
      for (const { text, bytes: own } of pieces) if (own !== undefined) expect(own.toString('latin1')).toBe(text)
    })
    await fc.assert(property)
  })

  test('are short, unless a line is long', async () => {
    const line = `${'x'.repeat(999)}\n`
    const pieces = await piecesOf([Buffer.from(line.repeat(1_000)), Buffer.from(`${'y'.repeat(200_000)}\nz`)])
    expect(pieces.length).toBeGreaterThan(10)
    expect(pieces.map(({ text }) => text.length).filter((length) => length > 65_536)).toEqual([200_001])
    expect(pieces.at(-1)!.text).toBe('z')
  })
})

/** The same bytes in chunks of given lengths, one after another. */
function* chunksOf(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let at = 0
  for (const length of lengths) {
    yield bytes.subarray(at, at + length)
    at += length
  }
  yield bytes.subarray(at)
}
