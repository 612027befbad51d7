import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { type Exposition, type Format, parseExposition } from '../../../src/sources/prometheus/exposition.ts'
import { type PlainSample, renderExposition } from '../../helpers/exposition.ts'

function parse(text: string, format: Format = 'text', wanted: (metric: string) => boolean = () => true) {
  const samples: PlainSample[] = []
  const exposition = parseExposition(text, { format, wanted }, ({ labels, ...sample }) => {
    samples.push({ ...sample, labels: [...labels.keys()].map((name) => [name, labels.get(name)!]) })
  })
  return { samples, exposition }
}

/** The only sample of one line: `metric{label=value,…} value at`, in a form that is easy to compare. */
function readLine(line: string, format: Format = 'text') {
  const { samples, exposition } = parse(format === 'openmetrics' ? `${line}\n# EOF\n` : `${line}\n`, format)
  expect(exposition.errors).toEqual([])
  expect(samples).toHaveLength(1)
  const { metric, labels, value, at } = samples[0]!
  return [metric, Object.fromEntries(labels), value, at]
}

function problemOf(text: string, format: Format = 'text'): string | undefined {
  const { exposition } = parse(text, format)
  expect(exposition.errorCount).toBe(exposition.errors.length)
  return exposition.errors.map(({ line, column, message }) => `${line}:${column} ${message}`)[0]
}

const fixtures = new URL('../../fixtures/', import.meta.url)

const recordings = ['exporter/', 'prometheus/'].flatMap((folder) =>
  readdirSync(new URL(folder, fixtures))
    .filter((name) => /\.(prom|txt)(\.gz)?$/.test(name))
    .map((name) => {
      const bytes = readFileSync(new URL(folder + name, fixtures))
      const text = new TextDecoder().decode(name.endsWith('.gz') ? gunzipSync(bytes) : bytes)
      const format: Format = text.endsWith('# EOF\n') ? 'openmetrics' : 'text'
      return { name, text, format }
    }),
)

