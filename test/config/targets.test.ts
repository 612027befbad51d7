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

  test('may begin with a byte-order mark', () => {
    const listed = { targets: [{ url: 'http://a/', labels: {} }], problems: [] }
    expect(read('\uFEFF- targets: [http://a]\r\n')).toEqual(listed)
    expect(read('\uFEFF[{"targets": ["http://a"]}]')).toEqual(listed)
  })

  test('hides a login in a name of a label', () => {
    const { problems } = read('- targets: [http://a]\n  labels: { "http://u:SECRET@h": c }')
    expect(problems).toHaveLength(1)
    expect(problems[0]).not.toContain('SECRET')
  })

  test('may have host:port as Prometheus has it, with labels that say how it is scraped', () => {
    const content = `
      - targets: [10.0.0.5:8080, "[::1]:8080", exporter.example]
        labels: { location_id: 8676 }
      - targets: [portal:9090]
        labels:
          __scheme__: https
          __metrics_path__: /federate
          __param_match[]: '{__name__=~"project_(vcpu|mb)_usage"}'
          __tmp_origin: inventory
          location: portal
    `
    expect(read(content)).toEqual({
      targets: [
        { url: 'http://10.0.0.5:8080/metrics', labels: { location_id: '8676' } },
        { url: 'http://[::1]:8080/metrics', labels: { location_id: '8676' } },
        { url: 'http://exporter.example/metrics', labels: { location_id: '8676' } },
        {
          url: 'https://portal:9090/federate?match%5B%5D=%7B__name__%3D%7E%22project_%28vcpu%7Cmb%29_usage%22%7D',
          labels: { location: 'portal' },
        },
      ],
      problems: [],
    })
  })

  test.each<[string, string, string | RegExp | string[]]>([
    ['nothing', '', 'expected a list with at least one entry, got nothing'],
    ['no list', 'targets: [http://a]', 'expected a list with at least one entry, got a mapping'],
    ['an empty list', '[]', 'expected a list with at least one entry, got an empty one'],
    ['no YAML', '- targets: [http://a', /^expected YAML or JSON, got: .* at line 1, column \d+$/],
    ['an alias without its anchor', '- targets: *a', /^expected YAML or JSON, got: Unresolved alias/],
    ['an address in the wrong place', '- http://a', '[0]: expected the keys targets, labels, got "http://a"'],
    [
      'no targets',
      '- targets:\n- targets: [http://a/]',
      '[0].targets: expected a list with at least one entry, got nothing',
    ],
    [
      'a target that is no address',
      '- targets: [http://a, "b:8080/metrics", ftp://c]',
      [
        '[0].targets[1]: expected an http or https address, such as http://10.0.0.5:8080/metrics, or host:port, got "b:8080/metrics"',
        '[0].targets[2]: expected an http or https address, such as http://10.0.0.5:8080/metrics, got "ftp://c"',
      ],
    ],
    [
      'a port that is none',
      '- targets: [b:99999]',
      '[0].targets[0]: expected an http or https address, such as http://10.0.0.5:8080/metrics, or host:port, got "b:99999"',
    ],
    [
      'a login where there is only a host',
      '- targets: ["user:hunter2@b:8080"]',
      '[0].targets[0]: expected an http or https address, such as http://10.0.0.5:8080/metrics, or host:port, got a value that is not shown, as it holds a login',
    ],
    [
      'a scheme and a path that are none',
      '- targets: [b:8080]\n  labels: { __scheme__: ftp, __metrics_path__: metrics }',
      [
        '[0].labels.__scheme__: expected http or https, got "ftp"',
        '[0].labels.__metrics_path__: expected a path that begins with /, got "metrics"',
      ],
    ],
    [
      'a path of a whole address',
      '- targets: [http://b:8080/metrics]\n  labels: { __metrics_path__: /federate }',
      '[0].targets[0]: expected host:port, as labels tell scheme, path or parameters of it, got "http://b:8080/metrics"',
    ],
    ['a target that is no text', '- targets: [{ a: b }]', '[0].targets[0]: expected one value, got a mapping'],
    [
      'a misspelt key',
      '- targets: [http://a]\n  label: {}',
      '[0]: expected one of the keys targets, labels, got "label" (is it labels?)',
    ],
    [
      'an address with a login as a key',
      '- http://u:SECRET@h/metrics: x\n- "u:SECRET@h": x',
      ['[0]', '[1]'].flatMap((place) => [
        `${place}: expected one of the keys targets, labels, got a value that is not shown, as it holds a login`,
        `${place}.targets: expected a list with at least one entry, got nothing`,
      ]),
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
    const expected = Array.isArray(problem) ? problem : [problem]
    expect(read(content).problems).toEqual(
      expected.map((each) => (typeof each === 'string' ? each : expect.stringMatching(each))),
    )
  })
})
