import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { add, compare, type Decimal, decimal, formatDecimal, multiply, subtract, zero } from '#src/core/decimals.ts'
import type { Meter } from '#src/core/meters.ts'
import { type Charge, rate, splitByPrice } from '#src/core/rating.ts'
import { HOUR } from '#src/core/time.ts'
import { cpu, ram, T0 } from '../helpers/billing.ts'

const million = decimal('1000000')

function priced(...prices: [from: number, perUnit: string][]): Meter {
  return {
    ...cpu,
    prices: prices.map(([from, perUnit]) => ({ version: `cpu@${from}`, from, perUnit: decimal(perUnit) })),
  }
}

function total(charges: readonly Charge[]): bigint {
  return charges.reduce((sum, { amount }) => sum + amount, 0n)
}

function sum(numbers: readonly Decimal[]): Decimal {
  return numbers.reduce(add, zero)
}

const quantity = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 22n }), fc.integer({ min: 0, max: 22 }))
  .map(([digits, scale]) => ({ digits, scale }))
const price = fc
  .tuple(fc.nat({ max: 10_000 }), fc.integer({ min: 0, max: 5 }))
  .map(([digits, scale]) => formatDecimal({ digits: BigInt(digits), scale }))

suite('a charge', () => {
  test('is what its own numbers say', () => {
    fc.assert(
      fc.property(quantity, price, price, fc.integer({ min: 1, max: 999 }), (consumption, before, after, change) => {
        const meter = priced([Number.NEGATIVE_INFINITY, before], [change, after])
        let carry = decimal('0.25')
        for (const each of rate(meter, { from: 0, to: 1_000, consumption }, carry)) {
          expect(each.carryIn).toEqual(carry)
          carry = each.carryOut
          const exact = add(multiply(multiply(each.consumption, each.price.perUnit), million), each.carryIn)
          expect(compare(add({ digits: each.amount, scale: 0 }, each.carryOut), exact)).toBe(0)
        }
      }),
    )
  })

  // A group pays the same however often its exporter was read in between.
  test('adds up over any number of readings in between', () => {
    const steps = fc.array(quantity, { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(steps, price, (consumptions, perUnit) => {
        const meter = priced([Number.NEGATIVE_INFINITY, perUnit])
        const [once] = rate(meter, { from: 0, to: HOUR, consumption: sum(consumptions) }, zero)
        let [paid, carry] = [0n, zero]
        for (const [index, consumption] of consumptions.entries()) {
          const [step] = rate(meter, { from: index, to: index + 1, consumption }, carry)
          ;[paid, carry] = [paid + step!.amount, step!.carryOut]
        }
        expect(paid).toBe(once!.amount)
        expect(compare(carry, once!.carryOut)).toBe(0)
      }),
    )
  })

  // The old service rounded each step and charged a machine with one vCPU 1.20 times at 15 s scrapes.
  test('of one vCPU that is read every 15 s is one credit after an hour', () => {
    let [paid, carry] = [0n, zero]
    for (let second = 0; second < 3_600; second += 15) {
      // The exporter writes doubles: 15/3600 has no end, so the readings are the doubles that it would show.
      const [before, after] = [decimal(String(second / 3_600)), decimal(String((second + 15) / 3_600))]
      const [step] = rate(cpu, { from: second, to: second + 15, consumption: subtract(after, before) }, carry)
      ;[paid, carry] = [paid + step!.amount, step!.carryOut]
    }
    expect(paid).toBe(1_000_000n)
  })

  test.each([
    { name: '1 vCPU and 2 GiB for an hour', vcpu: '1', gib: '2', micros: 1_600_000n },
    { name: '28 vCPU (weight 2) and 64 GiB (weight 2.5) for an hour', vcpu: '56', gib: '160', micros: 104_000_000n },
    { name: '392.8 vCPU·h and 1112 GiB·h', vcpu: '392.8', gib: '1112', micros: 726_400_000n },
  ])('for $name is the published one', ({ vcpu, gib, micros }) => {
    const period = { from: 0, to: HOUR }
    const charges = [
      ...rate(cpu, { ...period, consumption: decimal(vcpu) }, zero),
      ...rate(ram, { ...period, consumption: decimal(gib) }, zero),
    ]
    expect(total(charges)).toBe(micros)
  })
})

suite('a change of price', () => {
  test('splits a period in proportion to time', () => {
    const meter = priced([Number.NEGATIVE_INFINITY, '1'], [T0, '2'])
    const charges = rate(meter, { from: T0 - HOUR, to: T0 + 3 * HOUR, consumption: decimal('8') }, zero)
    expect(charges.map(({ from, to, amount, price: { version } }) => [from, to, amount, version])).toEqual([
      [T0 - HOUR, T0, 2_000_000n, 'cpu@-Infinity'],
      [T0, T0 + 3 * HOUR, 12_000_000n, `cpu@${T0}`],
    ])
  })

  test('at the very beginning or end of a period does not split it', () => {
    const meter = priced([Number.NEGATIVE_INFINITY, '1'], [T0, '2'])
    const price = (from: number, to: number) =>
      rate(meter, { from, to, consumption: decimal('1') }, zero).map((each) => each.price.version)
    expect(price(T0, T0 + HOUR)).toEqual([`cpu@${T0}`])
    expect(price(T0 - HOUR, T0)).toEqual(['cpu@-Infinity'])
  })

  test('loses nothing: the parts are adjacent and add up exactly', () => {
    const changes = fc.uniqueArray(fc.integer({ min: -5, max: 1_005 }), { maxLength: 6 })
    fc.assert(
      fc.property(quantity, changes, (consumption, instants) => {
        const later = instants.sort((a, b) => a - b).map((at): [number, string] => [at, `${at + 10}`])
        const parts = splitByPrice(priced([Number.NEGATIVE_INFINITY, '1'], ...later), {
          from: 0,
          to: 1_000,
          consumption,
        })
        expect(compare(sum(parts.map(({ usage }) => usage.consumption)), consumption)).toBe(0)
        expect(parts.map(({ usage }) => usage.from)).toEqual([0, ...instants.filter((at) => at > 0 && at < 1_000)])
        expect(parts.slice(1).map(({ usage }) => usage.from)).toEqual(parts.slice(0, -1).map(({ usage }) => usage.to))
        expect(parts.at(-1)!.usage.to).toBe(1_000)
        for (const { usage, price: valid } of parts) {
          expect(usage.consumption.digits).toBeGreaterThanOrEqual(0n)
          expect(valid.from).toBeLessThanOrEqual(usage.from)
        }
      }),
    )
  })
})
