import { expect, suite } from 'vitest'
import { startFace } from '../http/server.ts'
import { browserTest, looks, tabStops, useChromium } from './chromium.ts'

useChromium()

suite.each(looks)('In a browser', (look) => {
  browserTest('somebody with a key comes in and goes out', look, async (open) => {
    await using face = await startFace({ keys: { operator: 'operator-key' } })
    const { page, see } = await open(face.url)
    await see('/login?next=%2Fping')
    await page.getByLabel('Key').fill('operator-key')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/ping')
    expect(await page.context().cookies()).toMatchObject([{ httpOnly: true, sameSite: 'Strict', path: '/' }])
    await page.goto(`${face.url}/login?next=%2Fstats`)
    expect(page.url()).toBe(`${face.url}/stats`)
  })
})

browserTest('the login page is used with keys alone', looks[2], async (open) => {
  await using face = await startFace({ keys: { operator: 'operator-key' } })
  const { page, see } = await open(face.url)
  await see('/login')
  const stops = await tabStops(page)
  expect(stops[0]).toBe('a Skip to the content')
  expect(stops).toEqual(expect.arrayContaining(['input key', 'button Log in']))
  expect(stops.filter((stop) => stop.startsWith('hidden'))).toEqual([])
})

// The cookie is not sent with a request that a page of another site causes, such as a mail in a browser.
browserTest('a link from elsewhere leads to the page for whoever is logged in', looks[2], async (open) => {
  await using face = await startFace({ keys: { operator: 'operator-key' } })
  const { page } = await open(face.url)
  await page.goto(`${face.url}/holds`)
  await page.getByLabel('Key').fill('operator-key')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('heading', { name: 'Holds' }).waitFor()
  await page.goto(`http://localhost:${face.port}/ping`)
  await page.evaluate(`location.href = '${face.url}/holds?state=all'`)
  await page.getByRole('heading', { name: 'Holds' }).waitFor()
  expect(page.url()).toBe(`${face.url}/holds?state=all`)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
})
