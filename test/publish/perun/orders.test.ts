/** Orders of events that are rare, and each of which once ended in a wrong total or in old timestamps. */
import { expect, suite, test } from 'vitest'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { startMirror } from '../../helpers/mirror.ts'

const unavailable = { kind: 'unavailable' }
const written = { kind: 'written' }

type Mirror = Awaited<ReturnType<typeof startMirror>>

/** A group that Perun shows with nothing used yet. */
async function opened(sites: number[] = [1]): Promise<Mirror> {
  const mirror = await startMirror({ sites })
  await mirror.measure('100')
  await mirror.publish()
  return mirror
}

/** A group at two sites, at the second one of which a late write has just replaced a newer one. */
async function setBack(): Promise<Mirror> {
  const mirror = await opened([1, 2])
  await mirror.measure('101')
  mirror.fates.push('done', 'late')
  await mirror.publish()
  await mirror.measure('102')
  await mirror.publish()
  await mirror.comeTo()
  expect(mirror.times()).toEqual({ 1: 3, 2: 2 })
  return mirror
}

suite('what Perun was seen to have done before a hold begins', () => {
  /** Ten credits are shown by a write without an answer, and then somebody makes them unreadable. */
  async function spoil(instead: string | null): Promise<Mirror> {
    const mirror = await opened()
    await mirror.measure('110')
    mirror.fates.push('lost after')
    expect(await mirror.publish()).toMatchObject(unavailable)
    expect(mirror.shown()).toBe('10.00')
    mirror.perun.edit('p', { used: instead }, 'erika')
    expect(await mirror.publish()).toEqual({ kind: 'held' })
    return mirror
  }

  test('is what it was when somebody sets it again', async () => {
    await using mirror = await spoil(null)
    mirror.perun.edit('p', { used: '10.00' }, 'erika')
    await mirror.rest()
    expect([mirror.shown(), await mirror.used(), await mirror.adjustments()]).toEqual(['10.00', '10', []])
  })

  test('is what another value is counted from', async () => {
    await using mirror = await spoil('plenty')
    mirror.perun.edit('p', { used: '4.00' }, 'erika')
    await mirror.rest()
    expect([mirror.shown(), await mirror.used(), await mirror.adjustments()]).toEqual(['4.00', '4', ['-6']])
  })

  test('is made up for where it came late', async () => {
    await using mirror = await setBack()
    mirror.perun.edit('p', { used: null }, 'erika')
    expect(await mirror.publish()).toEqual({ kind: 'held' })
    mirror.perun.edit('p', { used: '4.00' }, 'erika')
    await mirror.rest()
    expect([mirror.shown(), mirror.times(), await mirror.adjustments()]).toEqual(['4.00', { 1: 3, 2: 3 }, []])
  })
})

