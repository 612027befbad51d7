import { expect, onTestFinished, suite, test } from 'vitest'
import { NOW, withGroup } from '../helpers/groups.ts'
import { find } from '../helpers/markup.ts'
import { fieldsOf, person } from './pages/people.ts'
import { type Face, startFace } from './server.ts'

async function open(): Promise<Face> {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  face.clock.at = NOW
  await withGroup(face, 'Bio ä', 40, '20000')
  return face
}

const group = '/groups/Bio%20%C3%A4'

async function bytesOf(face: Face, path: string, headers: Record<string, string>) {
  const answer = await fetch(face.url + path, { headers: { 'Accept-Encoding': 'gzip', ...headers } })
  const raw = await face.get(path, headers)
  return { answer, text: await answer.text(), raw }
}

suite('Answers are compressed for whoever takes that', () => {
  test.each([
    [group, { Accept: 'text/html' }],
    [`/api${group}/history?step=hour`, {}],
    [`/api${group}/entries?format=csv`, {}],
    ['/api/doc/openapi.json', {}],
    ['/metrics', {}],
  ])('%s', async (path, headers) => {
    const face = await open()
    const { answer, text, raw } = await bytesOf(face, path, headers)
    expect(answer.headers.get('content-encoding')).toBe('gzip')
    expect(answer.headers.get('content-type')).toBe(raw.headers['content-type'])
    expect(Number(answer.headers.get('content-length'))).toBeLessThan(raw.text.length / 3)
    expect(raw.headers['content-encoding']).toBeUndefined()
    for (const vary of [answer.headers.get('vary'), raw.headers.vary]) expect(vary).toMatch(/Accept-Encoding/)
    expect(withoutWhatPasses(text)).toBe(withoutWhatPasses(raw.text))
  })

  test('and not where it fits one packet, is refused or is compressed already', async () => {
    const face = await open()
    for (const path of ['/ping', '/api/groups?search=nobody'])
      expect((await bytesOf(face, path, {})).answer.headers.get('content-encoding')).toBeNull()
    const refused = await bytesOf(face, group, { Accept: 'text/html', 'Accept-Encoding': 'gzip;q=0, br' })
    expect(refused.answer.headers.get('content-encoding')).toBeNull()
    const page = await person(face).see(group)
    const { href } = find(page, 'link').find(({ attributes }) => attributes.rel === 'stylesheet')!.attributes
    const style = await fetch(face.url + href!, { headers: { 'Accept-Encoding': 'gzip' } })
    expect([style.headers.get('content-encoding'), (await style.text()).includes('{')]).toEqual(['gzip', true])
  })

  test('what is the same is not sent again, compressed or not', async () => {
    const face = await open()
    const path = `/api${group}/history?step=hour`
    const plain = (await face.get(path)).headers.etag!
    const { answer } = await bytesOf(face, path, {})
    expect(answer.headers.get('etag')).toBe(`W/${plain}`)
    for (const etag of [plain, `W/${plain}`]) {
      for (const encoding of ['gzip', 'identity']) {
        const again = await face.get(path, { 'If-None-Match': etag, 'Accept-Encoding': encoding })
        expect([again.status, again.text]).toEqual([304, ''])
      }
    }
  })

  test('the token of forms looks different each time, and is good each time', async () => {
    const face = await open()
    const browser = person(face)
    const pages = [await browser.see(group), await browser.see(group)]
    const tokens = pages.map((page) => fieldsOf(page, `${group}/mute`).token!)
    expect(tokens[0]).not.toBe(tokens[1])
    expect(tokens[0]!.length).toBe(tokens[1]!.length)
    for (const token of tokens) expect((await browser.post(`${group}/mute`, { reason: 'x', token })).status).toBe(303)
    const [first, second] = tokens.map((token) => Buffer.from(token, 'base64url'))
    const half = first!.length / 2
    const mixed = Buffer.concat([first!.subarray(0, half), second!.subarray(half)]).toString('base64url')
    for (const token of [mixed, '', tokens[0]!.slice(1), 'A'.repeat(116)])
      expect((await browser.post(`${group}/unmute`, { reason: 'x', token })).status, token).toBe(403)
    expect(await face.ledger.muted('Bio ä')).toBeDefined()
  })
})

/** Tokens of forms, and numbers of the process, are others in each answer. */
function withoutWhatPasses(text: string): string {
  return text.replaceAll(/name="token" value="[\w-]+"/g, '').replaceAll(/^(process|nodejs|os_credits_http)_.*\n/gm, '')
}
