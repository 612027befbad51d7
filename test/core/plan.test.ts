import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { add, compare, type Decimal, decimal, formatDecimal, multiply, zero } from '#src/core/decimals.ts'
import { costPerDay, costPerHour, howLong, type Machines, machinePerHour, wholeGrant } from '#src/core/plan.ts'
import { type PlannedKind, readPlans } from '../helpers/plans.ts'

const prices: Readonly<Record<string, string>> = { cpu: '1', ram: '0.3' }

function machinesOf({ count, sizes, weights, hours_per_day }: PlannedKind): Machines {
  const priced = Object.entries(sizes).map(([meter, amount]) => ({
    amount: decimal(amount),
    weight: decimal(weights[meter]!),
    perUnit: decimal(prices[meter]!),
  }))
  return { count: BigInt(count), perHour: machinePerHour(priced), hoursPerDay: decimal(hours_per_day) }
}

suite('a plan', () => {
  test.each(readPlans('planner.txt'))('for $row.what costs what the table says', ({ row, machines }) => {
    const kinds = machines.map(machinesOf)
    const credits = multiply(costPerDay(kinds), decimal(row.days!))
    const before = row.granted === '-' ? zero : decimal(row.granted!)
    const [hourly, daily] = [costPerHour(kinds), costPerDay(kinds)].map(formatDecimal)
    const grant = String(wholeGrant(add(before, credits)))
    expect({ hourly, daily, credits: formatDecimal(credits), grant }).toEqual({
      hourly: row.hourly,
      daily: row.daily,
      credits: row.credits,
      grant: row.grant,
    })
  })

  test.each(readPlans('planner-lasting.txt'))('for credits lasts so long: $row.what', ({ row, machines }) => {
    const lasting = howLong(machines.map(machinesOf), decimal(row.credits!))
    if (row.days === 'for ever') expect(lasting).toBeUndefined()
    else expect([lasting!.days, formatDecimal(lasting!.hours)]).toEqual([BigInt(row.days!), row.hours])
  })

  test('is never for less than no credits', () => {
    expect([wholeGrant(decimal('-0.5')), wholeGrant(decimal('-12')), wholeGrant(zero)]).toEqual([0n, 0n, 0n])
    expect(howLong([{ count: 1n, perHour: decimal('1'), hoursPerDay: decimal('8') }], decimal('-1'))).toEqual({
      days: 0n,
      hours: zero,
    })
  })

  test('does not say how long machines last that are given up', () => {
    const given = { count: -1n, perHour: decimal('1'), hoursPerDay: decimal('8') }
    expect(() => howLong([given], decimal('5'))).toThrow(RangeError)
  })
})

const positive = (max: number, scale: number) =>
  fc
    .tuple(fc.integer({ min: 1, max }), fc.integer({ min: 0, max: scale }))
    .map(([n, s]) => ({ digits: BigInt(n), scale: s }))
const kinds = fc.array(
  fc.record({
    count: fc.bigInt({ min: 1n, max: 1_000n }),
    perHour: positive(1_000_000, 6),
    hoursPerDay: fc.integer({ min: 0, max: 2_400 }).map((n): Decimal => ({ digits: BigInt(n), scale: 2 })),
  }),
  { minLength: 1, maxLength: 5 },
)

/** What runs from the beginning of a day for so many hours. */
function until(machines: readonly Machines[], hours: Decimal): Decimal {
  const cut = machines.map((each) => ({
    ...each,
    hoursPerDay: compare(each.hoursPerDay, hours) < 0 ? each.hoursPerDay : hours,
  }))
  return costPerDay(cut)
}

suite('whatever is planned', () => {
  test('the time that credits last costs no more than they are, and a hundredth of an hour longer costs more', () => {
    fc.assert(
      fc.property(kinds, positive(1_000_000_000, 6), (machines, credits) => {
        const lasting = howLong(machines, credits)
        if (lasting === undefined) {
          expect(compare(costPerDay(machines), zero)).toBe(0)
          return
        }
        const cost = (hours: Decimal) =>
          add(multiply(costPerDay(machines), { digits: lasting.days, scale: 0 }), until(machines, hours))
        expect(compare(cost(lasting.hours), credits)).toBeLessThanOrEqual(0)
        expect(compare(cost(add(lasting.hours, decimal('0.01'))), credits)).toBeGreaterThan(0)
      }),
    )
  })

  test('the grant for some days is enough for them, and one credit less is not', () => {
    fc.assert(
      fc.property(kinds, fc.bigInt({ min: 1n, max: 1_000n }), (machines, days) => {
        if (compare(costPerDay(machines), zero) === 0) return
        const grant = wholeGrant(multiply(costPerDay(machines), { digits: days, scale: 0 }))
        expect(howLong(machines, { digits: grant, scale: 0 })!.days).toBeGreaterThanOrEqual(days)
        expect(howLong(machines, { digits: grant - 1n, scale: 0 })!.days).toBeLessThan(days)
      }),
    )
  })
})
