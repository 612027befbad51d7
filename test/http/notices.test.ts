import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { type Face, startFace } from './server.ts'

const notice = { group: 'alpha', kind: 'runs out', line: 14, granted: '100', used: 5_500_000n, at: T0 } as const

async function faceWithNotices(overrides: Parameters<typeof startFace>[0] = {}): Promise<Face> {
  const face = await startFace(overrides)
  for (const project of ['alpha', 'beta']) await face.record({ project, at: T0, value: '1' })
  await face.ledger.notice(notice)
  await face.ledger.notice({ ...notice, group: 'beta', line: 7 })
  const to = [{ channel: 'mail', to: 'erika@example.org' } as const]
  await face.ledger.addressNotice(1, { at: T0, to, copyTo: 'cloud@example.org', state: 'addressed' })
  await face.ledger.closeMessage(1, { content: 'x', told: [1], muted: [], at: T0 })
  await face.ledger.beginAttempt(1, { at: T0, retryAt: T0 + HOUR })
  await face.ledger.endMessage(1, { state: 'sent', at: T0 + 1 })
  return face
}

suite('GET /api/notices', () => {
  test('shows who was told of what and when, newest first', async () => {
    await using face = await faceWithNotices()
    const { json } = await face.get('/api/notices?group=alpha')
    expect(json).toEqual({
      notices: [
        {
          ...{ id: 1, group: 'alpha', kind: 'runs out', line: 14, granted: '100', used: '5.5', entry: null },
          ...{ at: '2026-01-01T00:00:00.000Z', state: 'sent' },
          messages: [
            {
              ...{ id: expect.stringMatching(/^[0-9a-f-]{36}$/), channel: 'mail', to: 'erika@example.org' },
              ...{ copy_to: 'cloud@example.org', state: 'sent', attempts: 1, problem: null },
              ...{ tried_at: '2026-01-01T00:00:00.000Z', ended_at: '2026-01-01T00:00:00.001Z' },
            },
          ],
        },
      ],
      mute: null,
      next: null,
    })
  })

  test('comes in pages', async () => {
    await using face = await faceWithNotices()
    const first = (await face.get('/api/notices?limit=1')).json as { next: string }
    expect(first).toMatchObject({ notices: [{ group: 'beta', messages: [] }], next: '/api/notices?before=2&limit=1' })
    expect((await face.get(first.next)).json).toMatchObject({ notices: [{ group: 'alpha' }], next: null })
    expect((await face.get('/api/notices?before=x')).status).toBe(400)
  })

  test('is not for readers: addresses are personal', async () => {
    await using face = await faceWithNotices({ keys: { operator: 'op', reader: 'reader' } })
    expect((await face.get('/api/notices', { 'X-API-KEY': 'reader' })).status).toBe(403)
  })
})

suite('POST /api/groups/:name/mute', () => {
  test('keeps the people of a group from being told, until it is taken back', async () => {
    await using face = await faceWithNotices()
    const asking = { reason: 'On holiday', actor: 'erika' }
    const mute = { at: '2026-01-01T00:00:00.000Z', ...asking }
    expect((await face.post('/api/groups/alpha/mute', asking)).json).toEqual({ group: 'alpha', muted: true, mute })
    expect((await face.get('/api/groups/alpha')).json).toMatchObject({ muted: true })
    expect((await face.get('/api/groups?search=alpha')).json).toMatchObject({ groups: [{ muted: true }] })
    expect((await face.get('/api/notices?group=alpha')).json).toMatchObject({ mute })
    expect(await face.ledger.notice({ ...notice, line: 3 })).toBe(false)
    const back = await face.post('/api/groups/alpha/unmute', { reason: 'Back' })
    expect(back.json).toEqual({ group: 'alpha', muted: false, mute: null })
    expect((await face.get('/api/groups/alpha')).json).toMatchObject({ muted: false })
    expect(face.logLines).toContainEqual(expect.objectContaining({ group: 'alpha', actor: 'operator', reason: 'Back' }))
  })

  test.each(['mute', 'unmute'])('wants a reason and a group that exists: %s', async (change) => {
    await using face = await faceWithNotices()
    expect((await face.post(`/api/groups/alpha/${change}`, {})).status).toBe(400)
    expect((await face.post(`/api/groups/alpha/${change}`, { reason: 'x', until: 'never' })).status).toBe(400)
    expect((await face.post(`/api/groups/unknown/${change}`, { reason: 'x' })).status).toBe(404)
  })
})

suite('GET /notices/preview', () => {
  test('shows a mail, with nothing in it that could run', async () => {
    await using face = await startFace()
    const { status, headers, text } = await face.get('/notices/preview')
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; style-src-attr 'unsafe-inline'; frame-ancestors 'none'",
    )
    expect(text).toContain('“Protein Folding” has used 80 % of its credits')
    expect(text).toContain('“Old &#60;Project&#62; &#38; Co” has used up its credits')
    expect(text).not.toMatch(/<script|<style|<link|<img/)
  })

  test.each([
    ['threshold', 'Subject: Credits of “Protein Folding”: 80 % used'],
    ['runs-out', 'Subject: Credits of “Großes Mikroskop”: used up about 2026-01-08'],
    ['digest', 'Subject: Credits of 3 projects'],
  ])('shows %s as text', async (kind, subject) => {
    await using face = await startFace()
    const { headers, text } = await face.get(`/notices/preview?kind=${kind}&format=text`)
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(text.split('\n')[0]).toBe(subject)
  })

  test.each(['kind=x', 'format=pdf', 'kind=digest&kind=digest', 'kind=constructor'])('refuses %s', async (query) => {
    await using face = await startFace()
    expect((await face.get(`/notices/preview?${query}`)).status).toBe(400)
  })
})
