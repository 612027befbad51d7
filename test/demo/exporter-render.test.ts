import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { formatLabels, formatValue, type Metric, render } from '../../src/demo/exporter/render.ts'

function recording(name: string): string {
  return readFileSync(new URL(`../fixtures/exporter/${name}`, import.meta.url), 'utf8')
}

/** Reads a text of the Python client just well enough to write it again: names, types and label values as they stand. */
function reread(text: string): Metric[] {
  return [...text.matchAll(/# HELP (\S+) (.*)\n# TYPE \S+ (gauge|counter)\n((?:[^#\n].*\n)*)/g)].map((family) => ({
    name: /^\w+/.exec(family[4]!)?.[0] ?? family[1]!,
    help: family[2]!,
    type: family[3] as Metric['type'],
    samples: [...family[4]!.matchAll(/^\w+(?:\{(.*)\})? (\S+)$/gm)].map(([, labels = '', value]) => ({
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)].map(([, name, escaped]) => [name, unescapeLabel(escaped!)]),
      ),
      value: Number(value),
    })),
  }))
}

function unescapeLabel(text: string): string {
  return text.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char))
}

suite('what the dummy exporter writes', () => {
  test.each([
    'escapes__start-now__20261121T031931_844Z.prom',
    'dummy_cc__weights__simplevm__start-2018-12-01__20261121T031816_969Z.prom',
  ])('is what the real exporter wrote, character by character: %s', (name) => {
    expect(render(reread(recording(name)), 'text')).toBe(recording(name))
  })

  test('is what the real exporter wrote in OpenMetrics', () => {
    const text = recording('negotiation__openmetrics.prom')
    expect(render(reread(text), 'openmetrics')).toBe(text)
  })

  test('announces a metric without samples', () => {
    const metric: Metric = { name: 'project_mb_usage', help: 'Total MB usage', type: 'gauge', samples: [] }
    expect(render([metric], 'text')).toBe('# HELP project_mb_usage Total MB usage\n# TYPE project_mb_usage gauge\n')
  })
})

suite('a label value', () => {
  test('has its quotes, backslashes and line breaks escaped and everything else as it is', () => {
    expect(formatLabels({ a: 'say "hi"\\\n', b: 'Gießen, 日本 = x' })).toBe(
      '{a="say \\"hi\\"\\\\\\n",b="Gießen, 日本 = x"}',
    )
  })

  test('may be empty', () => {
    expect(formatLabels({ project_name: '' })).toBe('{project_name=""}')
  })
})

suite('a value', () => {
  test.each([
    [0, '0.0'],
    [1, '1.0'],
    [0.5, '0.5'],
    [251240.72926282053, '251240.72926282053'],
    [999999.9999999999, '999999.9999999999'],
    [1_000_000, '1e+06'],
    [1004722.1891027555, '1.0047221891027555e+06'],
    [1795231084.77, '1.79523108477e+09'],
    [12_345_678_900.5, '1.23456789005e+010'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [1.25e-7, '1.25e-07'],
    [5e-324, '5e-324'],
    [Number.NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
  ])('of %d is written %s', (value, text) => {
    expect(formatValue(value)).toBe(text)
  })

  test('reads back as the same double', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(formatValue(value))).toBe(value === 0 ? 0 : value)
      }),
    )
  })
})