suite('an exposition', () => {
  test.each<[string, ...unknown[]]>([
    ['up 1', 'up', {}, '1', undefined],
    ['up{} 1', 'up', {}, '1', undefined],
    ['up{a="b"} 1', 'up', { a: 'b' }, '1', undefined],
    ['up{a="b"}1', 'up', { a: 'b' }, '1', undefined],
    ['up{a="b",} 1', 'up', { a: 'b' }, '1', undefined],
    [' \t up \t{ a = "b" , c = "d" , } \t 1 \t 2 \t ', 'up', { a: 'b', c: 'd' }, '1', 2],
    ['up{a=""} 1', 'up', { a: '' }, '1', undefined],
    ['up{a="} 2, b=\'c\' # {"} 1', 'up', { a: "} 2, b='c' # {" }, '1', undefined],
    ['up{a="\\\\ \\" \\n \\t \\\\n"} 1', 'up', { a: '\\ " \n \\t \\n' }, '1', undefined],
    ['up{a="Gießen-日本-😀"} 1', 'up', { a: 'Gießen-日本-😀' }, '1', undefined],
    ['up{a="\ttab"} 1', 'up', { a: '\ttab' }, '1', undefined],
    ['_:a:1 1', '_:a:1', {}, '1', undefined],
    ['{"my.metric"} 1', 'my.metric', {}, '1', undefined],
    ['{"my.metric",a="b"} 1', 'my.metric', { a: 'b' }, '1', undefined],
    ['{ "my \\"metric\\"" , "my.label" = "b" , } 1', 'my "metric"', { 'my.label': 'b' }, '1', undefined],
    ['up{"quoted"="b"} 1', 'up', { quoted: 'b' }, '1', undefined],
    ['up 1 1795231891689', 'up', {}, '1', 1_795_231_891_689],
    ['up 1 -5', 'up', {}, '1', -5],
    ['up{a="b"} 1 2 # {trace_id="KOO",} 0.67 3', 'up', { a: 'b' }, '1', 2],
    ['up 1 # {} 0.67', 'up', {}, '1', undefined],
  ])('of Prometheus text: %j', (line, ...expected) => {
    expect(readLine(line)).toEqual(expected)
  })

  test.each<[string, ...unknown[]]>([
    ['up 1 1520879607.789', 'up', {}, '1', 1_520_879_607_789],
    ['up 1 1520879607', 'up', {}, '1', 1_520_879_607_000],
    ['up 1 1.520879607789e+09', 'up', {}, '1', 1_520_879_607_789],
    ['up 1 -.5', 'up', {}, '1', -500],
    ['up 1 1.0004', 'up', {}, '1', 1_000],
    ['a_bucket{le="1"} 11 # {trace_id="KOO=}#"} 0.67', 'a_bucket', { le: '1' }, '11', undefined],
    ['a_bucket{le="1"} 11 2.5 # {trace_id="KOO"} 0.67 1520879607.789', 'a_bucket', { le: '1' }, '11', 2_500],
  ])('of OpenMetrics: %j', (line, ...expected) => {
    expect(readLine(line, 'openmetrics')).toEqual(expected)
  })

  test.each([
    ...['0', '0.0', '1.', '.5', '+1', '-1', '1e3', '1E-3', '1.0047221891027555e+06', '9007199254740993'],
    ...['NaN', 'nan', '+Inf', '-Inf', 'Inf', 'inf', 'Infinity', `1${'0'.repeat(400)}`, '1e999'],
  ])('keeps the value %j as it is written', (value) => {
    expect(readLine(`up ${value}`)[2]).toBe(value)
  })

  test('may name labels like the properties of every JavaScript object', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const { samples } = parse(`up{${names.map((name) => `${name}="x"`).join()}} 1\n`)
    expect(samples[0]!.labels.map(([name]) => name)).toEqual(names)
  })

  test('has metadata, comments and blank lines that say nothing about usage', () => {
    const text = '# HELP up \\n{"\n# TYPE up gauge\n# UNIT up\n#\n#up 1\n\n \t \n# EOF\n   # up 2\nup 3\n'
    expect(parse(text)).toMatchObject({
      samples: [{ value: '3' }],
      exposition: { samples: 1, skipped: 0, errorCount: 0, complete: true },
    })
  })

  test('may end its lines with carriage return and line feed', () => {
    const { samples, exposition } = parse('up 1\r\n\r\n# c\r\nup{a="b"} 2 3\r\n# EOF\r\n', 'openmetrics')
    expect(samples.map(({ value, at }) => [value, at])).toEqual([
      ['1', undefined],
      ['2', 3_000],
    ])
    expect(exposition).toMatchObject({ errorCount: 0, complete: true })
  })

  test('hands over wanted samples only, in order, and does not read on in other lines', () => {
    const text = 'b{"] 1\na 1\nb\nab 1\n{"b.c"} x\na 2\n'
    const { samples, exposition } = parse(text, 'text', (metric) => metric === 'a')
    expect(samples.map(({ value }) => value)).toEqual(['1', '2'])
    expect(exposition).toEqual({ samples: 2, skipped: 4, errors: [], errorCount: 0, complete: true })
  })
})

