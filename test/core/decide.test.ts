import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { CLOCK_TOLERANCE, type Decision, decide, type JumpReason, type SeriesState } from '#src/core/decide.ts'
import { add, compare, type Decimal, decimal, formatDecimal, subtract, zero } from '#src/core/decimals.ts'
import { withAccepted } from '#src/core/lines.ts'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import { cpu, reading, T0 } from '../helpers/billing.ts'

/** Feeds values, each so many minutes after the start, and tells what was decided about the last. */
function follow(
  points: readonly (readonly [minute: number, value: string, origin?: string])[],
  { jump, limit = '1000000' }: { jump?: JumpReason; limit?: string } = {},
) {
  const meter = { ...cpu, maxGrowthPerHour: decimal(limit) }
  let state: SeriesState | undefined
  let charged: Decimal = zero
  let decision: Decision | undefined
  for (const [minute, value, origin] of points) {
    const at = T0 + minute * MINUTE
    decision = decide(
      state,
      { ...reading({ project: 'alpha', at, value }), ...(origin !== undefined && { origin }) },
      { meter, now: at, jump },
    )
    if ('state' in decision) state = decision.state
    if (decision.kind === 'charged' || decision.kind === 'recovered') {
      charged = add(charged, subtract(decision.to.value, decision.from.value))
    }
  }
  return { decision: decision!, charged: formatDecimal(charged), state: state! }
}

/** One unit an hour, read each minute, until minute 60. */
const steady = Array.from(
  { length: 61 },
  (_, minute) => [minute, formatDecimal(decimal((100 + minute / 60).toFixed(6)))] as const,
)

suite('two exporters of one site', () => {
  // Each computes at its own times, so a scrape of one often tells of an earlier instant than the last of the other.
  test('charge a group exactly what the one that is ahead says', () => {
    const scrapes = fc.array(
      fc.record({
        gap: fc.integer({ min: 1, max: 120 }),
        lag: fc.integer({ min: 0, max: 300 }),
        origin: fc.constantFrom('one' as const, 'two' as const),
      }),
      { minLength: 2, maxLength: 60 },
    )
    fc.assert(
      fc.property(scrapes, fc.integer({ min: 1, max: 500 }), (list, pace) => {
        // Both have been there for an hour, so the pace of the series is known.
        const points: [number, string, string][] = [
          [-60, String(1_000_000 - 3_600 * pace), 'one'],
          [0, '1000000', 'one'],
        ]
        // When each of them computed what it says.
        const computed = { one: 0, two: 0 }
        let second = 0
        for (const { gap, lag, origin } of list) {
          second += gap
          computed[origin] = Math.max(computed[origin], second - lag)
          points.push([second / 60, String(1_000_000 + computed[origin] * pace), origin])
        }
        const ahead = Math.max(computed.one, computed.two)
        const { charged } = follow(points, { limit: '1e12' })
        expect(charged).toBe(String((3_600 + ahead) * pace))
      }),
    )
  })

  test('are not mistaken for each other: what stays lower for more than ten minutes fell, and what one of them says fell at once', () => {
    const start = [
      [0, '100', 'one'],
      [60, '160', 'one'],
    ] as const
    const kindOf = (minute: number, origin: string) => follow([...start, [minute, '155', origin]]).decision.kind
    expect([kindOf(65, 'two'), kindOf(71, 'two'), kindOf(65, 'one')]).toEqual(['stale', 'rebased', 'rebased'])
  })
})

suite('a reading', () => {
  test('that is the first charges nothing', () => {
    expect(follow([[0, '100']])).toMatchObject({ decision: { kind: 'opened' }, charged: '0' })
  })

  test('that grew charges the growth', () => {
    expect(
      follow([
        [0, '100'],
        [60, '112'],
      ]),
    ).toMatchObject({ decision: { kind: 'charged' }, charged: '12', state: { pace: 12 } })
  })

  test('with the same value is unchanged, also if it is written with other digits', () => {
    expect(
      follow([
        [0, '100'],
        [1, '1.000e2'],
      ]).decision.kind,
    ).toBe('unchanged')
  })

  test('that is repeated is stale, and in conflict if it says something else', () => {
    expect(
      follow([
        [0, '100'],
        [5, '101'],
        [5, '101'],
      ]).decision,
    ).toEqual({ kind: 'stale', conflict: false })
    expect(
      follow([
        [0, '100'],
        [5, '101'],
        [5, '102'],
      ]).decision,
    ).toEqual({ kind: 'stale', conflict: true })
  })

  // Two sums of the same doubles in another order differ in the last digit.
  test('that fell by less than the noise of a sum is unchanged, and the loss is not charged again', () => {
    const result = follow([
      [0, '251241.76000000001'],
      [1, '251241.75999999998'],
      [2, '251241.76000000002'],
    ])
    expect(result.charged).toBe('0.00000000001')
  })

  test('that fell to zero is rebased however large the value was', () => {
    for (const value of ['1', '1e308', '1e1000']) {
      expect(
        follow([
          [0, value],
          [1, '0'],
        ]).decision.kind,
        value,
      ).toBe('rebased')
    }
  })
})

