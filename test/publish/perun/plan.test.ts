import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { DAY, formatPerunTimestamp, HOUR, type Instant, MINUTE } from '#src/core/time.ts'
import type { GroupAccount, SiteAccount } from '#src/ledger/ledger.ts'
import { HOLD_RETRY, type SiteView } from '#src/publish/perun/draft.ts'
import { isSettled, planPublish, sitesToLookAt } from '#src/publish/perun/plan.ts'
import { account, credits, LATER, NOW, newAccount, newSite, site, view, write } from '../../helpers/accounts.ts'
import { T0 } from '../../helpers/billing.ts'

const times = (cpu: Instant) => ({ timestamps: { cpu: formatPerunTimestamp(cpu) } })

/** What matters of a plan, amounts as text. */
function planned(who: GroupAccount, views: Record<string, SiteView>, { precision = 2, now = NOW } = {}) {
  const plan = planPublish(who, new Map(Object.entries(views)), { precision, now })
  const { entries = [], contacts = [], holds = [], released = [], published, intended } = plan.settlement
  return {
    entries: entries.map(({ kind, amount }) => `${kind} ${formatCredits(amount)}`),
    contacts: contacts.map(({ site: where, contact, retryAt }) => [where, contact, retryAt]),
    holds: holds.map(({ key }) => key),
    released: released.map(({ key }) => key),
    writes: plan.writes.map(({ site: where, used }) => [where, used]),
    held: plan.held,
    shown: formatCredits(plan.shown),
    total: formatCredits(plan.total),
    published: published && formatCredits(published.used),
    intended: intended === undefined ? undefined : formatCredits(intended[0]!.used),
  }
}