suite('a line that does not parse', () => {
  test.each([
    ['up', '1:3 Expected a number, got the end of the line'],
    ['up{a="b"}', '1:10 Expected a number, got the end of the line'],
    ['up x', '1:4 Expected a number, got "x"'],
    ['up 0x10', '1:4 Expected a number, got "0x10"'],
    ['up 1_000', '1:4 Expected a number, got "1_000"'],
    ['up 1e', '1:4 Expected a number, got "1e"'],
    ['up .', '1:4 Expected a number, got "."'],
    ['up 1,5', '1:4 Expected a number, got "1,5"'],
    ['up-x 1', '1:3 Expected a blank or "{", got "-x 1"'],
    ['up+1', '1:3 Expected a blank or "{", got "+1"'],
    ['1up 1', '1:1 Expected a metric name, got "1up 1"'],
    ['"up" 1', '1:1 Expected a metric name, got "\\"up\\" 1"'],
    ['ü 1', '1:1 Expected a metric name, got "ü 1"'],
    ['{} 1', '1:2 Expected a metric name in quotes, got "} 1"'],
    ['{a="b"} 1', '1:2 Expected a metric name in quotes, got "a=\\"b\\"} 1"'],
    ['{"up" a="b"} 1', '1:7 Expected "," or "}", got "a=\\"b\\"} 1"'],
    ['up{"x"} 1', '1:7 Expected "=", got "} 1"'],
    ['up{,} 1', '1:4 Expected a label name or "}", got ",} 1"'],
    ['up{a="b",,} 1', '1:10 Expected a label name or "}", got ",} 1"'],
    ['up{a="b" c="d"} 1', '1:10 Expected "," or "}", got "c=\\"d\\"} 1"'],
    ['up{a:b="c"} 1', '1:5 Expected "=", got ":b=\\"c\\"} 1"'],
    ['up{1a="b"} 1', '1:4 Expected a label name or "}", got "1a=\\"b\\"} 1"'],
    ['up{a=b} 1', '1:6 Expected a label value in quotes, got "b} 1"'],
    ['up{a} 1', '1:5 Expected "=", got "} 1"'],
    ['up{a="b} 1', '1:6 Expected a closing quote on this line, got "\\"b} 1"'],
    ['up{a="b\\"} 1', '1:6 Expected a closing quote on this line, got "\\"b\\\\\\"} 1"'],
    ['up{a="b\\', '1:6 Expected a closing quote on this line, got "\\"b\\\\"'],
    ['up{a="b"', '1:9 Expected "," or "}", got the end of the line'],
    ['up{', '1:4 Expected a label name or "}", got the end of the line'],
    ['up{a="1",a="1"} 1', '1:11 Expected each label once, not "a" again, got "=\\"1\\"} 1"'],
    ['up{a="Gie\uFFFDen"} 1', '1:6 Expected valid UTF-8, got "\\"Gie\uFFFDen\\"} 1"'],
    ['up 1 2.5', '1:6 Expected a timestamp in milliseconds, got "2.5"'],
    ['up 1 x', '1:6 Expected a timestamp in milliseconds, got "x"'],
    ['up 1 2 3', '1:8 Expected the end of the line, got "3"'],
    ['up 1 # x', '1:8 Expected "{", got "x"'],
    ['up 1 # {a="b"}', '1:15 Expected a number, got the end of the line'],
    ['up 1 # {a=b} 1', '1:11 Expected a label value in quotes, got "b} 1"'],
    ['up 1 # {a="b"} 1 2 3', '1:20 Expected the end of the line, got "3"'],
  ])('of Prometheus text: %j', (line, expected) => {
    expect(problemOf(`${line}\n`)).toBe(expected)
  })

  test.each([
    ['up 1 NaN', '1:6 Expected a timestamp in seconds, got "NaN"'],
    ['up 1 0x5', '1:6 Expected a timestamp in seconds, got "0x5"'],
    ['up 1 1 # {} 1 x', '1:15 Expected a timestamp in seconds, got "x"'],
  ])('of OpenMetrics: %j', (line, expected) => {
    expect(problemOf(`${line}\n# EOF\n`, 'openmetrics')).toBe(expected)
  })

  test.each(['99999999999999999', '8640000000000001', '-8640000000000001', '9'.repeat(400)])(
    'has a timestamp that no calendar knows: %s',
    (timestamp) => {
      expect(problemOf(`up 1 ${timestamp}\n`)).toMatch(/^1:\d+ Expected a timestamp in milliseconds that is a date/)
    },
  )

  test('costs that line only, and says where it is', () => {
    const { samples, exposition } = parse('up 1\nup x\n\n  down{a=b} 2\nup 3\n')
    expect(samples.map(({ value }) => value)).toEqual(['1', '3'])
    expect(exposition.errors.map(({ line, column }) => [line, column])).toEqual([
      [2, 4],
      [4, 10],
    ])
  })

  // A raw line feed in a label value ends the line; neither part of it may be taken for a sample.
  test('is what a raw line feed in a label value makes of both its parts', () => {
    const { samples, exposition } = parse('up{a="b\nc"} 1\nup 2\n')
    expect(samples.map(({ value }) => value)).toEqual(['2'])
    expect(exposition.errorCount).toBe(2)
  })

  // A line may be as long as the whole answer.
  test('has more labels than a sample needs', () => {
    const labels = (count: number) => Array.from({ length: count }, (_, index) => `l${index}="x"`).join()
    expect(parse(`up{${labels(200)}} 1\n`).samples).toHaveLength(1)
    const { samples, exposition } = parse(`up{${labels(1_000_000)}} 1\nup 2\n`)
    expect(samples).toMatchObject([{ value: '2' }])
    expect(exposition.errors[0]).toMatchObject({
      line: 1,
      message: expect.stringContaining('Expected at most 200 labels'),
    })
  })

  test('is counted always, but remembered only if it is one of the first twenty', () => {
    const { exposition } = parse('x\n'.repeat(1_000))
    expect(exposition.errorCount).toBe(1_000)
    expect(exposition.errors.map(({ line }) => line)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  test('is not repeated in full, however long it is', () => {
    const text = `up{${'a'.repeat(100_000)}="1",${'a'.repeat(100_000)}="1"} 1\nup ${'9'.repeat(100_000)}x\n`
    const { errors } = parse(text).exposition
    expect(errors).toHaveLength(2)
    for (const { message } of errors) expect(message.length).toBeLessThan(200)
  })
})

suite('an exposition is complete', () => {
  test.each<[Format, string, boolean]>([
    ['text', '', true],
    ['text', '\n', true],
    ['text', 'up 1\n', true],
    ['text', 'up 1', false],
    ['text', 'up 1\n# HELP u', false],
    ['openmetrics', '', false],
    ['openmetrics', 'up 1\n', false],
    ['openmetrics', 'up 1\n# EO', false],
    ['openmetrics', 'up 1\n# EOF', true],
    ['openmetrics', 'up 1\n# EOF\n', true],
    ['openmetrics', 'up 1\n# EOF\n\n', true],
    ['openmetrics', 'up 1\n# EOF x\n', false],
    ['openmetrics', 'up 1\n # EOF\n', false],
  ])('in %s: %j is %s', (format, text, complete) => {
    expect(parse(text, format).exposition.complete).toBe(complete)
  })

  // `up 10` may be what is left of `up 1004722`.
  test.each<Format>(['text', 'openmetrics'])('or its last line is not believed (%s)', (format) => {
    const { samples, exposition } = parse('up 1\nup 10', format)
    expect(samples).toHaveLength(1)
    expect(exposition.errors).toEqual([
      { line: 2, column: 6, message: 'Expected a line feed, got the end of the line' },
    ])
  })

  test('with "# EOF", so that nothing after it is believed', () => {
    const { samples, exposition } = parse('up 1\n# EOF\nup 2\n', 'openmetrics')
    expect(samples).toHaveLength(1)
    expect(exposition.errors).toEqual([{ line: 3, column: 1, message: 'Expected nothing after "# EOF", got "up 2"' }])
  })

  // A cut costs at most the readings that it took away: none of the others changes.
  test('or it is seen that it is not, unless it was cut between two lines', () => {
    const { text } = recordings.find(({ name }) => name.startsWith('escapes__'))!
    const whole = parse(text).samples.map((sample) => JSON.stringify(sample))
    for (let length = 1; length < text.length; length += 1) {
      const { samples, exposition } = parse(text.slice(0, length))
      expect(exposition.complete).toBe(text[length - 1] === '\n')
      expect(samples.map((sample) => JSON.stringify(sample))).toEqual(whole.slice(0, samples.length))
    }
  })
})

suite('recordings of real programs', () => {
  test('are there', () => {
    expect(recordings.length).toBeGreaterThan(15)
  })

  test.each(recordings)('$name parses without an error', ({ text, format }) => {
    const { samples, exposition } = parse(text, format)
    expect(exposition).toMatchObject({ errorCount: 0, complete: true })
    expect(samples).toHaveLength(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length)
  })

  test('of a site with 10,000 projects bring two samples of each', () => {
    const { text } = recordings.find(({ name }) => name.startsWith('site_a.10000'))!
    const { samples, exposition } = parse(text, 'text', (metric) => metric.startsWith('project_'))
    expect(exposition.skipped).toBe(16)
    expect(samples).toHaveLength(20_000)
    expect(new Set(samples.map(({ metric, labels }) => JSON.stringify([metric, labels]))).size).toBe(20_000)
  })

  test('keep every awkward name', () => {
    const { text } = recordings.find(({ name }) => name.startsWith('escapes__'))!
    const names = parse(text).samples.map(({ labels }) => new Map(labels).get('project_name'))
    expect(names).toEqual(
      expect.arrayContaining(['quote"back\\slash', 'new\nline', 'comma,equals=x', 'Gießen-ünï-日本', 'with space', '']),
    )
  })
})

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'n', '{', '}', ',', '=', '#', ' ', '\r', 'ü', '😀') }),
)
const readable = anyText.map((text) => text.toWellFormed().replaceAll('\uFFFD', ''))
const anyName = fc.oneof(fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,9}$/), readable)
const anyValue = fc.oneof(
  fc.double().map((value) => (Number.isFinite(value) ? String(value) : 'NaN')),
  fc.constantFrom('+Inf', '-Inf', '1.0047221891027555e+06', '9007199254740993'),
)
const anySample: fc.Arbitrary<PlainSample> = fc.record({
  metric: anyName,
  labels: fc.uniqueArray(fc.tuple(anyName, readable), { selector: ([name]) => name }),
  value: anyValue,
  at: fc.option(fc.integer({ min: -8e14, max: 8e14 }), { nil: undefined }),
})

