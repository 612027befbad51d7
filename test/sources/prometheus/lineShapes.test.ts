/** Lines that are read because they are made like others are read as if each were the only one. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import type { AdmissionRules } from '../../../src/core/admit.ts'
import { ExpositionReader, type Format, parseExposition } from '../../../src/sources/prometheus/exposition.ts'
import { KnownTexts } from '../../../src/sources/prometheus/knownTexts.ts'
import { readExposition, type Scrape, scrape } from '../../../src/sources/prometheus/scrape.ts'
import { meters } from '../../helpers/meters.ts'

const AT = 1_795_231_891_000

type Line = readonly [metric: string, labels: Record<string, string>, value: string, at: number | undefined]

/** Reads one text after another with the same reader. */
function read(texts: readonly string[], format: Format) {
  const lines: Line[] = []
  const reader = new ExpositionReader({ format, wanted: () => true }, ({ metric, labels, value, at }) => {
    lines.push([metric, Object.fromEntries([...labels.keys()].map((name) => [name, labels.get(name)!])), value, at])
  })
  for (const text of texts) reader.read({ text, bytes: undefined })
  return { lines, ...reader.end() }
}

/** Each line by itself, so that there is no other to be made like. */
function readOneByOne(lines: readonly string[], format: Format) {
  const all = lines.map((line) => read([line], format))
  return {
    lines: all.flatMap((each) => each.lines),
    errors: all.flatMap(({ errors }, index) => errors.map((error) => ({ ...error, line: index + 1 }))),
  }
}

// Names that begin, end or are as long as others, and characters that a line is made of.
const text = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'aa', 'ab', 'project-1', 'project-2', 'project-11', 'Gießen', '日本'),
  fc.string({ unit: fc.constantFrom('a', 'b', ',', '=', '{', '}', ' ', 'ü', '\\\\', '\\"', '\\n', '\uFFFD') }),
)
const labelled = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(text, text).map(([one, two]) => `up{a="${one}",b="${two}"} `) },
  fc.tuple(text, text).map(([one, two]) => `down{a="${one}",b="${two}"} `),
  fc.tuple(text, text).map(([one, two]) => `up{b="${one}",a="${two}"} `),
  fc.tuple(text, text).map(([one, two]) => `up{a="${one}",b="${two}",} `),
  fc.tuple(text, text).map(([one, two]) => `up{a="${one}",a="${two}"} `),
  fc.tuple(text, text).map(([one, two]) => `up{a="${one}"b="${two}"} `),
  text.map((one) => `{"up",a="${one}"} `),
  text.map((one) => `up{a="${one}} `),
  fc.constantFrom('up ', 'up{} ', 'up{a="b"}', '# ', '', ' ', '# EOF', 'up{a="b",b="c"'),
)
const ending = fc.constantFrom(
  ...['1', '0.5', '1.0047221891027555e+06', '1.', '.5', '-1', '+1', '1e', '1e5', '1E5', '1e+', 'NaN', '+Inf', ''],
  ...[
    '1 5',
    '1 -5',
    '1 5.5',
    '1 1.5e3',
    '1  5',
    '1 ',
    '1\t',
    '1 5 ',
    '1 5 # {} 1',
    '1 # {a="b"} 1',
    '1\r',
    '1 x',
    '1 9e99',
  ],
)
const lines = fc.array(
  fc.tuple(labelled, ending).map(([head, tail]) => `${head}${tail}\n`),
  { maxLength: 30 },
)

