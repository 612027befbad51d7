import Big from 'big.js'
import { expect, onTestFinished, suite, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import { cpu, ram, T0 } from '../helpers/billing.ts'
import { type Face, startFace } from './server.ts'

interface History {
  readonly from: string
  readonly to: string
  readonly used: string
  readonly used_before: string
  readonly buckets: readonly {
    readonly start: string
    readonly end: string
    readonly credits: string
    readonly used: string
    readonly consumption: readonly { readonly meter: string; readonly quantity: string }[]
    readonly parts: readonly { readonly kind: string; readonly credits: string }[]
  }[]
  readonly next: string | null
}

/** Some days before clocks in Europe are set forward. */
const SPRING = Date.UTC(2026, 2, 27, 12)

/** Alpha uses 0.5 vCPU·h and 2 GiB·h in an hour for four days and a half, at two sites. */
async function withHistory(start = SPRING) {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  const hours = Array.from({ length: 109 }, (_, hour) => ({ hour, at: start + hour * HOUR, project: 'alpha' }))
  await face.record(
    ...hours.flatMap(({ hour, at, project }) => [
      ...['1', '2'].map((site) => ({ project, at, value: String(hour / 4), site })),
      { project, at, value: String(hour * 2), metric: ram.metric, site: '2' },
    ]),
  )
  const history = async (query = '') => (await face.get(`/api/groups/alpha/history${query}`)).json as History
  return { face, history }
}

const sum = (numbers: readonly string[]) => numbers.reduce((total, each) => total.plus(each), new Big(0)).toFixed()

suite('/api/groups/:name/history', () => {
  test('tells by day what was used, from the first entry to now, and adds up to the used credits', async () => {
    const { face, history } = await withHistory()
    const told = await history()
    expect(told).toMatchObject({
      ...{ group: 'alpha', step: 'day', by: 'meter', tz: 'UTC', granted: null, used: '118.8', used_before: '0' },
      ...{ from: '2026-03-27T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z', next: null },
    })
    // A half day of 12 hours, then whole ones: 24 × (2 × 0.25 + 2 × 0.3) = 26.4.
    expect(told.buckets.map(({ credits }) => credits)).toEqual(['13.2', '26.4', '26.4', '26.4', '26.4'])
    expect(told.buckets.map(({ used }) => used)).toEqual(['13.2', '39.6', '66', '92.4', '118.8'])
    expect(told.buckets[1]).toEqual({
      start: '2026-03-28T00:00:00.000Z',
      end: '2026-03-29T00:00:00.000Z',
      credits: '26.4',
      used: '39.6',
      consumption: [
        { meter: 'cpu', metric: cpu.metric, unit: 'vCPU·h', quantity: '12' },
        { meter: 'ram', metric: ram.metric, unit: 'GiB·h', quantity: '48' },
      ],
      parts: [
        { kind: 'charge', meter: 'cpu', metric: cpu.metric, credits: '12' },
        { kind: 'charge', meter: 'ram', metric: ram.metric, credits: '14.4' },
      ],
    })
    expect((await face.get('/api/groups/alpha')).json).toMatchObject({ used: '118.8' })
  })

  test('divides by site', async () => {
    const { history } = await withHistory()
    const { buckets } = await history('?by=site')
    expect(buckets[1]!.parts).toEqual([
      { kind: 'charge', site: '1', credits: '6' },
      { kind: 'charge', site: '2', credits: '20.4' },
    ])
    expect(buckets[1]!.consumption.map(({ quantity }) => quantity)).toEqual(['12', '48'])
  })

  test('has days as they are where tz says: 23 hours when clocks are set forward', async () => {
    const { history } = await withHistory()
    const { from, to, buckets } = await history('?tz=Europe/Berlin')
    expect([from, to]).toEqual(['2026-03-27T00:00:00.000+01:00', '2026-04-02T00:00:00.000+02:00'])
    // 1.1 an hour: 11 hours, a day, 23 hours, two days, and the two hours of April until midnight in UTC.
    expect(buckets.map(({ start, credits }) => [start, credits])).toEqual([
      ['2026-03-27T00:00:00.000+01:00', '12.1'],
      ['2026-03-28T00:00:00.000+01:00', '26.4'],
      ['2026-03-29T00:00:00.000+01:00', '25.3'],
      ['2026-03-30T00:00:00.000+02:00', '26.4'],
      ['2026-03-31T00:00:00.000+02:00', '26.4'],
      ['2026-04-01T00:00:00.000+02:00', '2.2'],
    ])
    expect(sum(buckets.map(({ credits }) => credits))).toBe('118.8')
  })

  test('has days of 25 hours when clocks are set back', async () => {
    const { history } = await withHistory(Date.UTC(2026, 9, 23, 22))
    const { buckets } = await history('?tz=Europe/Berlin')
    expect(buckets.slice(0, 4).map(({ credits }) => credits)).toEqual(['26.4', '27.5', '26.4', '26.4'])
  })

  test('has hours of zones that are half an hour off', async () => {
    const { history } = await withHistory()
    const { buckets } = await history('?step=hour&tz=Asia/Kolkata&from=2026-03-27T18:00:00&to=2026-03-27T20:00:00')
    expect(buckets.map(({ start, credits }) => [start, credits])).toEqual([
      ['2026-03-27T18:00:00.000+05:30', '1.1'],
      ['2026-03-27T19:00:00.000+05:30', '1.1'],
    ])
  })

  test('has months', async () => {
    const { history } = await withHistory()
    const { buckets } = await history('?step=month&to=2026-05-01')
    expect(buckets.map(({ start, credits }) => [start.slice(0, 7), credits])).toEqual([
      ['2026-03', '118.8'],
      ['2026-04', '0'],
    ])
    expect(buckets[1]).toMatchObject({ used: '118.8', parts: [], consumption: [] })
  })

  test('cuts the first and the last bucket where the period begins and ends', async () => {
    const { history } = await withHistory()
    const told = await history('?from=2026-03-28T18:00:00Z&to=2026-03-29T06:30:00Z')
    expect(told.used_before).toBe('33')
    expect(told.buckets.map(({ start, end, credits }) => [start, end, credits])).toEqual([
      ['2026-03-28T18:00:00.000Z', '2026-03-29T00:00:00.000Z', '6.6'],
      ['2026-03-29T00:00:00.000Z', '2026-03-29T06:30:00.000Z', '6.6'],
    ])
  })

  test('tells adjustments and openings as parts of their own, corrections with their meter', async () => {
    const { face, history } = await withHistory()
    const at = SPRING + 110 * HOUR
    face.clock.at = at
    const opening = {
      kind: 'opening',
      id: 'o',
      group: 'alpha',
      site: '1',
      amount: 7_000_000n,
      reason: 'First',
    } as const
    await face.ledger.settle({ group: 'alpha', at, granted: '500', entries: [{ ...opening, recordedAt: at }] })
    await face.post('/api/groups/alpha/adjustments', { amount: '-1.25', reason: 'a gift' })
    await face.post('/api/groups/alpha/adjustments', { amount: '-0.1', reason: 'too much', corrects: 1 })
    const told = await history('?from=2026-04-01')
    expect(told).toMatchObject({ granted: '500', used: '124.45', used_before: '118.8' })
    expect(told.buckets).toMatchObject([{ credits: '5.65', used: '124.45', consumption: [] }])
    expect(told.buckets[0]!.parts).toEqual([
      { kind: 'adjustment', meter: 'cpu', metric: cpu.metric, credits: '-0.1' },
      { kind: 'adjustment', meter: null, metric: null, credits: '-1.25' },
      { kind: 'opening', meter: null, metric: null, credits: '7' },
    ])
    const { buckets } = await history('?from=2026-04-01&by=site')
    expect(buckets[0]!.parts).toEqual([
      { kind: 'adjustment', site: null, credits: '-1.25' },
      { kind: 'adjustment', site: '1', credits: '-0.1' },
      { kind: 'opening', site: '1', credits: '7' },
    ])
  })

  test('pages, and the pages are what one page would be', async () => {
    const { face, history } = await withHistory()
    const query = '?step=hour&tz=Europe/Berlin&by=site&to=2026-03-31'
    const all = await history(query)
    const found: unknown[] = []
    let path: string | null = `/api/groups/alpha/history${query}&limit=50`
    while (path !== null) {
      const { headers, json }: Awaited<ReturnType<Face['get']>> = await face.get(path)
      const page = json as History
      expect(page.buckets.length).toBeLessThanOrEqual(50)
      expect(headers.link).toBe(page.next === null ? undefined : `<${page.next}>; rel="next"`)
      found.push(...page.buckets)
      path = page.next
    }
    expect(found.length).toBeGreaterThan(80)
    expect(found).toEqual(all.buckets)
  })

  test('is no longer than a thousand buckets', async () => {
    const { history } = await withHistory()
    const { buckets, next } = await history('?step=hour&from=2020-01-01&to=2026-01-01')
    expect(buckets).toHaveLength(1_000)
    expect(next).toContain('from=2020-02-11T16%3A00%3A00.000Z')
  })

  suite('as CSV', () => {
    const query = '?from=2026-03-28&to=2026-03-29&tz=UTC'
    const lines = [
      'start,end,kind,meter,unit,consumption,credits,used',
      '2026-03-28T00:00:00.000Z,2026-03-29T00:00:00.000Z,charge,cpu,vCPU·h,12,12,39.6',
      '2026-03-28T00:00:00.000Z,2026-03-29T00:00:00.000Z,charge,ram,GiB·h,48,14.4,39.6',
      '',
    ]

    test.each([
      ['format=csv', '&format=csv', {}],
      ['Accept', '', { Accept: 'text/csv' }],
      ['format=csv, whatever Accept says', '&format=csv', { Accept: 'application/json' }],
    ])('has a line for each part, asked for by %s', async (_, more, headers) => {
      const { face } = await withHistory()
      const answer = await face.get(`/api/groups/alpha/history${query}${more}`, headers)
      expect(answer.text).toBe(lines.join('\r\n'))
      expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8')
    })

    test('has a line without a part for a bucket in which nothing happened', async () => {
      const { face } = await withHistory()
      const { text } = await face.get('/api/groups/alpha/history?from=2026-01-01&to=2026-01-02&format=csv&by=site')
      expect(text).toBe(
        'start,end,kind,site,credits,used\r\n2026-01-01T00:00:00.000Z,2026-01-02T00:00:00.000Z,,,0,0\r\n',
      )
    })

    test('is JSON for those who do not ask', async () => {
      const { face } = await withHistory()
      for (const Accept of ['*/*', 'text/html', 'application/json, text/csv;q=0.5'])
        expect((await face.get('/api/groups/alpha/history', { Accept })).headers['content-type']).toMatch(/json/)
      expect((await face.get('/api/groups/alpha/history?format=json', { Accept: 'text/csv' })).json).toBeDefined()
    })
  })

  suite('asked again', () => {
    test('is 304 while nothing changed, and told anew once it did', async () => {
      const { face } = await withHistory()
      const path = '/api/groups/alpha/history?tz=Europe/Berlin'
      const first = await face.get(path)
      expect(first.headers).toMatchObject({ 'cache-control': 'private, no-cache', vary: 'Accept, Accept-Encoding' })
      const headers = { 'If-None-Match': first.headers.etag! }
      const again = await face.get(path, headers)
      expect([again.status, again.text, again.headers.etag]).toEqual([304, '', first.headers.etag])
      face.clock.pass(MINUTE)
      expect((await face.get(path, headers)).status).toBe(304)
      await face.record({ project: 'alpha', at: face.clock.now(), value: '27.5', site: '1' })
      const changed = await face.get(path, headers)
      expect(changed.status).toBe(200)
      expect(changed.headers.etag).not.toBe(first.headers.etag)
    })

    test('is told anew in another format', async () => {
      const { face } = await withHistory()
      const { etag } = (await face.get('/api/groups/alpha/history')).headers
      const headers = { 'If-None-Match': etag!, Accept: 'text/csv' }
      expect((await face.get('/api/groups/alpha/history', headers)).status).toBe(200)
    })
  })

  test('of a group without entries is 30 days of nothing', async () => {
    const face = await startFace()
    onTestFinished(() => face[Symbol.asyncDispose]())
    await face.record({ project: 'fresh', at: T0 + HOUR, value: '1' })
    const { from, to, buckets } = (await face.get('/api/groups/fresh/history')).json as History
    expect([from, to]).toEqual(['2025-12-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z'])
    expect(buckets).toHaveLength(31)
    expect(buckets.every(({ credits, used }) => credits === '0' && used === '0')).toBe(true)
  })

  test('has entries that are later than our clock', async () => {
    const { face, history } = await withHistory()
    face.clock.at = T0 + DAY
    expect(sum((await history()).buckets.map(({ credits }) => credits))).toBe('118.8')
  })

  test('is 404 for a group that does not exist', async () => {
    const { face } = await withHistory()
    const { status, json } = await face.get('/api/groups/nobody/history')
    expect([status, json]).toEqual([404, expect.objectContaining({ detail: 'There is no group "nobody".' })])
  })

  test.each([
    ['step=week', 'step: expected hour, day or month, got "week".'],
    ['step=', 'step: expected hour, day or month, got "".'],
    ['by=series', 'by: expected meter or site, got "series".'],
    ['format=xml', 'format: expected json or csv, got "xml".'],
    ['tz=Mars/Base', 'tz: expected the IANA name of a time zone such as Europe/Berlin, got "Mars/Base".'],
    ['tz=%2B01:00', 'tz: expected the IANA name of a time zone such as Europe/Berlin, got "+01:00".'],
    ['from=yesterday', 'from: expected 2026-01-31 or 2026-01-31T12:00:00Z, got "yesterday".'],
    ['to=2026-02-30', 'to: expected 2026-01-31 or 2026-01-31T12:00:00Z, got "2026-02-30".'],
    [
      'from=2026-03-02&to=2026-03-01',
      'to: expected a time after 2026-03-02T00:00:00.000Z, got 2026-03-01T00:00:00.000Z.',
    ],
    ['to=2026-01-01', 'to: expected a time after 2026-03-27T00:00:00.000Z, got 2026-01-01T00:00:00.000Z.'],
    ['from=2030-01-01', 'from: expected a time before 2026-04-01T00:00:00.000Z, got 2030-01-01T00:00:00.000Z.'],
    ['limit=0', 'limit: expected a whole number from 1 to 1000, got "0".'],
    ['limit=1001', 'limit: expected a whole number from 1 to 1000, got "1001".'],
    ['tz=UTC&tz=CET', 'tz: expected one value, got 2.'],
  ])('is 400 for ?%s', async (query, detail) => {
    const { face } = await withHistory()
    const { status, json } = await face.get(`/api/groups/alpha/history?${query}`)
    expect([status, json]).toEqual([400, expect.objectContaining({ detail })])
  })
})
