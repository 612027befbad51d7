import Big from 'big.js'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import {
  add,
  approximate,
  compare,
  type Decimal,
  decimal,
  divideHalfEven,
  floor,
  formatDecimal,
  formatFixed,
  isNegative,
  isZero,
  multiply,
  parseDecimal,
  round,
  subtract,
} from '#src/core/decimals.ts'

Big.NE = -1e6
Big.PE = 1e6

/** Decimals as programs write them: any double, and long digit strings with an exponent. */
const text = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.integer({ min: -40, max: 40 }))
    .map(([digits, exponent]) => `${digits}e${exponent}`),
  fc.stringMatching(/^[+-]?\d{1,20}\.\d{1,30}$/),
)

/** What big.js makes of a text; it knows no leading plus. */
const big = (written: string) => new Big(written.replace(/^\+/, ''))
const same = (ours: Decimal, theirs: Big) => expect(formatDecimal(ours)).toBe(theirs.eq(0) ? '0' : theirs.toFixed())

suite('decimals agree with big.js about', () => {
  test('what a text means and how a number is written', () => {
    fc.assert(fc.property(text, (a) => void same(decimal(a), big(a))))
  })

  test('sums, differences and products', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        same(add(decimal(a), decimal(b)), big(a).plus(big(b)))
        same(subtract(decimal(a), decimal(b)), big(a).minus(big(b)))
        same(multiply(decimal(a), decimal(b)), big(a).times(big(b)))
      }),
    )
  })

  test('which number is more', () => {
    fc.assert(
      fc.property(
        text,
        text,
        (a, b) => void expect(Math.sign(compare(decimal(a), decimal(b)))).toBe(big(a).cmp(big(b))),
      ),
    )
    fc.assert(
      fc.property(text, (a) => void expect(compare(decimal(a), decimal(`${formatDecimal(decimal(a))}e0`))).toBe(0)),
    )
  })

  test('rounding half to even', () => {
    const halves = fc
      .tuple(fc.integer({ min: -1_000, max: 1_000 }), fc.integer({ min: 0, max: 5 }))
      .map(([n, places]) => `${n}.${'0'.repeat(places)}5`)
    fc.assert(
      fc.property(
        fc.oneof(text, halves),
        fc.integer({ min: 0, max: 8 }),
        (a, places) => void same(round(decimal(a), places), big(a).round(places, Big.roundHalfEven)),
      ),
    )
  })

  test('the whole number below', () => {
    fc.assert(
      fc.property(text, (a) => {
        const down = big(a).round(0, Big.roundDown)
        const expected = big(a).lt(down) ? down.minus(1) : down
        expect(floor(decimal(a))).toBe(BigInt(expected.toFixed()))
      }),
    )
  })
})

suite('parseDecimal', () => {
  test('takes the digits of the exporter as they are written', () => {
    expect(formatDecimal(decimal('1.0047221891027555e+06'))).toBe('1004722.1891027555')
  })

  test.each([
    ['.5', '0.5'],
    ['5.', '5'],
    ['+7', '7'],
    ['-0', '0'],
    ['-0.000', '0'],
    ['000012.50', '12.5'],
    ['1E3', '1000'],
    ['1e-3', '0.001'],
    ['12.5e1', '125'],
    ['100', '100'],
    ['100.00', '100'],
    ['5e-324', `0.${'0'.repeat(323)}5`],
  ])('reads %s as %s', (written, plain) => {
    expect(formatDecimal(decimal(written))).toBe(plain)
  })

  test.each([
    '',
    '.',
    '-',
    '+',
    'e5',
    '.e5',
    ' 1',
    '1 ',
    '1\n',
    '1,5',
    '1_000',
    '0x10',
    'NaN',
    'Inf',
    '+Inf',
    'Infinity',
    '--1',
    '1e',
    '1e5.0',
    '1e1101',
    '1e-1101',
    '1e999999',
    '١',
    '1'.repeat(1_201),
  ])('refuses %j', (written) => {
    expect(parseDecimal(written)).toBeUndefined()
    expect(() => decimal(written)).toThrow(RangeError)
  })

  test('keeps every digit, in whatever way a number is written', () => {
    const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^\\d{1,${maxLength}}$`))
    const exponent = fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'E+', 'e-'), fc.nat(1_100)))
    const number = fc.record({ sign: fc.constantFrom('', '+', '-'), whole: digits(24), fraction: digits(24), exponent })
    const property = fc.property(number, fc.nat(1), ({ sign, whole, fraction, exponent }, zeros) => {
      const written = `${sign}${whole}.${fraction}${exponent === null ? '' : `${exponent[0]}${'0'.repeat(zeros)}${exponent[1]}`}`
      const shift = exponent === null ? 0 : exponent[1] * (exponent[0].endsWith('-') ? -1 : 1)
      const scale = fraction.length - shift
      const all = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n)
      const expected = scale >= 0 ? { digits: all, scale } : { digits: all * 10n ** BigInt(-scale), scale: 0 }
      expect(parseDecimal(written)).toEqual(expected)
    })
    fc.assert(property, { numRuns: 2_000 })
    for (const text of [
      '9007199254740991',
      '9007199254740992',
      '9007199254740993',
      '900719925474099.3',
      '999999999999999999',
    ])
      expect(parseDecimal(text)?.digits).toBe(BigInt(text.replace('.', '')))
  })

  test('reads back what was formatted', () => {
    const number = fc.record({ digits: fc.bigInt(), scale: fc.integer({ min: 0, max: 60 }) })
    fc.assert(fc.property(number, (n) => void expect(compare(decimal(formatDecimal(n)), n)).toBe(0)))
    fc.assert(fc.property(number, (n) => void expect(decimal(formatFixed(n))).toEqual(n)))
  })
})

suite('the small ones', () => {
  test.each([
    [5n, 0n],
    [15n, 2n],
    [25n, 2n],
    [-5n, 0n],
    [-15n, -2n],
    [-25n, -2n],
    [14n, 1n],
    [16n, 2n],
    [-14n, -1n],
    [-16n, -2n],
  ])('%s ÷ 10 is %s, a tie goes to the even one', (numerator, expected) => {
    expect(divideHalfEven(numerator, 10n)).toBe(expected)
  })

  test('know zero and negative numbers', () => {
    expect([isZero(decimal('-0.00')), isZero(decimal('1e-9'))]).toEqual([true, false])
    expect([isNegative(decimal('-1e-9')), isNegative(decimal('-0'))]).toEqual([true, false])
  })

  test('approximate a double to about fifteen digits', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        (n) => void expect(Math.abs(approximate(decimal(String(n))) - n)).toBeLessThanOrEqual(Math.abs(n) * 1e-14),
      ),
    )
  })
})
