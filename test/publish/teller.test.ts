/** Who is told of what, when and how often; messages meet any fate, time stands still. */
import { expect, suite, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import type { SendOutcome } from '#src/publish/messenger.ts'
import { GATHERING, ONE_MAIL_IN, RETRIES, TOO_LATE } from '#src/publish/teller.ts'
import { T0 } from '../helpers/billing.ts'
import { follow } from '../helpers/ledger.ts'
import { type Fate, Killed, startTelling } from '../helpers/notices.ts'
import { until } from '../helpers/worker.ts'

const people = {
  alpha: ['erika@example.org', 'max@example.org'],
  beta: ['erika@example.org'],
  gamma: ['max@example.org'],
}
const down: SendOutcome = { kind: 'failed', why: 'No answer', affects: 'all' }
const busy: SendOutcome = { kind: 'failed', why: 'Greylisted', affects: 'message' }
const gone: SendOutcome = { kind: 'refused', why: 'No such mailbox' }

suite('A person', () => {
  test('gets one mail with all that came up within some minutes', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('alpha', 50)
    await telling.round()
    await telling.notice('beta', 80)
    await telling.pass(GATHERING - 1)
    expect(telling.sent).toEqual([])
    await telling.pass(1)
    expect(telling.sent.map(({ to, says }) => [to, says])).toEqual([
      ['erika@example.org', ['alpha 50', 'beta 80']],
      ['max@example.org', ['alpha 50']],
    ])
  })

  test('gets one mail a day; what comes up later waits for the next', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('alpha', 50)
    await telling.pass(HOUR)
    await telling.notice('beta', 50)
    await telling.pass(3 * HOUR)
    await telling.notice('alpha', 80)
    await telling.pass(ONE_MAIL_IN)
    const toErika = telling.sent.filter(({ to }) => to === 'erika@example.org')
    expect(toErika.map(({ says }) => says)).toEqual([['alpha 50'], ['beta 50', 'alpha 80']])
    expect(toErika[1]!.at - toErika[0]!.at).toBeGreaterThanOrEqual(ONE_MAIL_IN)
  })

  test('is one, however the address is written and in whatever list it stands twice', async () => {
    const lists = { alpha: ['Erika@Example.org', 'erika@example.org'], beta: [' ERIKA@example.org '] }
    await using telling = await startTelling({ people: lists })
    for (const group of ['alpha', 'beta']) await telling.notice(group, 50)
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to, says }) => [to, says])).toEqual([['erika@example.org', ['alpha 50', 'beta 50']]])
  })

  test('is told once of a line, whatever happens later', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('beta', 50)
    await telling.pass(2 * DAY, HOUR)
    await telling.notice('beta', 50)
    telling.restart()
    await telling.pass(2 * DAY, HOUR)
    expect(telling.sent).toHaveLength(1)
    await telling.notice('beta', 50, '200')
    await telling.pass(2 * DAY, HOUR)
    expect(telling.sent.map(({ says }) => says)).toEqual([['beta 50'], ['beta 50']])
  })
})