suite('a fall', () => {
  test('charges nothing, and growth afterwards is charged from the new value', () => {
    expect(follow([...steady, [61, '50']])).toMatchObject({ decision: { kind: 'rebased' }, charged: '1' })
    expect(follow([...steady, [61, '50'], [121, '51']])).toMatchObject({ decision: { kind: 'charged' }, charged: '2' })
  })

  test('that comes back charges what exceeds the former height', () => {
    expect(follow([...steady, [61, '50'], [62, '101.04']])).toMatchObject({
      decision: { kind: 'recovered' },
      charged: '1.04',
    })
  })

  test('that comes back to the same height charges nothing', () => {
    expect(
      follow([
        [0, '110'],
        [1, '50'],
        [2, '110'],
      ]),
    ).toMatchObject({ decision: { kind: 'recovered' }, charged: '0' })
  })

  test('of a series without a pace may come back a little higher than it was: by a twentieth of its fall', () => {
    const back = (value: string) =>
      follow([
        [0, '110'],
        [1, '50'],
        [2, value],
      ])
    expect(back('113')).toMatchObject({ decision: { kind: 'recovered' }, charged: '3' })
    expect(back('113.1')).toMatchObject({ decision: { kind: 'held', reason: 'unclear after a fall' }, charged: '0' })
  })

  test('that comes back charges less by what was charged in between', () => {
    const dip = follow([...steady, [61, '50'], [91, '50.5'], [121, '102']])
    expect(dip).toMatchObject({ decision: { kind: 'recovered' }, charged: '2' })
  })

  test('in several steps is one fall', () => {
    expect(follow([...steady, [61, '80'], [62, '40'], [63, '20'], [64, '101.06']])).toMatchObject({ charged: '1.06' })
  })

  test('that comes back much higher than the old pace explains is held', () => {
    const back = follow([...steady, [61, '50'], [62, '140']])
    expect(back).toMatchObject({ decision: { kind: 'held', reason: 'unclear after a fall' }, charged: '1' })
  })

  test('for good is forgotten when the series passes its former height at its own pace', () => {
    const after = Array.from({ length: 61 }, (_, hour) => [61 + 60 * hour, String(50 + hour)] as const)
    const gone = follow([...steady, ...after])
    expect(gone).toMatchObject({ decision: { kind: 'charged' }, charged: '61' })
    expect(gone.state).not.toHaveProperty('formerLines')
  })

  test('is forgotten after 30 days', () => {
    const late = 61 + (30 * DAY) / MINUTE
    expect(follow([...steady, [61, '50'], [late + 2, '101']])).toMatchObject({
      decision: { kind: 'charged' },
      charged: '52',
    })
  })

  // A machine was deleted for good; days later an error of the cloud drops others for a minute.
  test('is remembered beside an older one', () => {
    const deleted = Array.from({ length: 121 }, (_, index) => [61 + index, (60 + index / 60).toFixed(6)] as const)
    const both = follow([...steady, ...deleted, [182, '20'], [183, '62.05']])
    expect(both).toMatchObject({ decision: { kind: 'recovered' }, charged: '3.05' })
    expect(both.state.formerLines).toHaveLength(1)
    const all = follow([...steady, ...deleted, [182, '20'], [183, '62.05'], [184, '103.1']])
    expect(all).toMatchObject({ decision: { kind: 'recovered' }, charged: '3.1' })
    expect(all.state).not.toHaveProperty('formerLines')
  })

  test('after fall is remembered eight times at most', () => {
    const falls = Array.from({ length: 40 }, (_, index) => [index, String(1_000 - index)] as const)
    expect(follow(falls).state.formerLines).toHaveLength(8)
  })
})

