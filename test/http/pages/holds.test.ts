import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { T0 } from '../../helpers/billing.ts'
import { checkPage, find, rowsOf, textOf } from '../../helpers/markup.ts'
import { type Face, startFace } from '../server.ts'
import { person } from './people.ts'

/** A group with growth of 8,999,990 vCPU·h in an hour, held as number 1. */
async function held(overrides: Parameters<typeof startFace>[0] = {}): Promise<Face> {
  const face = await startFace(overrides)
  await face.record({ project: 'alpha', at: T0, value: '10' })
  await face.record({ project: 'alpha', at: T0 + HOUR, value: '9000000' })
  return face
}

const usedOf = async (face: Face) =>
  ((await face.get('/api/groups/alpha', { 'X-API-KEY': 'operator-key' })).json as { used: string }).used

suite('The page of a hold', () => {
  test('shows what it keeps back, as the API does', async () => {
    await using face = await held()
    const page = await person(face).see('/holds/1')
    const { growths } = (await face.get('/api/holds/1')).json as { growths: Record<string, string>[] }
    expect(rowsOf(find(page, 'table')[0]!)).toEqual([
      {
        Group: 'alpha id-alpha',
        Price: 'cpu@always',
        Meter: 'cpu',
        From: '10 2026-01-01T00:00:00.000Z',
        To: '9000000 2026-01-01T01:00:00.000Z',
        Consumption: `${growths[0]!.consumption} vCPU·h`,
      },
    ])
    expect(growths[0]!.consumption).toBe('8999990')
  })

  test('asks once more before growth is charged, and charges exactly that', async () => {
    await using face = await held()
    const browser = person(face)
    await browser.see('/holds/1')
    const asked = await browser.see('/holds/1?verdict=accept&reason=They+ran&actor=Ada')
    expect(textOf(find(asked, 'main')[0]!)).toContain(
      'Exactly the growth below is charged, once, at the prices beside it: those of its time as they are set now. That is about 8999990.00 credits.',
    )
    expect(await usedOf(face)).toBe('0')
    const done = await browser.send(asked, '/holds/1/accept')
    expect([done.status, done.headers.location]).toEqual([303, '/holds/1'])
    expect(await usedOf(face)).toBe('8999990')
    expect(textOf(find(await browser.see('/holds/1'), 'main')[0]!)).toContain('Accepted by Ada: They ran')
  })

  test('charges nothing of what is dismissed, and shows the reason as text', async () => {
    await using face = await held()
    const browser = person(face)
    const asked = await browser.see(`/holds/1?verdict=dismiss&reason=${encodeURIComponent('<b>"twice"</b>')}&actor=`)
    await browser.send(asked, '/holds/1/dismiss')
    expect(await usedOf(face)).toBe('0')
    const text = textOf(find(await browser.see('/holds/1'), 'main')[0]!)
    expect(text).toContain('Dismissed by operator: <b>"twice"</b>')
    const [row] = rowsOf(find(await browser.see('/holds?state=closed'), 'table')[0]!)
    expect(row!['What to do']).toBe('Dismissed by operator: <b>"twice"</b>')
  })

  test('needs a reason', async () => {
    await using face = await held()
    const browser = person(face)
    const answer = await browser.get('/holds/1?verdict=accept&reason=+&actor=Ada')
    expect(answer.status).toBe(400)
    const page = checkPage(answer.text)
    expect(textOf(page)).toContain('reason: expected a text of 1 to 1000 characters')
    const fields = find(page, 'input').map(({ attributes }) => [attributes.name, attributes.value])
    expect(fields).toContainEqual(['actor', 'Ada'])
    const asked = await browser.see('/holds/1?verdict=accept&reason=x')
    expect((await browser.send(asked, '/holds/1/accept', { reason: '' })).status).toBe(400)
    expect(await usedOf(face)).toBe('0')
  })

  test('decides nothing for a form that was not given to this browser', async () => {
    await using face = await held({ keys: { operator: 'operator-key' } })
    const browser = person(face)
    await browser.send(await browser.see('/login'), '/login', { key: 'operator-key' })
    expect((await browser.post('/holds/1/accept', { reason: 'x' })).status).toBe(403)
    const asked = await browser.see('/holds/1?verdict=accept&reason=x')
    const sent = { 'Sec-Fetch-Site': 'cross-site' }
    const token = find(asked, 'input').find(({ attributes }) => attributes.name === 'token')!.attributes.value!
    expect((await browser.post('/holds/1/accept', { reason: 'x', token }, sent)).status).toBe(403)
    browser.cookie = undefined
    expect((await browser.post('/holds/1/accept', { reason: 'x', token })).status).toBe(401)
    expect(await usedOf(face)).toBe('0')
  })

  test('is decided once: later forms are told that it is closed', async () => {
    await using face = await held()
    const browser = person(face)
    const asked = await browser.see('/holds/1?verdict=accept&reason=x')
    await browser.send(asked, '/holds/1/accept')
    const again = await browser.send(asked, '/holds/1/accept')
    expect([again.status, await usedOf(face)]).toEqual([409, '8999990'])
    checkPage(again.text)
    expect(find(await browser.see('/holds/1'), 'form')).toEqual([])
  })

  test('has no form for a hold that ends by itself', async () => {
    await using face = await startFace()
    await face.record({ project: 'alpha', at: T0, value: '1' })
    const hold = { key: 'k', kind: 'no grant', site: '8676', group: 'alpha', reason: 'No grant.' } as const
    await face.ledger.settle({ group: 'alpha', at: T0, holds: [hold] })
    const browser = person(face)
    expect(find(await browser.see('/holds/1'), 'form')).toEqual([])
  })

  test.each(['0', '2', 'x', '1e3', '99999999999999999999'])('is not there for %s', async (id) => {
    await using face = await held()
    const answer = await person(face).get(`/holds/${id}`)
    expect(answer.status).toBe(404)
    checkPage(answer.text)
  })
})

