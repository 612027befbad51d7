/** What people change in Perun, and what is told of it. */
import { expect, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { formatPerunTimestamp, HOUR, MINUTE } from '#src/core/time.ts'
import type { Drift, GroupAccount } from '#src/ledger/ledger.ts'
import type { GroupView } from '#src/publish/perun/groups.ts'
import { planPublish } from '#src/publish/perun/plan.ts'
import { account, LATER, NOW, site, view, write } from '../../helpers/accounts.ts'
import { T0 } from '../../helpers/billing.ts'
import { startMirror } from '../../helpers/mirror.ts'

const by = { usedModifiedAt: '2026-01-01 00:30:00.5', usedModifiedBy: 'erika' }

function drifted(who: GroupAccount, ...views: GroupView[]) {
  const named = new Map(who.sites.map(({ site: name }, index) => [name, views[index]!]))
  const { settlement, total, writes } = planPublish(who, named, { precision: 2, now: NOW })
  return {
    drifts: settlement.drifts?.map(told),
    total: formatCredits(total),
    writes: writes.map(({ used }) => used),
    ids: settlement.entries?.map(({ id }) => id),
  }
}

function told({ expected, shown, entryId, ...rest }: Drift) {
  const text = (credits: bigint | undefined) => (credits === undefined ? 'nothing' : formatCredits(credits))
  return { ...rest, from: text(expected), to: text(shown), followed: entryId !== undefined }
}

const edit = { site: 'A', from: '10', followed: true, modifiedAt: '2026-01-01 00:30:00.5', modifiedBy: 'erika' }
const arrived = { timestamps: { cpu: formatPerunTimestamp(T0 + MINUTE) } }
const lost = write(1, '11', { upTo: T0 + MINUTE })

/** Used credits of 12, of which 10 were shown at T0. */
function grown(rest: Partial<GroupAccount> = {}): GroupAccount {
  return { ...account({ used: '12', sites: [site({ charged: '12', watermarks: { cpu: LATER } })] }), ...rest }
}

suite('an edit of used credits', () => {
  test.each([
    ['is told with who and when', grown(), view('4', by), [{ ...edit, to: '4' }], '6', ['6.00']],
    [
      'with more decimals than are published',
      grown(),
      view('10.000001', by),
      [{ ...edit, to: '10.000001' }],
      '12.000001',
      ['12.00'],
    ],
    ['to what the ledger says already', grown(), view('12', by), [{ ...edit, to: '12' }], '14', ['14.00']],
    ['that only writes the number another way is none', grown(), view('10.0', by), undefined, '12', ['12.00']],
    ['by nobody knows whom', grown(), view('4'), [{ site: 'A', from: '10', to: '4', followed: true }], '6', ['6.00']],
    [
      'while a write is in doubt that has not arrived',
      grown({ intended: [lost] }),
      view('4', by),
      [{ ...edit, to: '4' }],
      '6',
      ['6.00'],
    ],
    [
      'of what a write in doubt had brought',
      grown({ intended: [lost] }),
      view('4', { ...by, ...arrived }),
      [{ ...edit, from: '11', to: '4' }],
      '5',
      ['5.00'],
    ],
    [
      'back to what was shown before a write in doubt arrived',
      grown({ intended: [lost] }),
      view('10', { ...by, ...arrived }),
      [{ ...edit, from: '11', to: '10' }],
      '11',
      ['11.00'],
    ],
    // Taken for an edit it would be charged twice if it was our own; that it was none cannot be known.
    [
      'to exactly the value of a write in doubt is taken for that write',
      grown({ intended: [lost] }),
      view('11', by),
      undefined,
      '12',
      ['12.00'],
    ],
    [
      'to a value that was intended once and answered',
      grown({ newestIntention: 5 }),
      view('11', by),
      [{ ...edit, to: '11' }],
      '13',
      ['13.00'],
    ],
    [
      'over a write that came late',
      grown({ intended: [{ ...lost, overtaken: true }] }),
      view('4', { ...by, ...arrived }),
      [{ ...edit, to: '4' }],
      '6',
      ['6.00'],
    ],
    [
      'to nothing is not followed',
      grown(),
      view(undefined, by),
      [{ ...edit, to: 'nothing', followed: false }],
      '12',
      [],
    ],
    ['to a word is not followed', grown(), view('plenty', by), [{ ...edit, to: 'nothing', followed: false }], '12', []],
    [
      'to more decimals than a micro-credit has is not followed',
      grown(),
      view('1.0000001', by),
      [{ ...edit, to: 'nothing', followed: false }],
      '12',
      [],
    ],
    [
      'to more credits than there can be is not followed',
      grown(),
      view('1e30', by),
      [{ ...edit, to: 'nothing', followed: false }],
      '12',
      [],
    ],
  ] as const)('%s', (_, who, shown, drifts, total, writes) => {
    expect(drifted(who, shown)).toMatchObject({ drifts, total, writes })
  })

  test.each(['used credits missing', 'refused'])('that is a hold is told once: %s', (kind) => {
    const shown = kind === 'refused' ? 'plenty' : undefined
    expect(drifted(grown({ holds: [`${kind}/A/g`] }), view(shown, by)).drifts).toBeUndefined()
  })

  test('is one, however many sites show it', () => {
    const sites = [site({ charged: '6' }), site({ site: 'B', charged: '6' })]
    const shown = view('4', by)
    expect(drifted(grown({ sites }), shown, shown).drifts).toEqual([{ ...edit, to: '4' }])
  })

  test("that is made twice within the precision of Perun's clock is two", () => {
    const [first, second] = [0, 1].map((newestIntention) => drifted(grown({ newestIntention }), view('4', by)).ids)
    expect(first).not.toEqual(second)
  })
})

suite('people who edit in Perun', () => {
  test('once, twice and back again are all followed', async () => {
    await using mirror = await startMirror({ sites: [1, 2] })
    await mirror.measure('100')
    await mirror.publish()
    let value = 100
    for (const [edited, followed] of [
      ['5.00', '6.00'],
      ['4.00', '5.00'],
      ['6.00', '7.00'],
      ['0.001', '1.00'],
    ] as const) {
      mirror.perun.edit('p', { used: edited }, 'erika')
      value += 1
      await mirror.measure(`${value}`, [1])
      mirror.clock.pass(MINUTE)
      await mirror.publish()
      expect(mirror.shown()).toBe(followed)
    }
    expect([await mirror.used(), await mirror.adjustments()]).toEqual(['1.001', ['-6.999', '1', '-2', '5']])
  })

  test('do not have their edit overwritten by a write in doubt that is looked at', async () => {
    await using mirror = await startMirror({ sites: [1, 2] })
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('lost after')
    await mirror.measure('110')
    await mirror.publish()
    mirror.perun.edit('p', { used: '15.00' }, 'erika')
    await mirror.sweep()
    // 20 were used and shown; erika made 15 of it.
    expect([await mirror.used(), mirror.shown(), await mirror.adjustments()]).toEqual(['15', '15.00', ['-5']])
  })

  test('and remove used credits find them untouched, and see them followed once they are back', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('lost before')
    await mirror.measure('110')
    await mirror.publish()
    mirror.perun.edit('p', { used: '' }, 'erika')
    await mirror.rest()
    expect(mirror.shown()).toBeNull()
    mirror.perun.edit('p', { used: '3' }, 'erika')
    for (let minute = 1; minute <= 6; minute += 1) await mirror.sweep()
    expect([mirror.shown(), await mirror.adjustments()]).toEqual(['13.00', ['3']])
    expect(mirror.clock.at).toBeGreaterThan(T0 + HOUR)
  })
})
