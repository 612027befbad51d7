import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { groupState } from '#src/http/groupJson.ts'
import { cpu, ram, T0 } from '../helpers/billing.ts'
import { type Face, startFace } from './server.ts'

interface GroupsPage {
  readonly groups: readonly { readonly group: string }[]
  readonly total: number
  readonly next: string | null
}

interface EntriesPage {
  readonly items: readonly { readonly number: number; readonly kind: string; readonly amount: string }[]
  readonly next: string | null
}

async function groupsOf(face: Face, path: string): Promise<GroupsPage> {
  return (await face.get(path)).json as GroupsPage
}

async function opened(face: Face, ...projects: string[]): Promise<void> {
  await face.record(...projects.map((project) => ({ project, at: T0, value: '10' })))
}

suite('/api/groups', () => {
  test('is an empty page at first', async () => {
    await using face = await startFace()
    expect((await face.get('/api/groups')).json).toEqual({ groups: [], total: 0, next: null })
  })

  test('shows a group with what it used and where', async () => {
    await using face = await startFace()
    await opened(face, 'alpha')
    await face.record({ project: 'alpha', at: T0 + HOUR, value: '12.5' })
    expect((await groupsOf(face, '/api/groups')).groups).toEqual([
      {
        group: 'alpha',
        state: 'new',
        used: '2.5',
        published: null,
        published_at: null,
        granted: null,
        left: null,
        holds: [],
        sites: [{ site: '8676', contact: 'new', charged: '2.5' }],
        last_reading_at: '2026-01-01T01:00:00.000Z',
        muted: false,
      },
    ])
  })

  test('shows what was published and what is left of the grant', async () => {
    await using face = await startFace()
    await opened(face, 'alpha', 'beta')
    await face.record({ project: 'alpha', at: T0 + HOUR, value: '12.5' })
    await face.ledger.settle({
      group: 'alpha',
      at: T0 + HOUR,
      contacts: [{ site: '8676', contact: 'active' }],
      granted: '1.000000001',
      published: { used: 2_500_000n, sites: [{ site: '8676', upTo: T0 + HOUR }] },
      dealtWith: 2_500_000n,
    })
    await face.ledger.settle({ group: 'beta', at: T0, granted: 'plenty' })
    expect((await groupsOf(face, '/api/groups')).groups).toMatchObject([
      {
        state: 'active',
        published: '2.5',
        published_at: '2026-01-01T01:00:00.000Z',
        granted: '1.000000001',
        left: '-1.499999999',
      },
      { granted: 'plenty', left: null },
    ])
  })

  test('finds groups by a part of their name, in capitals or not', async () => {
    await using face = await startFace()
    await opened(face, 'Alpha', 'alphabet', 'beta', '100%_sure')
    const names = async (search: string) =>
      (await groupsOf(face, `/api/groups?search=${search}`)).groups.map(({ group }) => group)
    expect(await names('ALPHA')).toEqual(['Alpha', 'alphabet'])
    expect(await names('%25_')).toEqual(['100%_sure'])
    expect(await names('')).toHaveLength(4)
    expect(await groupsOf(face, '/api/groups?search=alpha&limit=1')).toMatchObject({ total: 2 })
  })

  test('leads through all groups page by page, each once, whatever their names', async () => {
    await using face = await startFace()
    const names = ['a', 'a/b', 'a\nb', 'a&search=z', 'a?b#c', 'ä', 'ß ü', '100%', '+', '漢字', '🚀']
    await opened(face, ...names)
    const seen: string[] = []
    for (let next: string | null = '/api/groups?limit=2'; next !== null; ) {
      const page: GroupsPage = await groupsOf(face, next)
      expect(page.total).toBe(names.length)
      expect(page.groups.length).toBeLessThanOrEqual(2)
      seen.push(...page.groups.map(({ group }) => group))
      next = page.next
    }
    expect(seen.toSorted()).toEqual(names.toSorted())
  })

  test('keeps the search on the way to the next page', async () => {
    await using face = await startFace()
    await opened(face, 'a1', 'a2', 'b1', 'b2')
    const { next } = await groupsOf(face, '/api/groups?search=b&limit=1')
    expect(next).toBe('/api/groups?search=b&after=b1&limit=1')
    expect(await groupsOf(face, next!)).toMatchObject({ groups: [{ group: 'b2' }], next: null })
  })

  test.each([
    'limit=0',
    'limit=1001',
    'limit=-1',
    'limit=ten',
    'limit=1.5',
    'limit=',
    'limit=1&limit=2',
    'search=a&search=b',
  ])('is 400 for ?%s', async (query) => {
    await using face = await startFace()
    const { status, json } = await face.get(`/api/groups?${query}`)
    expect([status, json]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringMatching(/^(limit|search): /) }),
    ])
  })

  test('takes the largest limit', async () => {
    await using face = await startFace()
    expect((await face.get('/api/groups?limit=1000')).status).toBe(200)
  })
})