suite('A grant that changes while a mail gathers', () => {
  const grants = (telling: Awaited<ReturnType<typeof startTelling>>, granted: string) =>
    telling.ledger.settle({ group: 'alpha', at: telling.clock.at, granted })
  const uses = (telling: Awaited<ReturnType<typeof startTelling>>, used: string) =>
    follow(telling.ledger, 'alpha', [[(telling.clock.at - T0) / MINUTE, used]])
  /** Alpha is known to Perun with a grant of 10, and nothing is used yet. */
  async function meet(over: Parameters<typeof startTelling>[0] = {}) {
    const telling = await startTelling({ people, ...over })
    await uses(telling, '0')
    const opening = { kind: 'opening', id: 'opening', group: 'alpha', site: '8676', reason: 'First contact' } as const
    await telling.ledger.settle({
      group: 'alpha',
      at: T0,
      granted: '10',
      contacts: [{ site: '8676', contact: 'active' }],
      entries: [{ ...opening, recordedAt: T0, amount: 0n }],
    })
    return telling
  }
  const toErika = ({ sent }: Awaited<ReturnType<typeof startTelling>>) =>
    sent.filter(({ to }) => to === 'erika@example.org').map(({ says }) => says)
  const states = async ({ ledger }: Awaited<ReturnType<typeof startTelling>>) =>
    (await ledger.notices({ limit: 99 })).map(({ line, granted, state }) => `${line} % of ${granted}: ${state}`).sort()

  test('leaves only what is so with the last one', async () => {
    await using telling = await meet()
    for (const [used, granted] of [
      ['5', '10'],
      ['11', '100'],
      ['50.5', '50'],
      ['51', '100'],
    ] as const) {
      telling.clock.pass(MINUTE)
      await uses(telling, used)
      await telling.round()
      await grants(telling, granted)
      await telling.round()
    }
    await telling.pass(GATHERING)
    expect(toErika(telling)).toEqual([['alpha 50']])
    expect(await states(telling)).toEqual([
      ...['100 % of 10: passed', '100 % of 50: passed'],
      ...['50 % of 100: sent', '50 % of 10: passed', '50 % of 50: passed'],
      ...['80 % of 10: passed', '80 % of 50: passed'],
    ])
  })

  test('has each of its people told of the line that they were not told of', async () => {
    await using telling = await meet()
    telling.clock.pass(MINUTE)
    await uses(telling, '11')
    await telling.round()
    // 11 of 12 are more than 80 %, which was passed with the grant of 10.
    await grants(telling, '12')
    await telling.pass(GATHERING)
    expect(telling.sent.map(({ to, says }) => [to, says])).toEqual([
      ['erika@example.org', ['alpha 80']],
      ['max@example.org', ['alpha 80']],
    ])
    expect(await states(telling)).toContain('80 % of 12: sent')
    expect(await states(telling)).toContain('100 % of 10: passed')
  })

  test('does not have anybody told twice', async () => {
    await using telling = await meet()
    telling.clock.pass(MINUTE)
    await uses(telling, '6')
    await telling.round()
    await telling.pass(GATHERING)
    await grants(telling, '5')
    await telling.pass(HOUR)
    await grants(telling, '10')
    await telling.pass(2 * DAY, HOUR)
    expect(toErika(telling)).toEqual([['alpha 50']])
    expect(await telling.ledger.messageCounts()).toEqual({ mail: { sent: 2, 'given up': 2 } })
  })

  test('keeps nothing from programs', async () => {
    await using telling = await meet({ people: {}, webhooks: ['hook'] })
    telling.clock.pass(MINUTE)
    await uses(telling, '11')
    await grants(telling, '1000')
    await telling.round()
    expect(telling.sent.map(({ says }) => says)).toEqual([['alpha 100']])
  })
})

suite('Governance', () => {
  const addressing = { governance: 'cloud@example.org' }

  test('gets a copy of each notice once, however many are told', async () => {
    await using telling = await startTelling({ people, addressing })
    await telling.notice('alpha', 50)
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to, copyTo }) => [to, copyTo])).toEqual([
      ['erika@example.org', 'cloud@example.org'],
      ['max@example.org', undefined],
    ])
  })

  test('is told alone of groups without people, whose notice says so', async () => {
    await using telling = await startTelling({ people: { alpha: ['nobody', 'a@b, c@d'] }, addressing })
    await telling.notice('alpha', 50)
    await telling.notice('delta', 50)
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to, says }) => [to, says])).toEqual([['cloud@example.org', ['alpha 50', 'delta 50']]])
    expect(await telling.states()).toEqual({ 'alpha 50': 'no recipient', 'delta 50': 'no recipient' })
  })

  test('that is one of the people is not told twice', async () => {
    await using telling = await startTelling({ people, addressing: { governance: 'Max@example.org' } })
    await telling.notice('alpha', 50)
    await telling.pass(HOUR)
    expect(telling.sent.map(({ copyTo }) => copyTo)).toEqual([undefined, undefined])
  })

  test('is not told if somebody else gets everything', async () => {
    const instead = { governance: 'cloud@example.org', instead: 'test@example.org' }
    await using telling = await startTelling({ people, addressing: instead })
    for (const group of ['alpha', 'beta', 'unknown']) await telling.notice(group, 50)
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to, copyTo, says }) => [to, copyTo, says.length])).toEqual([
      ['test@example.org', undefined, 3],
    ])
    expect(telling.lookUps).toEqual([])
  })
})

