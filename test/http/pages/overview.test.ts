import { expect, suite, test } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { T0 } from '../../helpers/billing.ts'
import { projectName } from '../../helpers/cloud.ts'
import { recordGroups } from '../../helpers/manyGroups.ts'
import { checkPage, type Element, find, rowsOf, textOf } from '../../helpers/markup.ts'
import { type Face, replica, startFace, target } from '../server.ts'
import { HTML, person } from './people.ts'

const hostile = [
  '<script>alert(1)</script>',
  `"><img src=x onerror='alert(1)'>`,
  'שלום פרויקט',
  'x'.repeat(1_000),
  'a/b?c#d%20&amp;',
]

/** The table of groups, by its headings. */
function groupsOf(page: Element): Record<string, string>[] {
  const table = find(page, 'table').find((each) => textOf(each).includes('Burn a day'))
  return table === undefined ? [] : rowsOf(table)
}

function sectionOf(page: Element, id: string): Element | undefined {
  return find(page, 'section').find(({ attributes }) => attributes['aria-labelledby'] === id)
}

/** Charges a project with so many credits in the first hour. */
async function charge(face: Face, project: string, credits: string): Promise<void> {
  await face.record({ project, at: T0, value: '0' })
  await face.record({ project, at: T0 + HOUR, value: credits })
}

async function grant(face: Face, group: string, granted: string): Promise<void> {
  await face.ledger.settle({ group, at: T0, granted, contacts: [{ site: '8676', contact: 'active' }] })
}

