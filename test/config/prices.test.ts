import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { defaultMeters, metersToBill, readPrices } from '#src/config/prices.ts'
import { decimal } from '#src/core/decimals.ts'
import { type Meters, priceAt } from '#src/core/meters.ts'

const always = Number.NEGATIVE_INFINITY

/** What a reader makes of a text, and the problems it reports. */
function read(reader: typeof readPrices, content: string): { meters: Meters; problems: string[] } {
  const problems: string[] = []
  return { meters: reader(content, (problem) => problems.push(problem)), problems }
}

/** The meters of a text without problems. */
function good(reader: typeof readPrices, content: string): Meters {
  const { meters, problems } = read(reader, content)
  expect(problems).toEqual([])
  return meters
}

suite('Meters by default', () => {
  test('are the two of the usage exporter, at the prices of the old service', () => {
    expect([...defaultMeters()]).toEqual([
      [
        'project_vcpu_usage',
        {
          metric: 'project_vcpu_usage',
          name: 'cpu',
          unit: 'vCPU·h',
          description: expect.any(String),
          maxGrowthPerHour: decimal('10000'),
          prices: [{ version: 'cpu@always=1', from: always, perUnit: decimal('1') }],
        },
      ],
      [
        'project_mb_usage',
        {
          metric: 'project_mb_usage',
          name: 'ram',
          unit: 'GiB·h',
          description: expect.any(String),
          maxGrowthPerHour: decimal('100000'),
          prices: [{ version: 'ram@always=0.3', from: always, perUnit: decimal('0.3') }],
        },
      ],
    ])
  })
})

suite('METRICS_TO_BILL', () => {
  test('gives the price of each metric as a number or as a text', () => {
    const meters = good(metersToBill, '{"project_vcpu_usage": 2, "project_mb_usage": "0.30", "project_gpu_usage": 1e1}')
    expect([...meters.values()].map(({ name, prices }) => [name, prices[0]!.perUnit])).toEqual([
      ['cpu', decimal('2')],
      ['ram', decimal('0.30')],
      ['project_gpu_usage', decimal('10')],
    ])
    expect(meters.get('project_gpu_usage')).toMatchObject({ unit: 'unit', maxGrowthPerHour: decimal('1000000') })
  })

  // As a double this would be 123456789.12345679.
  test('keeps every digit of a price, also of a number', () => {
    const [meter] = good(metersToBill, '{"x": 123456789.123456789012}').values()
    expect(meter?.prices[0]?.perUnit).toEqual({ digits: 123_456_789_123_456_789_012n, scale: 12 })
  })

  test.each([
    ['an empty object', '{}', 'expected at least one key with its value, got an empty one'],
    ['a list', '["project_vcpu_usage"]', /^expected a JSON object with a price for each metric/],
    ['a name', 'project_vcpu_usage', /^expected a JSON object with a price for each metric/],
    ['no JSON', '{"project_vcpu_usage": 1', /^expected YAML or JSON, got: /],
    [
      'a negative price',
      '{"x": -1}',
      'x: expected a number of zero or more with at most 15 digits and 12 decimals, got "-1"',
    ],
    ['no price', '{"x": ""}', 'x: expected a value, got nothing'],
    ['null', '{"x": null}', /^x: expected a number .*, got "null"$/],
    ['prices inside', '{"x": {"cpu": 1}}', 'x: expected one value, got a mapping'],
    [
      'a name that is no metric',
      '{"my metric": 1}',
      '["my metric"]: expected the name of a metric as key, got "my metric"',
    ],
    ['a metric twice', '{"x": 1, "x": 2}', /keys must be unique/],
    [
      'a name twice',
      '{"cpu": 1, "project_vcpu_usage": 1}',
      'project_vcpu_usage: expected each metric and each name once, got the name cpu again',
    ],
  ])('is refused: %s', (_, json, problem) => {
    expect(read(metersToBill, json).problems).toEqual([
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    ])
  })
})

const example = readFileSync(new URL('../../docs/prices.example.yaml', import.meta.url), 'utf8')

