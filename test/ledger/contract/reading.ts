/** The ledger contract: what can be asked of it, whatever the names. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import type { GroupTableQuery } from '#src/ledger/groupTable.ts'
import type { Ledger, Settlement } from '#src/ledger/ledger.ts'
import { cpu, T0 } from '../../helpers/billing.ts'
import { chargesOf, follow } from '../../helpers/ledger.ts'
import { audit } from './audit.ts'
import { adjustment, hold } from './settling.ts'

/** Names as they occur: paging, keys and look-ups must not mind. */
const oddNames = [
  'alpha',
  'Alpha',
  'ALPHA 2',
  "o'brien",
  '"quoted"',
  'back\\slash',
  'new\nline',
  'Gießen',
  '研究',
  '100%',
  'under_score',
  'a,b;c',
  ' leading',
  'trailing ',
  '🧬 lab',
  'null',
  '-1',
  'a\u0000b',
  'e\u0301',
  '\u00e9',
]

export function readingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())
  const settle = (group: string, changes: Partial<Settlement>) => ledger.settle({ group, at: T0, ...changes })

  test('the credits of groups come by name, so many as are wanted, with how many there are', async () => {
    expect(await ledger.credits(10)).toEqual({ rows: [], total: 0 })
    for (const [name, growth] of [
      ['b', 2],
      ['a', 1],
      ['c', 3],
    ] as const) {
      await follow(ledger, name, [
        [0, '100'],
        [60, String(100 + growth)],
      ])
    }
    await settle('b', { granted: '20' })
    const rows = [
      { group: 'a', used: 1_000_000n },
      { group: 'b', used: 2_000_000n, granted: '20' },
    ]
    expect(await ledger.credits(2)).toEqual({ rows, total: 3 })
  })

  suite('the table of groups', () => {
    const table = async (query: Partial<GroupTableQuery>) => {
      const { rows, total } = await ledger.groupTable({ order: 'name', limit: 100, offset: 0, ...query })
      return { names: rows.map(({ group }) => group), total }
    }

    test('has each group once, whatever its name, in the same order as the list', async () => {
      for (const name of oddNames) await follow(ledger, name, [[0, '1']])
      const { rows } = await ledger.groups({ limit: 100 })
      expect(await table({})).toEqual({ names: rows.map(({ group }) => group), total: oddNames.length })
      for (const name of oddNames) expect((await table({ search: name })).names).toContain(name)
    })

    test('tells of each group what the list tells', async () => {
      await follow(ledger, 'alpha', [
        [0, '1'],
        [60, '3.5'],
      ])
      await settle('alpha', {
        granted: '12.50',
        contacts: [{ site: '8676', contact: 'active' }],
        holds: [hold('alpha')],
      })
      const { rows } = await ledger.groups({ limit: 1 })
      expect((await ledger.groupTable({ order: 'left', limit: 1, offset: 0 })).rows).toEqual(rows)
    })

    test('is sorted in both directions, page by page, groups without a grant last', async () => {
      for (const [name, used, granted] of [
        ['a', '5', '7'],
        ['b', '3', undefined],
        ['c', '9', '1e3'],
        ['d', '3', '4'],
      ] as const) {
        await follow(ledger, name, [
          [0, '0'],
          [60, used],
        ])
        if (granted !== undefined) await settle(name, { granted })
      }
      const order = async (query: Partial<GroupTableQuery>) => (await table(query)).names.join('')
      expect(await order({ order: 'used' })).toBe('bdac')
      expect(await order({ order: 'used', descending: true })).toBe('cabd')
      expect(await order({ order: 'granted' })).toBe('dacb')
      expect(await order({ order: 'granted', descending: true })).toBe('cadb')
      expect(await order({ order: 'left' })).toBe('dacb')
      expect(await order({ order: 'name', descending: true })).toBe('dcba')
      expect(await order({ order: 'used', limit: 2, offset: 1 })).toBe('da')
      expect(await order({ order: ['c', 'gone', 'b'] })).toBe('cbad')
      expect(await order({ order: ['c', 'a'], search: 'A' })).toBe('a')
      expect(await table({ offset: 9 })).toEqual({ names: [], total: 4 })
    })
  })

  suite('a group', () => {
    test('has the total of all its sites and series, and each site its own', async () => {
      for (const [site, id, growth] of [
        ['1', 'x', 1],
        ['1', 'y', 2],
        ['2', 'x', 4],
      ] as const) {
        await follow(
          ledger,
          'alpha',
          [
            [0, '100'],
            [60, String(100 + growth)],
          ],
          { site, id },
        )
      }
      const account = await ledger.account('alpha')
      expect(account).toEqual({
        group: 'alpha',
        used: 7_000_000n,
        opened: false,
        holds: [],
        intended: [],
        newestIntention: 0,
        sites: [
          {
            site: '1',
            contact: 'new',
            charged: 3_000_000n,
            watermarks: { [cpu.metric]: T0 + HOUR },
            measured: { [cpu.metric]: { since: T0, chargedSince: T0, charged: 3_000_000n } },
          },
          {
            site: '2',
            contact: 'new',
            charged: 4_000_000n,
            watermarks: { [cpu.metric]: T0 + HOUR },
            measured: { [cpu.metric]: { since: T0, chargedSince: T0, charged: 4_000_000n } },
          },
        ],
      })
      await audit(ledger)
    })

    test.each(oddNames)('may be called %j', async (group) => {
      await follow(
        ledger,
        group,
        [
          [0, '100'],
          [60, '101'],
        ],
        { id: group },
      )
      expect(await ledger.account(group)).toMatchObject({ group, used: 1_000_000n })
      expect(await ledger.group(group)).toMatchObject({ group, series: [{ projectName: group, projectId: group }] })
      expect(await chargesOf(ledger, group)).toMatchObject([
        { group, series: { projectName: group, projectId: group } },
      ])
      expect((await ledger.groups({ limit: 9 })).rows.map((row) => row.group)).toEqual([group])
    })

    test('is found on exactly one page, whatever the names', async () => {
      for (const group of oddNames) await follow(ledger, group, [[0, '1']])
      const found: string[] = []
      for (let after: string | undefined; ; after = found.at(-1)) {
        const { rows, total } = await ledger.groups({ limit: 3, ...(after !== undefined && { after }) })
        expect(total).toBe(oddNames.length)
        found.push(...rows.map(({ group }) => group))
        if (rows.length < 3) break
      }
      expect(found.toSorted()).toEqual(oddNames.toSorted())
    })

    test('is searched for by a part of its name, taken literally', async () => {
      for (const group of oddNames) await follow(ledger, group, [[0, '1']])
      const search = async (text: string) =>
        (await ledger.groups({ search: text, limit: 99 })).rows.map(({ group }) => group).toSorted()
      expect(await search('ALPHA')).toEqual(['ALPHA 2', 'Alpha', 'alpha'])
      expect(await search('%')).toEqual(['100%'])
      expect(await search('_')).toEqual(['under_score'])
      expect(await search("'")).toEqual(["o'brien"])
      expect(await search('nobody')).toEqual([])
      expect(await ledger.groups({ search: 'alpha', limit: 1 })).toMatchObject({ rows: [{}], total: 3 })
    })

    test('shows what is known of it', async () => {
      await follow(ledger, 'alpha', [
        [0, '100'],
        [60, '101'],
      ])
      await settle('alpha', {
        contacts: [{ site: '8676', contact: 'active' }],
        granted: '5000',
        holds: [hold('a', 'alpha'), hold('b', 'alpha')],
        published: { used: 1_000_000n, sites: [{ site: '8676', upTo: T0 + HOUR }] },
      })
      expect(await ledger.group('alpha')).toEqual({
        group: 'alpha',
        muted: false,
        used: 1_000_000n,
        published: 1_000_000n,
        publishedAt: T0,
        granted: '5000',
        dirty: true,
        sites: [{ site: '8676', contact: 'active', charged: 1_000_000n }],
        holds: ['no grant'],
        lastReadingAt: T0 + HOUR,
        series: [
          { site: '8676', metric: cpu.metric, projectId: 'id-alpha', projectName: 'alpha', state: expect.anything() },
        ],
      })
    })
  })

  suite('entries, notes and history', () => {
    test('of a period are those that belong to it, newest first', async () => {
      const points = Array.from({ length: 10 }, (_, hour) => [hour * 60, String(hour)] as const)
      await follow(ledger, 'alpha', points)
      const numbers = async (page: { after?: number; upTo?: number; before?: number; limit?: number }) =>
        (await ledger.entries('alpha', { limit: 99, ...page })).map(({ number }) => number)
      expect(await numbers({ after: T0 + 2 * HOUR, upTo: T0 + 5 * HOUR })).toEqual([5, 4, 3])
      expect(await numbers({ after: T0 + 2 * HOUR, upTo: T0 + 5 * HOUR, before: 5, limit: 1 })).toEqual([4])
      expect(await numbers({ upTo: T0 + 2 * HOUR })).toEqual([2, 1])
      expect(await numbers({ after: T0 + 7 * HOUR })).toEqual([9, 8])
    })

    test('come newest first and page by page', async () => {
      await follow(
        ledger,
        'alpha',
        Array.from({ length: 8 }, (_, hour) => [hour * 60, String(hour)] as const),
      )
      const first = await ledger.entries('alpha', { limit: 5 })
      const rest = await ledger.entries('alpha', { limit: 5, before: first.at(-1)!.number })
      expect([...first, ...rest].map(({ at }) => (at - T0) / HOUR)).toEqual([7, 6, 5, 4, 3, 2, 1])
    })

    test('say why nothing is charged', async () => {
      await follow(ledger, 'alpha', [
        [0, '110'],
        [1, '50'],
        [2, '110'],
      ])
      const notes = await ledger.notes('alpha', 9)
      expect(notes.map(({ kind }) => kind)).toEqual(['recovered', 'rebased', 'opened'])
      expect(notes[1]).toMatchObject({
        at: T0 + MINUTE,
        series: { projectName: 'alpha' },
        text: expect.stringContaining('110 at 2026-01-01T00:00:00.000Z'),
      })
      expect(await ledger.notes('alpha', 1)).toHaveLength(1)
      expect(await ledger.entries('alpha', { limit: 9 })).toEqual([])
    })

    test('give the total after each entry of a period, both ends included', async () => {
      await follow(ledger, 'alpha', [
        [0, '0'],
        [60, '1'],
        [120, '3'],
        [180, '7'],
      ])
      await settle('alpha', { entries: [{ ...adjustment('gift', -500_000n), recordedAt: T0 + 2.5 * HOUR }] })
      const all = await ledger.history('alpha', { from: T0, to: T0 + DAY, limit: 9 })
      expect(all).toEqual([
        { at: T0 + 3 * HOUR, metric: cpu.metric, used: 6_500_000n },
        { at: T0 + 2.5 * HOUR, metric: 'adjustment', used: 2_500_000n },
        { at: T0 + 2 * HOUR, metric: cpu.metric, used: 3_000_000n },
        { at: T0 + HOUR, metric: cpu.metric, used: 1_000_000n },
      ])
      expect(await ledger.history('alpha', { from: T0 + 2 * HOUR, to: T0 + 2.5 * HOUR, limit: 9 })).toEqual(
        all!.slice(1, 3),
      )
      expect(await ledger.history('alpha', { from: T0 + DAY, to: T0 + 2 * DAY, limit: 9 })).toEqual([])
    })
  })
}
