/**
 * What a federating Prometheus brings: samples with times of their own, repeated until there are new ones, late, in any order.
 *
 * The law: of a stream of growing totals, what is charged is what it grew by from the oldest reading of the first delivery to
 * the newest of all, whatever the order, the repetitions and the partition into deliveries. The credits are the same, too,
 * unless the price changes within: then they are if the last reading before the change and the first one after it came before
 * anything later, because what lies between two readings that counted is spread evenly over their time.
 */
import Big from 'big.js'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import type { Outcome } from '#src/billing/biller.ts'
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { formatCredits } from '#src/core/credits.ts'
import { add, decimal, formatDecimal, subtract, zero } from '#src/core/decimals.ts'
import type { Meters } from '#src/core/meters.ts'
import type { Reading } from '#src/core/series.ts'
import { DAY, MINUTE } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { readExposition } from '#src/sources/prometheus/scrape.ts'
import type { Lateness } from '#src/sources/source.ts'
import { cpu, type Measured, meters, reading, silent, T0, testClock } from '../helpers/billing.ts'
import { chargesOf } from '../helpers/ledger.ts'
import { recordings } from '../helpers/recordings.ts'

interface Came {
  readonly used: string
  readonly consumption: string
  readonly outcomes: Partial<Record<Outcome, number>>
  readonly notes: number
  readonly lateness: readonly Lateness[]
}

function deliver(deliveries: readonly (readonly Measured[])[], charged: Meters = meters): Promise<Came> {
  return take(
    deliveries.map((measured) => measured.map(reading)),
    'alpha',
    charged,
  )
}

/** Records deliveries one after another, in a ledger of their own. */
async function take(
  deliveries: readonly (readonly Reading[])[],
  group: string,
  charged: Meters = meters,
): Promise<Came> {
  const ledger = openSqliteLedger(':memory:')
  const outcomes: Partial<Record<Outcome, number>> = {}
  const lateness: Lateness[] = []
  const intake = createIntake({
    ledger,
    maxSeries: 100,
    smallSites: 'charge',
    meters: charged,
    clock: testClock(T0 + 365 * DAY),
    logger: silent,
    onChanged: () => {},
    onBilled: (billed) => {
      for (const [name, count] of Object.entries(billed.outcomes) as [Outcome, number][])
        outcomes[name] = (outcomes[name] ?? 0) + count
    },
  })
  for (const readings of deliveries) {
    lateness.push(
      await intake.take({ id: 'scrape', source: 'portal', receivedAt: T0, readings, rejected: noRejections() }),
    )
  }
  const charges = await chargesOf(ledger, group)
  const consumption = charges.reduce((sum, { from, to }) => add(sum, subtract(to.value, from.value)), zero)
  const notes = (await ledger.notes(group, 99)).filter(({ kind }) => kind === 'conflict').length
  const used = formatCredits((await ledger.account(group))?.used ?? 0n)
  await ledger.close()
  return { used, consumption: formatDecimal(consumption), outcomes, notes, lateness }
}