suite('parsing', () => {
  test.each<Format>(['text', 'openmetrics'])('gives back what was written (%s)', (format) => {
    fc.assert(
      fc.property(fc.array(anySample), (samples) => {
        const parsed = parse(renderExposition(samples, format), format)
        expect(parsed.samples).toEqual(samples)
        expect(parsed.exposition).toMatchObject({ samples: samples.length, errorCount: 0, complete: true })
      }),
    )
  })

  test('ends with a count of every line, whatever happened to the text', () => {
    const small = recordings.filter(({ text }) => text.length < 10_000)
    const junk = fc.oneof(
      fc.constantFrom('"', '\\', '\n', '{', '}', ',', '=', '#', ' ', '\r\n', '', 'e', '\0'),
      anyText,
    )
    const change = fc.record({ at: fc.nat(10_000), length: fc.nat(200), by: junk })
    const property = fc.property(fc.constantFrom(...small), fc.array(change), (recording, changes) => {
      let { text } = recording
      for (const { at, length, by } of changes) text = text.slice(0, at) + by + text.slice(at + length)
      for (const format of ['text', 'openmetrics'] as const) expectEveryLineCounted(text, format)
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('takes time in proportion to the text, whatever is in it', () => {
    // What a pattern that reads characters twice or a search that runs past its line would not finish within the timeout.
    const long = 300_000
    const texts = [
      `up ${'1'.repeat(long)}x\n`,
      `up{a="${'\\"'.repeat(long)}\n`,
      `up{a="${'x'.repeat(long)}\n`.repeat(3),
      `up{a="\n`.repeat(long),
      `up{${Array.from({ length: 30_000 }, (_, i) => `l${i}="x"`).join()}} 1\n`,
      `${' '.repeat(long)}\n`,
      `${'\r'.repeat(long)}\n`,
      '{\n'.repeat(long),
    ]
    for (const text of texts)
      for (const format of ['text', 'openmetrics'] as const) expectEveryLineCounted(text, format)
  })
})

function expectEveryLineCounted(text: string, format: Format) {
  const { samples, exposition } = parse(text, format)
  const spoken = text.split('\n').filter((line) => !/^[ \t]*\r?$/.test(line))
  const counted = exposition.samples + exposition.skipped + exposition.errorCount
  expect(samples).toHaveLength(exposition.samples)
  expect(counted).toBeLessThanOrEqual(spoken.length)
  if (format === 'text') expect(counted).toBe(spoken.filter((line) => !/^[ \t]*#/.test(line)).length)
  expectSaneErrors(exposition)
}

function expectSaneErrors({ errors, errorCount }: Exposition) {
  expect(errors).toHaveLength(Math.min(errorCount, 20))
  for (const { line, column, message } of errors) {
    expect(line).toBeGreaterThan(0)
    expect(column).toBeGreaterThan(0)
    expect(message).toMatch(/^Expected .+, got .+$/s)
  }
}
