import { expect, suite, test } from 'vitest'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { checkPage, find, textOf } from '../../helpers/markup.ts'
import { type Face, startFace } from '../server.ts'
import { HTML, type Person, person } from './people.ts'

const keys = { operator: 'operator-key', reader: 'reader-key' }

async function logIn(face: Face, key: string, next = '/'): Promise<Person> {
  const browser = person(face)
  const page = await browser.see(`/login?next=${encodeURIComponent(next)}`)
  const answer = await browser.send(page, '/login', { key })
  expect(answer.status).toBe(303)
  return browser
}

suite('A browser', () => {
  test('gets a session for a key: a cookie that scripts and other sites cannot use, without the key in it', async () => {
    await using face = await startFace({ keys })
    const browser = person(face)
    const answer = await browser.send(await browser.see('/login?next=/holds'), '/login', { key: 'operator-key' })
    expect(answer.headers.location).toBe('/holds')
    expect(answer.headers['set-cookie']![0]).toMatch(
      /^credits_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    )
    expect((await face.get('/stats', { Cookie: browser.cookie })).status).toBe(200)
  })

  test('gets a cookie for https only if it came over https', async () => {
    await using face = await startFace({ keys })
    const browser = person(face)
    const page = await browser.see('/login')
    const [form] = find(page, 'form').filter(({ attributes }) => attributes.action === '/login')
    const token = find(form!, 'input').find(({ attributes }) => attributes.name === 'token')!.attributes.value!
    const headers = { 'X-Forwarded-Proto': 'https' }
    const { headers: answered } = await browser.post('/login', { token, key: 'reader-key' }, headers)
    expect(answered['set-cookie']![0]).toMatch(/; Secure$/)
  })

  test('opens with a session what its key opens, and of the API only what looks', async () => {
    await using face = await startFace({ keys })
    const reader = await logIn(face, 'reader-key')
    expect((await reader.get('/api/groups')).status).toBe(200)
    expect((await reader.get('/stats')).status).toBe(403)
    const operator = await logIn(face, 'operator-key')
    expect((await operator.get('/stats')).status).toBe(200)
    const change = await face.post('/logconfig', { levels: {} }, { Cookie: operator.cookie })
    expect(change.status).toBe(401)
  })

  test('is told that a key is wrong, and may try again', async () => {
    await using face = await startFace({ keys })
    const browser = person(face)
    const answer = await browser.send(await browser.see('/login?next=/plan'), '/login', { key: 'guess' })
    expect([answer.status, answer.headers['set-cookie']]).toEqual([401, undefined])
    const again = checkPage(answer.text)
    expect(textOf(find(again, 'form').at(-1)!)).toContain('This key is not known here.')
    expect((await browser.send(again, '/login', { key: 'reader-key' })).headers.location).toBe('/plan')
  })

  test('cannot guess keys: after too many wrong ones the right one is not looked at, until a while is over', async () => {
    await using face = await startFace({ keys, rateLimit: 40 })
    const browser = person(face)
    const page = await browser.see('/login')
    for (const guess of ['a', 'b']) expect((await browser.send(page, '/login', { key: guess })).status).toBe(401)
    const late = await browser.send(page, '/login', { key: 'operator-key' })
    expect([late.status, late.headers['retry-after']]).toEqual([429, '30'])
    checkPage(late.text)
    face.clock.at += MINUTE
    expect((await browser.send(page, '/login', { key: 'operator-key' })).status).toBe(303)
  })

  test('is not shut out by the wrong keys of somebody else at its address while its session lasts', async () => {
    await using face = await startFace({ keys, rateLimit: 40 })
    const browser = await logIn(face, 'operator-key')
    for (const key of ['a', 'b']) expect((await face.get('/stats', { 'X-API-KEY': key })).status).toBe(401)
    expect((await face.get('/stats', { 'X-API-KEY': 'operator-key' })).status).toBe(429)
    expect((await browser.get('/stats')).status).toBe(200)
  })

  test('is out after 12 hours', async () => {
    await using face = await startFace({ keys })
    const browser = await logIn(face, 'operator-key')
    face.clock.at += 12 * HOUR - 1
    expect((await browser.get('/stats')).status).toBe(200)
    face.clock.at += 1
    expect((await browser.get('/stats')).status).toBe(401)
  })

  test('is out when it says so: the number of its cookie means nothing any more', async () => {
    await using face = await startFace({ keys })
    const browser = await logIn(face, 'operator-key')
    const kept = browser.cookie
    const elsewhere = await browser.see('/nowhere')
    const answer = await browser.send(elsewhere, '/logout')
    expect(answer.headers['set-cookie']![0]).toBe('credits_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict')
    expect((await face.get('/stats', { Cookie: kept })).status).toBe(401)
  })

  test('with a session is sent on from the page that asks for a key', async () => {
    await using face = await startFace({ keys })
    const browser = await logIn(face, 'reader-key')
    expect((await browser.get('/login?next=/plan')).headers.location).toBe('/plan')
  })

  test('that comes from a link in a mail is asked to load the page again, because its cookie was not sent', async () => {
    await using face = await startFace({ keys })
    const { headers } = await person(face).get('/login', { 'Sec-Fetch-Site': 'cross-site' })
    expect(headers.refresh).toBe('0')
    expect((await person(face).get('/login', { 'Sec-Fetch-Site': 'none' })).headers.refresh).toBeUndefined()
  })

  test.each([
    'https://example.org/',
    '//example.org/',
    '/\\example.org/',
    '/\t/example.org',
    'javascript:alert(1)',
    'x',
  ])('is not sent to %j from here', async (next) => {
    await using face = await startFace({ keys })
    const browser = person(face)
    const page = await browser.see(`/login?next=${encodeURIComponent(next)}`)
    const { location } = (await browser.send(page, '/login', { key: 'reader-key', next })).headers
    expect(new URL(location!, face.url).host).toBe(new URL(face.url).host)
  })

  test('reads that there is nothing to log in with where no keys are set', async () => {
    await using face = await startFace()
    expect(textOf(find(await person(face).see('/login'), 'main')[0]!)).toContain('No keys are set')
  })
})

