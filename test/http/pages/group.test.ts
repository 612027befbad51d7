import { expect, onTestFinished, suite, test } from 'vitest'
import { DAY, HOUR } from '#src/core/time.ts'
import { correct, hold, NOW, withGroup } from '../../helpers/groups.ts'
import { checkPage, type Element, find, rowsOf, textOf } from '../../helpers/markup.ts'
import { type Face, startFace } from '../server.ts'
import { HTML, person } from './people.ts'

async function open(overrides: Parameters<typeof startFace>[0] = {}): Promise<Face> {
  const face = await startFace(overrides)
  onTestFinished(() => face[Symbol.asyncDispose]())
  face.clock.at = NOW
  return face
}

const address = (group: string, query = '') => `/groups/${encodeURIComponent(group)}${query}`

/** The table with these words in its caption. */
function tableOf(page: Element, caption: string | RegExp): Record<string, string>[] {
  const found = find(page, 'table').find((table) => textOf(find(table, 'caption')[0]!).match(caption))
  if (found === undefined) throw new Error(`There is no table ${caption}`)
  return rowsOf(found)
}

function sectionOf(page: Element, id: string): Element {
  return find(page, 'section').find(({ attributes }) => attributes.id === id || attributes['aria-labelledby'] === id)!
}

interface History {
  readonly buckets: readonly {
    readonly credits: string
    readonly used: string
    readonly consumption: readonly { readonly meter: string; readonly quantity: string }[]
    readonly parts: readonly Readonly<Record<'kind' | 'meter' | 'site' | 'credits', string>>[]
  }[]
}