suite('first contact', () => {
  test('with a group that has nothing in Perun: the ledger begins with nothing before it', () => {
    expect(planned(newAccount('2.5'), { A: view(undefined) })).toEqual({
      entries: ['opening 0'],
      contacts: [['A', 'active', undefined]],
      holds: [],
      released: [],
      writes: [['A', '2.50']],
      held: false,
      shown: '2.5',
      total: '2.5',
      published: undefined,
      intended: '2.5',
    })
  })

  test('tells Perun zero, and the time, even when nothing was charged', () => {
    const plan = planPublish(newAccount('0'), new Map([['A', view(undefined)]]), { precision: 2, now: NOW })
    expect(plan.writes).toEqual([
      {
        number: 1,
        site: 'A',
        groupId: 7,
        used: '0.00',
        timestamps: { cpu: '2026-01-01 00:00:00.000000' },
        upTo: T0,
        readAt: NOW,
      },
    ])
  })

  test('with a group that an older service has charged: the ledger begins with that', () => {
    expect(planned(newAccount('2.5'), { A: view('12.34', times(T0 - HOUR)) })).toMatchObject({
      entries: ['opening 12.34'],
      writes: [['A', '14.84']],
      total: '14.84',
      published: '12.34',
      intended: '14.84',
    })
  })

  test('with used credits and no times: the ledger begins with them all the same', () => {
    expect(planned(newAccount('1'), { A: view('12.34') })).toMatchObject({ entries: ['opening 12.34'], total: '13.34' })
  })

  test('with more decimals than are published: they stay in the ledger', () => {
    expect(planned(newAccount('0'), { A: view('0.123456') })).toMatchObject({
      entries: ['opening 0.123456'],
      writes: [['A', '0.12']],
      total: '0.123456',
    })
  })

  test('with times and no used credits: a person decides', () => {
    expect(planned(newAccount('1'), { A: view(undefined, times(T0 - HOUR)) })).toMatchObject({
      entries: [],
      holds: ['used credits missing/A/g'],
      writes: [],
      held: true,
      total: '1',
    })
  })

  test('with times and no used credits: it says so, and nobody edited anything', () => {
    const views = new Map([['A', view(undefined, times(T0 - HOUR))]])
    const { drifts, holds } = planPublish(newAccount('1'), views, { precision: 2, now: NOW }).settlement
    expect(drifts ?? []).toEqual([])
    expect(holds).toMatchObject([
      { reason: expect.stringMatching(/^Perun shows timestamps of g that another service/) },
    ])
  })

  test.each(['A', 'B'])('with times at site %s only, and no used credits: a person decides', (where) => {
    const sites = [newSite('A'), newSite('B')]
    const views = { A: view(undefined), B: view(undefined), [where]: view(undefined, times(T0 - HOUR)) }
    expect(planned(newAccount('0', sites), views)).toMatchObject({ entries: [], writes: [], held: true })
  })

  test('with used credits that are no number: a person decides', () => {
    for (const used of ['a lot', '1,5', '0x10', 'NaN', '1.1234567', '99999999999999999999'])
      expect(planned(newAccount('1'), { A: view(used) })).toMatchObject({ holds: ['refused/A/g'], writes: [] })
  })

  test('gives back what was charged before the older service stopped, and says so', () => {
    const who = newAccount('2.5', [newSite('A', '2.5', T0 - 2 * HOUR)])
    expect(planned(who, { A: view('12.34', times(T0 - HOUR)) })).toMatchObject({
      entries: ['adjustment -2.5', 'opening 12.34'],
      total: '12.34',
      writes: [['A', '12.34']],
    })
  })

  test('gives back only what another service charged of the same metric', () => {
    const [earlier, later] = [T0 - 2 * HOUR, T0 - HOUR]
    const measured = {
      cpu: { since: earlier, chargedSince: earlier, charged: credits('2') },
      ram: { since: later, chargedSince: later, charged: credits('0.5') },
    }
    const who = newAccount('2.5', [{ ...newSite('A', '2.5'), measured }])
    const until = (cpu: Instant, ram: Instant) => ({
      timestamps: { cpu: formatPerunTimestamp(cpu), ram: formatPerunTimestamp(ram) },
    })
    const entriesOf = (cpu: Instant, ram: Instant) => {
      return planPublish(who, new Map([['A', view('12.34', until(cpu, ram))]]), { precision: 2, now: NOW }).settlement
        .entries!
    }
    expect(entriesOf(earlier, later).map(({ amount }) => formatCredits(amount))).toEqual(['12.34'])
    expect(entriesOf(earlier + 1, later).map(({ amount }) => formatCredits(amount))).toEqual(['-2', '12.34'])
    expect(entriesOf(earlier, later + 1).map(({ amount }) => formatCredits(amount))).toEqual(['-0.5', '12.34'])
    const [back, opening] = entriesOf(later, later)
    expect(back!.reason).toBe(
      'Measured before first contact, while another service charged cpu until 2025-12-31T23:00:00.000Z: not charged.',
    )
    expect(opening!.reason).toBe(
      'First contact: Perun showed 12.34 used credits, charged by another service. cpu at site A until 2025-12-31 23:00:00.000000: our first reading is earlier, what overlaps is given back. ram at site A until 2025-12-31 23:00:00.000000: charging goes on from that reading.',
    )
  })

  test('without granted credits: a hold, and nothing of it counts', () => {
    expect(planned(newAccount('2.5'), { A: { id: 7, timestamps: {}, readAt: NOW } })).toMatchObject({
      entries: [],
      contacts: [['A', 'no grant', NOW + HOLD_RETRY]],
      holds: ['no grant/A/g'],
      writes: [],
      held: true,
    })
  })

  test.each(['unknown group', 'not assigned'] as const)('with an %s: a hold, and nothing of it counts', (absence) => {
    expect(planned(newAccount('2.5'), { A: absence })).toMatchObject({
      entries: [],
      contacts: [['A', absence, NOW + HOLD_RETRY]],
      holds: [`${absence}/A/g`],
      writes: [],
    })
  })

  test.each(['unknown group', 'not assigned', 'no grant'] as const)(
    'after an %s: what was measured meanwhile is given back',
    (contact) => {
      const sites = [site({ contact, charged: '2.5', retryAt: NOW })]
      const holds = [`${contact}/A/g`]
      const who = account({ used: '2.5', published: null, opened: false, sites, holds })
      expect(planned(who, { A: view(undefined) })).toMatchObject({
        entries: ['adjustment -2.5', 'opening 0'],
        contacts: [['A', 'active', undefined]],
        released: holds,
        total: '0',
      })
    },
  )
})