suite('The example of a prices file in the documentation', () => {
  test('is one: its meters can be charged and its examples hold', () => {
    const meters = good(readPrices, example)
    const cpu = meters.get('project_vcpu_usage')!
    expect(cpu).toMatchObject({ name: 'cpu', unit: 'vCPU·h', maxGrowthPerHour: decimal('10000') })
    expect(cpu.prices).toEqual([
      { version: 'cpu@always=1', from: always, perUnit: decimal('1') },
      { version: 'cpu@2027-01-01=1.1', from: Date.UTC(2027, 0, 1), perUnit: decimal('1.1') },
    ])
    expect(meters.get('project_mb_usage')?.name).toBe('ram')
  })

  test('stops the start once a price in it is mistyped', () => {
    expect(read(readPrices, example.replace('price: 0.3', 'price: 0.03')).problems).toEqual([
      'examples[0].credits: expected 2.12 for "two machines with 1 vCPU and 2 GiB for an hour" (cpu 2 × 1 + ram 4 × 0.03), got 3.2',
      'examples[1].credits: expected 2.32 for "the same at the price of 2027" (cpu 2 × 1.1 + ram 4 × 0.03), got 3.4',
      'examples[2].credits: expected 60.8 for "a machine with 28 vCPU (weight 2) and 64 GiB (weight 2.5) for an hour" (cpu 56 × 1 + ram 160 × 0.03), got 104',
    ])
  })
})

