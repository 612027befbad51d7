import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { cpu, ram, T0 } from '../helpers/billing.ts'
import { type Face, startFace } from './server.ts'

/** Used credits of alpha: 10 opened, 2.5 at one o'clock, 4 at two (with RAM), 3 after a correction. */
async function withHistory(face: Face): Promise<void> {
  const alpha = (hour: number, value: string, metric = cpu.metric) =>
    face.record({ project: 'alpha', at: T0 + hour * HOUR, value, metric })
  await alpha(0, '100')
  await alpha(0, '50', ram.metric)
  await alpha(1, '102.5')
  await alpha(2, '55', ram.metric)
  face.clock.pass(HOUR)
  const at = face.clock.now()
  const facts = { group: 'alpha', site: '8676', recordedAt: at }
  await face.ledger.settle({
    group: 'alpha',
    at,
    entries: [{ ...facts, id: 'a', kind: 'adjustment', amount: -1_005_000n, reason: 'a gift', actor: 'jane' }],
  })
}

const start = '/api/credits_history/alpha?start_date='

suite('/api/credits_history', () => {
  test('answers in columns, newest first', async () => {
    await using face = await startFace()
    await withHistory(face)
    const { status, text } = await face.get('/api/credits_history/alpha')
    expect(status).toBe(200)
    // The digits as they are written: numbers, rounded to the precision.
    expect(text).toBe(
      '{"timestamps":["2026-01-01 03:00:00","2026-01-01 02:00:00","2026-01-01 01:00:00"],' +
        '"credits":[3.00,4.00,2.50],"metrics":["adjustment","ram","cpu"]}',
    )
  })

  test('writes amounts that a double cannot hold', async () => {
    await using face = await startFace({ precision: 6 })
    await face.record({ project: 'huge', at: T0, value: '0' })
    const entry = { id: 'o', kind: 'opening', group: 'huge', site: '8676', recordedAt: T0, reason: 'before' } as const
    await face.ledger.settle({
      group: 'huge',
      at: T0,
      entries: [{ ...entry, amount: 90_071_992_547_409_931n }],
    })
    expect((await face.get('/api/credits_history/huge')).text).toContain('"credits":[90071992547.409931]')
  })

  test.each([
    ['2026-01-01 01:00:00', '2026-01-01 02:00:00', ['ram', 'cpu']],
    ['2026-01-01T01:00:01Z', '2026-01-01T02:59:59Z', ['ram']],
    ['2026-01-01T02:00:00+01:00', '2026-01-01T02:30:00+01:00', ['cpu']],
    ['2026-01-01', '2026-01-02', ['adjustment', 'ram', 'cpu']],
  ])('answers from %s to %s', async (from, to, metrics) => {
    await using face = await startFace()
    await withHistory(face)
    const query = new URLSearchParams({ start_date: from, end_date: to })
    expect((await face.get(`/api/credits_history/alpha?${query}`)).json).toMatchObject({ metrics })
  })

  test('keeps counting what was used before the beginning', async () => {
    await using face = await startFace()
    await withHistory(face)
    expect((await face.get(`${start}2026-01-01+02:00:00`)).json).toMatchObject({ credits: [3, 4] })
  })

  test('is told by day where a chart could not show all entries', async () => {
    await using face = await startFace()
    const hours = Array.from({ length: 10_003 }, (_, hour) => hour)
    await face.record(...hours.map((hour) => ({ project: 'old', at: T0 + hour * HOUR, value: String(hour / 4) })))
    type Columns = { timestamps: string[]; credits: number[]; metrics: string[] }
    const all = (await face.get('/api/credits_history/old')).json as Columns
    // 10,002 hours are 416 days and 18 hours.
    expect(all.timestamps).toHaveLength(417)
    expect(all.timestamps.slice(0, 2)).toEqual(['2027-02-21 18:00:00', '2027-02-21 00:00:00'])
    expect(all.timestamps.at(-1)).toBe('2026-01-02 00:00:00')
    expect([all.credits[0], all.credits[1], all.credits.at(-1)]).toEqual([2500.5, 2496, 6])
    expect(new Set(all.metrics)).toEqual(new Set(['cpu']))
    const later = (await face.get('/api/credits_history/old?start_date=2026-01-01+04:00:00')).json as Columns
    expect(later.timestamps).toHaveLength(9_999)
    const earlier = (await face.get('/api/credits_history/old?end_date=2027-02-21+17:30:00')).json as Columns
    expect([earlier.timestamps[0], earlier.credits[0]]).toEqual(['2027-02-21 17:30:00', 2500.25])
  })

  test('is 204 for a time without an entry', async () => {
    await using face = await startFace()
    await withHistory(face)
    const { status, text } = await face.get(`${start}2026-02-01`)
    expect([status, text]).toEqual([204, ''])
    expect((await face.get('/api/credits_history/alpha?end_date=1969-01-01')).status).toBe(204)
  })

  test('is 404 for a project that was never charged, known or not', async () => {
    await using face = await startFace()
    await face.record({ project: 'fresh', at: T0, value: '1' })
    expect((await face.get('/api/credits_history/fresh')).status).toBe(404)
    const { status, json } = await face.get('/api/credits_history/nobody')
    expect([status, json]).toEqual([404, expect.objectContaining({ detail: 'Project "nobody" has no history.' })])
  })

  test.each([
    ['start_date=yesterday', 'start_date: expected a time'],
    ['start_date=', 'start_date: expected a time'],
    ['start_date=2026-02-30', 'start_date: expected a time'],
    ['end_date=2026-01-01%2025:00:00', 'end_date: expected a time'],
    ['end_date=01.01.2026', 'end_date: expected a time'],
    ['start_date=2026-01-01&start_date=2026-01-02', 'start_date: expected one value'],
    ['start_date=2026-01-02&end_date=2026-01-01', 'end_date: expected a time after start_date'],
    ['start_date=2026-01-01&end_date=2026-01-01', 'end_date: expected a time after start_date'],
  ])('is 400 for ?%s', async (query, reason) => {
    await using face = await startFace()
    await withHistory(face)
    const { status, json } = await face.get(`/api/credits_history/alpha?${query}`)
    expect([status, json]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(reason) })])
  })

  test('shows a metric that is not charged for any more by its own name', async () => {
    await using face = await startFace({ meters: new Map([[cpu.metric, cpu]]) })
    await withHistory(face)
    expect((await face.get('/api/credits_history/alpha')).json).toMatchObject({
      metrics: ['adjustment', 'project_mb_usage', 'cpu'],
    })
  })
})
