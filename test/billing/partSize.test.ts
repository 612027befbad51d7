import { expect, suite, test } from 'vitest'
import { createPartSize, fixedPartSize } from '#src/billing/partSize.ts'

suite('The size of a part', () => {
  test('is what takes some 12 ms, as the last part shows', () => {
    const size = createPartSize()
    expect(size.next).toBe(200)
    size.took(200, 4)
    expect(size.next).toBe(600)
    size.took(600, 18)
    expect(size.next).toBe(400)
  })

  test('has limits, however fast or slow the disk is', () => {
    const size = createPartSize()
    size.took(200, 0)
    expect(size.next).toBe(2_000)
    size.took(2_000, 60_000)
    expect(size.next).toBe(200)
  })

  test('does not follow the rest of a delivery', () => {
    const size = createPartSize()
    size.took(199, 1)
    expect(size.next).toBe(200)
  })

  test('may be fixed', () => {
    const size = fixedPartSize(3)
    size.took(3, 1_000)
    expect(size.next).toBe(3)
  })
})