suite('The page of a group', () => {
  test('tells what its people were told, and whom only to operators', async () => {
    const face = await open({ keys: { operator: 'operator-key', reader: 'reader-key' } })
    await withGroup(face, 'BioVis', 40, '20000')
    const at = face.clock.now()
    const facts = { group: 'BioVis', granted: '20000', used: 160_500_000n, at }
    await face.ledger.notice({ ...facts, kind: 'runs out', line: 14 })
    const [notice] = await face.ledger.notices({ group: 'BioVis', limit: 1 })
    const to = [{ channel: 'mail', to: 'ada@example.org' } as const]
    await face.ledger.addressNotice(notice!.id, { at, to, state: 'addressed' })
    await face.ledger.mute({ group: 'BioVis', at, actor: 'erika', reason: '<b>They</b> asked' })
    for (const [key, sent] of [
      ['operator-key', 'ada@example.org : gathering'],
      ['reader-key', 'mail: gathering'],
    ]) {
      const viewer = person(face)
      await viewer.send(await viewer.see('/login'), '/login', { key: key! })
      const page = await viewer.see(address('BioVis'))
      expect(textOf(sectionOf(page, 'notices'))).toContain('by erika : <b>They</b> asked')
      const [row] = tableOf(page, 'were to be told')
      expect(row).toMatchObject({ What: 'Credits run out within 14 days', Used: '160.5', Of: '20000' })
      expect(Object.values(row!)).toContain(sent)
    }
  })

  test('tells how it stands: credits, state, and when they run out', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    const page = await person(face).see(address('BioVis'))
    const { used, left } = (await face.get('/api/groups/BioVis')).json as { used: string; left: string }
    const facts = textOf(find(page, 'dl')[0]!)
    expect(facts).toContain(`Used ${used} `)
    expect(facts).toContain(`Left ${left} `)
    expect(facts).toContain('Granted 20000 ')
    const { runs_out } = (await face.get('/api/groups/BioVis/forecast')).json as { runs_out: Record<string, string> }
    const [at, early, late] = [runs_out.at!, runs_out.early!, runs_out.late!].map((each) => each.slice(0, 10))
    expect(textOf(page)).toContain(`Credits are expected to last until ${at} `)
    expect(textOf(page)).toContain(`until a day from ${early} to ${late} .`)
    expect(textOf(page)).toContain('50 % of the grant or more is used.')
  })

  test('does not take an opening with 0 for a correction', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 3, '20000')
    const opening = { id: 'opening', group: 'BioVis', kind: 'opening', site: '8676', reason: 'First contact' } as const
    await face.ledger.settle({ group: 'BioVis', at: NOW, entries: [{ ...opening, amount: 0n, recordedAt: NOW }] })
    const page = await person(face).see(address('BioVis'))
    expect(new Set(tableOf(page, 'Credits left at the end').map((row) => row.Corrections))).toEqual(new Set(['']))
    expect(textOf(sectionOf(page, 'left-title'))).not.toContain('with a correction')
  })

  test('counts how long credits last from now, as the overview does, and says when that time has passed', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    await person(face).see(address('BioVis'))
    const { runs_out } = (await face.get('/api/groups/BioVis/forecast')).json as { runs_out: { at: string } }
    const seen = async (path: string) => textOf(await person(face).see(path))
    face.clock.at = Date.parse(runs_out.at) - 47 * HOUR
    expect(await seen(address('BioVis'))).toContain('(for 47 h)')
    expect(await seen('/')).toContain(' 47 h ')
    face.clock.at = Date.parse(runs_out.at)
    const on = runs_out.at.slice(0, 10)
    expect(await seen(address('BioVis'))).toContain(
      `By the last readings, of 2026-03-24 15:00 UTC , credits should have run out on ${on} ; nothing has been measured since.`,
    )
    expect(await seen('/')).toContain(`passed ${on} not measured since 2026-03-24`)
  })

  test('shows what Perun shows as it is written there', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    await face.ledger.settle({ group: 'BioVis', at: NOW, published: { used: 2_000_000n, sites: [] } })
    expect(textOf(await person(face).see(address('BioVis')))).toContain('Perun shows 2.00 since 2026-03-24 15:00 UTC')
  })

  test('has below each chart the numbers of the API, to the last digit', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    await correct(face, 'BioVis')
    const query = 'from=2026-02-20&to=2026-03-20&tz=Europe/Berlin'
    const page = await person(face).see(address('BioVis', `?${query}`))
    const history = async (by: string) =>
      ((await face.get(`/api/groups/BioVis/history?${query}&by=${by}`)).json as History).buckets
    const [byMeter, bySite] = [await history('meter'), await history('site')]
    expect(byMeter).toHaveLength(28)

    const curve = tableOf(page, 'Credits left at the end of each day')
    expect(curve.map((row) => row['Used in all'])).toEqual(byMeter.map(({ used }) => used))
    expect(curve.filter((row) => row.Corrections !== '')).toMatchObject([
      { 'Until the end of': '2026-03-15', Corrections: '-412.5' },
    ])
    const charged = (parts: History['buckets'][number]['parts'], of: 'meter' | 'site', name: string) =>
      parts.find((part) => part.kind === 'charge' && part[of] === name)?.credits ?? '0'
    expect(tableOf(page, 'by meter')).toMatchObject(
      byMeter.map(({ credits, consumption, parts }) => ({
        'All credits': credits,
        'cpu, vCPU·h': consumption.find(({ meter }) => meter === 'cpu')!.quantity,
        'cpu, credits': charged(parts, 'meter', 'cpu'),
        'ram, credits': charged(parts, 'meter', 'ram'),
      })),
    )
    expect(tableOf(page, 'by site')).toMatchObject(
      bySite.map(({ credits, parts }) => ({
        'All credits': credits,
        'Site 8676': charged(parts, 'site', '8676'),
        'Site 9001': charged(parts, 'site', '9001'),
      })),
    )
    // What is drawn is what stands there.
    const drawn = find(page, 'data').filter(({ attributes }) => attributes.value !== '')
    expect(drawn.length).toBeGreaterThan(100)
    for (const each of drawn) expect(textOf(each)).toBe(each.attributes.value)
  })

  test('is divided by the clocks of a zone, also on the day they are set forward', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    face.clock.pass(10 * DAY)
    const page = await person(face).see(address('BioVis', '?tz=Europe/Berlin&span=30+days'))
    const days = tableOf(page, 'by meter').map((row) => row.Day)
    expect(days).toContain('2026-03-29')
    expect(new Set(days).size).toBe(days.length)
  })

  test('tells the hour apart that clocks show twice when they are set back', async () => {
    const face = await open()
    const start = Date.UTC(2026, 9, 24, 20)
    await face.record(
      ...Array.from({ length: 11 }, (_, hour) => ({ project: 'a', at: start + hour * HOUR, value: `${hour}` })),
    )
    const page = await person(face).see(address('a', '?tz=Europe/Berlin&step=hour'))
    const hours = tableOf(page, 'by meter').map((row) => row.Hour)
    expect(hours).toContain('2026-10-25 02:00–02:00 +02:00')
    expect(hours).toContain('2026-10-25 02:00–03:00 +01:00')
    expect(new Set(hours).size).toBe(hours.length)
  })

  test.each([
    ['?span=year', 'by day', 41],
    ['?span=all&step=month', 'by month', 2],
    ['?from=1970-01-01', 'by month', 675],
    ['?step=hour&span=year', 'by day', 41],
    ['?from=2026-03-20&to=2026-03-21&step=hour', 'by hour', 24],
    ['?from=2026-03-20&to=&step=&tz=', 'by day', 5],
  ])('shows the period that %s asks for', async (query, words, rows) => {
    const face = await open()
    await withGroup(face, 'BioVis', 40)
    const page = await person(face).see(address('BioVis', query))
    expect(textOf(find(page, 'main')[0]!)).toContain(`(UTC), ${words}.`)
    expect(tableOf(page, 'by meter')).toHaveLength(rows)
  })

  test.each([
    ['?span=week', 'span: expected 30 days, 90 days, year or all, got "week".'],
    ['?tz=Middle-earth/Shire', 'tz: expected the IANA name of a time zone'],
    ['?from=2026-03-20&to=2026-03-01', 'from: expected a time before 2026-03-01'],
    ['?from=1900-01-01', 'from, to: expected a period of 60 years at most.'],
    ['?at=yesterday', 'at: expected 2026-01-31'],
  ])('says to a person what is wrong with %s', async (query, words) => {
    const face = await open()
    await withGroup(face, 'BioVis', 5)
    const { status, text } = await person(face).get(address('BioVis', query))
    expect(status).toBe(400)
    expect(textOf(checkPage(text))).toContain(words)
  })

  test('of a group without charges says that nothing was charged', async () => {
    const face = await open()
    await face.record({ project: 'idle', at: NOW, value: '7' })
    const page = await person(face).see(address('idle'))
    expect(textOf(page)).toContain('Nothing was charged yet.')
    expect(textOf(page)).toContain('Too little was charged yet to tell when credits run out.')
    expect(find(page, 'figure')).toEqual([])
  })

  test('says that credits are used up also where there are too few days for a forecast', async () => {
    const face = await open()
    for (const [hour, value] of [
      [0, '7'],
      [1, '17'],
    ] as const)
      await face.record({ project: 'new', at: NOW + hour * HOUR, value })
    const contacts = [{ site: '8676', contact: 'active' as const }]
    await face.ledger.settle({ group: 'new', at: NOW + HOUR, granted: '5', contacts })
    const words = textOf(await person(face).see(address('new')))
    expect(words).toContain('All granted credits are used.')
    expect(words).not.toContain('Too little was charged yet')
    const [row] = rowsOf(find(await person(face).see('/'), 'table').at(-2)!)
    expect(row).toMatchObject({ 'Burn a day': 'not known yet', 'Days left': 'used up' })
  })

  test('of a group on hold says why, and what to do', async () => {
    const face = await open()
    await withGroup(face, 'lost', 5)
    await hold(face, 'lost')
    const page = await person(face).see(address('lost'))
    const words = textOf(page)
    expect(words).toContain('On hold')
    expect(words).toContain('unknown group at site 8676')
    expect(words).toContain('Create the group in Perun')
  })

  test.each([
    ['<script>alert(1)</script>', 'markup'],
    ['"><img src=x onerror=alert(1)>', 'the end of an attribute'],
    ['a/b?c#d', 'an address'],
    ['..', 'a folder'],
    ['x'.repeat(1_000), 'very long'],
    ['研究 🧬', 'in another script'],
  ])('shows a name as it is that is $1', async (name) => {
    const face = await open()
    await withGroup(face, name, 5, '1000')
    await correct(face, name)
    const page = await person(face).see(address(name, '?at=2026-03-15T15:00:00Z'))
    expect(find(page, 'h1').map(textOf)).toEqual([name])
    expect(find(page, 'script').map(({ attributes }) => attributes.src)).toEqual([
      expect.stringMatching(/^\/assets\/group\.[0-9a-f]+\.js$/),
    ])
    expect(textOf(sectionOf(page, 'receipt'))).toContain('A gift for <Erika>')
  })

  test('is also where OS Credits had its chart', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 5)
    const someone = person(face)
    const [old, now] = await Promise.all(
      ['/credits_history/BioVis', '/groups/BioVis'].map(async (path) => (await someone.get(path)).text),
    )
    // Tokens of forms look different each time.
    const withoutToken = (text: string) => text.replace(/name="token" value="[\w-]+"/, '')
    expect(withoutToken(old!).replaceAll('credits_history', 'groups')).toBe(withoutToken(now!))
  })

  test('is for readers, who come in with their key', async () => {
    const face = await open({ keys: { operator: 'operator-key', reader: 'reader-key' } })
    await withGroup(face, 'BioVis', 5)
    const someone = person(face)
    const asked = await someone.get('/groups/BioVis?span=year')
    expect([asked.status, asked.headers.location]).toEqual([303, '/login?next=%2Fgroups%2FBioVis%3Fspan%3Dyear'])
    await someone.send(await someone.see(asked.headers.location!), '/login', { key: 'reader-key' })
    const page = await someone.see('/groups/BioVis')
    // Downloads are of the API, and open to the same session.
    const downloads = find(sectionOf(page, 'downloads'), 'a').map(({ attributes }) => attributes.href!)
    expect(downloads).toHaveLength(9)
    for (const each of downloads) expect((await someone.get(each)).status, each).toBe(200)
  })

  test.each(['.', '..', '../'])(
    'of a group that is called %s can be opened in a browser, and so can what it links to',
    async (name) => {
      const face = await open()
      await withGroup(face, name, 3, '20000')
      const overview = await person(face).see('/')
      const link = find(overview, 'a').find(
        (each) => textOf(each) === name && each.attributes.href!.includes('groups'),
      )!
      /** As a browser makes an address of a link: dots are taken out. */
      const follow = (href: string, from = '/') => {
        const { pathname, search } = new URL(href, new URL(from, face.url))
        return pathname + search
      }
      const path = follow(link.attributes.href!)
      const page = await person(face).see(path)
      expect(textOf(find(page, 'h1')[0]!)).toBe(name)
      for (const { attributes } of find(sectionOf(page, 'downloads'), 'a')) {
        const { status, text } = await face.get(follow(attributes.href!, path))
        expect([status, text.includes('<html')], attributes.href).toEqual([200, false])
      }
      const { json } = await face.get(follow(`/api/groups/${encodeURIComponent(`${name}/`)}`))
      expect(json).toMatchObject({ group: name })
    },
  )

  test('of nobody is not there', async () => {
    const face = await open()
    const { status, text } = await person(face).get('/groups/nobody')
    expect(status).toBe(404)
    expect(textOf(checkPage(text))).toContain('There is no group "nobody".')
    expect((await face.get('/groups/nobody', { Accept: 'application/json' })).headers['content-type']).toMatch(
      /problem/,
    )
    expect((await person(face).get('/groups/nobody', HTML)).headers['content-type']).toMatch(/^text\/html/)
  })
})

