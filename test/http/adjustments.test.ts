import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

/** Alpha has used 10 credits, by entry 1; beta none. */
async function withUsedCredits() {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  await face.record({ project: 'alpha', at: T0, value: '100' }, { project: 'beta', at: T0, value: '5' })
  await face.record({ project: 'alpha', at: T0 + HOUR, value: '110' })
  const used = async () => ((await face.get('/api/groups/alpha')).json as { used: string }).used
  const adjust = (body: unknown, group = 'alpha') => face.post(`/api/groups/${group}/adjustments`, body)
  const entries = async () =>
    ((await face.get('/api/groups/alpha/entries')).json as { items: Record<string, unknown>[] }).items
  return { face, used, adjust, entries }
}

suite('an adjustment', () => {
  test('changes the total by an entry of its own, with who and why', async () => {
    const { used, adjust, entries } = await withUsedCredits()
    const answer = await adjust({ amount: '-2.5', reason: 'A node was down', actor: 'erika' })
    expect(answer).toMatchObject({ status: 201, json: { group: 'alpha', used: '7.5', entry: { amount: '-2.5' } } })
    expect(await used()).toBe('7.5')
    const [adjustment, charge] = await entries()
    expect(adjustment).toMatchObject({ kind: 'adjustment', reason: 'A node was down', actor: 'erika', corrects: null })
    expect(charge).toMatchObject({ kind: 'charge', amount: '10' })
  })

  test('takes the digits of a number as they are written', async () => {
    const { face, used } = await withUsedCredits()
    const body = '{"amount": 0.300000, "reason": "a fee"}'
    const headers = { 'Content-Type': 'application/json' }
    const answer = await face.ask('/api/groups/alpha/adjustments', { method: 'POST', body, headers })
    expect(answer).toMatchObject({ status: 201, json: { entry: { actor: 'operator' } } })
    expect(await used()).toBe('10.3')
  })

  test('names the entry that it corrects, and belongs to its site', async () => {
    const { face, adjust, entries } = await withUsedCredits()
    const [charge] = await entries()
    expect((await adjust({ amount: '-10', reason: 'Not theirs', corrects: charge!.number })).status).toBe(201)
    const corrected = { first: charge!.number, last: charge!.number }
    expect((await entries())[0]).toMatchObject({ site: '8676', corrects: corrected })
    expect((await face.get('/api/groups/alpha')).json).toMatchObject({
      used: '0',
      sites: [{ site: '8676', charged: '0' }],
    })
  })

  test('is recorded once, however often it is sent with its id', async () => {
    const { used, adjust } = await withUsedCredits()
    const request = { amount: '1', reason: 'a fee', id: 'ticket 4711' }
    const first = await adjust(request)
    const second = await adjust(request)
    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.json).toEqual(first.json)
    expect(await used()).toBe('11')
    const other = await adjust({ ...request, amount: '2' })
    expect(other).toMatchObject({ status: 409, json: { detail: expect.stringContaining('another adjustment') } })
    expect(await used()).toBe('11')
  })

  test('cannot give back more than was used', async () => {
    const { used, adjust } = await withUsedCredits()
    const answer = await adjust({ amount: '-10.000001', reason: 'too much' })
    expect(answer).toMatchObject({ status: 409, json: { detail: expect.stringContaining('-0.000001') } })
    expect(await used()).toBe('10')
  })

  test('cannot correct an entry of another group, or none at all', async () => {
    const { adjust } = await withUsedCredits()
    expect(await adjust({ amount: '1', reason: 'x', corrects: 1 }, 'beta')).toMatchObject({ status: 409 })
    expect(await adjust({ amount: '1', reason: 'x', corrects: 99 })).toMatchObject({ status: 409 })
  })

  test.each([
    [{ reason: 'x' }, 'amount'],
    [{ amount: '0', reason: 'x' }, 'amount'],
    [{ amount: '1e-7', reason: 'x' }, 'amount'],
    [{ amount: '1e30', reason: 'x' }, 'at most 92233720368.547758 credits'],
    [{ amount: '-99999999999999999999', reason: 'x' }, 'at most 92233720368.547758 credits'],
    [{ amount: '1', reason: 1 }, 'reason'],
    [{ amount: '1', reason: 'x', id: 5 }, 'id'],
    [{ amount: 'ten', reason: 'x' }, 'amount'],
    [{ amount: ['1'], reason: 'x' }, 'amount'],
    [{ amount: '1' }, 'reason'],
    [{ amount: '1', reason: '  ' }, 'reason'],
    [{ amount: '1', reason: 'x'.repeat(1_001) }, 'reason'],
    [{ amount: '1', reason: 'x', actor: [] }, 'actor'],
    [{ amount: '1', reason: 'x', corrects: '-1' }, 'corrects'],
    [{ amount: '1', reason: 'x', corrects: '1.5' }, 'corrects'],
    [{ amount: '1', reason: 'x', id: '' }, 'id'],
    [{ amount: '1', reason: 'x', amuont: '1' }, 'amuont'],
    [[], 'object'],
  ])('is refused as %j, with the field', async (body, field) => {
    const { used, adjust } = await withUsedCredits()
    expect(await adjust(body)).toMatchObject({ status: 400, json: { detail: expect.stringContaining(field) } })
    expect(await used()).toBe('10')
  })

  test('needs a group that exists', async () => {
    const { adjust } = await withUsedCredits()
    expect(await adjust({ amount: '1', reason: 'x' }, 'gamma')).toMatchObject({ status: 404 })
  })
})