suite('a group that was published before', () => {
  test('is written when its rounded total differs from what is shown', () => {
    const who = account({ used: '10.125', sites: [site({ charged: '10.125', watermarks: { cpu: LATER } })] })
    expect(planned(who, { A: view('10.00') })).toMatchObject({
      entries: [],
      writes: [['A', '10.12']],
      shown: '10.12',
      total: '10.125',
      published: '10',
      intended: '10.12',
    })
  })

  test('is not written when it does not', () => {
    expect(planned(account({ used: '10.004' }), { A: view('10.00') })).toMatchObject({
      entries: [],
      writes: [],
      held: false,
      intended: undefined,
    })
  })

  test('is not written when Perun only writes the number another way', () => {
    for (const used of ['10', '10.0', '10.000000', '1e1'])
      expect(planned(account(), { A: view(used) })).toMatchObject({ entries: [], writes: [] })
  })

  test('keeps the times of metrics that are not ours', () => {
    const who = account({ used: '11', sites: [site({ charged: '11', watermarks: { cpu: LATER, ram: T0 } })] })
    const shown = view('10.00', { timestamps: { gpu: 'whenever', cpu: formatPerunTimestamp(T0) } })
    const { writes } = planPublish(who, new Map([['A', shown]]), { precision: 2, now: NOW })
    expect(writes[0]).toMatchObject({
      timestamps: { gpu: 'whenever', cpu: formatPerunTimestamp(LATER), ram: formatPerunTimestamp(T0) },
      upTo: LATER,
    })
  })

  test('tells the ledger what is granted', () => {
    const plan = planPublish(account(), new Map([['A', view('10', { granted: '300' })]]), { precision: 2, now: NOW })
    expect(plan.settlement.granted).toBe('300')
  })

  test('loses nothing of what was charged before when its assignment or its grant ends', () => {
    const who = account({ used: '11', sites: [site({ charged: '11' })] })
    for (const gone of ['not assigned', 'unknown group', { id: 7, timestamps: {}, readAt: NOW }] as const)
      expect(planned(who, { A: gone })).toMatchObject({
        entries: [],
        contacts: [['A', 'active', NOW + HOLD_RETRY]],
        writes: [],
        held: true,
        total: '11',
      })
  })

  test('that Perun refuses is left alone for a while', () => {
    expect(planned(account({ used: '11' }), { A: { refused: 'WrongAttributeValueException' } })).toMatchObject({
      contacts: [['A', 'active', NOW + HOLD_RETRY]],
      holds: ['refused/A/g'],
      writes: [],
      held: true,
    })
  })

  test('is released from its holds when all is well again', () => {
    const holds = ['no grant/A/g', 'refused/A/g', 'used credits missing/A/g', 'implausible growth/A/g']
    const sites = [site({ retryAt: NOW })]
    expect(planned(account({ holds, sites }), { A: view('10.00') })).toMatchObject({
      released: holds.slice(0, 3),
      contacts: [['A', 'active', undefined]],
      held: false,
    })
  })
})

suite('what somebody edited', () => {
  test.each([
    ['less', '4.00', 'adjustment -6', '5'],
    ['more', '12.5', 'adjustment 2.5', '13.5'],
    ['below zero', '-3', 'adjustment -13', '-2'],
    ['to more decimals', '10.001', 'adjustment 0.001', '11.001'],
  ])('to %s: the ledger follows', (_, shown, entry, total) => {
    const sites = [site({ charged: '11', watermarks: { cpu: LATER } })]
    expect(planned(account({ used: '11', sites }), { A: view(shown) })).toMatchObject({
      entries: [entry],
      total,
      published: formatCredits(credits(shown)),
    })
  })

  test('is named by who did it and when', () => {
    const edited = view('4.00', { usedModifiedAt: '2026-01-01 00:30:00', usedModifiedBy: 'erika' })
    const { settlement } = planPublish(account(), new Map([['A', edited]]), { precision: 2, now: NOW })
    expect(settlement.entries).toEqual([
      {
        kind: 'adjustment',
        id: 'drift/g/2026-01-01 00:30:00/4000000/0',
        group: 'g',
        site: 'A',
        amount: -6_000_000n,
        recordedAt: NOW,
        actor: 'erika',
        reason: 'Perun shows 4.00 instead of 10.000000 since 2026-01-01 00:30:00: edited there. The ledger follows.',
      },
    ])
  })

  test('is not what we were about to write when the answer was lost', () => {
    const who = account({ used: '12', intended: '11' })
    expect(planned(who, { A: view('11.00') })).toMatchObject({ entries: [], writes: [['A', '12.00']], published: '11' })
    expect(planned(who, { A: view('10.00') })).toMatchObject({ entries: [], writes: [['A', '12.00']], published: '10' })
    expect(planned(who, { A: view('9.00') })).toMatchObject({ entries: ['adjustment -1'] })
  })

  test('is found although our first write never was confirmed', () => {
    const who = account({ used: '1', published: null, intended: '1' })
    expect(planned(who, { A: view('1.00') }).entries).toEqual([])
    expect(planned(who, { A: view(undefined) }).entries).toEqual([])
    expect(planned(who, { A: view('5.00') }).entries).toEqual(['adjustment 5'])
  })

  test('away altogether is not written again unasked', () => {
    expect(planned(account({ used: '11' }), { A: view(undefined) })).toMatchObject({
      entries: [],
      holds: ['used credits missing/A/g'],
      contacts: [['A', 'active', NOW + HOLD_RETRY]],
      writes: [],
      held: true,
      total: '11',
    })
  })

  test('to something that is no number is not overwritten', () => {
    expect(planned(account({ used: '11' }), { A: view('oops') })).toMatchObject({
      entries: [],
      holds: ['refused/A/g'],
      writes: [],
    })
  })
})