suite('The receipt of a point', () => {
  test('names the entries of that time down to readings, prices and hashes, and they add up', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 40, '20000')
    const page = await person(face).see(address('BioVis'))
    const shown = find(sectionOf(page, 'by-meter'), 'a').find(
      (link) => textOf(link) === 'Show the receipt of 2026-03-10',
    )!
    const receipt = sectionOf(
      await person(face).see(address('BioVis', shown.attributes.href!.split('#')[0])),
      'receipt',
    )
    const rows = rowsOf(find(receipt, 'table')[0]!)
    const { items } = (await face.get('/api/groups/BioVis/entries?from=2026-03-10&to=2026-03-11')).json as {
      items: Readonly<Record<string, string>>[]
    }
    expect(rows.map(({ Credits: credits, Hash: hash }) => [credits, hash])).toEqual(
      items.map(({ amount, hash }) => [amount, hash]),
    )
    // 24 hours of 4.2 × 1.4 vCPU·h at 1 and 16.8 × 1.4 GiB·h at 0.3, and 1.7 × 1.4 vCPU·h at the other site.
    expect(textOf(receipt)).toContain('by +367.584 in 12 entries.')
    expect(rows[0]).toMatchObject({ 'Consumption × price': '14.28 × 1 cpu@always', Credits: '14.28' })
  })

  test('of many entries is read page by page', async () => {
    const face = await open()
    const hours = Array.from({ length: 241 }, (_, hour) => ({
      project: 'a',
      at: NOW - (240 - hour) * HOUR,
      value: `${hour}`,
    }))
    await face.record(...hours)
    const someone = person(face)
    const numbers: string[] = []
    let next: string | undefined = '?span=all&step=month&at=2026-03-20'
    for (let count = 0; next !== undefined && count < 5; count += 1) {
      const receipt = sectionOf(await someone.see(address('a', next.split('#')[0])), 'receipt')
      numbers.push(...rowsOf(find(receipt, 'table')[0]!).map(({ Entry: entry }) => entry!.split(' ')[0]!))
      next = find(receipt, 'a').find((link) => textOf(link) === 'Older entries')?.attributes.href
    }
    expect(numbers).toEqual(Array.from({ length: 240 }, (_, index) => String(240 - index)))
  })

  test('is also a page of its own', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 5)
    const page = await person(face).see(address('BioVis', '?at=2026-03-20T12:00:00Z&only=receipt'))
    expect(find(page, 'h2').map(textOf)).toEqual(['Receipt of 2026-03-20'])
    expect(find(page, 'figure')).toEqual([])
  })
})

