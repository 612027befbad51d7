import { afterAll, beforeAll, expect, suite } from 'vitest'
import { DAY, HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { projectName } from '../helpers/cloud.ts'
import { recordGroups } from '../helpers/manyGroups.ts'
import { type Face, startFace, target } from '../http/server.ts'
import { browserTest, looks, tabStops, useChromium } from './chromium.ts'

useChromium()

const hostile = [
  '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>',
  'שלום פרויקט',
  'a/b?c#d%20;"e"',
  '長'.repeat(300),
  'x'.repeat(1_000),
]

/** A group with a hold that a person decides about, one that is used up, and names of all kinds. */
async function trouble(face: Face): Promise<void> {
  const all = ['alpha', 'used-up', ...hostile]
  await face.record(...all.map((project) => ({ project, at: T0, value: '0' })))
  for (let day = 1; day <= 9; day += 1)
    await face.record(...all.map((project) => ({ project, at: T0 + day * DAY, value: String(day * 10) })))
  await face.record({ project: 'alpha', at: T0 + 9 * DAY + HOUR, value: '9000000' })
  for (const [index, group] of all.entries()) {
    const published = { used: 90_000_000n, sites: [{ site: '8676', upTo: T0 + 9 * DAY }] }
    const contacts = [{ site: '8676', contact: 'active' as const }]
    await face.ledger.settle({
      group,
      at: T0 + 9 * DAY,
      granted: index === 1 ? '80' : '512.5',
      contacts,
      published,
      dealtWith: 90_000_000n,
    })
  }
  const edited = {
    modifiedAt: '2026-01-09 12:00:00.000000',
    modifiedBy: 'someone@example.org',
    entryId: 'adjustment/alpha/1',
  }
  await face.ledger.settle({
    group: 'alpha',
    at: T0 + 9 * DAY,
    drifts: [{ site: '8676', expected: 80_000_000n, shown: 75_500_000n, ...edited }],
  })
  const reason = 'Perun has no group of this name in the organisation: create it, or leave the project uncharged.'
  await face.ledger.settle({
    group: hostile[0]!,
    at: T0,
    holds: [{ key: 'x', kind: 'unknown group', site: '8676', group: hostile[0]!, reason }],
  })
}

suite.each(looks)('Pages', (look) => {
  browserTest('of a worker that has seen nothing yet', look, async (open) => {
    await using face = await startFace({ targets: () => [] })
    const { page, see, inspect } = await open(face.url)
    for (const path of ['/', '/holds', '/drifts', '/plan']) await see(path)
    await page.goto(`${face.url}/nowhere`)
    await inspect('nowhere', /404/)
  })

  browserTest('of one group', look, async (open) => {
    await using face = await startFace()
    await face.record({ project: 'alpha', at: T0, value: '1' })
    await face.record({ project: 'alpha', at: T0 + HOUR, value: '727.4' })
    const { page, inspect } = await open(face.url)
    await page.goto(`${face.url}/`)
    await inspect('one-group')
  })

  browserTest('of holds, edits in Perun and names of all kinds', look, async (open) => {
    const failing = target({
      target: 'http://exporter-b.example:8080/federate',
      up: false,
      failures: 3,
      lastError: 'connect ECONNREFUSED 192.0.2.7:8080',
      labels: { location_id: '8677', location: 'Site B' },
    })
    const stopped = {
      state: 'stopped',
      reason: 'Perun refuses the login: check OS_CREDITS_PERUN_LOGIN.',
      since: T0 + 9 * DAY,
      until: T0 + 9 * DAY + HOUR,
    } as const
    await using face = await startFace({ targets: () => [target(), failing], outbox: { status: stopped } })
    await trouble(face)
    const { page, inspect } = await open(face.url)
    await page.goto(`${face.url}/`)
    await inspect('trouble')
    await page.goto(`${face.url}/holds`)
    await inspect('holds')
    await page.getByRole('link', { name: /^Decide about hold/ }).click()
    await inspect('hold')
    await page.getByLabel('Reason').fill('The exporter counted twice <b>"&')
    await page.getByRole('button', { name: 'Dismiss …' }).click()
    await inspect('hold-confirm')
    await page.getByRole('button', { name: 'Dismiss it for good' }).click()
    await inspect('hold-closed')
    expect(await page.textContent('main')).toContain('Dismissed by operator: The exporter counted twice <b>"&')
    await page.goto(`${face.url}/holds?state=all`)
    await inspect('holds-all')
    await page.goto(`${face.url}/drifts`)
    await inspect('drifts')
  })

  browserTest('of the planner', look, async (open) => {
    await using face = await startFace()
    const { page, inspect } = await open(face.url)
    await page.goto(`${face.url}/plan`)
    await inspect('plan')
    const machines = page.getByRole('group', { name: 'Machines 1' })
    await machines.getByLabel('cpu (vCPU)').fill('28')
    await machines.getByLabel('ram (GiB)').fill('64')
    await machines.getByText('Weights').click()
    await machines.getByLabel('Weight of cpu').fill('2')
    await machines.getByLabel('Weight of ram').fill('2.5')
    await page.getByLabel('Days').fill('91')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/plan?*')
    await inspect('plan-result')
    expect(await page.textContent('main')).toMatch(/An hour\s*104\s*credits/)
  })
})

suite('Ten thousand groups', () => {
  let face: Face
  beforeAll(async () => {
    face = await startFace()
    await recordGroups(face.ledger, 10_000, 1)
    face.clock.at = T0 + DAY
  }, 120_000)
  afterAll(() => face[Symbol.asyncDispose]())

  suite.each(looks)('in a browser', (look) => {
    browserTest('are looked at page by page', look, async (open) => {
      const { page, inspect } = await open(face.url)
      await page.goto(`${face.url}/`)
      await inspect('ten-thousand')
      await page.getByRole('link', { name: 'Next →' }).click()
      await page.getByRole('link', { name: projectName(50) }).waitFor()
      await page.getByLabel('Search for a name').fill('00999')
      await page.getByRole('button', { name: 'Show' }).click()
      await page.getByText('11 groups.').waitFor()
      await inspect('ten-thousand-search')
    })
  })
})

browserTest('the overview is used with keys alone', looks[2], async (open) => {
  await using face = await startFace()
  await trouble(face)
  const { page } = await open(face.url)
  await page.goto(`${face.url}/`)
  const stops = await tabStops(page)
  expect(stops[0]).toBe('a Skip to the content')
  expect(stops).toEqual(
    expect.arrayContaining(['a Holds', 'input search', 'select state', 'button Show', 'a Left', 'a alpha']),
  )
  expect(stops.filter((stop) => stop.startsWith('hidden'))).toEqual([])
})
