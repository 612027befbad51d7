/** Numbers by texts outside of the heap: whatever is set and deleted, it answers as a `Map` does. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createNumbersByText, MOST } from '#src/ledger/sqlite/numbersByText.ts'

suite('Numbers by texts', () => {
  test('are those that a map would have', () => {
    const text = fc.integer({ min: 0, max: 40 }).map((number) => `text ${number}`)
    const step = fc.oneof(
      fc.record({ set: text, number: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(MOST)) }),
      fc.record({ delete: text }),
      fc.record({ get: text }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const numbers = createNumbersByText()
        const model = new Map<string, number>()
        for (const each of steps) {
          if ('set' in each) {
            numbers.set(each.set, each.number)
            model.set(each.set, each.number)
          } else if ('delete' in each) {
            numbers.delete(each.delete)
            model.delete(each.delete)
          } else expect(numbers.get(each.get)).toBe(model.get(each.get))
        }
        for (let number = 0; number <= 40; number += 1)
          expect(numbers.get(`text ${number}`)).toBe(model.get(`text ${number}`))
      }),
    )
  })

  test('are there for many texts, also when half of them were deleted and others came', () => {
    const count = 100_000
    const numbers = createNumbersByText()
    for (let number = 1; number <= count; number += 1) numbers.set(`first ${number}`, number)
    for (let number = 1; number <= count; number += 2) numbers.delete(`first ${number}`)
    for (let number = 1; number <= count; number += 1) numbers.set(`second ${number}`, number)
    let wrong = 0
    for (let number = 1; number <= count; number += 1) {
      if (numbers.get(`first ${number}`) !== (number % 2 === 0 ? number : undefined)) wrong += 1
      if (numbers.get(`second ${number}`) !== number) wrong += 1
      if (numbers.get(`third ${number}`) !== undefined) wrong += 1
    }
    expect(wrong).toBe(0)
  })

  test('are texts and numbers of any sort that a series may have', () => {
    const numbers = createNumbersByText()
    const texts = ['', ' ', '\0', 'ä', 'a\u0308', '👩🏽‍🚀', 'x'.repeat(100_000)]
    for (const [index, text] of texts.entries()) numbers.set(text, index + 1)
    expect(texts.map((text) => numbers.get(text))).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test.each([0, -1, 1.5, MOST + 1, Number.NaN])('cannot be %d', (number) => {
    expect(() => createNumbersByText().set('text', number)).toThrow(
      `Expected a number from 1 to 4294967294, got ${number}.`,
    )
  })
})