suite('The overview', () => {
  test('says of a new worker that there is nothing yet', async () => {
    await using face = await startFace({ targets: () => [] })
    const page = await person(face).see('/')
    expect(textOf(sectionOf(page, 'groups')!)).toContain('There are no groups yet')
    expect(textOf(sectionOf(page, 'sites')!)).toContain('Nothing is scraped')
  })

  test('shows the same digits as the API, to the last one', async () => {
    await using face = await startFace()
    await charge(face, 'alpha', '1234.567891')
    await charge(face, 'beta', '0.000001')
    await grant(face, 'alpha', '2000.5')
    const shown = groupsOf(await person(face).see('/'))
    const { groups } = (await face.get('/api/groups')).json as { groups: Record<string, string>[] }
    expect(shown.map((row) => [row.Group, row.Used])).toEqual(groups.map(({ group, used }) => [group, used]))
    expect(shown[0]).toMatchObject({ Granted: '2000.5', Left: '765.932109 38.2 %' })
    expect(groups[0]!.left).toBe('765.932109')
    const { groups: totals } = (await face.get('/stats')).json as { groups: { used: string } }
    expect(totals.used).toBe('1234.567892')
    expect(textOf(find(await person(face).see('/'), 'dl')[0]!)).toContain(totals.used)
  })

  test('shows the burn that the API tells, rounded as credits are published, and when credits run out', async () => {
    await using face = await startFace()
    for (let day = 0; day <= 20; day += 1)
      await face.record({ project: 'alpha', at: T0 + day * DAY, value: String(day * 9.87654) })
    await grant(face, 'alpha', '1000')
    const [row] = groupsOf(await person(face).see('/'))
    const told = (await face.get('/api/groups/alpha/forecast')).json as {
      burn_per_day: string
      runs_out: { at: string; early: string; late: string }
    }
    expect(row!['Burn a day']).toBe(Number(told.burn_per_day).toFixed(2))
    const days = Math.floor((Date.parse(told.runs_out.at) - face.clock.at) / DAY)
    const [early, late] = [told.runs_out.early, told.runs_out.late].map((at) => at.slice(0, 10))
    expect(row!['Days left']).toBe(`${days} days ${early} to ${late}`)
  })

  test('says why nothing is known where nothing is', async () => {
    await using face = await startFace()
    await charge(face, 'alpha', '1')
    const [row] = groupsOf(await person(face).see('/'))
    expect(row).toMatchObject({ Granted: 'no grant', Left: 'not known', State: 'new not looked up in Perun yet' })
  })

  test('says how each group stands, and why', async () => {
    await using face = await startFace()
    for (const group of ['active', 'held', 'new', 'waiting']) await charge(face, group, '1')
    for (const group of ['active', 'held', 'waiting']) await grant(face, group, '10')
    const published = { used: 1_000_000n, sites: [{ site: '8676', upTo: T0 + HOUR }] }
    await face.ledger.settle({ group: 'active', at: T0 + HOUR, published, dealtWith: 1_000_000n })
    const hold = { key: 'k', kind: 'no grant', site: '8676', group: 'held', reason: 'No grant.' } as const
    await face.ledger.settle({ group: 'held', at: T0, holds: [hold] })
    face.clock.pass(90 * SECOND)
    const page = await person(face).see('/')
    expect(groupsOf(page).map(({ State }) => State)).toEqual([
      'active published 1 min ago',
      'held no grant',
      'new not looked up in Perun yet',
      'waiting Perun was not told yet',
    ])
    const { groups } = (await face.get('/api/groups')).json as { groups: { state: string }[] }
    expect(groups.map(({ state }) => state)).toEqual(['active', 'held', 'new', 'waiting'])
    for (const state of ['active', 'held', 'new', 'waiting']) {
      expect(groupsOf(await person(face).see(`/?state=${state}`)).map(({ Group }) => Group)).toEqual([state])
    }
  })

  test.each(hostile)('shows the name %j as text, and leads to its group', async (name) => {
    await using face = await startFace()
    await charge(face, name, '2')
    const page = await person(face).see('/')
    const link = find(page, 'a').find(({ attributes }) => attributes.href?.startsWith('/groups/'))!
    expect(link.children.join('')).toBe(name)
    expect(decodeURIComponent(link.attributes.href!.slice('/groups/'.length))).toBe(name)
    expect(find(page, 'script')).toEqual([])
    expect(groupsOf(await person(face).see(`/?search=${encodeURIComponent(name)}`)).length).toBe(1)
  })

  test('keeps what was searched for in its field, as text', async () => {
    await using face = await startFace()
    const page = await person(face).see(`/?search=${encodeURIComponent('"><script>')}&state=held&sort=used`)
    const fields = find(page, 'input').map(({ attributes }) => [attributes.name, attributes.value])
    expect(fields).toEqual([['search', '"><script>']])
    expect(
      find(page, 'option')
        .filter(({ attributes }) => attributes.selected !== undefined)
        .map(textOf),
    ).toEqual(['held', 'used', 'ascending'])
    expect(textOf(sectionOf(page, 'groups')!)).toContain('No group is like that.')
  })

  test('is sorted by a heading, and back by the same', async () => {
    await using face = await startFace()
    for (const [group, used, granted] of [
      ['a', '5', '6'],
      ['b', '3', '100'],
      ['c', '9', undefined],
    ] as const) {
      await charge(face, group, used)
      if (granted !== undefined) await grant(face, group, granted)
    }
    const browser = person(face)
    const order = async (address: string) =>
      groupsOf(await browser.see(address))
        .map(({ Group }) => Group)
        .join('')
    const heading = async (address: string, name: string) => {
      const link = find(find(await browser.see(address), 'thead').at(-2)!, 'a').find((each) =>
        textOf(each).startsWith(name),
      )
      return link!.attributes.href!.split('#')[0]!
    }
    const used = await heading('/', 'Used')
    expect(await order(used)).toBe('cab')
    expect(await order(await heading(used, 'Used'))).toBe('bac')
    const left = await heading('/', 'Left')
    // Without a grant nothing is left, nor can it be compared.
    expect(await order(left)).toBe('abc')
    expect(await order(await heading(left, 'Left'))).toBe('bac')
    expect(await order(await heading('/', 'Granted'))).toBe('bac')
    const sorted = find(await browser.see(left), 'th').filter(({ attributes }) => attributes['aria-sort'] !== undefined)
    expect(sorted.map((each) => [textOf(each), each.attributes['aria-sort']])).toEqual([['Left ▲', 'ascending']])
  })

  test('is turned page by page, each group on one of them', async () => {
    await using face = await startFace()
    await recordGroups(face.ledger, 120, 1)
    const browser = person(face)
    const seen: string[] = []
    let address: string | undefined = '/?sort=used&direction=descending'
    while (address !== undefined) {
      const page: Element = await browser.see(address)
      seen.push(...groupsOf(page).map(({ Group }) => Group!))
      address = find(page, 'a')
        .find(({ attributes }) => attributes.rel === 'next')
        ?.attributes.href?.split('#')[0]
    }
    expect(seen.toSorted()).toEqual(Array.from({ length: 120 }, (_, index) => projectName(index)))
    expect(textOf(await browser.see('/?page=4'))).toContain('There is no page 4 of these 120 groups.')
  })

  test('is sorted by forecasts once they are made, and says so before', async () => {
    await using face = await startFace()
    for (let day = 0; day <= 10; day += 1) {
      const at = T0 + day * DAY
      await face.record({ project: 'fast', at, value: `${day * 20}` }, { project: 'slow', at, value: `${day * 2}` })
    }
    await grant(face, 'fast', '10000')
    await grant(face, 'slow', '30')
    await charge(face, 'unknown', '0')
    const browser = person(face)
    expect(textOf(await browser.see('/?sort=burn'))).toContain('Forecasts of all groups are being made')
    await expect.poll(async () => textOf(await browser.see('/?sort=burn'))).not.toContain('are being made')
    const order = async (address: string) => groupsOf(await browser.see(address)).map(({ Group }) => Group)
    expect(await order('/?sort=burn')).toEqual(['slow', 'fast', 'unknown'])
    expect(await order('/?sort=burn&direction=descending')).toEqual(['fast', 'slow', 'unknown'])
    expect(await order('/?sort=runs+out')).toEqual(['slow', 'fast', 'unknown'])
    expect(await order('/?sort=burn&search=FAST')).toEqual(['fast'])
  })

  test('does not wait for forecasts that take long, and shows those that are made', async () => {
    const burn = { days: 9, burnPerDay: 1.5, runsOut: { kind: 'no grant' }, until: T0 } as const
    const forecasts = {
      of: async () => undefined,
      async lately() {
        // The first one takes all the time there is.
        const end = performance.now() + 60
        while (performance.now() < end);
        return burn
      },
      made: ({ group }: { group: string }) => (group === 'made' ? { summary: burn } : undefined),
      latest: () => undefined,
    }
    await using face = await startFace({ forecasts })
    for (const group of ['first', 'made', 'not-made']) await charge(face, group, '1')
    const page = await person(face).see('/')
    expect(groupsOf(page).map((row) => row['Burn a day'])).toEqual(['1.50', '1.50', 'being made'])
    expect(textOf(page)).toContain('Some forecasts are still being made. Load the page again')
    expect(find(page, 'caption').flatMap((caption) => find(caption, 'a'))).toEqual([])
  })

  test.each(['state=gone', 'sort=colour', 'page=0', 'page=x', 'direction=up', 'search=a&search=b'])(
    'refuses ?%s with a page',
    async (query) => {
      await using face = await startFace()
      const answer = await face.get(`/?${query}`, HTML)
      expect(answer.status).toBe(400)
      checkPage(answer.text)
    },
  )

  test('says who scrapes a target, and what each worker does', async () => {
    const unknown = { up: undefined, lastError: undefined }
    await using face = await startFace({
      targets: () => [
        target(),
        target({ ...unknown, scraper: { kind: 'elsewhere', id: 2, name: 'worker-2/7' } }),
        target({ ...unknown, scraper: { kind: 'nobody', reason: 'Nobody has claimed it yet.' } }),
      ],
      replicas: {
        isMember: () => true,
        list: async () => [
          replica({ targets: Array.from({ length: 12 }, (_, index) => `http://t/${index}`) }),
          replica({
            ...{ id: 2, name: '<b>worker-2/7</b>', isSelf: false, isLead: false, isCatchingUp: true, state: 'gone' },
            ...{ targets: [], publishing: [] },
          }),
        ],
      },
    })
    const page = await person(face).see('/')
    const sites = rowsOf(find(sectionOf(page, 'sites')!, 'table')[0]!)
    expect(sites.map(({ State, Fresh }) => [State, Fresh])).toEqual([
      ['up', expect.stringContaining('old')],
      ['elsewhere scraped by worker-2/7', '—'],
      ['not scraped Nobody has claimed it yet.', 'not yet'],
    ])
    const workers = rowsOf(find(sectionOf(page, 'replicas')!, 'table')[0]!)
    expect(workers).toMatchObject([
      { Worker: 'worker-1/7 1, gave this answer', State: 'working lead', Version: '1.2.3', Publishes: 'BioVis' },
      { Worker: '<b>worker-2/7</b> 2', State: 'gone catches up', Scrapes: 'none', Publishes: 'none' },
    ])
    expect(workers[0]!.Scrapes).toMatch(/^http:\/\/t\/0 .*http:\/\/t\/9 ?and 2 more$/)
    await using alone = await startFace()
    expect(sectionOf(await person(alone).see('/'), 'replicas')).toBeUndefined()
  })

  test('says how each target stands', async () => {
    const failing = target({
      target: 'http://exporter-b.example/metrics',
      up: false,
      failures: 2,
      lastError: '<b>refused</b>',
      lastSuccess: T0 - 20 * MINUTE,
      errors: ['x'],
      rejected: { 'too old': 3, unlisted: 5 },
    })
    const fresh = target({ up: undefined, lastScrape: undefined, lastSuccess: undefined, lastDuration: undefined })
    await using face = await startFace({ targets: () => [target(), failing, fresh] })
    face.clock.pass(30 * SECOND)
    const [table] = find(sectionOf(await person(face).see('/'), 'sites')!, 'table')
    const [well, ill, none] = rowsOf(table!)
    expect(well).toEqual({
      Target: 'http://exporter.example/metrics location_id=8676',
      State: 'up',
      'Last scrape': '30 s ago took 12 ms',
      Fresh: '30 s old 2026-01-01 00:00 UTC',
      Samples: '40',
      Readings: '2',
      Errors: 'none',
    })
    expect(ill).toMatchObject({
      State: 'down failed 2 times',
      Fresh: '20 min old 2025-12-31 23:40 UTC',
      Errors: '<b>refused</b> 3 × too old 1 unusable line in /stats',
    })
    expect(none).toMatchObject({ State: 'not scraped yet', 'Last scrape': 'not yet', Fresh: 'never worked' })
  })

  test('says what is wrong with Perun, since when, and when it is tried again', async () => {
    const status = { state: 'stopped', reason: 'The login is refused.', since: T0, until: T0 + 15 * MINUTE } as const
    await using face = await startFace({ outbox: { status }, writeWindow: () => ({ last: 0.25, longest: 1.5 }) })
    face.clock.pass(2 * MINUTE)
    const page = await person(face).see('/')
    const [alarm] = find(page, 'div').filter(({ attributes }) => attributes.role === 'alert')
    expect(textOf(alarm!)).toBe(
      'Perun: stopped. The login is refused. Since 2 min ago ; it is tried again in 13 min . Readings go on being recorded.',
    )
    expect(textOf(find(page, 'dl')[0]!)).toContain('From reading to write 0.250 s the longest was 1.500 s')
  })

  test('says what is wrong with the ledger', async () => {
    await using face = await startFace()
    const ledger = { ...face.ledger, check: async () => 'The disk is full: make room.' }
    await using other = await startFace({ ledger })
    const page = await person(other).see('/')
    expect(textOf(find(page, 'main')[0]!)).toContain('The ledger cannot be written. The disk is full: make room.')
  })

  test('shows the newest holds and drifts with what to do', async () => {
    await using face = await startFace()
    await charge(face, 'alpha', '9000000')
    const drift = { site: '8676', expected: 5_500_000n, shown: 4_250_000n, modifiedBy: '<i>', entryId: 'adjustment/x' }
    await face.ledger.settle({ group: 'alpha', at: T0, drifts: [drift] })
    const page = await person(face).see('/')
    const [hold] = rowsOf(find(sectionOf(page, 'holds')!, 'table')[0]!)
    expect(hold).toMatchObject({
      Hold: '1 implausible growth',
      'What to do': expect.stringContaining('accept or dismiss'),
    })
    expect(rowsOf(find(sectionOf(page, 'drifts')!, 'table')[0]!)).toMatchObject([
      { 'We wrote': '5.5', 'Perun showed': '4.25', Edited: '<i>', Group: 'alpha site 8676' },
    ])
  })
})

