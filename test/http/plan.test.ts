import { expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import type { Meter } from '#src/core/meters.ts'
import { HOUR } from '#src/core/time.ts'
import { cpu, ram, T0 } from '../helpers/billing.ts'
import { readPlans } from '../helpers/plans.ts'
import { startFace } from './server.ts'

const small = { sizes: { cpu: 1, ram: 2 } }

suite('POST /api/plan', () => {
  test.each(readPlans('planner.txt'))('says what $row.what needs', async ({ row, machines }) => {
    await using face = await startFace()
    const project = row.granted === '-' ? {} : { granted: row.granted, used: row.used }
    const { status, json } = await face.post('/api/plan', { machines, days: row.days, ...project })
    expect(status).toBe(200)
    expect(json).toMatchObject({ per_hour: row.hourly, per_day: row.daily, credits: row.credits, grant: row.grant })
    if (row.granted !== '-') expect(json).toMatchObject({ left_after: row['left after'] })
  })

  test.each(readPlans('planner-lasting.txt'))('says how long credits last: $row.what', async ({ row, machines }) => {
    await using face = await startFace()
    const lasts = row.days === 'for ever' ? null : { days: Number(row.days), hours: Number(row.hours) }
    expect((await face.post('/api/plan', { machines, credits: row.credits })).json).toMatchObject({ lasts })
  })

  test('answers with all that it computed, and the prices it took', async () => {
    await using face = await startFace()
    const { status, json } = await face.post('/api/plan', { machines: [small], days: 10, granted: 500, used: '120.5' })
    expect([status, json]).toEqual([
      200,
      {
        per_hour: '1.6',
        per_day: '38.4',
        credits: '384',
        grant: '884',
        more: '384',
        left: '379.5',
        left_after: '-4.5',
        lasts: { days: 9, hours: 21.18 },
        prices: {
          cpu: { price: '1', price_version: 'cpu@always', until: null },
          ram: { price: '0.3', price_version: 'ram@always', until: null },
        },
      },
    ])
  })

  test('says how long the rest of a grant lasts', async () => {
    await using face = await startFace()
    const ask = async (used: number) => (await face.post('/api/plan', { machines: [small], granted: 100, used })).json
    expect(await ask(23.2)).toMatchObject({ left: '76.8', lasts: { days: 2, hours: 0 } })
    expect(await ask(120)).toMatchObject({ left: '-20', lasts: { days: 0, hours: 0 } })
  })

  test('takes the machines for one each that run all day, with weights of 1, unless it is told otherwise', async () => {
    await using face = await startFace()
    const perDay = async (machine: object, more = {}) =>
      (await face.post('/api/plan', { machines: [{ ...small, ...machine }], days: 1, ...more })).json
    expect(await perDay({})).toMatchObject({ per_day: '38.4' })
    expect(await perDay({ count: 3 })).toMatchObject({ per_day: '115.2' })
    expect(await perDay({ weights: { cpu: 2 } })).toMatchObject({ per_day: '62.4' })
    expect(await perDay({}, { hours_per_day: 8 })).toMatchObject({ per_day: '12.8' })
    expect(await perDay({ hours_per_day: 2 }, { hours_per_day: 8 })).toMatchObject({ per_day: '3.2' })
  })

  test('takes the price of now, and tells until when it holds', async () => {
    const later = { version: 'cpu@later', from: T0 + HOUR, perUnit: decimal('0.25') }
    const cheaper: Meter = { ...cpu, prices: [...cpu.prices, later] }
    await using face = await startFace({ meters: new Map([[cheaper.metric, cheaper]]) })
    const ask = async () => (await face.post('/api/plan', { machines: [{ sizes: { cpu: 4 } }], days: 1 })).json
    const until = new Date(later.from).toISOString()
    expect(await ask()).toMatchObject({ per_hour: '4', prices: { cpu: { price_version: 'cpu@always', until } } })
    face.clock.pass(HOUR)
    expect(await ask()).toMatchObject({ per_hour: '1', prices: { cpu: { price_version: 'cpu@later', until: null } } })
  })

  test('is exact where a double is not, and shows micro-credits', async () => {
    await using face = await startFace({ meters: new Map([[ram.metric, ram]]) })
    const machines = '[{"sizes": {"ram": 123456789012.000001}, "hours_per_day": 1}]'
    const { json } = await face.post('/api/plan', `{"machines": ${machines}, "days": 1}`)
    expect(json).toMatchObject({ per_hour: '37037036703.6', credits: '37037036703.6', grant: '37037036704' })
  })

  const machines = [small]
  test.each([
    [{}, 'days: expected a number of days, or credits, or the granted and used credits of a project, got nothing.'],
    [{ days: 1 }, 'machines: expected a list of 1 to 1000 kinds of machines, got nothing.'],
    [{ machines: [], days: 1 }, 'machines: expected a list of 1 to 1000 kinds of machines, got 0 of them.'],
    [{ machines: {}, days: 1 }, 'machines: expected a list of 1 to 1000 kinds of machines, got {}.'],
    [
      { machines: Array.from({ length: 1_001 }, () => small), days: 1 },
      'machines: expected a list of 1 to 1000 kinds of machines, got 1001 of them.',
    ],
    [{ machines: ['small'], days: 1 }, 'machines[0]: expected a JSON object, got "small".'],
    [{ machines: [{}], days: 1 }, 'machines[0].sizes: expected a JSON object, got nothing.'],
    [{ machines: [{ sizes: {} }], days: 1 }, 'machines[0].sizes: expected at least one meter, got {}.'],
    [
      { machines: [small, { sizes: { gpu: 1 } }], days: 1 },
      'machines[1].sizes: expected meters of cpu, ram, got "gpu".',
    ],
    [
      { machines: [{ sizes: { cpu: -1 } }], days: 1 },
      'machines[0].sizes.cpu: expected a number from 0 to 1000000000000, got "-1".',
    ],
    [
      { machines: [{ sizes: { cpu: '0.0000001' } }], days: 1 },
      'machines[0].sizes.cpu: expected at most 6 decimals, got "0.0000001".',
    ],
    [
      { machines: [{ ...small, weights: { gpu: 2 } }], days: 1 },
      'machines[0].weights: expected meters that sizes has, got "gpu".',
    ],
    [
      { machines: [{ ...small, weights: { cpu: null } }], days: 1 },
      'machines[0].weights.cpu: expected a number from 0 to 1000000000000, got null.',
    ],
    [
      { machines: [{ ...small, hours_per_day: 25 }], days: 1 },
      'machines[0].hours_per_day: expected a number from 0 to 24, got "25".',
    ],
    [
      { machines: [{ ...small, hours: 8 }], days: 1 },
      'machines[0]: expected count, sizes, weights, hours_per_day, got "hours".',
    ],
    [
      { machines: [{ ...small, count: 1.5 }], days: 1 },
      'machines[0].count: expected a whole number up to 1000000 and not 0, got "1.5".',
    ],
    [
      { machines: [{ ...small, count: 0 }], days: 1 },
      'machines[0].count: expected a whole number up to 1000000 and not 0, got "0".',
    ],
    [
      { machines: [{ ...small, count: 1_000_001 }], days: 1 },
      'machines[0].count: expected a whole number up to 1000000 and not 0, got "1000001".',
    ],
    [
      { machines: [{ ...small, count: -1 }], days: 1 },
      'machines[0].count: machines are given up only where granted and days are said, got "-1".',
    ],
    [{ machines, days: 36_526 }, 'days: expected a number from 0 to 36525, got "36526".'],
    [{ machines, credits: 'many' }, 'credits: expected a number from 0 to 1000000000000, got "many".'],
    [{ machines, credits: 5, days: 1 }, 'credits: expected nothing beside days, for which credits are computed.'],
    [{ machines, credits: 5, granted: 1 }, 'credits: expected nothing beside granted, whose rest is looked at.'],
    [
      { machines, days: 1, used: 5 },
      'granted: expected the grant of the project that used these credits, got nothing.',
    ],
    [
      { machines, days: 1, hours: 8 },
      'The body: expected machines, hours_per_day, days, credits, granted, used, got "hours".',
    ],
    [[], 'The body: expected a JSON object, got [].'],
  ])('refuses %.60j', async (body, detail) => {
    await using face = await startFace()
    const { status, json } = await face.post('/api/plan', body)
    expect(json).toMatchObject({ status: 400, detail })
    expect(status).toBe(400)
  })

  test('finds no way to a meter by the name of a method', async () => {
    await using face = await startFace()
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const { json } = await face.post('/api/plan', `{"machines": [{"sizes": {"${name}": 1}}], "days": 1}`)
      expect(json).toMatchObject({ detail: `machines[0].sizes: expected meters of cpu, ram, got "${name}".` })
    }
  })

  test('needs no key', async () => {
    await using face = await startFace({ keys: { operator: 'secret' } })
    expect((await face.post('/api/plan', { machines, days: 1 })).status).toBe(200)
  })
})