suite('What it would cost', () => {
  test('is computed without a script, as POST /api/plan does', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 5, '20000')
    const query = '?size-cpu=28&size-ram=64&count=2&hours=8&days=91'
    const page = await person(face).see(address('BioVis', query))
    const { used, granted } = (await face.get('/api/groups/BioVis')).json as { used: string; granted: string }
    const plan = await face.post('/api/plan', {
      machines: [{ count: 2, sizes: { cpu: 28, ram: 64 } }],
      ...{ hours_per_day: 8, days: 91, granted, used },
    })
    const told = plan.json as Record<string, string>
    const words = textOf(sectionOf(page, 'calculator'))
    // 2 × (28 + 64 × 0.3) = 94.4 an hour, 755.2 a day, 68 723.2 in 91 days
    expect(words).toContain('An hour 94.4 ')
    expect(words).toContain('91 days 68723.2 ')
    expect(told.credits).toBe('68723.2')
    expect(words).toContain(`Left then ${told.left_after} `)
    expect(words).toContain(`To ask for ${told.grant} as the new grant: ${told.more} more`)
  })

  test('says what is wrong with a number, and shows the page all the same', async () => {
    const face = await open()
    await withGroup(face, 'BioVis', 5)
    const page = await person(face).see(address('BioVis', '?size-cpu=many&size-ram=1&count=1&hours=8&days=91'))
    expect(textOf(sectionOf(page, 'calculator'))).toContain('cpu: expected a number from 0 to')
    expect(find(page, 'figure')).toHaveLength(3)
  })
})
