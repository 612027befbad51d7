import { expect, suite, test } from 'vitest'
import { readTargets } from '#src/config/targets.ts'

function read(content: string) {
  const problems: string[] = []
  return { targets: readTargets(content, (problem) => problems.push(problem)), problems }
}

suite('A file of targets', () => {
  const expected = [
    { url: 'http://a:8080/metrics', labels: { location_id: '8676', location: 'site a' } },
    { url: 'http://b:8080/metrics', labels: { location_id: '8676', location: 'site a' } },
    { url: 'https://c/federate?match[]=x', labels: {} },
  ]

  test('is YAML as Prometheus reads it; numbers stay as they are written', () => {
    const content = `
      # two exporters of one site
      - targets: [http://a:8080/metrics, "http://b:8080/metrics"]
        labels: { location_id: 8676, location: site a }
      - targets:
          - https://c/federate?match[]=x
    `
    expect(read(content)).toEqual({ targets: expected, problems: [] })
  })

  test('or JSON, also with tabs', () => {
    const groups = [
      {
        targets: ['http://a:8080/metrics', 'http://b:8080/metrics'],
        labels: { location_id: 8676, location: 'site a' },
      },
      { targets: ['https://c/federate?match[]=x'], labels: {} },
    ]
    const { targets, problems } = read(JSON.stringify(groups, null, '\t'))
    expect({ targets, problems }).toEqual({ targets: expected, problems: [] })
  })

  test.each([
    ['nothing', '', 'expected a list with at least one entry, got nothing'],
    ['no list', 'targets: [http://a]', 'expected a list with at least one entry, got a mapping'],
    ['an empty list', '[]', 'expected a list with at least one entry, got a list of 0'],
    ['no YAML', '- targets: [http://a', /^expected YAML or JSON, got: .* at line 1, column \d+$/],
    ['an alias without its anchor', '- targets: *a', /^expected YAML or JSON, got: Unresolved alias/],
    ['an address in the wrong place', '- http://a', '[0]: expected the keys targets, labels, got "http://a"'],
    [
      'no targets',
      '- targets:\n- targets: [http://a/]',
      '[0].targets: expected a list with at least one entry, got nothing',
    ],
    [
      'a target without http',
      '- targets: [http://a, b:8080]',
      '[0].targets[1]: expected an http or https address, such as http://10.0.0.5:8080/metrics, got "b:8080"',
    ],
    ['a target that is no text', '- targets: [{ a: b }]', '[0].targets[0]: expected one value, got a mapping'],
    [
      'a misspelt key',
      '- targets: [http://a]\n  label: {}',
      '[0]: expected one of the keys targets, labels, got "label" (is it labels?)',
    ],
    ['a key twice', '- targets: [http://a]\n  targets: [http://b]', /keys must be unique at line 2/],
    [
      'a site that is no number',
      '- targets: [http://a]\n  labels: { location_id: Bielefeld }',
      '[0].labels.location_id: expected a number in digits, got "Bielefeld"',
    ],
    [
      'a label with a bad name',
      '- targets: [http://a]\n  labels: { "a b": c }',
      '[0].labels["a b"]: expected a name of letters, digits and _ as key, got "a b"',
    ],
    [
      'a label that is no text',
      '- targets: [http://a]\n  labels: { a: [1] }',
      '[0].labels.a: expected one value, got a list of 1',
    ],
  ])('is refused with the place of the problem: %s', (_, content, problem) => {
    expect(read(content).problems).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)])
  })
})
