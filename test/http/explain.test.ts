import Big from 'big.js'
import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { ram, T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

interface Receipt {
  readonly used: string
  readonly charged: string
  readonly charges: readonly { consumption: string; price: string; credits: string; entries: number }[]
  readonly adjustments: { credits: string }
  readonly openings: { credits: string }
  readonly entries: readonly { number: number; hash: string; amount: string }[]
  readonly next: string | null
}

async function withHistory() {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  for (let minute = 0; minute <= 150; minute += 10) {
    const at = T0 + minute * MINUTE
    const value = new Big(minute).times('0.0371').plus(1_000).toFixed()
    await face.record({ project: 'alpha', at, value }, { project: 'alpha', at, value, metric: ram.metric })
  }
  const opening = { id: 'opening/alpha', group: 'alpha', site: '8676', recordedAt: T0, reason: 'First contact' }
  await face.ledger.settle({
    group: 'alpha',
    at: T0 + 3 * HOUR,
    contacts: [{ site: '8676', contact: 'active' }],
    entries: [{ ...opening, kind: 'opening', amount: 7_000_000n }],
  })
  await face.post('/api/groups/alpha/adjustments', { amount: '-1.25', reason: 'a gift' })
  const explain = async (path = '/api/groups/alpha/explain') => (await face.get(path)).json as Receipt
  return { face, explain }
}

suite('a receipt', () => {
  test('adds up to the used credits of the group, and each line computes', async () => {
    const { explain } = await withHistory()
    const receipt = await explain()
    for (const { consumption, price, credits } of receipt.charges) {
      expect(new Big(consumption).times(price).round(6, Big.roundDown).toFixed()).toBe(credits)
    }
    const sum = (numbers: string[]) => numbers.reduce((total, each) => total.plus(each), new Big(0)).toFixed()
    expect(sum(receipt.charges.map(({ credits }) => credits))).toBe(receipt.charged)
    expect(sum([receipt.charged, receipt.adjustments.credits, receipt.openings.credits])).toBe(receipt.used)
    // 150 min × 0.0371 = 5.565 units of each; 5.565 × 1 + 5.565 × 0.3 + 7 − 1.25
    expect(receipt.used).toBe('12.9845')
    expect(receipt).toMatchObject({ shown_in_perun: '12.98', published: null, not_shown: [] })
  })

  test('tells what Perun shows as it is written there', async () => {
    const { face, explain } = await withHistory()
    const published = (used: bigint) =>
      face.ledger.settle({ group: 'alpha', at: face.clock.now(), published: { used, sites: [] } })
    await published(2_000_000n)
    expect(await explain()).toMatchObject({ published: '2.00' })
    // When more decimals were set.
    await published(2_005_100n)
    expect(await explain()).toMatchObject({ published: '2.0051' })
  })

  test('names series, readings, unit, price version and entry of every credit', async () => {
    const { explain } = await withHistory()
    const receipt = await explain()
    expect(receipt.charges).toMatchObject([
      { meter: 'cpu', site: '8676', project_id: 'id-alpha', unit: 'vCPU·h', price_version: 'cpu@always', entries: 3 },
      { meter: 'ram', unit: 'GiB·h', price: '0.3', first_entry: 2, last_entry: 6 },
    ])
    const charge = receipt.entries.find(({ number }) => number === 1)
    expect(charge).toMatchObject({
      from: { at: '2026-01-01T00:00:00.000Z', value: '1000' },
      to: { at: '2026-01-01T01:00:00.000Z', value: '1002.226' },
      consumption: '2.226',
      amount: '2.226',
      hash: expect.stringMatching(/^[\w-]{43}$/),
    })
  })

  test('pages through its entries', async () => {
    const { explain } = await withHistory()
    const all = await explain()
    const first = await explain('/api/groups/alpha/explain?limit=5')
    const second = await explain(first.next!)
    expect([...first.entries, ...second.entries]).toEqual(all.entries)
    expect(second.next).toBeNull()
  })

  test('says what Perun does not show, because it does not know the group there', async () => {
    const { face, explain } = await withHistory()
    await face.record({ project: 'alpha', at: T0 + 4 * HOUR, value: '10', site: '9999' })
    await face.record({ project: 'alpha', at: T0 + 5 * HOUR, value: '12', site: '9999' })
    expect(await explain()).toMatchObject({
      used: '14.9845',
      shown_in_perun: '12.98',
      not_shown: [{ site: '9999', contact: 'new', charged: '2' }],
    })
  })

  test('is there for groups that exist', async () => {
    const { face } = await withHistory()
    expect(await face.get('/api/groups/beta/explain')).toMatchObject({ status: 404 })
    expect(await face.get('/api/groups/alpha/explain?limit=0')).toMatchObject({ status: 400 })
  })
})

suite('the report of drifts', () => {
  test('tells who changed what, and pages', async () => {
    const { face } = await withHistory()
    const edit = { site: '8676', expected: 12_980_000n, shown: 20_000_000n, modifiedAt: '2026-01-01 04:00:00' }
    await face.ledger.settle({
      group: 'alpha',
      at: T0 + 4 * HOUR,
      drifts: [
        { ...edit, modifiedBy: 'erika', entryId: 'drift/alpha' },
        { site: '8676', expected: 20_000_000n },
      ],
    })
    const edited = {
      ...{ id: 1, group: 'alpha', site: '8676', seen_at: '2026-01-01T04:00:00.000Z', expected: '12.98', shown: '20' },
      ...{ modified_at: '2026-01-01 04:00:00', modified_by: 'erika', entry: 'drift/alpha' },
    }
    const first = (await face.get('/api/drifts?limit=1')).json as { drifts: unknown[]; next: string }
    expect(first.drifts).toMatchObject([{ id: 2, shown: null, modified_by: null, entry: null }])
    expect((await face.get(first.next)).json).toEqual({ drifts: [edited], next: null })
    expect((await face.get('/api/drifts?group=beta')).json).toEqual({ drifts: [], next: null })
    expect((await face.get('/stats')).json).toMatchObject({ ledger: { drifts: 2 } })
  })
})