suite('The page of holds', () => {
  test('shows open ones, closed ones or all, of one group or of all, page by page', async () => {
    await using face = await held()
    await face.record({ project: 'beta', at: T0 + HOUR, value: '0' })
    const holds = Array.from(
      { length: 60 },
      (_, index) =>
        ({ key: `k${index}`, kind: 'refused', site: '8676', group: 'beta', reason: `No. ${index}` }) as const,
    )
    await face.ledger.settle({ group: 'beta', at: T0, holds })
    const browser = person(face)
    const count = async (address: string) => find(await browser.see(address), 'table').flatMap(rowsOf).length
    expect(await count('/holds?group=alpha')).toBe(1)
    expect(await count('/holds?state=closed')).toBe(0)
    const first = await browser.see('/holds')
    const next = find(first, 'a').find(({ attributes }) => attributes.rel === 'next')!.attributes.href!
    expect([await count('/holds'), await count(next)]).toEqual([50, 11])
    expect(textOf(await browser.see('/holds?group=nobody'))).toContain('No open holds.')
  })
})

suite('The page of drifts', () => {
  test('shows what was edited, as the API tells it', async () => {
    await using face = await startFace()
    await face.record({ project: 'alpha', at: T0, value: '1' })
    const drifts = [
      {
        site: '8676',
        expected: 1_234_567n,
        shown: 2_000_001n,
        modifiedAt: '2026-01-01 00:00:00.000000',
        modifiedBy: '<a>',
        entryId: 'adjustment/1',
      },
      { site: '8676', expected: 2_000_001n },
    ]
    await face.ledger.settle({ group: 'alpha', at: T0, drifts })
    const rows = rowsOf(find(await person(face).see('/drifts?group=alpha'), 'table')[0]!)
    expect(rows.map((row) => [row['We wrote'], row['Perun showed']])).toEqual([
      ['2.000001', 'none'],
      ['1.234567', '2.000001'],
    ])
    const { drifts: told } = (await face.get('/api/drifts')).json as { drifts: { expected: string }[] }
    expect(told.map(({ expected }) => expected)).toEqual(['2.000001', '1.234567'])
    expect(textOf(await person(face).see('/drifts?group=beta'))).toContain('Nothing was edited')
  })
})