suite('below a line it left, a series', () => {
  test('is charged nothing for machines that come back one after another', () => {
    expect(
      follow([
        [0, '110'],
        [1, '20'],
        [2, '50'],
        [3, '110'],
      ]),
    ).toMatchObject({ decision: { kind: 'recovered' }, charged: '0' })
    const part = follow([...steady, [61, '20'], [62, '50']])
    expect(part).toMatchObject({ decision: { kind: 'held', reason: 'unclear after a fall' }, charged: '1' })
  })

  test('is charged for growth at its pace', () => {
    expect(follow([...steady, [61, '50'], [62, '50.01'], [122, '51']])).toMatchObject({ charged: '2' })
  })

  test('may grow as fast as before the fall', () => {
    const slow = Array.from({ length: 60 }, (_, minute) => [62 + minute, (50 + minute / 600).toFixed(6)] as const)
    expect(follow([...steady, [61, '50'], ...slow, [181, '51.0']])).toMatchObject({ decision: { kind: 'charged' } })
  })

  test('is charged for machines it starts, once they went on for some steps', () => {
    const busy = Array.from({ length: 10 }, (_, minute) => [62 + minute, String(50 + minute + 1)] as const)
    const kinds = busy.map((_, index) => follow([...steady, [61, '50'], ...busy.slice(0, index + 1)]).decision.kind)
    expect(kinds.slice(0, 4)).toEqual(['held', 'held', 'held', 'held'])
    expect(kinds.slice(4)).toEqual(Array(6).fill('charged'))
  })

  test('remembers the highest line whatever it leaves after it', () => {
    const falls = Array.from({ length: 40 }, (_, index) => [61 + index, String(90 - index)] as const)
    const back = follow([...steady, ...falls, [102, '101.5']])
    expect(back).toMatchObject({ decision: { kind: 'recovered' }, charged: '1.5' })
  })
})

suite('growth that was accepted', () => {
  const at = (minute: number) => T0 + minute * MINUTE
  const line = (minute: number, value: string) => ({
    at: at(minute),
    value: decimal(value),
    pace: 1,
    charged: decimal('2'),
  })

  test('counts for every line the series had left by then, and for none it left later', () => {
    const state = {
      watermark: { at: at(90), value: decimal('80') },
      pace: 1,
      formerLines: [line(0, '200'), line(10, '110'), line(60, '85')],
    }
    const after = withAccepted(state, {
      from: { at: at(20), value: decimal('50') },
      to: { at: at(40), value: decimal('80') },
    })
    expect(after.formerLines!.map(({ charged }) => formatDecimal(charged))).toEqual(['32', '32', '2'])
  })

  test('counts for lines within it what came after them', () => {
    const state: SeriesState = {
      watermark: { at: at(60), value: decimal('90') },
      pace: 1,
      formerLines: [line(20, '50'), line(30, '55'), line(40, '60'), line(50, '80')],
    }
    const after = withAccepted(state, {
      from: { at: at(20), value: decimal('50') },
      to: { at: at(50), value: decimal('80') },
    })
    expect(after.formerLines!.map(({ charged }) => formatDecimal(charged))).toEqual(['32', '27', '22', '2'])
  })
})

suite('another unit', () => {
  const before: SeriesState = { watermark: { at: T0, value: decimal('400') }, pace: 4 }
  const decided = (state: SeriesState | undefined, hour: number, value: string, rest = {}) =>
    decide(state, reading({ project: 'alpha', at: T0 + hour * HOUR, value }), { meter: cpu, now: T0 + DAY, ...rest })
  const switched = decided(before, 1, '413696', { jump: 'unit switched' })
  const stateOf = (decision: Decision) => ('state' in decision ? decision.state : undefined)

  test('is held from the jump on, while the hold is open', () => {
    expect(switched).toMatchObject({ kind: 'held', reason: 'unit switched' })
    const next = decided(stateOf(switched), 2, '417792', { isUnitHeld: true })
    expect(next).toMatchObject({
      kind: 'held',
      reason: 'unit switched',
      state: { formerLines: [{ isOtherUnit: true }] },
    })
    expect(decided(stateOf(next), 3, '421888').kind).toBe('charged')
  })

  test('ends with the old unit: charged is what was consumed meanwhile', () => {
    const back = decided(stateOf(switched), 3, '412', { isUnitHeld: true, isUnitBack: true })
    expect(back).toMatchObject({ kind: 'recovered', from: { value: decimal('400') }, to: { value: decimal('412') } })
  })

  test('is what a series comes to late that was absent at the jump, while the hold is open', () => {
    const late = decided(before, 3, '413696', { isUnitHeld: true })
    expect(late).toMatchObject({
      kind: 'held',
      reason: 'unit switched',
      state: { formerLines: [{ isOtherUnit: true }] },
    })
    expect(decided(before, 3, '800', { isUnitHeld: true }).kind).toBe('charged')
    expect(decided(before, 3, '413696').kind).toBe('charged')
  })

  test('is where a series begins that is new while the hold is open', () => {
    const opened = decided(undefined, 1, '1024', { isUnitHeld: true })
    expect(decided(stateOf(opened), 2, '2048', { isUnitHeld: true }).kind).toBe('held')
    const back = decided(stateOf(opened), 2, '1.5', { isUnitHeld: true, isUnitBack: true })
    expect(back.kind).toBe('rebased')
    expect(stateOf(back)).not.toHaveProperty('formerLines')
  })
})