suite('A notice', () => {
  test('that nobody can be told of says so', async () => {
    await using telling = await startTelling()
    await telling.notice('alpha', 50)
    await telling.round()
    expect(await telling.states()).toEqual({ 'alpha 50': 'no recipient' })
    expect(telling.outcomes).toEqual(['threshold: no recipient'])
  })

  test('waits while Perun cannot tell who is told, and keeps no other from being told', async () => {
    await using telling = await startTelling({ people })
    telling.state.perun = false
    for (const group of ['alpha', 'beta', 'gamma', 'delta', 'epsilon']) await telling.notice(group, 50)
    await telling.round()
    // Three groups in a row: it is not the group.
    expect(telling.lookUps).toHaveLength(3)
    expect(telling.problems).toEqual({ people: 'Perun does not answer' })
    await telling.pass(DAY, HOUR)
    telling.state.perun = true
    await telling.pass(HOUR)
    expect(new Set(telling.sent.flatMap(({ says }) => says))).toEqual(new Set(['alpha 50', 'beta 50', 'gamma 50']))
    expect(telling.problems).toEqual({})
  })

  test('that could not be told for a week is told to nobody', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('alpha', 50)
    telling.clock.pass(TOO_LATE + 1)
    await telling.pass(HOUR)
    expect(telling.sent).toEqual([])
    expect(await telling.states()).toEqual({ 'alpha 50': 'too late' })
  })

  test('of a group that is muted before the mail goes out is not in it', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('alpha', 50)
    await telling.notice('beta', 50)
    await telling.notice('gamma', 50)
    await telling.round()
    for (const group of ['alpha', 'gamma']) {
      await telling.ledger.mute({ group, at: T0, actor: 'erika', reason: 'On holiday' })
    }
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to, says }) => [to, says])).toEqual([['erika@example.org', ['beta 50']]])
    expect(await telling.states()).toEqual({ 'alpha 50': 'muted', 'beta 50': 'sent', 'gamma 50': 'muted' })
  })

  test('waits as long as there is nobody to send it', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('alpha', 50)
    telling.restart({ messengers: {} })
    await telling.pass(HOUR)
    expect(await telling.states()).toEqual({ 'alpha 50': 'waiting' })
    expect(telling.lookUps).toEqual([])
  })
})

suite('A webhook', () => {
  const webhooks = ['https://hooks.example.org #1', 'https://hooks.example.org #2']

  test('is told of each notice at once, and each day as often as there are any', async () => {
    await using telling = await startTelling({ people: {}, webhooks })
    for (const line of [50, 80]) {
      await telling.notice('alpha', line)
      await telling.round()
    }
    expect(telling.sent.map(({ to, says }) => `${to.slice(-2)} ${says}`)).toEqual([
      '#1 alpha 50',
      '#2 alpha 50',
      '#1 alpha 80',
      '#2 alpha 80',
    ])
  })

  test('that does not answer keeps the other one and the mails from nothing', async () => {
    await using telling = await startTelling({ people, webhooks })
    telling.fates.push({ kind: 'failed', why: 'Timeout', affects: 'recipient' })
    for (const line of [50, 80]) await telling.notice('beta', line)
    await telling.round()
    expect(telling.sent.map(({ to }) => to.slice(-2))).toEqual(['#2', '#2'])
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to, says }) => `${to} ${says}`).toSorted()).toEqual([
      'erika@example.org beta 50,beta 80',
      'https://hooks.example.org #1 beta 50',
      'https://hooks.example.org #1 beta 80',
      'https://hooks.example.org #2 beta 50',
      'https://hooks.example.org #2 beta 80',
    ])
  })
})