suite('/api/groups/:name', () => {
  test('adds the series, the newest notes and the open holds', async () => {
    await using face = await startFace()
    await opened(face, 'alpha')
    await face.record({ project: 'alpha', at: T0 + HOUR, value: '4' })
    const hold = {
      key: 'no grant/alpha',
      kind: 'no grant',
      site: '8676',
      group: 'alpha',
      reason: 'Ask for one.',
    } as const
    await face.ledger.settle({ group: 'alpha', at: T0 + HOUR, holds: [hold] })
    expect((await face.get('/api/groups/alpha')).json).toEqual({
      ...(await groupsOf(face, '/api/groups')).groups[0],
      state: 'held',
      holds: ['no grant'],
      series: [
        { site: '8676', metric: cpu.metric, project_id: 'id-alpha', at: '2026-01-01T01:00:00.000Z', value: '4' },
      ],
      notes: [
        expect.objectContaining({ kind: 'rebased', at: '2026-01-01T01:00:00.000Z', metric: cpu.metric }),
        expect.objectContaining({ kind: 'opened', site: '8676', project_id: 'id-alpha', text: expect.any(String) }),
      ],
      open_holds: [
        {
          id: expect.any(Number),
          kind: 'no grant',
          site: '8676',
          group: 'alpha',
          reason: 'Ask for one.',
          opened_at: '2026-01-01T01:00:00.000Z',
          seen_at: '2026-01-01T01:00:00.000Z',
          closed_at: null,
          closed_why: null,
        },
      ],
    })
  })

  test('shows twenty notes at most', async () => {
    await using face = await startFace()
    for (let hour = 0; hour < 25; hour += 1) {
      await face.record({ project: 'alpha', at: T0 + hour * HOUR, value: `${1_000 - hour * 10}` })
    }
    expect(((await face.get('/api/groups/alpha')).json as { notes: unknown[] }).notes).toHaveLength(20)
  })

  test.each(['', '/entries'])('is 404 for a group that does not exist: %s', async (rest) => {
    await using face = await startFace()
    await opened(face, 'alpha')
    const { status, json } = await face.get(`/api/groups/Alpha${rest}`)
    expect([status, json]).toEqual([404, expect.objectContaining({ detail: 'There is no group "Alpha".' })])
  })
})

suite('a name', () => {
  const names = [
    'a/b',
    'a%2Fb',
    '../stats',
    '.',
    '..',
    'a\nb\r\n',
    'ä ö',
    '漢字🚀',
    '?q=1',
    '#top',
    '"\\\'',
    '+',
    ';,=',
    '50%',
    '\t',
    'entries',
  ]

  test.each(names)('is reachable: %j', async (name) => {
    await using face = await startFace()
    await opened(face, name)
    await face.record({ project: name, at: T0 + HOUR, value: '12' })
    const path = `/api/groups/${encodeURIComponent(name)}`
    expect((await face.get(path)).json).toMatchObject({ group: name, used: '2' })
    expect((await face.get(`${path}/entries`)).json).toMatchObject({ items: [{ amount: '2' }] })
    expect((await face.get(`/api/credits_history/${encodeURIComponent(name)}`)).json).toMatchObject({ credits: [2] })
  })

  test('that does not exist is given back as it was asked for', async () => {
    await using face = await startFace()
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), async (name) => {
        const { status, json } = await face.get(`/api/groups/${encodeURIComponent(name)}`)
        expect([status, json]).toEqual([
          404,
          expect.objectContaining({ detail: `There is no group ${JSON.stringify(name)}.` }),
        ])
      }),
      { numRuns: 50 },
    )
  })
})

