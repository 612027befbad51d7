import { expect, onTestFinished, suite, test } from 'vitest'
import { T0 } from '../../helpers/billing.ts'
import { type Element, find, textOf } from '../../helpers/markup.ts'
import { type Face, startFace } from '../server.ts'
import { fieldsOf, person } from './people.ts'

const NAME = 'a/b "Æ" <i>'
const ADDRESS = `/groups/${encodeURIComponent(NAME)}`
const keys = { operator: 'operator-key', reader: 'reader-key' }

async function open(overrides: Parameters<typeof startFace>[0] = {}): Promise<Face> {
  const face = await startFace(overrides)
  onTestFinished(() => face[Symbol.asyncDispose]())
  await face.record({ project: NAME, at: T0, value: '10' })
  return face
}

async function loggedIn(face: Face, key: string) {
  const viewer = person(face)
  await viewer.send(await viewer.see('/login'), '/login', { key })
  return viewer
}

const noticesOf = (page: Element) =>
  find(page, 'section').find(({ attributes }) => attributes['aria-labelledby'] === 'notices')

suite('Muting a group on its page', () => {
  test('tells nobody any more, and says who did it and why', async () => {
    const face = await open()
    const browser = person(face)
    const page = await browser.see(ADDRESS)
    expect(textOf(noticesOf(page)!)).toContain('From now on nobody is told of its credits')
    const done = await browser.send(page, `${ADDRESS}/mute`, { reason: '<b>They</b> asked', actor: 'Ada' })
    expect([done.status, done.headers.location]).toEqual([303, `${ADDRESS}#notices`])
    expect(await face.ledger.muted(NAME)).toMatchObject({ actor: 'Ada', reason: '<b>They</b> asked' })
    const muted = await browser.see(ADDRESS)
    expect(textOf(noticesOf(muted)!)).toMatch(/told nothing since 2026-01-01 00:00 UTC , by Ada : <b>They<\/b> asked/)

    expect((await browser.send(muted, `${ADDRESS}/unmute`, { reason: 'They want it back' })).status).toBe(303)
    expect(await face.ledger.muted(NAME)).toBeUndefined()
    expect(face.logLines).toContainEqual(
      expect.objectContaining({ group: NAME, actor: 'operator', reason: 'They want it back' }),
    )
  })

  test('is offered to operators only, and needs their session', async () => {
    const face = await open({ keys })
    const reader = await loggedIn(face, 'reader-key')
    expect(noticesOf(await reader.see(ADDRESS))).toBeUndefined()
    const operator = await loggedIn(face, 'operator-key')
    const { token } = fieldsOf(await operator.see(ADDRESS), `${ADDRESS}/mute`)
    const refused = await reader.post(`${ADDRESS}/mute`, { reason: 'x', token: token! })
    expect(refused.status).toBe(403)
    expect((await person(face).post(`${ADDRESS}/mute`, { reason: 'x', token: token! })).status).toBe(401)
    expect(await face.ledger.muted(NAME)).toBeUndefined()
  })

  test('does nothing for a form that this page did not give, without a reason, or for no group', async () => {
    const face = await open({ keys })
    const operator = await loggedIn(face, 'operator-key')
    const page = await operator.see(ADDRESS)
    const { token } = fieldsOf(page, `${ADDRESS}/mute`)
    expect((await operator.post(`${ADDRESS}/mute`, { reason: 'x' })).status).toBe(403)
    const cross = { 'Sec-Fetch-Site': 'cross-site' }
    expect((await operator.post(`${ADDRESS}/mute`, { reason: 'x', token: token! }, cross)).status).toBe(403)
    expect((await operator.send(page, `${ADDRESS}/mute`, { reason: ' ' })).status).toBe(400)
    expect((await operator.post('/groups/nobody/mute', { reason: 'x', token: token! })).status).toBe(404)
    expect(await face.ledger.muted(NAME)).toBeUndefined()
  })
})
