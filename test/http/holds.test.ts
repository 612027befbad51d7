import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { cpu, T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

interface HoldJson {
  readonly id: number
  readonly kind: string
  readonly group: string | null
}

/** Alpha stood at 100, then grew by five million in an hour, which is held, then by one, which is not. */
async function withHeldGrowth() {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  await face.record({ project: 'alpha', at: T0, value: '100' })
  await face.record({ project: 'alpha', at: T0 + HOUR, value: '5000100' })
  await face.record({ project: 'alpha', at: T0 + 2 * HOUR, value: '5000101' })
  const holds = async () => ((await face.get('/api/holds')).json as { holds: HoldJson[] }).holds
  const used = async () => ((await face.get('/api/groups/alpha')).json as { used: string }).used
  const [hold] = await holds()
  return {
    face,
    holds,
    used,
    decide: (verdict: string, body: unknown) => face.post(`/api/holds/${hold!.id}/${verdict}`, body),
  }
}

suite('a hold', () => {
  test('is listed with what it is about', async () => {
    const { holds, used } = await withHeldGrowth()
    expect(await holds()).toMatchObject([{ kind: 'implausible growth', group: 'alpha', site: '8676' }])
    expect(await used()).toBe('1')
  })

  test('tells the growth that it keeps back', async () => {
    const { face, holds } = await withHeldGrowth()
    const [{ id }] = (await holds()) as [HoldJson]
    expect((await face.get(`/api/holds/${id}`)).json).toMatchObject({
      id,
      closed_at: null,
      growths: [
        {
          ...{ group: 'alpha', project_id: 'id-alpha', meter: 'cpu', consumption: '5000000', unit: 'vCPU·h' },
          from: { at: '2026-01-01T00:00:00.000Z', value: '100' },
          to: { at: '2026-01-01T01:00:00.000Z', value: '5000100' },
          price_versions: [cpu.prices[0]!.version],
        },
      ],
      more: false,
    })
    for (const other of ['99', 'x', '0']) expect((await face.get(`/api/holds/${other}`)).status).toBe(404)
  })

  test('is found among the closed ones with why it ended', async () => {
    const { face, decide } = await withHeldGrowth()
    await decide('dismiss', { reason: 'A wrong weight table', actor: 'erika' })
    const closed = { closed_at: '2026-01-01T02:00:00.000Z', closed_why: 'Dismissed by erika: A wrong weight table' }
    const { holds } = (await face.get('/api/holds?state=closed')).json as { holds: HoldJson[] }
    expect(holds).toMatchObject([{ kind: 'implausible growth', ...closed }])
    expect((await face.get('/api/holds?state=all')).json).toEqual({ holds, next: null })
    expect((await face.get(`/api/holds?state=all&before=${holds[0]!.id}`)).json).toEqual({ holds: [], next: null })
    expect((await face.get('/api/holds?state=both')).status).toBe(400)
  })

  test('that is accepted charges exactly what was held, once', async () => {
    const { face, holds, used, decide } = await withHeldGrowth()
    const answer = await decide('accept', { reason: 'They rented a supercomputer', actor: 'erika' })
    expect(answer).toMatchObject({ status: 200, json: { verdict: 'accept', kind: 'implausible growth' } })
    expect(await used()).toBe('5000001')
    expect(await holds()).toEqual([])
    const again = await decide('accept', { reason: 'once more' })
    const how = expect.stringMatching(/^Hold 1 was closed at .*Z\. Accepted by erika: They rented a supercomputer$/)
    expect(again).toMatchObject({ status: 409, json: { detail: how } })
    expect(await used()).toBe('5000001')
    const { items } = (await face.get('/api/groups/alpha/entries')).json as { items: Record<string, unknown>[] }
    expect(items.find(({ actor }) => actor === 'erika')).toMatchObject({
      amount: '5000000',
      reason: 'They rented a supercomputer',
      from: { value: '100' },
      to: { value: '5000100' },
    })
  })

  test('that is dismissed charges nothing', async () => {
    const { holds, used, decide } = await withHeldGrowth()
    expect((await decide('dismiss', { reason: 'A wrong weight table' })).status).toBe(200)
    expect(await used()).toBe('1')
    expect(await holds()).toEqual([])
  })

  // The spike goes away after it was accepted: the line it came from is charged already, and more than that.
  test('that was accepted by mistake is not charged again when the total comes back', async () => {
    const { face, used, decide } = await withHeldGrowth()
    await decide('accept', { reason: 'looks right' })
    await face.record({ project: 'alpha', at: T0 + 3 * HOUR, value: '101' })
    expect(await used()).toBe('5000001')
  })

  test('goes on in the ledger: what comes after it is charged as before', async () => {
    const { face, used, decide } = await withHeldGrowth()
    await decide('accept', { reason: 'right' })
    await face.record({ project: 'alpha', at: T0 + 3 * HOUR, value: '5000102.25' })
    expect(await used()).toBe('5000002.25')
  })

  test.each([
    ['no reason', {}, 'got nothing.'],
    ['an empty reason', { reason: '  ' }, 'got "  ".'],
    ['a reason that is no text', { reason: ['right'] }, 'got ["right"].'],
    ['a reason that is a novel', { reason: 'x'.repeat(1_001) }, 'xxx….'],
    ['something else beside it', { reason: 'right', force: true }, 'got force.'],
    ['a reason that is a number', { reason: 1 }, 'got the number 1.'],
    ['an actor that is a number', { reason: 'right', actor: 1 }, 'actor: expected a text'],
    ['no object', ['right'], 'expected a JSON object'],
  ])('is not decided with %s', async (_, body, got) => {
    const { holds, decide } = await withHeldGrowth()
    const { status, json } = await decide('accept', body)
    expect([status, json]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(got) })])
    expect(await holds()).toHaveLength(1)
  })

  test.each(['0', '999', 'x', '1e3', '99999999999999999999'])('with the number %s does not exist', async (id) => {
    const { face } = await withHeldGrowth()
    expect((await face.post(`/api/holds/${id}/dismiss`, { reason: 'right' })).status).toBe(404)
  })

  test('is decided by one of two who decide at once; the other is told how', async () => {
    const { used, decide } = await withHeldGrowth()
    const both = ['erika', 'max'].map((actor) => decide('accept', { reason: 'right', actor }))
    const answers = await Promise.all(both)
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const loser = answers.find(({ status }) => status === 409)!
    expect(loser.json).toMatchObject({ detail: expect.stringMatching(/Accepted by (erika|max): right$/) })
    expect(await used()).toBe('5000001')
  })

  test('that ends by itself is not for people to decide', async () => {
    const { face, holds } = await withHeldGrowth()
    await face.ledger.record([], () => ({
      at: T0,
      changes: [],
      notes: [],
      holds: [{ key: 'clock', kind: 'clock ahead', site: '8676', reason: 'The clock is ahead.' }],
      released: [],
      withdrawn: [],
      heldGrowths: [],
    }))
    const [clock] = await holds()
    const answer = await face.post(`/api/holds/${clock!.id}/accept`, { reason: 'right' })
    expect(answer).toMatchObject({ status: 409, json: { status: 409 } })
    expect(await holds()).toHaveLength(2)
  })

  // The weights are put back: the totals return to the line they left, and there is nothing to accept any more.
  test('ends when the total comes back, and can no longer be accepted', async () => {
    const { face, holds, used, decide } = await withHeldGrowth()
    await face.record({ project: 'alpha', at: T0 + 3 * HOUR, value: '104' })
    expect(await holds()).toEqual([])
    expect((await decide('accept', { reason: 'too late' })).status).toBe(409)
    expect(await used()).toBe('4')
  })

  test('of a whole site is accepted for all its groups', async () => {
    const face = await startFace()
    onTestFinished(() => face[Symbol.asyncDispose]())
    const projects = ['a', 'b', 'c', 'd']
    for (const [hour, value] of [
      [0, '100'],
      [1, '101'],
      [2, '202'],
    ] as const) {
      await face.record(...projects.map((project) => ({ project, at: T0 + hour * HOUR, value })))
    }
    const { holds } = (await face.get('/api/holds')).json as { holds: HoldJson[] }
    expect(holds).toMatchObject([{ kind: 'site jump', group: null }])
    expect((await face.post(`/api/holds/${holds[0]!.id}/accept`, { reason: 'a new price list' })).status).toBe(200)
    for (const project of projects) {
      expect((await face.get(`/api/groups/${project}`)).json).toMatchObject({ used: '102', state: 'new' })
    }
  })
})