suite('Pages are for', () => {
  const keys = { operator: 'operator-key', reader: 'reader-key' }

  test.each(['/', '/holds', '/holds/1', '/drifts'])('operators: %s', async (path) => {
    await using face = await startFace({ keys })
    const stranger = await face.get(path, HTML)
    expect([stranger.status, stranger.headers.location]).toEqual([303, `/login?next=${encodeURIComponent(path)}`])
    expect((await face.get(path)).status).toBe(401)
    const reader = person(face)
    await reader.send(await reader.see('/login'), '/login', { key: 'reader-key' })
    const refused = await reader.get(path)
    expect(refused.status).toBe(403)
    expect(textOf(checkPage(refused.text))).toContain('This needs the key of an operator')
    const operator = person(face)
    await operator.send(await operator.see('/login'), '/login', { key: 'operator-key' })
    expect([200, 404]).toContain((await operator.get(path)).status)
    expect([200, 404]).toContain((await face.get(path, { 'X-API-KEY': 'operator-key' })).status)
  })

  test('this machine where no keys are set, and not for pages of other sites', async () => {
    await using face = await startFace()
    for (const path of ['/', '/holds', '/plan']) expect((await face.get(path, HTML)).status).toBe(200)
    expect((await face.get('/', { ...HTML, 'X-Forwarded-For': '192.0.2.1' })).status).toBe(403)
    expect((await face.get('/', { ...HTML, 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403)
  })
})
