/** What Perun shows tells what became of writes that were never answered. */
import { expect, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { formatPerunTimestamp, HOUR, type Instant, MINUTE } from '#src/core/time.ts'
import type { OpenIntention } from '#src/ledger/ledger.ts'
import { judgeDoubts } from '#src/publish/perun/doubts.ts'
import { account, credits, LATER, NOW, site, view, write } from '../../helpers/accounts.ts'
import { T0 } from '../../helpers/billing.ts'

const SOON = T0 + MINUTE

/** What is found of writes when sites A and B, published with 10 credits at T0, show these times. */
function found(intended: OpenIntention[], shown: string, a: Instant = T0, b: Instant = T0) {
  const watermarks = { cpu: LATER }
  const sites = [site({ watermarks }), site({ site: 'B', watermarks })]
  const times = (at: Instant) => ({ timestamps: { other: '2026-06-01 00:00:00', cpu: formatPerunTimestamp(at) } })
  const ready = [
    { site: sites[0]!, view: view(shown, times(a)) },
    { site: sites[1]!, view: view(shown, times(b)) },
  ]
  const doubts = judgeDoubts({ ...account({ used: '13', sites }), intended }, ready, credits(shown), NOW)
  return {
    resolved: doubts.resolved.map(({ number, outcome }) => `${number} ${outcome}`),
    arrived: doubts.arrived.map(({ site: where, upTo }) => `${where} ${(upTo - T0) / MINUTE}`),
    outdated: [...doubts.outdated],
    used: doubts.used === undefined ? undefined : formatCredits(doubts.used),
  }
}

const nothing = { resolved: [], arrived: [], outdated: [], used: undefined }
const overtaken = { overtaken: true }
const soon = { upTo: SOON }
const B = { site: 'B' }
const old = { at: NOW - HOUR }

suite('a write without an answer', () => {
  test.each([
    [
      'arrived: its times are there',
      [write(1, '11', soon)],
      '11',
      SOON,
      T0,
      { resolved: ['1 arrived'], arrived: ['A 1'], used: '11' },
    ],
    [
      'arrived, and somebody edited its value',
      [write(1, '11', soon)],
      '4',
      SOON,
      T0,
      { resolved: ['1 arrived'], arrived: ['A 1'], used: '11' },
    ],
    ['has not been seen: its times are not there', [write(1, '11', soon)], '10', T0, T0, { outdated: ['A'] }],
    ['has not been seen, though somebody set its value', [write(1, '11', soon)], '11', T0, T0, { outdated: ['A'] }],
    [
      'arrived: it brought no new times, but a value',
      [write(1, '9')],
      '9',
      T0,
      T0,
      { resolved: ['1 arrived'], arrived: ['A 0'], used: '9' },
    ],
    ['cannot be told by the value that was there', [write(1, '10')], '10', T0, T0, { outdated: ['A'] }],
    [
      'came late',
      [write(1, '11', { ...soon, ...overtaken })],
      '11',
      SOON,
      T0,
      { resolved: ['1 late'], arrived: ['A 1'], outdated: ['A'] },
    ],
    ['was overtaken and not seen', [write(1, '11', { ...soon, ...overtaken })], '10', T0, T0, {}],
    [
      'is too old to happen',
      [write(1, '11', { ...soon, ...overtaken, ...old })],
      '10',
      T0,
      T0,
      { resolved: ['1 lost'] },
    ],
    [
      'is too old and was not made up for',
      [write(1, '11', { ...soon, ...old })],
      '10',
      T0,
      T0,
      { resolved: ['1 lost'], outdated: ['A'] },
    ],
    [
      'is from before a clock was set back',
      [write(1, '11', { ...soon, ...overtaken, at: NOW + HOUR })],
      '10',
      T0,
      T0,
      { resolved: ['1 lost'] },
    ],
    [
      'arrived although it is old',
      [write(1, '11', { ...soon, ...old })],
      '11',
      SOON,
      T0,
      { resolved: ['1 arrived'], arrived: ['A 1'], used: '11' },
    ],
    [
      'at one of two sites arrived',
      [write(1, '11', soon), write(2, '11', { ...soon, ...B })],
      '11',
      T0,
      SOON,
      { resolved: ['2 arrived'], arrived: ['B 1'], outdated: ['A'], used: '11' },
    ],
    [
      'twice the same: which of them arrived cannot be told',
      [write(1, '11', soon), write(2, '11', soon)],
      '11',
      SOON,
      T0,
      { arrived: ['A 1'], used: '11' },
    ],
    [
      'twice the same value without times',
      [write(1, '9'), write(2, '9', B)],
      '9',
      T0,
      T0,
      { arrived: ['A 0', 'B 0'], used: '9' },
    ],
    [
      'is made up for by a later one that arrived',
      [write(1, '11', soon), write(2, '12', { upTo: NOW })],
      '12',
      NOW,
      T0,
      { resolved: ['2 arrived'], arrived: ['A 60'], used: '12' },
    ],
    [
      'is not made up for by an earlier one',
      [write(1, '11', soon), write(2, '12', { upTo: NOW })],
      '11',
      SOON,
      T0,
      { resolved: ['1 arrived'], arrived: ['A 1'], outdated: ['A'], used: '11' },
    ],
  ] as const)('%s', (_, intended, shown, a, b, expected) => {
    expect(found([...intended], shown, a, b)).toEqual({ ...nothing, ...expected })
  })

  // It may have happened within its time: a group that is shown again would else look edited.
  test('that is too old stays in doubt until Perun shows the group at one site at least', () => {
    const sites = [site(), site({ site: 'B' })]
    const who = { ...account({ sites }), intended: [write(1, '11', { ...soon, ...old, ...overtaken })] }
    expect(judgeDoubts(who, [], undefined, NOW).resolved).toEqual([])
    const ready = [{ site: sites[1]!, view: view('10') }]
    expect(judgeDoubts(who, ready, credits('10'), NOW).resolved).toMatchObject([{ number: 1, outcome: 'lost' }])
  })
})
