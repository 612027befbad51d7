/** The ledger contract: messages to people and programs. */
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { DAY, MINUTE } from '#src/core/time.ts'
import type { Ledger, Recipient } from '#src/ledger/ledger.ts'
import { T0 } from '../../helpers/billing.ts'
import { follow } from '../../helpers/ledger.ts'

const erika: Recipient = { channel: 'mail', to: 'erika@example.org' }
const max: Recipient = { channel: 'mail', to: 'max@example.org' }
const hook: Recipient = { channel: 'webhook', to: 'https://hooks.example.org #1' }

export function tellingContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
    await follow(ledger, 'alpha', [[0, '1']])
    await follow(ledger, 'beta', [[0, '1']])
    for (const line of [1, 2, 3, 4]) await notice(line)
  })
  afterEach(() => ledger.close())

  const notice = (line: number, group = 'alpha') =>
    ledger.notice({ group, kind: 'runs out', line, granted: '100', used: 5n, at: T0 })
  const address = (id: number, to: readonly Recipient[], copyTo?: string) =>
    ledger.addressNotice(id, { at: T0, to, state: 'addressed', ...(copyTo !== undefined && { copyTo }) })
  const noticesIn = async (message: number) => (await ledger.messageNotices(message)).map(({ id }) => id)
  const states = async () => (await ledger.notices({ limit: 9 })).map(({ state }) => state).toReversed()
  const close = (message: number, told: number[], muted: number[] = []) =>
    ledger.closeMessage(message, { content: `content ${message}`, told, muted, at: T0 })
  const gathered = async (now = T0, noneSince = T0 - DAY) =>
    (await ledger.gathered({ now, openedBy: now - 5 * MINUTE, noneSince }, 9)).map(({ id }) => id)

  suite('a message', () => {
    test('gathers notices of one recipient, however the address is written', async () => {
      expect(await address(1, [erika, max])).toBe(true)
      expect(await address(2, [{ channel: 'mail', to: 'Erika@example.org' }])).toBe(true)
      expect([await noticesIn(1), await noticesIn(2)]).toEqual([[1, 2], [1]])
      expect(await states()).toEqual(['addressed', 'addressed', 'waiting', 'waiting'])
    })

    test('is addressed once', async () => {
      expect(await address(1, [erika])).toBe(true)
      expect(await address(1, [max])).toBe(false)
      expect(await ledger.tellings([1])).toMatchObject([{ notice: 1, to: 'erika@example.org', state: 'gathering' }])
    })

    test('to a webhook tells of one notice', async () => {
      for (const id of [1, 2]) await address(id, [hook])
      expect([await noticesIn(1), await noticesIn(2)]).toEqual([[1], [2]])
    })

    test('has an id that no other one has', async () => {
      await address(1, [erika, max, hook])
      const uids = (await ledger.tellings([1])).map(({ uid }) => uid)
      expect(new Set(uids).size).toBe(3)
    })

    test('is copied once for each notice', async () => {
      await address(1, [hook, erika, max], 'cloud@example.org')
      await address(2, [max, erika], 'cloud@example.org')
      await address(3, [max], 'cloud@example.org')
      const copies = (await ledger.tellings([1, 3])).map(({ to, copyTo }) => [to, copyTo])
      expect(copies).toEqual([
        [hook.to, undefined],
        [erika.to, 'cloud@example.org'],
        [max.to, 'cloud@example.org'],
        [max.to, 'cloud@example.org'],
      ])
    })

    test('of a notice without people is known to be none', async () => {
      await ledger.addressNotice(1, { at: T0, to: [erika], state: 'no recipient' })
      await ledger.addressNotice(2, { at: T0, to: [], state: 'no recipient' })
      await close(1, [1])
      await ledger.endMessage(1, { state: 'sent', at: T0 })
      expect(await states()).toEqual(['no recipient', 'no recipient', 'waiting', 'waiting'])
    })
  })

  suite('a message that gathers', () => {
    test('waits for some minutes, if it is no webhook', async () => {
      await address(1, [erika, hook])
      expect(await gathered(T0 + 4 * MINUTE)).toEqual([2])
      expect(await gathered(T0 + 5 * MINUTE)).toEqual([1, 2])
    })

    test('was not opened in a time to come', async () => {
      await address(1, [erika])
      expect(await gathered(T0 - DAY)).toEqual([1])
    })

    test('waits while another one to the same recipient is ready, and a day after it was sent', async () => {
      await address(1, [erika])
      await close(1, [1])
      await address(2, [erika, max])
      const [later, evenLater] = [T0 + 10 * MINUTE, T0 + 20 * MINUTE]
      expect(await gathered(later)).toEqual([3])
      await ledger.endMessage(1, { state: 'sent', at: later })
      expect(await gathered(evenLater, evenLater - DAY)).toEqual([3])
      expect(await gathered(later + DAY, later)).toEqual([2, 3])
      // A clock that was wrong when it was sent keeps nobody from being told.
      expect(await gathered(later - 1, T0 - DAY)).toEqual([2, 3])
    })

    test('does not wait for one that was given up', async () => {
      await address(1, [erika])
      await close(1, [1])
      await address(2, [erika])
      await ledger.endMessage(1, { state: 'given up', at: T0 })
      expect(await gathered(T0 + 10 * MINUTE)).toEqual([2])
    })

    test('is closed only with all of its notices', async () => {
      for (const id of [1, 2]) await address(id, [erika])
      expect(await close(1, [1])).toBe(false)
      expect(await close(1, [1, 3])).toBe(false)
      expect(await close(1, [2, 1])).toBe(true)
      await address(3, [erika])
      expect(await noticesIn(1)).toEqual([1, 2])
    })

    test('loses notices that were muted, and is given up without any', async () => {
      for (const id of [1, 2]) await address(id, [erika])
      await address(3, [max])
      await close(1, [1], [2])
      await close(2, [], [3])
      expect(await noticesIn(1)).toEqual([1])
      expect(await states()).toEqual(['addressed', 'muted', 'muted', 'waiting'])
      expect(await ledger.messageCounts()).toEqual({ mail: { ready: 1, 'given up': 1 } })
    })
  })

  suite('a notice whose grant was overtaken', () => {
    const overtake = (message: number, overtaken: number[], instead: number[] = []) =>
      ledger.closeMessage(message, { content: 'x', told: instead, muted: [], overtaken, instead, at: T0 })

    test('is passed when nobody else is told of it, and another one takes its place', async () => {
      await address(1, [erika, max])
      await ledger.settleNotices([4], 'passed')
      expect(await overtake(1, [1, 2], [4])).toBe(false)
      expect(await overtake(1, [1], [4])).toBe(true)
      expect([await noticesIn(1), await states()]).toEqual([[4], ['addressed', 'waiting', 'waiting', 'addressed']])
      expect(await overtake(2, [1], [4])).toBe(true)
      expect([await noticesIn(2), await states()]).toEqual([[4], ['passed', 'waiting', 'waiting', 'addressed']])
    })

    test('stays told if somebody is', async () => {
      await address(1, [erika, max])
      await close(1, [1])
      await overtake(2, [1])
      await ledger.endMessage(1, { state: 'sent', at: T0 })
      expect((await states())[0]).toBe('sent')
      expect(await ledger.messageCounts()).toEqual({ mail: { sent: 1, 'given up': 1 } })
    })
  })

  suite('a message that is ready', () => {
    beforeEach(async () => {
      for (const [index, to] of [erika, max, hook].entries()) {
        await address(index + 1, [to])
        await close(index + 1, [index + 1])
      }
    })
    const due = async (now: number) => (await ledger.dueMessages('mail', now, 9)).map(({ id }) => id)

    test('has the content it was closed with', async () => {
      expect(await ledger.dueMessages('mail', T0, 1)).toMatchObject([{ id: 1, content: 'content 1', attempts: 0 }])
    })

    test('is tried again when its time has come, after those that were tried less', async () => {
      await ledger.beginAttempt(1, { at: T0, retryAt: T0 + MINUTE })
      expect(await due(T0 + MINUTE - 1)).toEqual([2])
      expect(await due(T0 + MINUTE)).toEqual([2, 1])
      await ledger.failAttempt(1, 'No answer')
      const [telling] = await ledger.tellings([1])
      expect(telling).toMatchObject({ attempts: 1, attemptedAt: T0, problem: 'No answer' })
    })

    test('is tried at once if it was tried in a time to come', async () => {
      await ledger.beginAttempt(1, { at: T0 + DAY, retryAt: T0 + 2 * DAY })
      expect(await due(T0)).toContain(1)
    })

    test('is sent together with its notices, and is not tried any more', async () => {
      await ledger.endMessage(1, { state: 'sent', at: T0 })
      await ledger.endMessage(1, { state: 'given up', at: T0, problem: 'x' })
      expect(await due(T0 + DAY)).toEqual([2])
      expect(await ledger.dueMessages('webhook', T0, 9)).toMatchObject([{ id: 3 }])
      expect(await states()).toEqual(['sent', 'addressed', 'addressed', 'waiting'])
      expect((await ledger.tellings([1]))[0]).not.toHaveProperty('problem')
    })
  })

  suite('a notice', () => {
    test('is given up with the last of its messages', async () => {
      await address(1, [erika, max])
      for (const id of [1, 2]) {
        expect((await states())[0]).toBe('addressed')
        await close(id, [1])
        await ledger.endMessage(id, { state: 'given up', at: T0, problem: 'Nobody there' })
      }
      expect((await states())[0]).toBe('given up')
    })

    test('is sent if one of its recipients was told', async () => {
      await address(1, [erika, max])
      for (const id of [1, 2]) await close(id, [1])
      await ledger.endMessage(1, { state: 'given up', at: T0 })
      await ledger.endMessage(2, { state: 'sent', at: T0 })
      expect((await states())[0]).toBe('sent')
      expect(await ledger.noticeCounts()).toEqual({ sent: 1, waiting: 3 })
    })

    test('waits in pages', async () => {
      expect((await ledger.waitingNotices({ after: 1, limit: 2 })).map(({ id }) => id)).toEqual([2, 3])
    })
  })
}