suite('held', () => {
  test('is growth beyond the limit of the meter, which allows for an exporter that computes seldom', () => {
    const limit = '600'
    expect(
      follow(
        [
          [0, '0'],
          [60, '700'],
        ],
        { limit },
      ),
    ).toMatchObject({ decision: { kind: 'charged' } })
    expect(
      follow(
        [
          [0, '0'],
          [60, '700.1'],
        ],
        { limit },
      ),
    ).toMatchObject({ decision: { kind: 'held', reason: 'implausible growth' }, charged: '0' })
  })

  test('growth is not charged, the growth after it is', () => {
    expect(
      follow(
        [
          [0, '0'],
          [60, '9000'],
          [120, '9001'],
        ],
        { limit: '600' },
      ),
    ).toMatchObject({ decision: { kind: 'charged' }, charged: '1' })
  })

  test('growth that is taken back leaves no trace', () => {
    const spike = follow(
      [
        [0, '100'],
        [60, '101'],
        [61, '9000'],
        [62, '101.05'],
      ],
      { limit: '600' },
    )
    expect(spike).toMatchObject({ decision: { kind: 'recovered' }, charged: '1.05' })
  })

  test('is growth of a series whose site jumped', () => {
    expect(
      follow(
        [
          [0, '100'],
          [60, '200'],
        ],
        { jump: 'site jump' },
      ).decision,
    ).toMatchObject({ kind: 'held', reason: 'site jump' })
    expect(
      follow(
        [
          [0, '100'],
          [60, '90'],
        ],
        { jump: 'site jump' },
      ).decision.kind,
    ).toBe('rebased')
  })

  test('is a reading from the future, and the watermark stays', () => {
    const state: SeriesState = { watermark: { at: T0, value: decimal('100') }, pace: 1 }
    const future = (at: number) =>
      decide(state, reading({ project: 'alpha', at, value: '101' }), { meter: cpu, now: T0 })
    expect(future(T0 + CLOCK_TOLERANCE).kind).toBe('charged')
    expect(future(T0 + CLOCK_TOLERANCE + 1)).toMatchObject({ kind: 'held', reason: 'clock ahead', state })
    const first = reading({ project: 'alpha', at: T0 + HOUR, value: '101' })
    expect(decide(undefined, first, { meter: cpu, now: T0 })).toMatchObject({ kind: 'held', reason: 'clock ahead' })
  })
})

const value = fc
  .tuple(fc.nat({ max: 10_000 }), fc.integer({ min: 0, max: 3 }))
  .map(([digits, scale]) => formatDecimal({ digits: BigInt(digits), scale }))
const walk = fc.array(fc.tuple(fc.integer({ min: -10, max: 3_000 }), value), { maxLength: 40 })

