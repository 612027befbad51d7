/** Values and timestamps that no honest exporter writes, from the text of an answer to the ledger. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createIntake } from '#src/billing/intake.ts'
import { LARGEST_TOTAL } from '#src/core/credits.ts'
import { DAY, HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import type { Format } from '#src/sources/prometheus/exposition.ts'
import { readExposition } from '#src/sources/prometheus/scrape.ts'
import { meter, ram, silent, T0, testClock } from '../helpers/billing.ts'
import { audit } from '../ledger/contract/audit.ts'

const values = [
  '0',
  '-0',
  '1',
  '1.5e+03',
  '1e308',
  '1.7976931348623157e+308',
  '1e399',
  '1e400',
  '-1e308',
  '5e-324',
  '1e-400',
  '0.1',
  `0.${'3'.repeat(399)}`,
  `1${'0'.repeat(399)}`,
  `1${'0'.repeat(400)}`,
  '9'.repeat(5_000),
  '9223372036854775807',
  '9223372036854775808',
  '1e99999999999',
  'NaN',
  '+Inf',
  '-Inf',
  'Infinity',
  '0x10',
  '1_000',
  '1,5',
  '１２',
  '',
  '+',
  '.',
  'e5',
]

/** In the unit that the format has, or in another. */
const timestamps = [
  '',
  `${T0}`,
  `${T0 + HOUR}`,
  `${T0 / SECOND}`,
  `${T0 * 1_000}`,
  '0',
  '-1',
  '-62135596800000',
  '253402300800000',
  '8640000000000000',
  '-8640000000000000',
  '8640000000000001',
  '1e300',
  'NaN',
]

/** A project that behaves stands beside it in each delivery. */
async function setUp(price = '1') {
  const ledger = openSqliteLedger(':memory:')
  const clock = testClock(T0)
  const boundless = meter('cpu', 'project_vcpu_usage', 'vCPU·h', price, '1e15')
  const rules = {
    meters: new Map([boundless, ram].map((each) => [each.metric, each])),
    labels: new Map(),
    site: '8676',
  }
  const intake = createIntake({
    ledger,
    maxSeries: 1_000,
    meters: rules.meters,
    clock,
    logger: silent,
    onChanged: () => {},
  })
  return {
    ledger,
    clock,
    async scrape(lines: readonly string[], format: Format = 'text') {
      const end = format === 'openmetrics' ? '# EOF\n' : ''
      const text = [...lines.map((line) => `${line}\n`), end].join('')
      const { readings, rejected } = readExposition(text, format, { ...rules, at: clock.now() })
      await intake.take({ id: 'x', source: 'http://exporter/metrics', receivedAt: clock.now(), readings, rejected })
    },
    used: async (group: string) => (await ledger.account(group))?.used,
  }
}

const line = (project: string, value: string, at = '') =>
  `project_vcpu_usage{project_name="${project}"} ${value} ${at}`.trimEnd()

suite('numbers that nobody can have used', () => {
  test('never stop a delivery, charge nobody else, and leave a ledger that adds up', async () => {
    const step = fc.record({
      value: fc.oneof(fc.constantFrom(...values), fc.double().map(String)),
      at: fc.constantFrom(...timestamps),
      format: fc.constantFrom<Format>('text', 'openmetrics'),
      minutes: fc.integer({ min: 1, max: 90 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { ledger, clock, scrape, used } = await setUp()
        await scrape([line('good', '0')])
        let good = 0
        for (const { value, at, format, minutes } of steps) {
          clock.pass(minutes * MINUTE)
          good += minutes
          await scrape([line('a', value, at), line('good', `${good}`), line('z', value)], format)
        }
        expect(await used('good')).toBe(BigInt(good) * 1_000_000n)
        await audit(ledger)
        for (const group of ['a', 'z']) expect((await used(group)) ?? 0n).toBeLessThanOrEqual(LARGEST_TOTAL)
        for (const { group } of (await ledger.groups({ limit: 9 })).rows) {
          expect(await ledger.group(group)).toBeDefined()
          expect(await ledger.history(group, { from: 0, to: clock.now() + DAY, limit: 1_000 })).toBeDefined()
        }
        await ledger.close()
      }),
      { numRuns: 300 },
    )
  })

  test('are charged exactly as long as they are plausible, however many digits they have', async () => {
    const { ledger, clock, scrape, used } = await setUp()
    const whole = 10n ** 14n
    await scrape([line('p', `${whole}.${'0'.repeat(380)}1`)])
    clock.pass(HOUR)
    await scrape([line('p', `${whole + 5n}.${'0'.repeat(379)}2`)])
    expect(await used('p')).toBe(5_000_000n)
    await audit(ledger)
    await ledger.close()
  })

  test('fill no ledger at any price: the growth is held, and the group goes on from there', async () => {
    const { ledger, clock, scrape, used } = await setUp('999999999999999')
    await scrape([line('dear', '0'), line('good', '0')])
    clock.pass(HOUR)
    await scrape([line('dear', '1e14')])
    expect((await ledger.holds({ limit: 9 })).map(({ kind }) => kind)).toEqual(['implausible growth'])
    clock.pass(HOUR)
    await scrape([line('dear', '100000000000000.000000001')])
    expect(await used('dear')).toBe(999_999_999_999n)
    await audit(ledger)
    await ledger.close()
  })
})

suite('timestamps far away', () => {
  test.each<[string, string, Format]>([
    ['seconds where milliseconds are meant', `${(T0 + HOUR) / SECOND}`, 'text'],
    ['milliseconds where seconds are meant', `${T0 + HOUR}`, 'openmetrics'],
    ['the year 1', '-62135596800000', 'text'],
    ['the year 10000', '253402300800000', 'text'],
    ['the last instant there is', '8640000000000000', 'text'],
    ['the first instant there is', '-8640000000000000', 'text'],
    ['no instant at all', '8640000000000001', 'text'],
  ])('move nothing: %s', async (_, at, format) => {
    const { ledger, clock, scrape, used } = await setUp()
    await scrape([line('p', '100')])
    clock.pass(HOUR)
    for (const [project, value] of [
      ['p', '900'],
      ['new', '900'],
    ] as const) {
      await scrape([line(project, value, at)], format)
    }
    expect([await used('p'), await used('new')]).toEqual([0n, undefined])
    // What comes after it is charged as if it had not been there.
    clock.pass(HOUR)
    await scrape([line('p', '102'), line('new', '7')])
    clock.pass(HOUR)
    await scrape([line('p', '103'), line('new', '9')])
    expect([await used('p'), await used('new')]).toEqual([3_000_000n, 2_000_000n])
    expect(await ledger.holds({ limit: 9 })).toEqual([])
    await ledger.close()
  })
})
