import { expect, suite, test } from 'vitest'
import { type AdmissionRules, admit, LONGEST_NAME, OLDEST, type Sample } from '../../src/core/admit.ts'
import { decimal } from '../../src/core/decimals.ts'
import type { Reading } from '../../src/core/series.ts'
import { cpu } from '../helpers/meters.ts'

function rules(changes: Partial<AdmissionRules> = {}): AdmissionRules {
  return { meters: new Map([[cpu.metric, cpu]]), labels: new Map(), site: '8676', at: 5_000, ...changes }
}

function sample(labels: Record<string, string>, changes: Partial<Sample> = {}): Sample {
  return {
    metric: cpu.metric,
    labels: new Map(Object.entries({ project_name: 'alpha', ...labels })),
    value: '1.5',
    at: undefined,
    ...changes,
  }
}

suite('admit', () => {
  test('makes a reading of a sample', () => {
    const labels = { project_id: 'p1', location_id: '42', domain_name: 'default', instance: 'a:1' }
    expect(admit(sample(labels, { at: 1_000, value: '1.0047221891027555e+06' }), rules())).toEqual({
      series: { site: '42', metric: 'project_vcpu_usage', projectId: 'p1', projectName: 'alpha' },
      at: 1_000,
      value: decimal('1004722.1891027555'),
      origin: 'a:1',
    })
  })

  test.each([
    [{}, undefined, undefined],
    [{}, 'http://one/metrics', 'http://one/metrics'],
    [{ instance: 'a:1' }, 'http://portal/federate', 'http://portal/federate a:1'],
    [{ instance: '' }, 'http://one/metrics', 'http://one/metrics'],
  ])('names the exporter of a sample with %j that came from %s', (labels, origin, named) => {
    const reading = admit(sample(labels), { ...rules(), origin }) as Reading
    expect(reading.origin).toBe(named)
  })

  test('takes a sample without a timestamp as one of the time of the scrape', () => {
    expect(admit(sample({}), rules())).toMatchObject({ at: 5_000 })
  })

  test('believes a timestamp of the epoch', () => {
    expect(admit(sample({}, { at: 0 }), rules())).toMatchObject({ at: 0 })
  })

  test('does without a project id', () => {
    expect(admit(sample({}), rules())).toMatchObject({ series: { projectId: '' } })
  })

  // A label of the sample wins over its target's, an empty one is an absent one, the worker's own site comes last.
  test.each([
    { own: '1', target: '2', site: '3', expected: '1' },
    { own: '', target: '2', site: '3', expected: '2' },
    { own: undefined, target: '2', site: '3', expected: '2' },
    { own: undefined, target: '', site: '3', expected: '3' },
    { own: undefined, target: undefined, site: '3', expected: '3' },
    { own: '1', target: undefined, site: undefined, expected: '1' },
  ])('takes site $expected of label $own, target $target and setting $site', ({ own, target, site, expected }) => {
    const labels = new Map(target === undefined ? [] : [['location_id', target]])
    const result = admit(sample(own === undefined ? {} : { location_id: own }), rules({ labels, site }))
    expect(result).toMatchObject({ series: { site: expected } })
  })

  test('lets the target name what the sample leaves out', () => {
    const labels = new Map([
      ['project_name', 'beta'],
      ['project_id', 'p2'],
    ])
    expect(admit(sample({ project_name: '' }), rules({ labels }))).toMatchObject({
      series: { projectName: 'beta', projectId: 'p2' },
    })
  })

  test.each([undefined, '', 'giessen', '12a', '-1', '1.0', ' 7', '0', '08676', '12345678901', '８'])(
    'finds a sample incomplete whose site is %j',
    (site) => {
      expect(admit(sample({}), rules({ site }))).toBe('incomplete')
    },
  )

  // A wrong label of the sample is not made up for by the setting: the sample says that it is from elsewhere.
  test('finds a sample incomplete whose own site is no number, whatever the setting', () => {
    expect(admit(sample({ location_id: 'giessen' }), rules())).toBe('incomplete')
  })

  test('finds a sample incomplete that names no project', () => {
    expect(admit(sample({ project_name: '' }), rules())).toBe('incomplete')
  })

  test.each(['NaN', '+Inf', '-Inf', '-1', '-0.5', '', 'abc', '0x10', '1_000', '1e9999'])('cannot read %j', (value) => {
    expect(admit(sample({}, { value }), rules())).toBe('unreadable')
  })

  test.each(['0', '0.0', '-0', '1e-7', '+3'])('can read %j', (value) => {
    expect(admit(sample({}, { value }), rules())).toMatchObject({ value: decimal(value) })
  })

  test('admits only projects on the whitelist, if there is one', () => {
    const whitelist = new Set(['beta', 'Gießen, "x"'])
    expect(admit(sample({}), rules({ whitelist }))).toBe('unlisted')
    expect(admit(sample({ project_name: 'beta' }), rules({ whitelist }))).toMatchObject({ value: decimal('1.5') })
    expect(admit(sample({ project_name: 'Gießen, "x"' }), rules({ whitelist }))).toMatchObject({ at: 5_000 })
  })

  test.each(['project_name', 'project_id', 'instance'])('refuses a %s that is longer than any needs to be', (label) => {
    const longest = 'é'.repeat(LONGEST_NAME / 2)
    expect(admit(sample({ [label]: longest }), rules())).toMatchObject({ at: 5_000 })
    expect(admit(sample({ [label]: `${longest}x` }), rules())).toBe('too long')
    expect(admit(sample({ [label]: 'x'.repeat(10_000) }), rules())).toBe('too long')
  })

  // Half of a pair of surrogates has no form in UTF-8: stored, it would become the same as any other.
  test('cannot read a name that is no text', () => {
    expect(admit(sample({ project_name: 'a\ud800b' }), rules())).toBe('unreadable')
    expect(admit(sample({ project_name: 'a\ud83d\ude00b' }), rules())).toMatchObject({ at: 5_000 })
  })

  test.each([
    ['seconds that are taken for milliseconds', 1_790_000_000],
    ['the year 1', -62_135_596_800_000],
    ['the first instant there is', -8.64e15],
  ])('refuses a timestamp of %s', (_, at) => {
    const now = Date.UTC(2026, 10, 24)
    expect(admit(sample({}, { at }), rules({ at: now }))).toBe('too old')
    expect(admit(sample({}, { at: now - OLDEST }), rules({ at: now }))).toMatchObject({ at: now - OLDEST })
    expect(admit(sample({}, { at: now - OLDEST - 1 }), rules({ at: now }))).toBe('too old')
  })

  test('says first that nobody charges for a metric, and then that a project is not listed', () => {
    const bad = { value: 'NaN', labels: new Map([['project_name', 'alpha']]) }
    const strict = rules({ whitelist: new Set(), site: undefined })
    expect(admit(sample({}, { ...bad, metric: 'process_open_fds' }), strict)).toBe('unknown metric')
    expect(admit(sample({}, bad), strict)).toBe('unlisted')
  })
})