suite('whatever an exporter shows', () => {
  test('charged growth lies below the reading and is never negative, and the watermark never goes back', () => {
    fc.assert(
      fc.property(walk, (steps) => {
        let state: SeriesState | undefined
        let at = T0
        for (const [minutes, text] of steps) {
          at += minutes * MINUTE
          const decision = decide(state, reading({ project: 'alpha', at, value: text }), { meter: cpu, now: at })
          if (!('state' in decision)) continue
          if (decision.kind === 'charged' || decision.kind === 'recovered') {
            expect(compare(decision.from.value, decision.to.value)).toBeLessThanOrEqual(0)
            expect(compare(decision.to.value, decimal(text))).toBe(0)
            expect(decision.from.at).toBe(state!.watermark.at)
          }
          expect(decision.state.watermark.at).toBeGreaterThanOrEqual(state?.watermark.at ?? 0)
          expect(Number.isFinite(decision.state.pace)).toBe(true)
          state = decision.state
        }
      }),
    )
  })

  test('a series that only falls is charged nothing', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 30 }), (values) => {
        const falling = values.sort((a, b) => b - a).map((each, minute) => [minute, String(each)] as const)
        expect(follow(falling).charged).toBe('0')
      }),
    )
  })

  // Machines A and B run at a steady pace; an error drops B from the sum for a while, and it comes back.
  test('a dip that comes back is charged exactly the net growth', () => {
    const pace = fc.integer({ min: 1, max: 50 })
    const total = fc.integer({ min: 1_000, max: 1_000_000 })
    fc.assert(
      fc.property(total, total, pace, pace, fc.integer({ min: 1, max: 60 }), (a, b, paceA, paceB, dip) => {
        // The totals are far larger than what is consumed in a dip, as in a site that has run for some time.
        const sum = (minute: number, isWithB: boolean) => {
          const micros =
            BigInt(a + (isWithB ? b : 0)) * 600_000n + BigInt(minute * (paceA + (isWithB ? paceB : 0))) * 10_000n
          return formatDecimal({ digits: micros, scale: 6 })
        }
        const minutes = Array.from({ length: 181 }, (_, minute) => minute)
        const points = minutes.map((minute) => [minute, sum(minute, minute < 90 || minute >= 90 + dip)] as const)
        const net = subtract(decimal(sum(180, true)), decimal(sum(0, true)))
        expect(follow(points).charged).toBe(formatDecimal(net))
      }),
    )
  })

  // An error drops some machines from the sum, and they come back one after another, in any order, or never.
  test('machines that come back into the sum in pieces are never charged more than was consumed', () => {
    const machine = fc.record({
      history: fc.integer({ min: 1_000, max: 100_000 }),
      pace: fc.integer({ min: 1, max: 20 }),
      backAt: fc.option(fc.integer({ min: 95, max: 170 }), { nil: 1_000 }),
    })
    fc.assert(
      fc.property(fc.array(machine, { minLength: 2, maxLength: 8 }), (machines) => {
        const micros = (minute: number, isShown: (backAt: number) => boolean) =>
          machines.reduce((sum, { history, pace, backAt }, index) => {
            if (index > 0 && !isShown(backAt)) return sum
            return sum + BigInt(history) * 600_000n + BigInt(minute * pace) * 10_000n
          }, 0n)
        const text = (digits: bigint) => formatDecimal({ digits, scale: 6 })
        const minutes = Array.from({ length: 181 }, (_, minute) => minute)
        const points = minutes.map(
          (minute) => [minute, text(micros(minute, (backAt) => minute < 90 || minute >= backAt))] as const,
        )
        const consumed = decimal(text(micros(180, () => true) - micros(0, () => true)))
        expect(compare(decimal(follow(points).charged), consumed)).toBeLessThanOrEqual(0)
      }),
    )
  })
})

suite('a watermark that is later than our clock allows', () => {
  const watermark = { at: T0 + DAY, value: decimal('100') }
  const state: SeriesState = { watermark, pace: 1, formerLines: [{ ...watermark, pace: 1, charged: zero }] }
  const now = T0
  const ofNow = (value: string) => ({ ...reading({ project: 'alpha', at: T0, value }), isOfNow: true })

  test.each(['99', '100', '107'])('counts as of now once a reading of now shows it: %s', (value) => {
    expect(decide(state, ofNow(value), { meter: cpu, now })).toEqual({
      kind: 'redated',
      from: watermark,
      to: { at: now, value: decimal('100') },
      state: {
        watermark: { at: now, value: decimal('100') },
        pace: 1,
        formerLines: [{ at: now, value: decimal('100'), pace: 1, charged: zero }],
      },
    })
  })

  test('has the growth since charged with the next reading, once', () => {
    const first = decide(state, ofNow('107'), { meter: cpu, now })
    const later = { ...ofNow('108'), at: T0 + MINUTE }
    expect(first.kind).toBe('redated')
    if (first.kind !== 'redated') return
    const second = decide(first.state, later, { meter: cpu, now: T0 + MINUTE })
    expect(second).toMatchObject({ kind: 'charged', from: { value: decimal('100') }, to: { value: decimal('108') } })
  })

  // Old readings that are delivered again while our clock is behind say nothing about the watermark.
  test('stays where it is when a reading brings its own time, or lies within what clocks differ by', () => {
    const dated = reading({ project: 'alpha', at: T0, value: '107' })
    expect(decide(state, dated, { meter: cpu, now })).toEqual({ kind: 'outdated' })
    const near = { watermark: { ...watermark, at: T0 + CLOCK_TOLERANCE }, pace: 1 }
    expect(decide(near, ofNow('107'), { meter: cpu, now })).toEqual({ kind: 'stale', conflict: false })
  })
})