suite('A prices file', () => {
  test('needs no more than a metric and its price', () => {
    const content =
      'meters: [{ metric: project_mb_usage, prices: [{ price: 0.3 }] }, { metric: gpu, prices: [{ price: 0 }] }]'
    const meters = [...good(readPrices, content).values()]
    expect(meters.map(({ name, unit }) => [name, unit])).toEqual([
      ['ram', 'GiB·h'],
      ['gpu', 'unit'],
    ])
  })

  test('may be JSON', () => {
    const meters = [
      {
        metric: 'x',
        name: 'disk',
        unit: 'GiB·h',
        prices: [{ price: 1 }, { from: '2027-01-01T12:00:00+01:00', price: '2' }],
      },
    ]
    const content = JSON.stringify({
      meters,
      examples: [{ name: 'a', at: '2027-01-02', consumption: { disk: 3 }, credits: 6 }],
    })
    expect(good(readPrices, content).get('x')?.prices[1]?.version).toBe('disk@2027-01-01T11:00:00.000Z=2')
  })

  test('charges at each time what was valid then, exactly as it is written', () => {
    const price = fc.tuple(fc.nat(999_999_999), fc.stringMatching(/^\d{1,12}$/)).map((parts) => parts.join('.'))
    fc.assert(
      fc.property(fc.array(price, { minLength: 1, maxLength: 9 }), (prices) => {
        const rows = prices.map((text, index) => `{ ${index === 0 ? '' : `from: 202${index}-01-01, `}price: ${text} }`)
        const meter = good(readPrices, `meters: [{ metric: x, prices: [${rows.join(', ')}] }]`).get('x')!
        prices.forEach((text, index) => {
          expect(priceAt(meter, Date.UTC(2020 + index, 5)).perUnit).toEqual(decimal(text))
        })
      }),
    )
  })

  const meter = (fields: string) => `meters: [{ metric: x, name: disk, ${fields} }]`
  const one = 'prices: [{ price: 1 }]'
  const withExample = (fields: string) => `${meter(one)}\nexamples: [{ ${fields} }]`

  test.each([
    ['nothing', '', 'expected the keys meters, examples, got nothing'],
    ['a list', '[]', 'expected the keys meters, examples, got an empty one'],
    ['another file', 'API_KEY=abcdef\nOTHER=ghi', 'expected the keys meters, examples, got a text'],
    ['secrets', 'abcdef: ghi', 'expected the keys meters, examples, got none of them'],
    ['no meters', 'examples: []', 'meters: expected a list with at least one entry, got nothing'],
    [
      'a misspelt key',
      'meters: [{ metric: x, price: [], prices: [{ price: 1 }] }]',
      /^meters\[0\]: expected one of the keys metric, .*, got "price" \(is it prices\?\)$/,
    ],
    ['no metric', 'meters: [{ name: x, prices: [{ price: 1 }] }]', 'meters[0].metric: expected a value, got nothing'],
    [
      'a name with blanks',
      `meters: [{ metric: x, name: a b, ${one} }]`,
      /^meters\[0\]\.name: expected a name of letters/,
    ],
    [
      'a name that cannot stand in a version',
      `meters: [{ metric: x, name: a@b, ${one} }]`,
      /^meters\[0\]\.name: expected a name of letters/,
    ],
    [
      'no growth at all',
      meter(`max_growth_per_hour: 0, ${one}`),
      'meters[0].max_growth_per_hour: expected a number above zero, got "0"',
    ],
    [
      'a metric twice',
      `meters: [{ metric: x, name: a, ${one} }, { metric: x, name: b, ${one} }]`,
      'meters[1]: expected each metric and each name once, got the metric x again',
    ],
    [
      'a name twice',
      `meters: [{ metric: x, name: a, ${one} }, { metric: y, name: a, ${one} }]`,
      'meters[1]: expected each metric and each name once, got the name a again',
    ],
    ['no prices', meter('prices: []'), 'meters[0].prices: expected a list with at least one entry, got an empty one'],
    ['a price alone', meter('prices: 1'), 'meters[0].prices: expected a list with at least one entry, got "1"'],
    [
      'a negative price',
      meter('prices: [{ price: -0.3 }]'),
      /^meters\[0\]\.prices\[0\]\.price: expected a number of zero or more .*, got "-0.3"$/,
    ],
    [
      'a decimal comma',
      meter('prices: [{ price: "0,3" }]'),
      /^meters\[0\]\.prices\[0\]\.price: expected a number of zero or more .*, got "0,3"$/,
    ],
    [
      'a date for the first price',
      meter('prices: [{ from: 2026-01-01, price: 1 }]'),
      /^meters\[0\]\.prices\[0\]\.from: expected no date for the first price/,
    ],
    [
      'no date for the second',
      meter('prices: [{ price: 1 }, { price: 2 }]'),
      'meters[0].prices[1].from: expected a value, got nothing',
    ],
    [
      'a date that does not exist',
      meter('prices: [{ price: 1 }, { from: 2026-02-30, price: 2 }]'),
      /^meters\[0\]\.prices\[1\]\.from: expected a date .*, got "2026-02-30"$/,
    ],
    [
      'dates out of order',
      meter('prices: [{ price: 1 }, { from: 2027-01-01, price: 2 }, { from: 2026-01-01, price: 3 }]'),
      'meters[0].prices[2].from: expected a later date than the price before, got "2026-01-01"',
    ],
    [
      'a date twice',
      meter('prices: [{ price: 1 }, { from: 2027-01-01, price: 2 }, { from: 2027-01-01T00:00Z, price: 3 }]'),
      /^meters\[0\]\.prices\[2\]\.from: expected a later date/,
    ],
    [
      'an example without credits',
      withExample('name: a, at: 2026-01-01, consumption: { disk: 1 }'),
      'examples[0].credits: expected a value, got nothing',
    ],
    [
      'an example without a time',
      withExample('name: a, consumption: { disk: 1 }, credits: 1'),
      'examples[0].at: expected a value, got nothing',
    ],
    [
      'an example without consumption',
      withExample('name: a, at: 2026-01-01, credits: 1'),
      'examples[0].consumption: expected at least one key with its value, got nothing',
    ],
    [
      'an example of an unknown meter',
      withExample('name: a, at: 2026-01-01, consumption: { disc: 1 }, credits: 1'),
      'examples[0].consumption.disc: expected one of the meters disk, got "disc"',
    ],
    [
      'an example that is nearly right',
      withExample('name: a, at: 2026-01-01, consumption: { disk: 1 }, credits: 1.000000000001'),
      /^examples\[0\]\.credits: expected 1 for "a" \(disk 1 × 1\), got 1.000000000001$/,
    ],
  ])('is refused with the place of the problem: %s', (_, content, problem) => {
    expect(read(readPrices, content).problems).toEqual([
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    ])
  })

  test('is refused with all its problems together', () => {
    const content = `
      meters:
        - metric: 1x
          prices: [{ price: free }]
        - metric: y
          prices: [{ price: 1 }, { from: soon, price: 1 }]
      credits: 7
    `
    expect(
      read(readPrices, content)
        .problems.map((problem) => problem.split(': expected')[0])
        .toSorted(),
    ).toEqual(
      [
        'expected one of the keys meters, examples, got "credits"',
        'meters[0].metric',
        'meters[0].prices[0].price',
        'meters[1].prices[1].from',
      ].toSorted(),
    )
  })
})

test('A prices file whose first key is misspelt is told which one is meant', () => {
  const { problems } = read(readPrices, 'meter: []')
  expect(problems[0]).toBe('expected one of the keys meters, examples, got "meter" (is it meters?)')
})

test.each([
  'abcdef: [',
  'a: *abcdef',
  '- a\nabcdef: ghi\n  jkl: {',
  '"abcdef',
  "x: 'abcdef\nghi",
  '%abcdef ghi\n---\nx: y',
  '!abcdef ghi',
  '@abcdef',
  'x: "\\qabcdef"',
  'x: y\nabcdef\nz: {',
  '<abcdef>',
  '{"abcdef": ghi',
])('A file that is no prices file is not shown, as it may hold secrets: %j', (content) => {
  const { problems } = read(readPrices, content)
  expect(problems).not.toEqual([])
  expect(problems.join(' ')).not.toMatch(/abcdef|ghi|jkl/)
})