test('a hold that goes on is not released on the way', () => {
  const who = account({ used: '11', holds: ['refused/A/g'], sites: [site({ retryAt: NOW })] })
  expect(planned(who, { A: view('oops') })).toMatchObject({ holds: ['refused/A/g'], released: [] })
})

suite('a group at several sites', () => {
  const both = (a: Partial<SiteAccount>, b: Partial<SiteAccount> = {}) => [
    { ...site({ charged: '4' }), ...a },
    { ...site({ charged: '6', site: 'B' }), ...b },
  ]
  const at = (watermark: Instant) => ({ watermarks: { cpu: watermark } })

  test('is written where there are new readings, with the total of both', () => {
    const views = { A: view('10.00'), B: view('10.00') }
    const grown = (sites: SiteAccount[]) => planned(account({ used: '12', sites }), views).writes
    expect(grown(both(at(LATER), at(LATER)))).toEqual([
      ['A', '12.00'],
      ['B', '12.00'],
    ])
    expect(grown(both({}, at(LATER)))).toContainEqual(['B', '12.00'])
    expect(grown(both(at(LATER)))).toEqual([['A', '12.00']])
  })

  test('is written at one of them when only an adjustment changed the total', () => {
    const views = { A: view('10.00'), B: view('10.00') }
    expect(planned(account({ used: '9', sites: both({}) }), views).writes).toEqual([['A', '9.00']])
  })

  test('is written where it was not before, also when the total is the same', () => {
    const { publishedAt: _, ...fresh } = site({ site: 'B', charged: '0', contact: 'new' })
    const who = account({ sites: [site(), fresh] })
    expect(planned(who, { A: view('10.00'), B: view('10.00') })).toMatchObject({
      writes: [['B', '10.00']],
      contacts: [['B', 'active', undefined]],
    })
  })

  test('is opened once, with what both show', () => {
    const who = newAccount('3', [newSite('A', '1'), newSite('B', '2')])
    expect(planned(who, { A: view('5.00'), B: view('5.00') })).toMatchObject({
      entries: ['opening 5'],
      writes: [
        ['A', '8.00'],
        ['B', '8.00'],
      ],
    })
  })

  test('is published without the site that does not have it', () => {
    const who = newAccount('3', [newSite('A', '1'), newSite('B', '2')])
    expect(planned(who, { A: view(undefined), B: 'not assigned' })).toMatchObject({
      entries: ['opening 0'],
      writes: [['A', '1.00']],
      holds: ['not assigned/B/g'],
      held: true,
      shown: '1',
      total: '3',
    })
  })

  test('is judged by what was read last', () => {
    const sites = both(at(LATER), at(LATER))
    const views = { A: view('10.00', { readAt: NOW - MINUTE }), B: view('11.00') }
    expect(planned(account({ used: '12', intended: '11', sites }), views)).toMatchObject({
      entries: [],
      published: '11',
    })
  })

  test('is one hold when its used credits are missing, and nothing is left of it when they are back', () => {
    const sites = both(at(LATER), at(LATER))
    const gone = planned(account({ used: '12', sites }), { A: view(undefined), B: view(undefined) })
    expect(gone.holds).toEqual(['used credits missing/A/g'])
    expect(gone.contacts).toEqual([
      ['A', 'active', NOW + HOLD_RETRY],
      ['B', 'active', NOW + HOLD_RETRY],
    ])
    const held = both({ ...at(LATER), retryAt: LATER }, { ...at(LATER), retryAt: NOW })
    const back = account({ used: '12', sites: held, holds: gone.holds })
    expect(planned(back, { B: view('10.00') }).released).toEqual(gone.holds)
  })

  test('leaves a site on hold alone, and stays unsettled until it is looked at again', () => {
    const sites = both({ retryAt: NOW + 1 }, at(LATER))
    const who = account({ used: '12', sites })
    expect(sitesToLookAt(who, NOW).map(({ site: name }) => name)).toEqual(['B'])
    expect(sitesToLookAt(who, NOW + 1).map(({ site: name }) => name)).toEqual(['A', 'B'])
    expect(planned(who, { B: view('10.00') })).toMatchObject({ writes: [['B', '12.00']], held: true })
  })
})

