import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createCutter } from '#src/publish/perun/elements.ts'

/** Pushes a text in pieces that end at these bytes; returns what was cut out of it, parsed. */
function cut(text: string, ends: readonly number[] = []): { elements: unknown[]; isWhole: boolean } {
  const elements: unknown[] = []
  const cutter = createCutter((element) => elements.push(JSON.parse(element.toString())))
  const bytes = Buffer.from(text)
  const borders = [0, ...ends.map((end) => end % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let index = 1; index < borders.length; index += 1)
    cutter.push(bytes.subarray(borders[index - 1], borders[index]))
  return { elements, isWhole: cutter.isWhole() }
}

/** Strings full of what could be taken for structure. */
const tricky = fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'a', 'ß', '日', '😀', '\n') })
const value = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 3 }, tricky, fc.integer(), fc.constant(null), tie('list'), tie('object')),
  list: fc.array(tie('any'), { maxLength: 3 }),
  object: fc.dictionary(tricky, tie('any'), { maxKeys: 4 }),
})).object
const borders = fc.array(fc.nat(10_000), { maxLength: 12 })

suite('the elements of a JSON array', () => {
  test('are the same however the network cuts its text', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), borders, fc.boolean(), (objects, ends, isIndented) => {
        const text = JSON.stringify(objects, null, isIndented ? 2 : 0)
        expect(cut(text, ends)).toEqual({ elements: JSON.parse(text), isWhole: true })
      }),
    )
  })

  test('are the same when each byte comes alone', () => {
    const text = JSON.stringify([
      { name: 'Gießen "\\" }{][', attributes: [{ value: { a: '日本' } }, []] },
      { name: '' },
    ])
    const everywhere = Array.from(Buffer.from(text), (_, index) => index)
    expect(cut(text, everywhere)).toEqual({ elements: JSON.parse(text), isWhole: true })
  })

  test('are whole with blanks around them', () => {
    expect(cut(' \r\n\t[ {"a":1} , {"a":2} ]\n ')).toEqual({ elements: [{ a: 1 }, { a: 2 }], isWhole: true })
    expect(cut('[]')).toEqual({ elements: [], isWhole: true })
  })

  test('are not whole wherever the text is cut short', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), fc.nat(10_000), (objects, length) => {
        const bytes = Buffer.from(JSON.stringify(objects))
        const cutter = createCutter(() => {})
        cutter.push(bytes.subarray(0, length % bytes.length))
        expect(cutter.isWhole()).toBe(false)
      }),
    )
  })

  // An empty site is believed: its groups count as not assigned. So nothing else may look like one.
  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['an empty object', '{}'],
    ['an error of Perun with status 200', '{"errorId":"1a","type":"InternalErrorException","message":"[no]"}'],
    ['a page with a style sheet', '<!doctype html><style>body { color: red }</style><p>Log in'],
    ['a page with a script', '<script>var a = []</script>'],
    ['an array that ends like an object', '[{"a":1}}'],
    ['an array after something else', '"x"[]'],
    ['an array with an error behind it', '[{"a":1}]{"errorId":"1a","type":"InternalErrorException"}'],
    ['two arrays', '[][]'],
    ['an array of null', '[null]'],
    ['an array of numbers', '[1,2]'],
    ['an array of texts', '["{}"]'],
    ['an array in an array that does not end', '[[{"a":1}]'],
  ])('are not found in %s', (_, text) => {
    expect(cut(text, [3, 7]).isWhole).toBe(false)
  })
})
