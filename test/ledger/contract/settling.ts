/** The ledger contract: what publishing writes. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import { type Hold, type Ledger, OvertakenError, type Settlement } from '#src/ledger/ledger.ts'
import { cpu, T0 } from '../../helpers/billing.ts'
import { follow } from '../../helpers/ledger.ts'
import { audit } from './audit.ts'

export const adjustment = (id: string, amount: bigint, group = 'alpha') =>
  ({ kind: 'adjustment', id, group, amount, recordedAt: T0, reason: 'a gift', actor: 'somebody' }) as const

export const hold = (key: string, group?: string): Hold => ({
  key,
  kind: 'no grant',
  site: '8676',
  ...(group !== undefined && { group }),
  reason: `Because of ${key}.`,
})

export function settlingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())
  const used = async (group: string) => (await ledger.account(group))?.used
  const settle = (group: string, changes: Partial<Settlement>) => ledger.settle({ group, at: T0, ...changes })

  suite('settling', () => {
    beforeEach(() =>
      follow(ledger, 'alpha', [
        [0, '100'],
        [60, '101'],
      ]),
    )

    test('adds an entry once, however often it is told', async () => {
      await settle('alpha', { entries: [adjustment('gift', -400_000n)] })
      await settle('alpha', { entries: [adjustment('gift', -400_000n), adjustment('fee', 1n)] })
      expect(await used('alpha')).toBe(600_001n)
      expect(await ledger.entries('alpha', { limit: 1 })).toMatchObject([
        { kind: 'adjustment', id: 'fee', actor: 'somebody', reason: 'a gift' },
      ])
      await audit(ledger)
    })

    test('opens a group by its opening entry only', async () => {
      await settle('alpha', { entries: [adjustment('gift', 1n)] })
      expect(await ledger.account('alpha')).toMatchObject({
        opened: false,
        sites: [{ measured: { [cpu.metric]: { since: T0, chargedSince: T0, charged: 1_000_000n } } }],
      })
      await settle('alpha', {
        entries: [
          {
            kind: 'opening',
            id: 'opening/alpha',
            group: 'alpha',
            site: '8676',
            amount: 5_000_000n,
            recordedAt: T0,
            reason: 'was there',
          },
        ],
      })
      const account = await ledger.account('alpha')
      expect(account).toMatchObject({ opened: true, used: 6_000_001n })
      expect(account!.sites[0]).not.toHaveProperty('measured')
      await audit(ledger)
    })

    test('notes how Perun and the group stand at a site, and for how long to leave it alone', async () => {
      await settle('alpha', { contacts: [{ site: '8676', contact: 'unknown group', retryAt: T0 + HOUR }] })
      expect((await ledger.account('alpha'))!.sites).toMatchObject([{ contact: 'unknown group', retryAt: T0 + HOUR }])
      await settle('alpha', { contacts: [{ site: '8676', contact: 'active' }] })
      expect((await ledger.account('alpha'))!.sites[0]).toMatchObject({ contact: 'active' })
      expect((await ledger.account('alpha'))!.sites[0]).not.toHaveProperty('retryAt')
      expect(await ledger.summary()).toMatchObject({ contacts: { active: 1 } })
    })

    test('reports each drift, newest first, with what was and what is', async () => {
      const edit = { site: '8676', expected: 1_000_000n, shown: 5_500_000n, modifiedAt: 'then', modifiedBy: 'somebody' }
      await settle('alpha', { drifts: [{ ...edit, entryId: 'drift/alpha' }] })
      await settle('alpha', { at: T0 + HOUR, drifts: [{ site: '8676', expected: 5_500_000n }] })
      const missing = { id: 2, group: 'alpha', site: '8676', seenAt: T0 + HOUR, expected: 5_500_000n }
      expect(await ledger.drifts({ limit: 9 })).toEqual([
        missing,
        { id: 1, group: 'alpha', seenAt: T0, ...edit, entryId: 'drift/alpha' },
      ])
      expect(await ledger.drifts({ group: 'alpha', limit: 1 })).toEqual([missing])
      expect(await ledger.drifts({ before: 2, limit: 9 })).toMatchObject([{ id: 1 }])
      expect(await ledger.drifts({ group: 'beta', limit: 9 })).toEqual([])
      expect(await ledger.summary()).toMatchObject({ drifts: 2 })
    })

    test('keeps one open hold of a key, and a new one after it was released', async () => {
      await settle('alpha', { holds: [hold('a', 'alpha')] })
      await settle('alpha', {
        at: T0 + HOUR,
        holds: [{ ...hold('a', 'alpha'), reason: 'Still.' }, hold('b', 'alpha'), hold('c')],
      })
      const open = await ledger.holds({ limit: 9 })
      expect(open.map(({ key, group, reason, openedAt, seenAt }) => [key, group, reason, openedAt, seenAt])).toEqual([
        ['c', undefined, 'Because of c.', T0 + HOUR, T0 + HOUR],
        ['b', 'alpha', 'Because of b.', T0 + HOUR, T0 + HOUR],
        ['a', 'alpha', 'Still.', T0, T0 + HOUR],
      ])
      expect((await ledger.account('alpha'))!.holds.toSorted()).toEqual(['a', 'b'])
      await settle('alpha', {
        at: T0 + DAY,
        released: [
          { key: 'a', reason: 'Over.' },
          { key: 'never opened', reason: 'Over.' },
        ],
      })
      expect((await ledger.holds({ group: 'alpha', limit: 9 })).map(({ key }) => key)).toEqual(['b'])
      await settle('alpha', { at: T0 + 2 * DAY, holds: [hold('a', 'alpha')] })
      const [again] = await ledger.holds({ group: 'alpha', limit: 1 })
      expect(again).toMatchObject({ key: 'a', openedAt: T0 + 2 * DAY })
      expect(again!.id).not.toBe(open[2]!.id)
      expect(await ledger.summary()).toMatchObject({ holds: { 'no grant': 3 } })
    })

    const intended = async () => (await ledger.account('alpha'))!.intended.map(({ number, used }) => [number, used])
    const write = (number: number, used: bigint) => ({ number, site: '8676', used, upTo: T0 })

    test('remembers what it is about to write until that is answered', async () => {
      await settle('alpha', { intended: [write(1, 1_000_000n)] })
      expect(await ledger.account('alpha')).toMatchObject({
        newestIntention: 1,
        intended: [{ number: 1, site: '8676', used: 1_000_000n, upTo: T0, at: T0, overtaken: false }],
      })
      expect(await ledger.doubtfulGroups()).toEqual(['alpha'])
      await settle('alpha', {
        at: T0 + MINUTE,
        answered: [1],
        published: { used: 1_000_000n, sites: [{ site: '8676', upTo: T0 + HOUR }] },
      })
      expect(await intended()).toEqual([])
      expect(await ledger.doubtfulGroups()).toEqual([])
      expect(await ledger.account('alpha')).toMatchObject({
        published: 1_000_000n,
        newestIntention: 1,
        sites: [{ publishedAt: T0 + HOUR }],
      })
    })

    // A call that was given up may still be carried out, minutes later, also after another one was answered.
    test('remembers what was never answered until it is resolved, whatever is answered meanwhile', async () => {
      await settle('alpha', { intended: [write(1, 1n)] })
      await settle('alpha', { at: T0 + MINUTE, intended: [write(2, 1n), write(3, 1n)] })
      await settle('alpha', { at: T0 + 2 * MINUTE, answered: [2] })
      expect((await ledger.account('alpha'))!.intended).toMatchObject([
        { number: 1, overtaken: true },
        { number: 3, overtaken: false },
      ])
      await settle('alpha', { at: T0 + DAY, resolved: [1], intended: [write(4, 3n)], answered: [3] })
      expect(await intended()).toEqual([[4, 3n]])
    })

    // Two workers: the answer of one is recorded after the other one has looked, or has written something newer.
    test('takes nothing as shown by a write that is overtaken, or was found by somebody else', async () => {
      const sites = [{ site: '8676', upTo: T0 }]
      const late = { dealtWith: 1_000_000n, published: { used: 5n, sites: [{ site: '8676', upTo: T0 + HOUR }] } }
      const isLeft = async () => {
        expect(await ledger.account('alpha')).toMatchObject({ published: 7n, sites: [{ publishedAt: T0 }] })
        expect(await ledger.dirtyGroups()).toEqual(['alpha'])
      }
      await settle('alpha', { intended: [write(1, 5n), write(2, 5n), write(3, 7n)] })
      await settle('alpha', { resolved: [1], answered: [3], published: { used: 7n, sites } })
      await settle('alpha', { ...late, answered: [1] })
      await isLeft()
      await settle('alpha', { ...late, answered: [1, 2] })
      await isLeft()
      expect(await intended()).toEqual([])
      await settle('alpha', { intended: [write(4, 5n), write(5, 5n)] })
      await settle('alpha', { resolved: [4], published: { used: 7n, sites } })
      await settle('alpha', { ...late, answered: [4, 5] })
      await isLeft()
      await settle('alpha', { intended: [write(6, 5n), write(7, 5n)] })
      await settle('alpha', { ...late, answered: [6, 7] })
      expect(await ledger.account('alpha')).toMatchObject({ published: 5n, sites: [{ publishedAt: T0 + HOUR }] })
      expect(await ledger.dirtyGroups()).toEqual([])
    })

    test('takes what a look found as shown, also when somebody else has recorded the answer meanwhile', async () => {
      await settle('alpha', { intended: [write(1, 4n), write(2, 5n)] })
      await settle('alpha', { answered: [2], published: { used: 5n, sites: [] } })
      const found = { used: 6n, sites: [{ site: '8676', upTo: T0 + HOUR }] }
      await settle('alpha', { arrived: [2], published: found, dealtWith: 1_000_000n })
      expect(await ledger.account('alpha')).toMatchObject({ published: 6n, sites: [{ publishedAt: T0 + HOUR }] })
      expect(await ledger.dirtyGroups()).toEqual([])
      // It is done as what was answered: older writes come late from now on.
      await settle('alpha', { intended: [write(3, 7n), write(4, 8n), write(5, 9n)] })
      await settle('alpha', { arrived: [4] })
      const account = await ledger.account('alpha')
      expect(account!.intended.map(({ number, overtaken }) => [number, overtaken])).toEqual([
        [1, true],
        [3, true],
        [5, false],
      ])
    })

    test('keeps a group dirty while something is written, and while it is on hold', async () => {
      await settle('alpha', { dealtWith: 1_000_000n })
      await settle('alpha', { intended: [write(1, 2n)] })
      expect(await ledger.dirtyGroups()).toEqual(['alpha'])
      await settle('alpha', { dealtWith: 1_000_000n })
      await settle('alpha', { holds: [hold('a', 'alpha')] })
      expect(await ledger.dirtyGroups()).toEqual(['alpha'])
    })

    test('takes what is shown and what is intended in one settlement', async () => {
      await settle('alpha', { published: { used: 1n, sites: [] }, intended: [write(1, 2n)] })
      expect(await ledger.account('alpha')).toMatchObject({ published: 1n, intended: [{ used: 2n }] })
    })

    // Two publishes of one group at a time: the second one planned from an account that the first one made old.
    test('takes nothing of what was planned before something newer was intended', async () => {
      expect(await ledger.newestIntention('alpha')).toBe(0)
      await settle('alpha', { intended: [write(1, 1n), write(2, 1n)] })
      expect(await ledger.newestIntention('alpha')).toBe(2)
      for (const number of [1, 2, 4]) {
        const late = { entries: [adjustment('gift', 1n)], intended: [write(number, 5n)] }
        await expect(settle('alpha', late)).rejects.toThrow(OvertakenError)
      }
      expect(await used('alpha')).toBe(1_000_000n)
      expect(await intended()).toEqual([
        [1, 1n],
        [2, 1n],
      ])
    })

    test('makes a group clean only if its total has not moved on', async () => {
      await settle('alpha', { dealtWith: 999_999n })
      expect(await ledger.dirtyGroups()).toEqual(['alpha'])
      await settle('alpha', { dealtWith: 1_000_000n })
      expect(await ledger.dirtyGroups()).toEqual([])
      await follow(ledger, 'alpha', [[61, '101.5']])
      expect(await ledger.dirtyGroups()).toEqual(['alpha'])
      await settle('alpha', { entries: [adjustment('gift', -500_000n)], dealtWith: 1_000_000n })
      expect(await ledger.dirtyGroups()).toEqual([])
    })

    test('lists the groups that were published longest ago first', async () => {
      for (const group of ['gamma', 'beta'])
        await follow(ledger, group, [
          [0, '1'],
          [60, '2'],
        ])
      await settle('alpha', { at: T0 + 2 * HOUR, published: { used: 0n, sites: [] } })
      await settle('gamma', { at: T0 + HOUR, published: { used: 0n, sites: [] } })
      expect(await ledger.dirtyGroups()).toEqual(['beta', 'gamma', 'alpha'])
    })

    test('of one group fails without the others that are settled at the same time', async () => {
      const results = await Promise.allSettled([
        settle('alpha', { entries: [adjustment('one', 1n)] }),
        settle('nobody', { holds: [hold('x')], entries: [adjustment('two', 1n, 'nobody')] }),
        settle('alpha', { entries: [adjustment('three', 1n)] }),
      ])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(await used('alpha')).toBe(1_000_002n)
      expect(await ledger.holds({ limit: 9 })).toEqual([])
      await audit(ledger)
    })

    test('that can wait is in what is asked of the group, and written in its turn', async () => {
      const later = ledger.settle(
        { group: 'alpha', at: T0, granted: '5', dealtWith: 1_000_000n, intended: [write(1, 1n)] },
        { urgent: false },
      )
      expect(await intended()).toEqual([[1, 1n]])
      await later
      const dirty = ledger.settle({ group: 'alpha', at: T0, entries: [adjustment('gift', 1n)] }, { urgent: false })
      const clean = settle('alpha', { dealtWith: 1_000_001n, granted: '6' })
      expect(await ledger.dirtyGroups()).toEqual([])
      await Promise.all([dirty, clean])
      expect(await ledger.group('alpha')).toMatchObject({ used: 1_000_001n, granted: '6', dirty: false })
    })

    test('that is under way is done before the ledger closes', async () => {
      const settled = settle('alpha', { granted: '5' })
      await ledger.close()
      await expect(settled).resolves.toBeUndefined()
      ledger = await open()
    })
  })
}
