import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { type Decimal, decimal, formatDecimal } from '#src/core/decimals.ts'
import type { StoredSeries } from '#src/ledger/ledger.ts'
import { columnsOf, toStoredSeries } from '#src/ledger/seriesRows.ts'
import { createSeriesMemory } from '#src/ledger/sqlite/seriesMemory.ts'
import { reading, T0 } from '../helpers/billing.ts'

const url = { alphabet: 'base64url', omitPadding: true } as const
const hash = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((each) => each.toBase64(url)) },
  fc.string({ unit: fc.constantFrom(...'aZ09-_+/='), minLength: 40, maxLength: 44 }),
)
const instant = fc.integer({ min: 0, max: 8.64e15 })
/** With superfluous zeros now and then, as sums and products have them. */
const number = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.nat({ max: 20 }), fc.nat({ max: 3 }))
  .map(([digits, scale, zeros]): Decimal => ({ digits: digits * 10n ** BigInt(zeros), scale }))
const name = fc.option(fc.string({ minLength: 1 }), { nil: undefined })

const anyStored = fc
  .record({
    number: fc.integer({ min: 1, max: 5_000 }),
    watermark: fc.record({ at: instant, value: number, origin: name }),
    pace: fc.double({ min: 0, max: 1e12, noNaN: true }),
    stillSince: fc.option(instant, { nil: undefined }),
    isOnFormerLine: fc.boolean(),
    carry: number,
    head: fc.option(hash, { nil: '' }),
    openedBy: name,
    open: fc.option(
      fc.record({
        number: fc.integer({ min: 1, max: 2 ** 48 }),
        window: instant,
        priceVersion: fc.string(),
        base: hash,
      }),
      { nil: undefined },
    ),
  })
  .map(({ number, watermark, pace, stillSince, isOnFormerLine, carry, head, openedBy, open }): StoredSeries => {
    const { at, value, origin } = watermark
    const line = { at, value: decimal('1.5'), pace, charged: decimal('0') }
    return {
      number,
      state: {
        watermark: { at, value, ...(origin !== undefined && { origin }) },
        pace,
        ...(stillSince !== undefined && { stillSince }),
        ...(isOnFormerLine && { formerLines: [line] }),
      },
      carry,
      chain: { head, ...(open && { openBase: open.base }), ...(openedBy !== undefined && { openedBy }) },
      ...(open && { open: { number: open.number, window: open.window, priceVersion: open.priceVersion } }),
    }
  })

const startOf = (entry: number) => ({ at: entry, value: decimal('7') })

/** As it is read from the file. */
function fromFile(stored: StoredSeries): StoredSeries {
  const { number, state, carry, open, chain } = stored
  const { series } = reading({ project: 'alpha', at: T0, value: '1' })
  const [at, value, origin, left, pace, stillSince, formerLines] = columnsOf({
    ...{ series, state, carry, postings: [], closes: false },
  })
  return toStoredSeries(
    {
      ...{ id: number, at, value, origin, carry: left, pace, still_since: stillSince, former_lines: formerLines },
      open_number: open?.number ?? null,
      open_window: open?.window ?? null,
      open_price: open?.priceVersion ?? null,
      open_base: chain.openBase ?? null,
      head: chain.head,
      opened_by: chain.openedBy ?? null,
    },
    startOf,
  )
}

const plain: StoredSeries = {
  ...{ number: 7, state: { watermark: { at: T0, value: decimal('1.5') }, pace: 2 }, carry: decimal('0') },
  chain: { head: '' },
}

suite('What is remembered of series', () => {
  test('is what the file tells, whatever it is', () => {
    let remembered = 0
    fc.assert(
      fc.property(fc.array(anyStored, { maxLength: 20 }), (list) => {
        const memory = createSeriesMemory(startOf)
        for (const each of list) memory.put(each)
        for (const each of new Map(list.map((one) => [one.number, one])).values()) {
          const found = memory.get(each.number)
          if (found === undefined) continue
          expect(found).toEqual(fromFile(each))
          remembered += 1
        }
      }),
    )
    expect(remembered).toBeGreaterThan(0)
  })

  test('is not what does not fit: lines that were left, numbers of more digits, what is no hash', () => {
    const memory = createSeriesMemory(startOf)
    const large = decimal(`0.${'1'.repeat(30)}`)
    const line = { at: T0, value: decimal('9'), pace: 1, charged: decimal('0') }
    const others: StoredSeries[] = [
      { ...plain, state: { ...plain.state, formerLines: [line] } },
      { ...plain, state: { ...plain.state, watermark: { at: T0, value: large } } },
      { ...plain, carry: large },
      { ...plain, chain: { head: `${'x'.repeat(42)}!` } },
    ]
    for (const other of others) {
      memory.put(plain)
      expect(memory.get(7)).toEqual(plain)
      memory.put(other)
      expect(memory.get(7), formatDecimal(other.carry)).toBeUndefined()
    }
  })

  test('is nothing of what was never put, or dropped', () => {
    const memory = createSeriesMemory(startOf)
    memory.put(plain)
    expect([6, 8, 7_000].map((number) => memory.get(number))).toEqual([undefined, undefined, undefined])
    memory.drop(7)
    memory.drop(7_000)
    expect(memory.get(7)).toBeUndefined()
  })

  test('is nothing of a transaction that was rolled back', () => {
    const memory = createSeriesMemory(startOf)
    memory.put(plain)
    memory.keep()
    memory.put({ ...plain, number: 8 })
    memory.forget()
    expect(memory.get(7)).toEqual(plain)
    expect(memory.get(8)).toBeUndefined()
    memory.put({ ...plain, carry: decimal('0.5') })
    memory.forget()
    expect(memory.get(7)).toBeUndefined()
  })

  test('has names for so many exporters; of more it remembers nothing', () => {
    const memory = createSeriesMemory(startOf)
    const from = (origin: string) => ({
      ...plain,
      state: { ...plain.state, watermark: { ...plain.state.watermark, origin } },
    })
    for (let index = 0; index < 10_000; index += 1) memory.put(from(`exporter ${index}`))
    expect(memory.get(7)).toEqual(from('exporter 9999'))
    memory.put(from('one more'))
    expect(memory.get(7)).toBeUndefined()
    memory.put(from('exporter 0'))
    expect(memory.get(7)).toEqual(from('exporter 0'))
  })
})