suite('A form', () => {
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['without a token', {}, {}],
    ['with a wrong token', { token: 'x'.repeat(43) }, {}],
    ['from another site', {}, { 'Sec-Fetch-Site': 'cross-site' }],
    ['from another port', {}, { 'Sec-Fetch-Site': 'same-site' }],
  ])('%s is refused', async (_name, fields, headers) => {
    await using face = await startFace({ keys })
    const browser = await logIn(face, 'operator-key')
    const answer = await browser.post('/logout', fields, headers)
    expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined])
    expect((await browser.get('/stats')).status).toBe(200)
  })

  test.each(['https://example.org', 'null', 'http://localhost:1'])('of a page at %s is refused', async (origin) => {
    await using face = await startFace({ keys })
    const { status } = await face.ask('/login', {
      method: 'POST',
      body: 'key=operator-key',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: origin },
    })
    expect(status).toBe(403)
  })

  test('with the token of another session is refused', async () => {
    await using face = await startFace({ keys })
    const [one, other] = [await logIn(face, 'operator-key'), await logIn(face, 'operator-key')]
    const page = await one.see('/nowhere')
    expect((await other.send(page, '/logout')).status).toBe(403)
  })

  test('that is too long or none is refused', async () => {
    await using face = await startFace({ keys })
    const browser = person(face)
    expect((await browser.post('/login', { key: 'x'.repeat(70_000) })).status).toBe(413)
    expect((await browser.post('/login', {}, { 'Content-Type': 'application/json' })).status).toBe(415)
    expect((await browser.post('/login', {})).status).toBe(403)
  })
})

suite('Errors', () => {
  test('are pages for people and problem documents for programs', async () => {
    await using face = await startFace({ keys })
    const page = await face.get('/nowhere', HTML)
    expect(page.status).toBe(404)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(textOf(find(checkPage(page.text), 'main')[0]!)).toContain('There is nothing at /nowhere.')
    for (const headers of [{}, { Accept: '*/*' }, { Accept: 'application/json' }]) {
      expect((await face.get('/nowhere', headers)).headers['content-type']).toMatch(/^application\/problem\+json/)
    }
  })

  test('of the API stay problem documents in a browser', async () => {
    await using face = await startFace({ keys })
    for (const path of ['/api/groups', '/api/nowhere', '/stats']) {
      expect((await face.get(path, HTML)).headers['content-type'], path).toMatch(/^application\/problem\+json/)
    }
  })

  test('show an address as text', async () => {
    await using face = await startFace({ keys })
    const page = checkPage((await face.get(`/${encodeURIComponent('<script>alert(1)</script>')}`, HTML)).text)
    expect(find(page, 'script')).toEqual([])
  })
})

test('Pages run and load nothing but files of this worker', async () => {
  await using face = await startFace({ keys })
  const { headers } = await face.get('/login', HTML)
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  )
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  })
})