/** A stream of totals in thousandths that only grow, each some minutes after the one before. */
const stream = fc
  .array(fc.record({ minutes: fc.integer({ min: 1, max: 40 }), growth: fc.integer({ min: 0, max: 5_000 }) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((steps) => {
    const points = [{ at: T0, thousandths: 10_000 }]
    for (const { minutes, growth } of steps) {
      const { at, thousandths } = points.at(-1)!
      points.push({ at: at + minutes * MINUTE, thousandths: thousandths + growth })
    }
    return points.map(({ at, thousandths }) => ({
      project: 'alpha',
      at,
      value: new Big(thousandths).div(1_000).toFixed(),
    }))
  })

/** A stream, and the numbers of the readings in each of some deliveries; each is in one of them at least. */
const delivered = stream.chain((readings) =>
  fc.record({
    readings: fc.constant(readings),
    deliveries: fc
      .array(fc.array(fc.nat({ max: readings.length - 1 }), { minLength: 1, maxLength: 6 }), {
        minLength: 1,
        maxLength: 8,
      })
      .chain((some) => {
        const missing = readings.map((_, index) => index).filter((index) => !some.flat().includes(index))
        return fc.shuffledSubarray(missing, { minLength: missing.length }).map((rest) => [...some, rest])
      }),
  }),
)

const options = { numRuns: 25 }

suite('a stream of growing totals', () => {
  test('is charged from the oldest reading of its first delivery to the newest of all, whatever the order', async () => {
    const run = async ({ readings, deliveries }: { readings: Measured[]; deliveries: number[][] }) => {
      const came = await deliver(deliveries.map((each) => each.map((index) => readings[index]!)))
      const oldest = readings[Math.min(...deliveries[0]!)]!
      expect(new Big(came.used).eq(new Big(readings.at(-1)!.value).minus(oldest.value))).toBe(true)
      expect(new Big(came.consumption).eq(came.used)).toBe(true)
      expect({ conflict: came.outcomes.conflict, held: came.outcomes.held, notes: came.notes }).toEqual({ notes: 0 })
    }
    await fc.assert(fc.asyncProperty(delivered, run), options)
  })

  // The first delivery is not asked to hold the beginning here: what came before it is late in both.
  test('is charged the same when all deliveries come again, in any order', async () => {
    const run = async ({ readings, deliveries }: { readings: Measured[]; deliveries: number[][] }) => {
      const once = deliveries.map((each) => each.map((index) => readings[index]!))
      const twice = await deliver([...once, ...once.toReversed()])
      expect(twice.used).toBe((await deliver(once)).used)
    }
    await fc.assert(fc.asyncProperty(delivered, run), options)
  })

  const changing = (at: number): Meters =>
    new Map([
      [
        cpu.metric,
        {
          ...cpu,
          prices: [
            { version: 'cpu@before', from: Number.NEGATIVE_INFINITY, perUnit: decimal('1') },
            { version: 'cpu@after', from: at, perUnit: decimal('7') },
          ],
        },
      ],
    ])

  test('has the same consumption charged over a change of price, and the same credits if both sides of it came in time', async () => {
    const run = async (
      { readings, deliveries }: { readings: Measured[]; deliveries: number[][] },
      part: number,
    ): Promise<void> => {
      const change = T0 + part * MINUTE
      const prices = changing(change)
      const inOrder = await deliver(
        readings.map((each) => [each]),
        prices,
      )
      const shuffled = [[readings[0]!], ...deliveries.map((each) => each.map((index) => readings[index]!))]
      expect((await deliver(shuffled, prices)).consumption).toBe(inOrder.consumption)
      const last = readings.findLast(({ at }) => at <= change)!
      const first = readings.find(({ at }) => at >= change)
      const around = [readings[0]!, last, ...(first === undefined ? [] : [first])]
      expect((await deliver([around, ...shuffled], prices)).used).toBe(inOrder.used)
    }
    await fc.assert(fc.asyncProperty(delivered, fc.nat({ max: 200 }), run), options)
  })

  test('tells its source how many readings were late, and how many outdated', async () => {
    const at = (minute: number, value: string): Measured => ({ project: 'alpha', at: T0 + minute * MINUTE, value })
    const { lateness, outcomes } = await deliver([
      [at(0, '1'), at(120, '3')],
      [at(120, '3'), at(119, '2.9'), at(60, '2'), at(59, '1.9'), at(0, '1'), at(121, '3.1')],
    ])
    expect(lateness).toEqual([
      { late: 0, outdated: 0 },
      { late: 2, outdated: 2 },
    ])
    expect(outcomes).toEqual({ opened: 1, charged: 2, stale: 1, late: 2, outdated: 2 })
  })
})

suite('what a real Prometheus federated', () => {
  const at = Date.parse('2026-11-22')
  // One project, until its exporter goes down.
  const recorded = recordings('prometheus', 'federate-site-a')
    .slice(0, 6)
    .map(({ text }) => readExposition(text, 'text', { meters, labels: new Map(), site: '8676', at }).readings)
  const project = recorded[0]![0]!.series.projectName

  test('is charged the same in any order, and however often it comes, after the first one', async () => {
    const inOrder = await take(recorded, project)
    expect(Number(inOrder.used)).toBeGreaterThan(0)
    const others = fc.array(fc.nat({ max: 5 }), { maxLength: 12 }).map((order) => [0, ...order, 5])
    const run = async (order: number[]) => {
      const came = await take(
        order.map((index) => recorded[index]!),
        project,
      )
      expect(came.used).toBe(inOrder.used)
      expect(came.notes).toBe(0)
    }
    await fc.assert(fc.asyncProperty(others, run), options)
  })
})
