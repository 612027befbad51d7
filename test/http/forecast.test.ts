import { expect, onTestFinished, suite, test } from 'vitest'
import { DAY, HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

/** A group that uses a credit an hour, for ten days. */
async function withGroup(granted?: string) {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  const hours = Array.from({ length: 241 }, (_, hour) => hour)
  await face.record(...hours.map((hour) => ({ project: 'alpha', at: T0 + hour * HOUR, value: String(hour) })))
  if (granted !== undefined) await face.ledger.settle({ group: 'alpha', at: T0, granted })
  return face
}

interface Told {
  readonly runs_out: Readonly<Record<'kind' | 'at' | 'early' | 'late', string | null>>
  readonly curve: readonly Readonly<Record<'at' | 'low' | 'expected' | 'high', string>>[]
}

suite('/api/groups/:name/forecast', () => {
  test('tells the burn, the day on which credits run out and the curve, and what they are based on', async () => {
    const face = await withGroup('480')
    const { status, json } = await face.get('/api/groups/alpha/forecast')
    expect(status).toBe(200)
    expect(json).toMatchObject({
      ...{ group: 'alpha', used: '240', granted: '480', burn_per_day: '24' },
      based_on: { days: 10, until: '2026-01-11T00:00:00.000Z' },
      // 240 left at 24 a day.
      runs_out: { kind: 'expected', at: '2026-01-21T00:00:00.000Z' },
    })
    const { runs_out, curve } = json as Told
    expect(Date.parse(runs_out.early!)).toBeLessThan(Date.parse(runs_out.at!))
    expect(Date.parse(runs_out.late!)).toBeGreaterThan(Date.parse(runs_out.at!))
    expect(curve[0]).toEqual({ at: '2026-01-11T00:00:00.000Z', low: '240', expected: '240', high: '240' })
    expect(curve[10]).toMatchObject({ at: '2026-01-21T00:00:00.000Z', expected: '480' })
  })

  const noDates = { at: null, early: null, late: null }

  test('says why there is no day on which credits run out', async () => {
    const runsOut = async (granted?: string) =>
      ((await (await withGroup(granted)).get('/api/groups/alpha/forecast')).json as Told).runs_out
    expect(await runsOut()).toEqual({ kind: 'no grant', ...noDates })
    expect(await runsOut('240')).toEqual({ kind: 'already', ...noDates })
    expect(await runsOut('9000000')).toEqual({ kind: 'never', ...noDates })
  })

  test('says that nothing is known of a group that was only opened', async () => {
    const face = await startFace()
    onTestFinished(() => face[Symbol.asyncDispose]())
    await face.record({ project: 'alpha', at: T0, value: '7' })
    const { json } = await face.get('/api/groups/alpha/forecast')
    const nothing = { based_on: null, burn_per_day: null, runs_out: { kind: 'unknown', ...noDates }, curve: [] }
    expect(json).toEqual({ group: 'alpha', used: '0', granted: null, ...nothing })
  })

  test('is sent once as long as it says the same', async () => {
    const face = await withGroup('480')
    const { headers } = await face.get('/api/groups/alpha/forecast')
    const again = () => face.get('/api/groups/alpha/forecast', { 'If-None-Match': headers.etag })
    expect((await again()).status).toBe(304)
    await face.record({ project: 'alpha', at: T0 + 11 * DAY, value: '264' })
    expect((await again()).status).toBe(200)
  })

  test('is of a group that is there', async () => {
    const face = await withGroup()
    const { status, json } = await face.get('/api/groups/nobody/forecast')
    expect([status, json]).toEqual([404, expect.objectContaining({ detail: 'There is no group "nobody".' })])
  })
})
