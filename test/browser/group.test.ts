import { expect, suite } from 'vitest'
import { correct, hold, NOW, withGroup } from '../helpers/groups.ts'
import { type Face, startFace } from '../http/server.ts'
import { browserTest, looks, tabStops, useChromium } from './chromium.ts'

useChromium()

const address = (group: string) => `/groups/${encodeURIComponent(group)}`

async function open(): Promise<Face> {
  const face = await startFace()
  face.clock.at = NOW
  return face
}

suite.each(looks)('The page of a group', (look) => {
  browserTest('with a correction', look, async (visit) => {
    await using face = await open()
    await withGroup(face, 'BioVis', 60, '20000')
    await correct(face, 'BioVis')
    const { page, inspect } = await visit(face.url)
    await page.goto(face.url + address('BioVis'))
    await page.waitForSelector('#by-site ~ figure canvas')
    await inspect('group_30_days')
  })

  browserTest('without any consumption', look, async (visit) => {
    await using face = await open()
    await face.record({ project: 'idle', at: NOW, value: '7' })
    const { see } = await visit(face.url)
    await see(address('idle'))
  })

  browserTest('on hold, with a name of 1,000 characters', look, async (visit) => {
    await using face = await open()
    const name = `<script>alert(1)</script>${'x'.repeat(975)}`
    await withGroup(face, name, 5)
    await hold(face, name)
    const { page, inspect } = await visit(face.url)
    await page.goto(face.url + address(name))
    await page.waitForSelector('#left-title ~ figure canvas')
    await inspect('group_long')
    expect(await page.locator('h1').textContent()).toBe(name)
  })

  browserTest('shows the receipt of a point that is clicked', look, async (visit) => {
    await using face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    const { page, inspect } = await visit(face.url)
    await page.goto(face.url + address('BioVis'))
    const plot = page.locator('#left-title ~ figure .u-over')
    await plot.click({ position: { x: 90, y: 60 } })
    await page.getByRole('heading', { name: /^Receipt of 2026-/ }).waitFor()
    expect(await page.locator('#receipt tbody tr').count()).toBe(12)
    await page.locator('#receipt').scrollIntoViewIfNeeded()
    await inspect('group_receipt')
  })
})

suite.each(looks)('Notices of a group', (look) => {
  browserTest('are muted, and told again, with keys alone', look, async (visit) => {
    await using face = await open()
    await withGroup(face, 'BioVis', 5, '20000')
    const { page, inspect } = await visit(face.url)
    await page.goto(face.url + address('BioVis'))
    const [toMute, toTell] = ['Mute this group …', 'Tell its people again …']
    for (const [summary, button, after] of [
      [toMute, 'Mute', toTell],
      [toTell, 'Tell them again', toMute],
    ] as const) {
      await page.getByText(summary).focus()
      await page.keyboard.press('Enter')
      await page.getByLabel('Reason').waitFor()
      await page.keyboard.press('Tab')
      await page.keyboard.type('They asked <b>"&')
      await inspect(`group_${button.toLowerCase().replaceAll(' ', '_')}`)
      await page.keyboard.press('Tab')
      await page.keyboard.type('Ada')
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.textContent')).toBe(button)
      await page.keyboard.press('Enter')
      await page.getByText(after).waitFor()
      expect(new URL(page.url()).hash).toBe('#notices')
      const muted = await face.ledger.muted('BioVis')
      expect(muted?.reason).toBe(button === 'Mute' ? 'They asked <b>"&' : undefined)
    }
    await inspect('group_told_again')
  })
})

// To look at hundreds of rows takes some seconds, so it is done once.
browserTest('the page of a group with a year of history', looks[3], async (visit) => {
  await using face = await open()
  await withGroup(face, 'BioVis', 365, '100000')
  const { page, inspect } = await visit(face.url)
  await page.goto(`${face.url}${address('BioVis')}?span=year`)
  await page.waitForSelector('#by-site ~ figure canvas')
  await inspect('group_year')
})

suite.each(looks.filter(({ scheme }) => scheme === 'light'))('What it would cost', (look) => {
  browserTest('is told where it was asked', look, async (visit) => {
    await using face = await open()
    await withGroup(face, 'BioVis', 5, '20000')
    const { page, inspect } = await visit(face.url)
    await page.goto(face.url + address('BioVis'))
    await page.getByLabel('Days').fill('91')
    await page.getByRole('button', { name: 'Calculate' }).click()
    await page.getByText('91 days').waitFor()
    // Forms lead to the place on the page that they stand in.
    expect(page.url()).toContain('#calculator')
    await inspect('group_calculator')
  })
})

browserTest('the page of a group is used with keys alone', looks[2], async (visit) => {
  await using face = await open()
  await withGroup(face, 'BioVis', 40, '20000')
  const { page } = await visit(face.url)
  await page.goto(face.url + address('BioVis'))
  const slider = page.getByRole('slider', { name: 'Credits left' })
  await slider.focus()
  await page.keyboard.press('Home')
  expect(await slider.getAttribute('aria-valuetext')).toMatch(/^2026-02-22: [\d.]+ left$/)
  await page.keyboard.press('ArrowRight')
  expect(await slider.getAttribute('aria-valuetext')).toMatch(/^2026-02-23: /)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: /^Receipt of 2026-/ }).waitFor()
  expect(await page.locator('#receipt').textContent()).toContain('2026-02-23')
  const stops = await tabStops(page)
  expect(stops.filter((stop) => stop.startsWith('hidden'))).toEqual([])
})
