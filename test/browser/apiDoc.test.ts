import { expect, suite } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { startFace } from '../http/server.ts'
import { browserTest, looks, tabStops, useChromium } from './chromium.ts'

useChromium()

const keys = { operator: 'operator-key' }

suite.each(looks)('In a browser', (look) => {
  browserTest('the description of the API is read, and requests are tried', look, async (open) => {
    await using face = await startFace({ keys })
    await face.record({ project: 'Bio/Vis', at: T0, value: '1' })
    await face.record({ project: 'Bio/Vis', at: T0 + HOUR, value: '3.123456789' })
    const { page, see, inspect } = await open(face.url)
    await see('/api/doc')
    const group = page.locator('#get_api_groups_name_entries')
    await group.locator('summary').first().click()
    await page.getByLabel('Key for requests').fill('operator-key')
    await group.getByLabel('name').fill('Bio/Vis')
    await group.getByLabel('limit').fill('1')
    await group.getByRole('button', { name: 'Send' }).click()
    await group.getByText('→ 200').waitFor()
    expect(await group.locator('.result pre').textContent()).toContain('"consumption": "2.123456789"')
    await inspect('api_doc_answer')
  })
})

browserTest('what is wrong with a request that is tried is shown, and an example is right', looks[0], async (open) => {
  await using face = await startFace()
  const { page } = await open(face.url)
  await page.goto(`${face.url}/api/doc#post_api_plan`)
  const plan = page.locator('#post_api_plan')
  await plan.getByLabel('Body').fill('{"machines": []}')
  await plan.getByRole('button', { name: 'Send' }).click()
  await plan.getByText('→ 400').waitFor()
  expect(await plan.locator('.result pre').textContent()).toContain('expected')
  await plan.getByRole('button', { name: 'Use this' }).nth(1).click()
  await plan.getByRole('button', { name: 'Send' }).click()
  await plan.getByText('→ 200').waitFor()
  expect(await plan.locator('.result pre').textContent()).toContain('"lasts"')
})

// The browser would round what the worker says exactly.
browserTest('numbers keep their digits', looks[2], async (open) => {
  await using face = await startFace({ precision: 6 })
  const { page } = await open(face.url)
  await page.goto(`${face.url}/api/doc#post_api_costs_per_hour`)
  const costs = page.locator('#post_api_costs_per_hour')
  await costs.getByLabel('Body').fill('{"cpu": 123456789012.123456}')
  await costs.getByRole('button', { name: 'Send' }).click()
  await costs.getByText('→ 200').waitFor()
  expect(await costs.locator('.result pre').textContent()).toBe('123456789012.123456')
})

browserTest('an operation is opened, filled and sent with keys alone', looks[2], async (open) => {
  await using face = await startFace()
  const { page } = await open(face.url)
  await page.goto(`${face.url}/api/doc`)
  await page.locator('#get_api_groups > summary').focus()
  await page.keyboard.press('Enter')
  await page.locator('#get_api_groups').getByLabel('search').focus()
  await page.keyboard.type('nobody')
  await page.keyboard.press('Enter')
  await page.locator('#get_api_groups').getByText('→ 200').waitFor()
  const stops = await tabStops(page)
  expect(stops.filter((stop) => stop.startsWith('hidden'))).toEqual([])
})

browserTest('a link to a part that is closed opens it', looks[0], async (open) => {
  await using face = await startFace()
  const { page } = await open(face.url)
  await page.goto(`${face.url}/api/doc#get_api_groups`)
  const groups = page.locator('#get_api_groups[open]')
  await groups.locator('.media > summary').first().click()
  await groups.getByRole('link', { name: 'Group' }).click()
  await page.locator('#schema-Group[open]').waitFor()
})
