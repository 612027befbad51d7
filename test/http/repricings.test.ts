import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { ram, T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

interface Preview {
  readonly id: string
  readonly next: string | null
}

const period = { from: '2026-01-01', to: '2026-01-01T02:00:00Z' }
const january = { meter: 'cpu', ...period, price: '1.5', reason: 'The price was announced too low' }

/** In two hours alpha uses 10 vCPU·h at each of two sites, beta 4 vCPU·h and 100 GiB·h; alpha uses 5 in the third hour. */
async function withCharges() {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  const other = { project: 'alpha', site: '9999' }
  const memory = { project: 'beta', metric: ram.metric }
  const first = [
    { ...other, value: '0' },
    { project: 'alpha', value: '0' },
    { project: 'beta', value: '0' },
  ]
  await face.record(...[...first, { ...memory, value: '0' }].map((each) => ({ ...each, at: T0 })))
  const second = [
    { ...other, value: '10' },
    { project: 'alpha', value: '10' },
    { project: 'beta', value: '4' },
  ]
  await face.record(...[...second, { ...memory, value: '100' }].map((each) => ({ ...each, at: T0 + 2 * HOUR })))
  await face.record({ project: 'alpha', at: T0 + 3 * HOUR, value: '15' })
  const used = async (group: string) => ((await face.get(`/api/groups/${group}`)).json as { used: string }).used
  const preview = async (body: unknown = january) => (await face.post('/api/repricings', body)).json as Preview
  const change = (what: string, { id }: Preview, body: unknown) => face.post(`/api/repricings/${id}/${what}`, body)
  return { face, used, preview, change }
}

suite('another price for a past period', () => {
  test('is previewed group by group, and changes nothing', async () => {
    const { face, used } = await withCharges()
    await face.ledger.settle({ group: 'alpha', at: T0, granted: '50' })
    const answer = await face.post('/api/repricings', january)
    expect(answer.status).toBe(201)
    expect(answer.json).toMatchObject({
      state: 'previewed',
      meter: 'cpu',
      price: '1.5',
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-01-01T02:00:00.000Z',
      actor: 'operator',
      number_of_groups: 2,
      number_of_series: 3,
      difference: '12',
      groups: [
        // 25 of 50 are half of it already; 35 of 50 reach no further line.
        { group: 'alpha', used_before: '25', difference: '10', used_after: '35', granted: '50', crosses: [] },
        { group: 'beta', used_before: '34', difference: '2', used_after: '36', granted: null, crosses: [] },
      ],
      next: null,
    })
    expect([await used('alpha'), await used('beta')]).toEqual(['25', '34'])
  })

  test('tells which lines of a grant are crossed', async () => {
    const { face } = await withCharges()
    await face.ledger.settle({ group: 'alpha', at: T0, granted: '32' })
    const { groups } = (await face.post('/api/repricings', january)).json as { groups: unknown[] }
    // 25 of 32 is 78 %, 35 is 109 %.
    expect(groups[0]).toMatchObject({ group: 'alpha', crosses: [80, 100] })
  })

  test('is applied exactly as it was previewed, once', async () => {
    const { face, used, preview, change } = await withCharges()
    const made = await preview()
    const applied = await change('apply', made, { actor: 'erika' })
    expect(applied).toMatchObject({ status: 200, json: { state: 'applied', applied: { actor: 'erika' } } })
    expect([await used('alpha'), await used('beta')]).toEqual(['35', '36'])
    expect(await change('apply', made, {})).toMatchObject({ status: 409 })
    expect([await used('alpha'), await used('beta')]).toEqual(['35', '36'])
    const { items } = (await face.get('/api/groups/alpha/entries')).json as { items: Record<string, unknown>[] }
    const corrections = items.filter(({ kind }) => kind === 'adjustment')
    expect(corrections).toMatchObject([
      { amount: '5', actor: 'erika', reason: expect.stringContaining('The price was announced too low') },
      { amount: '5', corrects: { first: expect.any(Number), last: expect.any(Number) } },
    ])
    expect((await face.get(`/api/repricings/${made.id}`)).json).toMatchObject({
      groups: [{ group: 'alpha', used_before: '25', used_after: '35' }, { group: 'beta' }],
    })
  })

  test('is undone by the opposite entries, once', async () => {
    const { used, preview, change } = await withCharges()
    const made = await preview()
    expect(await change('undo', made, { reason: 'too early' })).toMatchObject({ status: 409 })
    await change('apply', made, {})
    expect(await change('undo', made, {})).toMatchObject({ status: 400 })
    const undone = await change('undo', made, { reason: 'It was right', actor: 'max' })
    expect(undone).toMatchObject({
      status: 200,
      json: { state: 'undone', undone: { actor: 'max', reason: 'It was right' } },
    })
    expect([await used('alpha'), await used('beta')]).toEqual(['25', '34'])
    expect(await change('undo', made, { reason: 'again' })).toMatchObject({ status: 409 })
    expect(await change('apply', made, {})).toMatchObject({ status: 409 })
  })

  test('is refused when more was charged in the period since the preview', async () => {
    const { face, used, preview, change } = await withCharges()
    const upToNow = { ...january, to: '2026-01-01T03:00:00Z' }
    const late = await preview(upToNow)
    // Beta's readings go on where they were: within the period.
    await face.record({ project: 'beta', at: T0 + 150 * MINUTE, value: '6' })
    const answer = await change('apply', late, {})
    expect(answer).toMatchObject({ status: 409, json: { detail: expect.stringContaining('make a new one') } })
    expect(await used('alpha')).toBe('25')
    expect(await change('apply', await preview(upToNow), {})).toMatchObject({ status: 200 })
  })

  test('is refused when an entry that it saw has grown since', async () => {
    const { face, preview, change } = await withCharges()
    await face.record({ project: 'alpha', at: T0 + 210 * MINUTE, value: '16' })
    const made = await preview({ ...january, to: '2026-01-01T03:30:00Z' })
    await face.record({ project: 'alpha', at: T0 + 220 * MINUTE, value: '17' })
    expect(await change('apply', made, {})).toMatchObject({ status: 409 })
  })

  test('cannot overlap with one that is applied', async () => {
    const { preview, change, face } = await withCharges()
    const [made, other] = [await preview(), await preview({ ...january, price: '2' })]
    await change('apply', made, {})
    expect(await change('apply', other, {})).toMatchObject({
      status: 409,
      json: { detail: expect.stringMatching(made.id) },
    })
    expect(await face.post('/api/repricings', january)).toMatchObject({ status: 409 })
    await change('undo', made, { reason: 'wrong' })
    expect(await change('apply', other, {})).toMatchObject({ status: 200 })
  })

  test('pages through its groups, and is listed', async () => {
    const { face } = await withCharges()
    const first = (await face.post('/api/repricings?limit=1', january)).json as Preview & { groups: unknown[] }
    expect(first.groups).toMatchObject([{ group: 'alpha' }])
    expect((await face.get(first.next!)).json).toMatchObject({ groups: [{ group: 'beta' }], next: null })
    expect((await face.get('/api/repricings')).json).toMatchObject({ repricings: [{ id: first.id }] })
  })

  test.each([
    [{ ...january, meter: 'gpu' }, 'cpu, ram'],
    [{ ...january, from: 'yesterday' }, 'from'],
    [{ ...january, to: '2026-01-01' }, 'after from'],
    [{ ...january, to: '2099-01-01' }, 'passed'],
    [{ ...january, price: '-1' }, 'price'],
    [{ ...january, price: 'much' }, 'price'],
    [{ ...january, price: '1e15' }, 'at most 15 digits'],
    [{ ...january, price: '1e400' }, 'at most 15 digits'],
    [{ ...january, price: '0.1234567890123' }, '12 decimals'],
    [{ ...january, reason: undefined }, 'reason'],
    [{ ...january, more: 1 }, 'more'],
  ])('is refused as %j', async (body, what) => {
    const { face } = await withCharges()
    expect(await face.post('/api/repricings', body)).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining(what) },
    })
  })

  test('is refused when its differences are more than a ledger can hold, and is not kept', async () => {
    const { face } = await withCharges()
    const answer = await face.post('/api/repricings', { ...january, price: '500000000000' })
    expect(answer).toMatchObject({
      status: 409,
      json: { detail: expect.stringContaining('more than the 9223372036854') },
    })
    expect((await face.get('/api/repricings')).json).toEqual({ repricings: [] })
    expect((await face.post('/api/repricings', { ...january, price: '300000000000' })).status).toBe(201)
  })

  test('is not applied while it would make a total negative', async () => {
    const { face, used, preview, change } = await withCharges()
    await face.post('/api/groups/beta/adjustments', { amount: '-33', reason: 'A gift' })
    const cheaper = { ...january, price: '0.5' }
    const made = (await face.post('/api/repricings', cheaper)).json as Preview
    expect(made).toMatchObject({
      number_below_zero: 1,
      groups: [
        { group: 'alpha', used_after: '15', below_zero: false },
        { group: 'beta', used_before: '1', used_after: '-1', below_zero: true },
      ],
    })
    const refused = await change('apply', made, {})
    expect(refused).toMatchObject({
      status: 409,
      json: { detail: expect.stringMatching(/negative.*Adjust.*beta \(-1\)/) },
    })
    expect(await used('alpha')).toBe('25')
    await face.post('/api/groups/beta/adjustments', { amount: '1', reason: 'Room for it' })
    expect(await change('apply', await preview(cheaper), {})).toMatchObject({ status: 200 })
    expect([await used('alpha'), await used('beta')]).toEqual(['15', '0'])
  })

  test('is not undone while that would make a total negative', async () => {
    const { face, used, preview, change } = await withCharges()
    const made = await preview()
    await change('apply', made, {})
    await face.post('/api/groups/beta/adjustments', { amount: '-35', reason: 'A gift' })
    expect((await face.get(`/api/repricings/${made.id}`)).json).toMatchObject({
      number_below_zero: 1,
      groups: [{ below_zero: false }, { group: 'beta', below_zero: true }],
    })
    const refused = await change('undo', made, { reason: 'wrong' })
    expect(refused).toMatchObject({ status: 409, json: { detail: expect.stringContaining('beta (-1)') } })
    expect([await used('alpha'), await used('beta')]).toEqual(['35', '1'])
  })

  test('tells what was charged in its period since, at the old price', async () => {
    const { face, preview, change } = await withCharges()
    const made = await preview({ ...january, to: '2026-01-01T03:00:00Z' })
    expect(made).toMatchObject({ charged_since: null })
    const applied = await change('apply', made, {})
    expect(applied.json).toMatchObject({ charged_since: { entries: 0, amount: '0' } })
    await face.record({ project: 'beta', at: T0 + 150 * MINUTE, value: '6' })
    const since = { charged_since: { entries: 1, amount: '2' } }
    expect((await face.get(`/api/repricings/${made.id}`)).json).toMatchObject(since)
    expect((await face.get('/api/repricings')).json).toMatchObject({ repricings: [since] })
  })

  test('needs something that was charged, and an id that exists', async () => {
    const { face, change } = await withCharges()
    const before = { ...january, from: '2025-01-01', to: '2025-02-01' }
    expect(await face.post('/api/repricings', before)).toMatchObject({ status: 409 })
    expect(await change('apply', { id: 'none', next: null }, {})).toMatchObject({ status: 404 })
    expect(await change('undo', { id: 'none', next: null }, { reason: 'x' })).toMatchObject({ status: 404 })
    expect(await face.get('/api/repricings/none')).toMatchObject({ status: 404 })
  })
})