suite('A message that cannot be sent', () => {
  // What the old service did not do: a mail was lost when the server was down.
  test('is tried again over days, and then again', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push(...RETRIES.map(() => down))
    await telling.notice('beta', 50)
    await telling.pass(6 * DAY, 10 * MINUTE)
    expect(telling.sent).toHaveLength(1)
    expect(telling.sent[0]!.at).toBeGreaterThan(4 * DAY)
    expect(await telling.states()).toEqual({ 'beta 50': 'sent' })
    expect(telling.problems).toEqual({})
  })

  test('is given up in the end, for everybody to see', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push(...RETRIES.map(() => down), down)
    await telling.notice('beta', 50)
    await telling.pass(7 * DAY, 10 * MINUTE)
    expect(telling.sent).toEqual([])
    expect(await telling.states()).toEqual({ 'beta 50': 'given up' })
    expect(await telling.ledger.tellings([1])).toMatchObject([
      { state: 'given up', problem: 'No answer', attempts: 12 },
    ])
    expect(telling.problems).toEqual({ mail: 'No answer' })
    expect(telling.outcomes.slice(-2)).toEqual(['mail: given up', 'threshold: given up'])
  })

  test('because nobody has that address is given up at once; others are told', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push(gone)
    await telling.notice('alpha', 50)
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to }) => to)).toEqual(['max@example.org'])
    expect(await telling.states()).toEqual({ 'alpha 50': 'sent' })
  })

  test('for a reason of its own keeps no other from being sent', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push(busy)
    await telling.notice('alpha', 50)
    await telling.round()
    await telling.pass(GATHERING)
    expect(telling.sent.map(({ to }) => to)).toEqual(['max@example.org'])
    await telling.pass(HOUR)
    expect(telling.sent.map(({ to }) => to)).toEqual(['max@example.org', 'erika@example.org'])
  })

  test('because the server is down is one attempt at a time, not one for each message', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push(down, down)
    await telling.notice('alpha', 50)
    await telling.round()
    await telling.pass(GATHERING)
    const tries = (await telling.ledger.tellings([1])).map(({ attempts }) => attempts)
    expect(tries).toEqual([1, 0])
  })

  test('stays what it was while further notices gather behind it', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push(down, down, down)
    await telling.notice('beta', 50)
    await telling.round()
    await telling.pass(GATHERING)
    await telling.notice('beta', 80)
    await telling.pass(2 * DAY, 10 * MINUTE)
    expect(telling.sent.map(({ says }) => says)).toEqual([['beta 50'], ['beta 80']])
    expect(telling.sent[1]!.at - telling.sent[0]!.at).toBeGreaterThanOrEqual(ONE_MAIL_IN)
  })

  test('and waited for weeks because mail was off is no news any more', async () => {
    await using telling = await startTelling({ people })
    await telling.notice('beta', 50)
    await telling.round()
    telling.restart({ messengers: {} })
    await telling.pass(20 * DAY, DAY)
    telling.restart()
    await telling.pass(HOUR)
    expect(telling.sent).toEqual([])
    expect(await telling.states()).toEqual({ 'beta 50': 'given up' })
  })
})

// The ledger answers without waiting, so nothing else would get a turn between a thousand notices.
test('Very many notices at once leave others their turn', async () => {
  await using telling = await startTelling({ addressing: { instead: 'test@example.org' } })
  const count = 500
  for (let line = 1; line <= count; line += 1) await telling.notice('alpha', line)
  let turns = 0
  const turn = () => {
    turns += 1
    if (telling.sent.length === 0) setImmediate(turn)
  }
  turn()
  await telling.pass(HOUR)
  expect(telling.sent[0]!.says).toHaveLength(count)
  expect(turns).toBeGreaterThan(2 * count)
})

test('A message that cannot be written keeps nobody else from being told', async () => {
  await using telling = await startTelling({ people })
  const fails = async (group: string) => {
    if (group === 'beta') throw new Error('A mistake')
    return undefined
  }
  telling.restart({ outlookOf: fails })
  await telling.notice('beta', 50)
  await telling.notice('gamma', 50)
  await telling.pass(HOUR)
  expect(telling.sent.map(({ says }) => says)).toEqual([['gamma 50']])
})

test('A clock that was wrong keeps nobody from being told', async () => {
  await using telling = await startTelling({ people })
  telling.clock.pass(30 * DAY)
  telling.fates.push({ kind: 'sent' }, down)
  await telling.notice('beta', 50)
  await telling.pass(HOUR)
  await telling.notice('beta', 80)
  await telling.pass(HOUR)
  telling.clock.at = T0
  await telling.notice('gamma', 50)
  await telling.pass(HOUR)
  expect(telling.sent.flatMap(({ says }) => says).toSorted()).toEqual(['beta 50', 'beta 80', 'gamma 50'])
})