suite('lines of an exposition that are alike', () => {
  test.each<Format>(['text', 'openmetrics'])('are read as each of them is by itself (%s)', (format) => {
    const property = fc.property(lines, (all) => {
      const end = all.findIndex((line) => /^# EOF\r?\n$/.test(line))
      const before = format === 'openmetrics' && end !== -1 ? all.slice(0, end) : all
      const expected = readOneByOne(before, format)
      const { lines, errors, errorCount } = read([before.join('')], format)
      expect(lines).toEqual(expected.lines)
      expect(errors).toEqual(expected.errors.slice(0, 20))
      expect(errorCount).toBe(expected.errors.length)
    })
    fc.assert(property, { numRuns: 1_000 })
  })

  test.each<Format>(['text', 'openmetrics'])('are the same in however many pieces they come (%s)', (format) => {
    const property = fc.property(lines, fc.array(fc.nat(5)), (all, cuts) => {
      const rest = [...all]
      const pieces = cuts.map((count) => rest.splice(0, count).join(''))
      expect(read([...pieces, rest.join('')], format)).toEqual(read([all.join('')], format))
    })
    fc.assert(property)
  })

  test('may begin alike for a while, and then otherwise, for as long as there are lines', () => {
    const beginnings = ['', 'a', 'ab', 'abc', 'b']
    const blocks = fc.array(fc.record({ one: fc.nat(4), other: fc.nat(4), times: fc.integer({ min: 1, max: 4 }) }), {
      minLength: 60,
      maxLength: 90,
    })
    const property = fc.property(blocks, (all) => {
      const lines = all.flatMap(({ one, other, times }, block) =>
        Array.from({ length: times }, (_, index) => {
          const last = block % 7 === 0 ? 'x"b="' : `${block} ${index}`
          return `up{a="${beginnings[one]}",b="${beginnings[other]}",c="${last}"} 1\n`
        }),
      )
      expect(read([lines.join('')], 'text').lines).toEqual(readOneByOne(lines, 'text').lines)
    })
    fc.assert(property)
  })

  test('bring nothing after the end of OpenMetrics', () => {
    const line = 'up{a="b"} 1\n'
    const { samples, errorCount } = parseExposition(
      `${line}${line}# EOF\n${line}`,
      { format: 'openmetrics', wanted: () => true },
      () => undefined,
    )
    expect({ samples, errorCount }).toEqual({ samples: 2, errorCount: 1 })
  })
})

const rules = (labels: Record<string, string> = {}): AdmissionRules => ({
  ...{ meters, at: AT, site: '8676', origin: 'exporter' },
  labels: new Map(Object.entries(labels)),
})

async function scraped(body: Iterable<Uint8Array>, known?: KnownTexts, admission = rules()): Promise<Scrape> {
  const request = { url: 'http://exporter.example', timeout: 1, signal: new AbortController().signal }
  return scrape(request, admission, { fetch: async () => ({ format: 'text', body }), known })
}

const name = fc.constantFrom(
  '',
  'a',
  'b',
  'ab',
  'ba',
  'aa',
  'project-1',
  'project-2',
  'project-11',
  'Gießen',
  'Gie\\"n',
)
const project = fc.record({
  id: name,
  name,
  site: fc.constantFrom('', '1', '2', '12'),
  instance: fc.constantFrom('', 'x', 'y', 'xy'),
})
const site = fc.array(project, { maxLength: 12 }).map((projects) =>
  [...meters.keys()].flatMap((metric) =>
    projects.map(({ id, name, site, instance }, index) => {
      const own = `location_id="${site}",instance="${instance}",project_id="${id}",project_name="${name}"`
      return `${metric}{domain_id="default",${own}} ${index}.5\n`
    }),
  ),
)

suite('a scrape', () => {
  test('is the same in whatever chunks it arrives', async () => {
    const property = fc.asyncProperty(site, fc.array(fc.integer({ min: 1, max: 200 })), async (lines, lengths) => {
      const bytes = Buffer.from(lines.join(''))
      let at = 0
      const ends = lengths.map((length) => {
        at += length
        return at
      })
      const chunks = [0, ...ends].map((start, index) => bytes.subarray(start, ends[index]))
      expect(await scraped(chunks)).toEqual(readExposition(bytes.toString(), 'text', rules()))
    })
    await fc.assert(property)
  })

  test('is the same whatever the target showed before, in another order, under other names or with other labels', async () => {
    const property = fc.asyncProperty(fc.array(site, { minLength: 1, maxLength: 5 }), async (scrapes) => {
      const known = new KnownTexts()
      for (const [index, lines] of scrapes.entries()) {
        const admission = rules(index % 2 === 0 ? {} : { location_id: '77' })
        const text = lines.join('')
        expect(await scraped([Buffer.from(text)], known, admission)).toEqual(readExposition(text, 'text', admission))
      }
    })
    await fc.assert(property)
  })
})

test('a long answer lets other work have its turn while it is read', async () => {
  const line = 'project_vcpu_usage{project_id="id",project_name="alpha"} 1\n'
  const bytes = Buffer.from(line.repeat(50_000))
  let [turns, isOver] = [0, false]
  const others = (async () => {
    for (; !isOver; turns += 1) await new Promise((resolve) => setImmediate(resolve))
  })()
  // As a whole, so that it is not what arrives that makes pauses.
  await scraped([bytes])
  isOver = true
  await others
  expect(turns).toBeGreaterThan(bytes.length / 2 ** 19)
})

suite('texts that are known', () => {
  /** Bytes that are other ones, so that one sees whether they were copied. */
  const shown = (text: string) => ({ text, bytes: Buffer.from('?'.repeat(text.length)) })
  const taken = (known: KnownTexts, text: string, row = 1) =>
    known.column('project_name').value(row, shown(text), 0, text.length)

  test('are those of the last whole scrape, of the same label in the same row', () => {
    const known = new KnownTexts()
    const first = known.column('project_name')
    expect(first.value(1, { text: 'alpha', bytes: undefined }, 0, 5)).toBe('alpha')
    // In another metric of the same scrape.
    expect(taken(known, 'alpha')).toBe('alpha')
    expect(taken(known, 'alpha', 2)).toBe('?????')
    known.forget()
    expect(taken(known, 'alpha')).toBe('?????')
    known.forget()
    known.column('project_name').value(1, { text: 'alpha', bytes: undefined }, 0, 5)
    known.keep()
    expect(taken(known, 'alpha')).toBe('alpha')
    expect(known.column('project_id').value(1, shown('alpha'), 0, 5)).toBe('?????')
    known.keep()
    known.keep()
    expect(taken(known, 'alpha')).toBe('?????')
  })

  test('are not kept of a target that shows more than any site has', () => {
    const known = new KnownTexts()
    const long = 'x'.repeat(2 ** 20)
    for (let row = 0; row <= 16; row += 1)
      known.column('project_name').value(row, { text: long, bytes: undefined }, 0, long.length)
    known.keep()
    expect(taken(known, long, 3)).not.toBe(long)
  })

  test('are not kept of a target that shows ever new labels', () => {
    const known = new KnownTexts()
    const value = (label: number) => known.column(`l${label}`).value(1, { text: 'alpha', bytes: undefined }, 0, 5)
    for (let label = 0; label < 70_000; label += 1) value(label)
    known.keep()
    expect(known.column('l1').value(1, shown('alpha'), 0, 5)).toBe('?????')
  })
})
