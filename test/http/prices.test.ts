import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { decimal } from '#src/core/decimals.ts'
import type { Meter } from '#src/core/meters.ts'
import { HOUR } from '#src/core/time.ts'
import { cpu, ram, T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

/** A meter that becomes cheaper an hour after the tests begin. */
const cheaper: Meter = {
  ...cpu,
  prices: [
    { version: 'cpu@always', from: Number.NEGATIVE_INFINITY, perUnit: decimal('1') },
    { version: 'cpu@later', from: T0 + HOUR, perUnit: decimal('0.25') },
  ],
}

suite('GET /api/metrics', () => {
  test('names every meter with the keys of the old service, and its price', async () => {
    await using face = await startFace()
    const { status, json } = await face.get('/api/metrics')
    expect(status).toBe(200)
    expect(json).toEqual({
      cpu: {
        type: 'str',
        description: 'cpu',
        name: 'project_vcpu_usage',
        metric_name: 'project_vcpu_usage',
        friendly_name: 'cpu',
        unit: 'vCPU·h',
        price: '1',
        price_version: 'cpu@always',
      },
      ram: expect.objectContaining({ name: 'project_mb_usage', unit: 'GiB·h', price: '0.3' }),
    })
  })

  test('shows the price of now', async () => {
    await using face = await startFace({ meters: new Map([[cheaper.metric, cheaper]]) })
    face.clock.pass(HOUR)
    expect((await face.get('/api/metrics')).json).toMatchObject({ cpu: { price: '0.25', price_version: 'cpu@later' } })
  })
})

suite('POST /api/costs_per_hour', () => {
  test.each([
    // The published example: 1 vCPU and 2 GiB; 28 vCPU of weight 2 and 64 GiB of weight 2.5.
    [{ cpu: 1, ram: 2 }, '1.6'],
    [{ cpu: 56, ram: 160 }, '104'],
    [{ cpu: '16', ram: '32' }, '25.6'],
    [{ cpu: 0.1, ram: 0 }, '0.1'],
    [{}, '0'],
    // Half to even, at two decimals.
    [{ cpu: '0.125' }, '0.12'],
    [{ cpu: '0.135' }, '0.14'],
    [{ cpu: '0.001' }, '0'],
    [{ cpu: '-0' }, '0'],
    [{ cpu: 1e12 }, '1000000000000'],
  ])('says that %j costs %s', async (body, expected) => {
    await using face = await startFace()
    const { status, headers, text } = await face.post('/api/costs_per_hour', body)
    expect([status, text]).toEqual([200, expected])
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
  })

  test('is exact where a double is not', async () => {
    await using face = await startFace({ precision: 6 })
    const { text } = await face.post('/api/costs_per_hour', '{"cpu": 123456789012.000001, "ram": "0.1"}')
    expect(text).toBe('123456789012.030001')
  })

  test('rounds to the precision that is set', async () => {
    await using face = await startFace({ precision: 0 })
    expect((await face.post('/api/costs_per_hour', { cpu: '2.5' })).text).toBe('2')
  })

  test('takes the price of now', async () => {
    await using face = await startFace({ meters: new Map([[cheaper.metric, cheaper]]) })
    expect((await face.post('/api/costs_per_hour', { cpu: 4 })).text).toBe('4')
    face.clock.pass(HOUR)
    expect((await face.post('/api/costs_per_hour', { cpu: 4 })).text).toBe('1')
  })

  test('does not know other meters, and says which it knows', async () => {
    await using face = await startFace()
    for (const name of ['gpu', 'project_vcpu_usage', '__proto__', 'constructor', '']) {
      const { status, json } = await face.post('/api/costs_per_hour', `{${JSON.stringify(name)}: "1"}`)
      expect(status, name).toBe(404)
      expect(json).toMatchObject({ detail: `There is no meter ${JSON.stringify(name)}; there are cpu, ram.` })
    }
  })

  test.each([
    '-1',
    '"-0.01"',
    'true',
    'null',
    '[]',
    '[1]',
    '{"a":1}',
    '"NaN"',
    '"Infinity"',
    '"0x10"',
    '" 1"',
    '""',
    '1e400',
    '1000000000001',
  ])('refuses the size %s and names the field', async (size) => {
    await using face = await startFace()
    const { status, json } = await face.post('/api/costs_per_hour', `{"cpu": 1, "ram": ${size}}`)
    expect(status).toBe(400)
    expect(json).toMatchObject({
      detail: expect.stringMatching(/^ram: expected a number from 0 to 1000000000000, got /),
    })
  })

  test.each(['[]', '"cpu"', '16', 'null', 'NaN', '{"cpu": NaN}', '{"cpu": 1', '', '['.repeat(200_000)])(
    'refuses the body %.20s',
    async (body) => {
      await using face = await startFace()
      expect((await face.post('/api/costs_per_hour', body)).status).toBe(400)
    },
  )

  test('takes JSON only, of at most a mebibyte', async () => {
    await using face = await startFace()
    const send = (body: string, headers: Record<string, string>) => face.post('/api/costs_per_hour', body, headers)
    expect((await send('{}', { 'Content-Type': 'application/x-www-form-urlencoded' })).status).toBe(415)
    expect((await send('{}', { 'Content-Type': 'application/json; charset=utf-8' })).status).toBe(200)
    expect((await send(`{}${' '.repeat(1_048_574)}`, {})).status).toBe(200)
    expect((await send(`{}${' '.repeat(1_048_575)}`, {})).status).toBe(413)
    expect((await send(`{}${' '.repeat(1_048_575)}`, { 'Transfer-Encoding': 'chunked' })).status).toBe(413)
  })

  test('costs the same as a number and as a text, and twice as much for twice the size', async () => {
    await using face = await startFace({ precision: 6, meters: new Map([[ram.metric, ram]]) })
    const costs = async (size: string) =>
      BigInt((Number((await face.post('/api/costs_per_hour', `{"ram": ${size}}`)).text) * 1e6).toFixed(0))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1_000_000 }), async (size) => {
        expect(await costs(`${size}`)).toBe(BigInt(size) * 300_000n)
        expect(await costs(`"${size}"`)).toBe(BigInt(size) * 300_000n)
      }),
      { numRuns: 30 },
    )
  })
})