suite('of two workers, what one has written is recorded just before what the other one saw', () => {
  /** One records its answers when the other one has looked and is about to record what it found. */
  function share({ ledger, newPublisher }: Mirror) {
    const looked = Promise.withResolvers<void>()
    let recorded: Promise<void> | undefined
    const settleLate: Ledger['settle'] = (settlement, options) => {
      if (settlement.answered === undefined) return ledger.settle(settlement, options)
      recorded = looked.promise.then(() => ledger.settle(settlement, options))
      return recorded
    }
    const settleAfter: Ledger['settle'] = async (settlement, options) => {
      looked.resolve()
      await recorded
      return ledger.settle(settlement, options)
    }
    const one = newPublisher({ settle: settleLate }, () => true)
    return { one, other: newPublisher({ settle: settleAfter }, () => true) }
  }

  test.each([['lost before'], ['done']] as const)('an edit is followed once (%s)', async (fate) => {
    await using mirror = await opened()
    const { one, other } = share(mirror)
    await mirror.measure('110')
    expect(await one.publish('p')).toMatchObject(written)
    mirror.perun.edit('p', { used: '15.00' }, 'erika')
    await mirror.measure('111')
    mirror.fates.push(fate)
    await other.publish('p')
    await mirror.rest()
    expect([mirror.shown(), await mirror.used(), await mirror.adjustments()]).toEqual(['16.00', '16', ['5']])
  })

  test('an edit is followed once, and nothing else is shown meanwhile, when nothing is to be written', async () => {
    await using mirror = await opened()
    const { one, other } = share(mirror)
    await mirror.measure('110')
    expect(await one.publish('p')).toMatchObject(written)
    mirror.perun.edit('p', { used: '15.00' }, 'erika')
    expect(await other.publish('p')).toEqual({ kind: 'unchanged' })
    await mirror.measure('111')
    await mirror.rest()
    expect(mirror.perun.writes.map((write) => write.used)).toEqual(['0.00', '10.00', '15.00', '16.00'])
    expect([await mirror.used(), await mirror.adjustments()]).toEqual(['16', ['5']])
  })

  test('what came late is no edit', async () => {
    await using mirror = await opened()
    const { one, other } = share(mirror)
    await mirror.measure('110')
    mirror.fates.push('late')
    expect(await one.publish('p')).toMatchObject(unavailable)
    await mirror.measure('111')
    expect(await one.publish('p')).toMatchObject(written)
    await mirror.comeTo()
    await mirror.measure('112')
    mirror.fates.push('lost before')
    expect(await other.publish('p')).toMatchObject(unavailable)
    await mirror.rest()
    expect([mirror.shown(), await mirror.used(), await mirror.adjustments()]).toEqual(['12.00', '12', []])
  })
})

test('a write that arrives in the middle of a second look is no edit either', async () => {
  await using mirror = await opened()
  await mirror.measure('110')
  mirror.fates.push('late')
  expect(await mirror.publish()).toMatchObject(unavailable)
  await mirror.measure('111')
  // The disk is so slow that what was seen is too old when it is to be written.
  const slow = mirror.newPublisher({
    async settle(settlement, options) {
      await mirror.ledger.settle(settlement, options)
      if (mirror.pending === 0) return
      mirror.clock.pass(30 * SECOND)
      mirror.hooks.amidRead = () => mirror.comeTo()
    },
  })
  await slow.publish('p')
  await mirror.rest()
  expect([mirror.shown(), await mirror.used(), await mirror.adjustments()]).toEqual(['11.00', '11', []])
})

test('what a late write set back is made up for at a site that was taken away for more than an hour', async () => {
  await using mirror = await setBack()
  mirror.perun.unassign('p', 2)
  mirror.clock.pass(5 * MINUTE)
  await mirror.rest()
  mirror.perun.assign('p', 2)
  await mirror.rest()
  expect([mirror.shown(), mirror.times(), await mirror.adjustments()]).toEqual(['4.00', { 1: 3, 2: 3 }, []])
})

test('a hold that ends at one site does not end the waiting of another one', async () => {
  await using mirror = await opened([1, 2])
  await mirror.measure('101')
  mirror.fates.push('done', 'refused')
  expect(await mirror.publish()).toEqual({ kind: 'held' })
  await mirror.sweep()
  mirror.perun.edit('p', { used: null }, 'erika')
  await mirror.measure('102')
  await mirror.sweep()
  const holds = await mirror.ledger.holds({ limit: 9 })
  expect(holds.map(({ kind, site }) => `${kind} ${site}`).toSorted()).toEqual(['refused 2', 'used credits missing 1'])
  mirror.perun.edit('p', { used: '2.00' }, 'erika')
  await mirror.rest()
  expect(await mirror.ledger.holds({ limit: 9 })).toEqual([])
  expect([mirror.shown(), mirror.times(), await mirror.adjustments()]).toEqual(['4.00', { 1: 63, 2: 63 }, []])
})

test('after a clock that was ahead, a look at all groups finds what was edited', async () => {
  await using mirror = await opened()
  mirror.clock.pass(3 * HOUR)
  expect(await mirror.survey()).toEqual([])
  mirror.clock.pass(-3 * HOUR + MINUTE)
  mirror.perun.edit('p', { used: '5.00' }, 'erika')
  expect(await mirror.survey()).toEqual(['p'])
})
