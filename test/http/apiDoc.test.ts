import { expect, suite, test } from 'vitest'
import { cpu } from '../helpers/billing.ts'
import { checkPage, find, textOf } from '../helpers/markup.ts'
import { operations } from './contract/description.ts'
import { startFace } from './server.ts'

const asBrowser = { Accept: 'text/html' }

suite('the page that describes the API', () => {
  test('has every operation, with who may ask and a form to try it', async () => {
    await using face = await startFace()
    const page = checkPage((await face.get('/api/doc', asBrowser)).text)
    const shown = find(page, 'details').filter(({ attributes }) => attributes.class === 'card operation')
    const heads = shown.map((each) => textOf(find(each, 'summary')[0]!))
    for (const { method, path, operation } of operations) {
      const who = operation.security[0]?.key?.[0] ?? 'all'
      expect(heads).toContainEqual(expect.stringMatching(`^${method} ${path.replaceAll(/[{}]/g, '\\$&')} ${who}`))
    }
    const forms = find(page, 'form').filter(({ attributes }) => attributes.class === 'try')
    expect(forms.map(({ attributes }) => `${attributes['data-method']} ${attributes['data-path']}`).toSorted()).toEqual(
      operations.map(({ name }) => name).toSorted(),
    )
  })

  test('leads to nothing that is not on it', async () => {
    await using face = await startFace()
    const page = checkPage((await face.get('/api/doc', asBrowser)).text)
    const ids = new Set(find(page).map(({ attributes }) => attributes.id))
    const links = find(page, 'a').map(({ attributes }) => attributes.href!)
    expect(links.filter((link) => link.startsWith('#') && !ids.has(link.slice(1)))).toEqual([])
    expect(links.filter((link) => link.startsWith('#')).length).toBeGreaterThan(100)
  })

  test('is for all, and runs only what the worker serves', async () => {
    await using face = await startFace({ keys: { operator: 'operator-key' } })
    const { status, headers } = await face.get('/api/doc', { ...asBrowser, 'X-Forwarded-For': '192.0.2.1' })
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'/)
    expect(headers['content-security-policy']).not.toContain('unsafe')
  })

  test('shows what a prices file says as text', async () => {
    const meters = new Map([[cpu.metric, { ...cpu, description: '<script>alert("1")</script>' }]])
    await using face = await startFace({ meters })
    const page = checkPage((await face.get('/api/doc', asBrowser)).text)
    expect(textOf(page)).toContain('<script>alert(')
    expect(find(page, 'script').map(({ attributes }) => attributes.type)).toEqual(['module'])
  })
})