// Whatever the process is doing when it dies, each notice gets to each of its people, and what comes twice has the same id.
suite('A process that is killed', () => {
  const steps = ['addressNotice', 'closeMessage', 'beginAttempt', 'endMessage'] as const
  const points = steps.flatMap((step) => [`before ${step}`, `after ${step}`] as const)

  /** A ledger with which the process dies the n-th time that it comes to a step. */
  function deadly(ledger: Ledger, point: (typeof points)[number], times: { left: number }): Ledger {
    const [when, step] = point.split(' ') as ['before' | 'after', (typeof steps)[number]]
    return {
      ...ledger,
      async [step](...args: unknown[]) {
        times.left -= 1
        const isNow = times.left === 0
        if (isNow && when === 'before') throw new Killed()
        const result = await (ledger[step] as (...all: unknown[]) => Promise<unknown>)(...args)
        if (isNow) throw new Killed()
        return result
      },
    }
  }

  async function tellAll(kill: (telling: Awaited<ReturnType<typeof startTelling>>) => void) {
    const telling = await startTelling({ people, webhooks: ['https://hooks.example.org #1'] })
    kill(telling)
    for (const [group, line] of [
      ['alpha', 50],
      ['beta', 50],
      ['gamma', 80],
    ] as const)
      await telling.notice(group, line)
    // What is under way when it dies is seen by nobody; it starts anew.
    await telling.pass(10 * MINUTE)
    telling.restart()
    await telling.pass(2 * DAY, 10 * MINUTE)
    const states = await telling.states()
    await telling[Symbol.asyncDispose]()
    return { states, sent: telling.sent }
  }

  function expectOnce({ states, sent }: Awaited<ReturnType<typeof tellAll>>) {
    expect(states).toEqual({ 'alpha 50': 'sent', 'beta 50': 'sent', 'gamma 80': 'sent' })
    const messages = new Map(sent.map((message) => [message.uid, message]))
    // Twice is the same.
    for (const { uid, to, says } of sent) expect(messages.get(uid)).toMatchObject({ to, says })
    const told = [...messages.values()].flatMap(({ to, says }) => says.map((notice) => `${to}: ${notice}`))
    expect(told.toSorted()).toEqual([
      'erika@example.org: alpha 50',
      'erika@example.org: beta 50',
      'https://hooks.example.org #1: alpha 50',
      'https://hooks.example.org #1: beta 50',
      'https://hooks.example.org #1: gamma 80',
      'max@example.org: alpha 50',
      'max@example.org: gamma 80',
    ])
  }

  test.each(points.flatMap((point) => [1, 2, 3].map((time) => [point, time] as const)))(
    '%s, for the %ith time, tells everybody once',
    async (point, time) => {
      const times = { left: time }
      expectOnce(await tellAll((telling) => telling.restart({ ledger: deadly(telling.ledger, point, times) })))
      expect(times.left).toBeLessThanOrEqual(0)
    },
  )

  test.each(['killed before', 'killed after'] as const)('%s it sent a message tells everybody once', async (fate) => {
    for (let index = 0; index < 5; index += 1) {
      const before = Array.from({ length: index }, (): Fate => ({ kind: 'sent' }))
      expectOnce(await tellAll((telling) => telling.fates.push(...before, fate)))
    }
  })

  test('after it sent a message sends the same again, not another one', async () => {
    await using telling = await startTelling({ people })
    telling.fates.push('killed after')
    await telling.notice('beta', 50)
    await telling.pass(HOUR)
    telling.restart()
    await telling.pass(HOUR)
    expect(telling.sent).toHaveLength(2)
    expect(telling.sent[1]!.uid).toBe(telling.sent[0]!.uid)
    await telling.pass(3 * DAY, HOUR)
    expect(telling.sent).toHaveLength(2)
  })
})

suite('A stop', () => {
  test('waits for the message under way and begins no other', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    await using telling = await startTelling({ people })
    await telling.notice('alpha', 50)
    await telling.round()
    telling.clock.pass(HOUR)
    const begun: string[] = []
    const teller = telling.newTeller({
      messengers: {
        mail: {
          compose: () => '""',
          async send({ to }) {
            begun.push(to)
            await promise
            return { kind: 'sent' }
          },
        },
      },
    })
    const round = teller.round()
    await until('a message is under way', () => begun.length === 1)
    const stopped = teller.stop()
    resolve()
    await Promise.all([round, stopped])
    expect(begun).toEqual(['erika@example.org'])
    expect(await telling.ledger.messageCounts()).toEqual({ mail: { sent: 1, ready: 1 } })
  })
})

suite('Of several workers that share a ledger', () => {
  test('only the one that it is up to tells anybody', async () => {
    await using telling = await startTelling({ people })
    let isOurs = false
    telling.restart({ isOurs: () => isOurs })
    await telling.notice('alpha', 50)
    await telling.pass(2 * GATHERING)
    expect([telling.sent, telling.lookUps, telling.outcomes]).toEqual([[], [], []])
    isOurs = true
    await telling.pass(2 * GATHERING)
    expect(telling.sent.map(({ to }) => to).toSorted()).toEqual(people.alpha)
  })

  test('the one that it is no longer up to sends nothing further', async () => {
    await using telling = await startTelling({ people })
    telling.restart({ isOurs: () => telling.sent.length === 0 })
    await telling.notice('alpha', 50)
    await telling.pass(2 * GATHERING)
    expect(telling.sent).toHaveLength(1)
    telling.restart()
    await telling.round()
    expect(telling.sent.map(({ to }) => to).toSorted()).toEqual(people.alpha)
  })
})