suite('precision', () => {
  test.each([
    [0, '2', '2.500001', '3'],
    [1, '2.5', '2.55', '2.6'],
    [2, '2.50', '2.505', '2.50'],
    [3, '2.500', '2.5005', '2.500'],
    [4, '2.5000', '2.50015', '2.5002'],
    [5, '2.50000', '2.500015', '2.50002'],
    [6, '2.500000', '2.500001', '2.500001'],
  ])('%i writes so many decimals, rounded half to even', (precision, atFirst, grown, written) => {
    const [write] = planned(newAccount('2.5'), { A: view(undefined) }, { precision }).writes
    expect(write).toEqual(['A', atFirst])
    expect(planned(newAccount(grown), { A: view(undefined) }, { precision }).writes).toEqual([['A', written]])
  })

  const amounts = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n })
  const precisions = fc.integer({ min: 0, max: 6 })

  // Else a group would be written again and again, or its own rounding would pass for an edit.
  test('never makes what was just written differ from what is shown', () => {
    fc.assert(
      fc.property(amounts, precisions, (used, precision) => {
        const who = { ...newAccount('0'), used, sites: [{ ...newSite('A'), charged: used }] }
        const first = planPublish(who, new Map([['A', view(undefined)]]), { precision, now: NOW })
        const after = { ...who, opened: true, published: first.shown, sites: [{ ...site(), charged: used }] }
        expect(isSettled(after, precision, NOW)).toBe(true)
        const again = planPublish(after, new Map([['A', view(first.writes[0]!.used)]]), { precision, now: NOW })
        expect([again.writes, again.settlement.entries ?? []]).toEqual([[], []])
      }),
    )
  })

  // A worker died between a write and the answer, and the next one comes days later.
  test('that we asked for long ago is still ours, and no edit', () => {
    const intended = [write(1, '12', { at: NOW - 5 * DAY })]
    const who = { ...account({ used: '12', published: '10' }), intended, newestIntention: 1 }
    expect(planned(who, { A: view('12.00') })).toMatchObject({ entries: [], writes: [], total: '12' })
    expect(planned(who, { A: view('13.00') })).toMatchObject({ entries: ['adjustment 3'] })
  })

  test('that was changed writes once more, and is no edit', () => {
    const who = account({ used: '10.256', published: '10.26' })
    expect(planned(who, { A: view('10.26') }, { precision: 3 })).toMatchObject({
      entries: [],
      writes: [['A', '10.256']],
    })
  })
})

suite('a group is settled', () => {
  test.each([
    ['when Perun shows its rounded total', account({ used: '10.004' }), true],
    ['not when the rounded total moved on', account({ used: '10.006' }), false],
    ['not before it was opened', newAccount('0'), false],
    ['not when nothing is known to be published', account({ published: null }), false],
    ['not when a write is unconfirmed', account({ intended: '10' }), false],
    ['not at a new site', account({ sites: [site(), newSite('B')] }), false],
    ['when its other site is on hold', account({ sites: [site(), { ...newSite('B'), retryAt: NOW + 1 }] }), true],
    ['not when that hold is over', account({ sites: [site(), { ...newSite('B'), retryAt: NOW }] }), false],
    [
      'without what is charged where Perun does not know it',
      account({
        used: '15',
        sites: [site(), { ...newSite('B', '5'), contact: 'not assigned', retryAt: NOW + MINUTE }],
      }),
      true,
    ],
    [
      'not when its other site is to be tried again later than it ever is: a clock was wrong',
      account({ sites: [site(), { ...newSite('B'), retryAt: NOW + HOLD_RETRY + 1 }] }),
      false,
    ],
  ])('%s', (_, who, expected) => {
    expect(isSettled(who, 2, NOW)).toBe(expected)
  })
})