suite('/api/groups/:name/entries', () => {
  test('shows charges so that they can be checked, newest first', async () => {
    await using face = await startFace()
    await face.record({ project: 'alpha', at: T0, value: '10', metric: ram.metric })
    await face.record({ project: 'alpha', at: T0 + HOUR, value: '10.000005', metric: ram.metric })
    await face.record({ project: 'alpha', at: T0 + 2 * HOUR, value: '11.000005', metric: ram.metric })
    const { items, next } = (await face.get('/api/groups/alpha/entries')).json as EntriesPage
    expect(next).toBe(null)
    expect(items).toHaveLength(2)
    expect(items[0]).toEqual({
      number: 2,
      id: expect.any(String),
      kind: 'charge',
      at: '2026-01-01T02:00:00.000Z',
      amount: '0.3',
      hash: expect.stringMatching(/^[\w-]{43}$/),
      meter: 'ram',
      metric: 'project_mb_usage',
      site: '8676',
      project_id: 'id-alpha',
      from: { at: '2026-01-01T01:00:00.000Z', value: '10.000005' },
      to: { at: '2026-01-01T02:00:00.000Z', value: '11.000005' },
      consumption: '1',
      unit: 'GiB·h',
      price: '0.3',
      price_version: 'ram@always',
      // 0.000005 × 0.3 = 0.0000015: half a micro-credit was left over.
      carry_in: '0.0000005',
      carry_out: '0.0000005',
    })
    expect(items[1]).toMatchObject({ number: 1, amount: '0.000001', carry_in: '0', carry_out: '0.0000005' })
  })

  test('shows openings and adjustments with their reason', async () => {
    await using face = await startFace()
    await opened(face, 'alpha')
    const facts = { group: 'alpha', recordedAt: T0 }
    await face.ledger.settle({
      group: 'alpha',
      at: T0,
      entries: [
        { ...facts, id: 'o', kind: 'opening', site: '8676', amount: 0n, reason: 'First contact.' },
        { ...facts, id: 'a', kind: 'adjustment', amount: -500_000n, reason: 'A gift.', actor: 'jane' },
      ],
    })
    const { items } = (await face.get('/api/groups/alpha/entries')).json as EntriesPage
    const rest = { at: '2026-01-01T00:00:00.000Z', hash: expect.any(String), corrects: null }
    expect(items).toEqual([
      { ...rest, number: 2, id: 'a', kind: 'adjustment', amount: '-0.5', site: null, reason: 'A gift.', actor: 'jane' },
      {
        ...rest,
        number: 1,
        id: 'o',
        kind: 'opening',
        amount: '0',
        site: '8676',
        reason: 'First contact.',
        actor: null,
      },
    ])
  })

  test('is an empty page for a group that was never charged', async () => {
    await using face = await startFace()
    await opened(face, 'alpha')
    expect((await face.get('/api/groups/alpha/entries')).json).toEqual({ items: [], next: null })
  })

  test('leads through all entries page by page', async () => {
    await using face = await startFace()
    for (let hour = 0; hour <= 5; hour += 1) {
      await face.record({ project: 'a/b', at: T0 + hour * HOUR, value: `${hour}` })
    }
    const seen: number[] = []
    for (let next: string | null = '/api/groups/a%2Fb/entries?limit=2'; next !== null; ) {
      const page = (await face.get(next)).json as EntriesPage
      seen.push(...page.items.map(({ number }) => number))
      next = page.next
    }
    expect(seen).toEqual([5, 4, 3, 2, 1])
  })

  test.each([
    ...['before=0', 'before=-1', 'before=last', 'before=99999999999999999999', 'limit=0'],
    'from=2026-01-02&to=2025-01-02',
  ])('is 400 for ?%s', async (query) => {
    await using face = await startFace()
    await opened(face, 'alpha')
    expect((await face.get(`/api/groups/alpha/entries?${query}`)).status).toBe(400)
  })
})

suite('the state of a group', () => {
  const known = { site: '1', contact: 'active', charged: 0n } as const
  const unknown = { site: '2', contact: 'new', charged: 0n } as const

  test.each([
    ['held', { holds: ['no grant' as const], sites: [known], dirty: false }],
    ['held', { holds: ['implausible growth' as const], sites: [unknown], dirty: true }],
    ['new', { holds: [], sites: [unknown], dirty: true }],
    ['waiting', { holds: [], sites: [known, unknown], dirty: true }],
    ['active', { holds: [], sites: [known], dirty: false }],
  ])('is %s for %o', (state, row) => {
    expect(groupState(row)).toBe(state)
  })
})
