/** Perun ends equal to the ledger, whatever becomes of single writes. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { formatCredits, formatRounded } from '#src/core/credits.ts'
import { HOUR, SECOND } from '#src/core/time.ts'
import { T0 } from '../../helpers/billing.ts'
import { type Fate, startMirror } from '../../helpers/mirror.ts'

const unavailable = { kind: 'unavailable' }
const written = { kind: 'written' }

test('a write of a worker that may have been relieved is not sent, and is sent by the one that may', async () => {
  await using mirror = await startMirror()
  await mirror.measure('100')
  await mirror.publish()
  await mirror.measure('110')
  let isOurs = true
  const publisher = mirror.newPublisher({}, () => isOurs)
  mirror.hooks.beforeCall = (method) => {
    if (method === 'attributesManager/setAttributes') isOurs = false
  }
  expect(await publisher.publish('p')).toMatchObject({
    ...unavailable,
    reason: 'Write 2 of p is not sent: another worker may publish it by now',
  })
  expect(mirror.shown()).toBe('0.00')
  mirror.hooks.beforeCall = undefined
  expect(await mirror.publish()).toEqual({ kind: 'written', writes: 1 })
  expect(mirror.shown()).toBe('10.00')
  expect(await mirror.adjustments()).toEqual([])
})

/** Two workers at one ledger, which tells when it was recorded what Perun shows. */
function shareOut(mirror: Awaited<ReturnType<typeof startMirror>>) {
  const settledAt = { value: undefined as number | undefined }
  const shared = {
    account: async (group: string) => {
      const account = await mirror.ledger.account(group)
      const { value } = settledAt
      return account && { ...account, ...(value !== undefined && { publishedAgo: mirror.clock.at - value }) }
    },
  }
  return { settledAt, workers: [1, 2].map(() => mirror.newPublisher(shared, () => true)) }
}

test('what another worker wrote since a site was read is no edit of anybody', async () => {
  await using mirror = await startMirror({ maxAge: HOUR })
  const {
    settledAt,
    workers: [one, other],
  } = shareOut(mirror)
  for (const [value, publisher] of [
    ['100', one],
    ['110', other],
    ['120', one],
    ['130', one],
    ['140', other],
  ] as const) {
    await mirror.measure(value)
    expect(await publisher!.publish('p')).toMatchObject(written)
    settledAt.value = mirror.clock.at
    mirror.clock.pass(SECOND)
  }
  expect(mirror.shown()).toBe('40.00')
  expect(await mirror.adjustments()).toEqual([])
})

test('an edit that another worker followed is not undone by the one whose write it replaced', async () => {
  await using mirror = await startMirror({ maxAge: HOUR })
  const {
    settledAt,
    workers: [one, other],
  } = shareOut(mirror)
  for (const value of ['100', '105']) {
    await mirror.measure(value)
    expect(await one!.publish('p')).toMatchObject(written)
    settledAt.value = mirror.clock.at
    mirror.clock.pass(SECOND)
  }
  mirror.perun.edit('p', { used: '50.00' })
  expect(await other!.publish('p', true)).toEqual({ kind: 'unchanged' })
  settledAt.value = mirror.clock.at
  mirror.clock.pass(SECOND)
  await mirror.measure('106')
  expect(await one!.publish('p')).toMatchObject(written)
  expect(mirror.shown()).toBe('51.00')
  expect(await mirror.adjustments()).toEqual(['45'])
})

test('a group that was looked at by another worker is not asked for again', async () => {
  await using mirror = await startMirror()
  const [one, other] = shareOut(mirror).workers
  await mirror.measure('100')
  await one!.publish('p')
  mirror.perun.edit('p', { used: '50.00' })
  mirror.clock.pass(HOUR)
  expect(await one!.survey()).toEqual(['p'])
  expect(await other!.publish('p', true)).toEqual({ kind: 'unchanged' })
  mirror.clock.pass(HOUR)
  expect(await one!.survey()).toEqual([])
})

test('what one worker has to say of its write after another one wrote the group charges nothing', async () => {
  await using mirror = await startMirror()
  await mirror.measure('100')
  await mirror.publish()
  const { promise: committed, resolve: commit } = Promise.withResolvers<void>()
  let recorded = Promise.resolve()
  const slow = mirror.newPublisher({
    settle(settlement, options) {
      if (settlement.answered === undefined) return mirror.ledger.settle(settlement, options)
      recorded = committed.then(() => mirror.ledger.settle(settlement, options))
      return recorded
    },
  })
  await mirror.measure('105')
  expect(await slow.publish('p')).toMatchObject(written)
  await mirror.measure('107')
  expect(await mirror.publish()).toMatchObject(written)
  commit()
  await recorded
  await mirror.measure('108')
  expect(await mirror.publish()).toMatchObject(written)
  expect(mirror.shown()).toBe('8.00')
  expect(await mirror.adjustments()).toEqual([])
})

test('that nothing is to be written is recorded before another worker gets the group, which may find a hold', async () => {
  await using mirror = await startMirror()
  await mirror.measure('100')
  await mirror.publish()
  await mirror.measure('100.001')
  let isRecorded = false
  const settle = async (...given: Parameters<typeof mirror.ledger.settle>) => {
    await mirror.ledger.settle(...given)
    isRecorded = true
  }
  const publisher = mirror.newPublisher({ settle }, () => true)
  expect(await publisher.publish('p')).toEqual({ kind: 'unchanged' })
  expect(isRecorded).toBe(true)
})

suite('a write that is given up', () => {
  test('and had arrived is found by reading back, and not written again', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('lost after')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    const before = mirror.perun.calls.byMethod.setAttributes
    expect(await mirror.publish()).toEqual({ kind: 'unchanged' })
    expect(mirror.perun.calls.byMethod.setAttributes).toBe(before)
    expect(mirror.outcomes).toEqual(['arrived'])
    expect(await mirror.ledger.doubtfulGroups()).toEqual([])
    expect(await mirror.ledger.dirtyGroups()).toEqual([])
    expect(mirror.shown()).toBe('10.00')
  })

  test('is read back from Perun itself, not from what was read before it', async () => {
    await using mirror = await startMirror({ maxAge: HOUR })
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('lost before')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    mirror.perun.edit('p', { used: '4.00' })
    expect(await mirror.publish()).toMatchObject(written)
    expect(mirror.shown()).toBe('14.00')
  })

  test('and never arrives is remembered for an hour, and then forgotten', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('lost before')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    expect(await mirror.publish()).toMatchObject(written)
    expect(await mirror.ledger.dirtyGroups()).toEqual([])
    for (let minute = 1; minute < 60; minute += 1) {
      expect(await mirror.sweep()).toEqual({ kind: 'unchanged' })
      expect(mirror.outcomes).toEqual([])
    }
    await mirror.sweep()
    expect(mirror.outcomes).toEqual(['lost'])
    expect(await mirror.sweep()).toBeUndefined()
  })

  // Nobody would look at a group that is clean, and Perun would show the older value until the group grows.
  test.each(['late', 'killed before'] as const)(
    'and that Perun comes to after a newer one was answered is written over (%s)',
    async (fate) => {
      await using mirror = await startMirror()
      await mirror.measure('100')
      await mirror.publish()
      mirror.fates.push('late', fate)
      await mirror.measure('110')
      expect(await mirror.publish()).toMatchObject(unavailable)
      await mirror.measure('111')
      await mirror.tryToPublish()
      await mirror.measure('112')
      expect(await mirror.publish()).toMatchObject(written)
      expect(await mirror.ledger.dirtyGroups()).toEqual([])
      await mirror.comeTo()
      expect(mirror.shown()).toBe('10.00')
      expect(await mirror.sweep()).toMatchObject(written)
      expect(mirror.shown()).toBe('12.00')
      expect(mirror.times()).toEqual({ 1: 4 })
      expect(mirror.outcomes).toEqual(['late'])
      expect(await mirror.adjustments()).toEqual([])
    },
  )

  test('is remembered by the next process', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('late')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    mirror.restart()
    await mirror.measure('111')
    expect(await mirror.publish()).toMatchObject(written)
    await mirror.comeTo()
    mirror.restart()
    expect(await mirror.sweep()).toMatchObject(written)
    expect(mirror.shown()).toBe('11.00')
    expect(await mirror.adjustments()).toEqual([])
  })

  test('with the value that is shown already is told from one that arrived', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('late', 'late')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    expect(await mirror.publish()).toMatchObject(unavailable)
    expect(await mirror.publish()).toMatchObject(written)
    await mirror.measure('111')
    expect(await mirror.publish()).toMatchObject(written)
    for (const _ of [1, 2]) {
      await mirror.comeTo()
      expect(mirror.shown()).toBe('10.00')
      expect(await mirror.sweep()).toMatchObject(written)
      expect(mirror.shown()).toBe('11.00')
    }
    expect(await mirror.adjustments()).toEqual([])
  })
})

suite('a write that Perun comes to while it does not have the group at its site', () => {
  test('is no edit when it has it again, however much later', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('late')
    await mirror.measure('110')
    await mirror.publish()
    await mirror.measure('111')
    await mirror.publish()
    mirror.perun.unassign('p', 1)
    for (let minute = 1; minute <= 8; minute += 1) await mirror.sweep()
    expect((await mirror.ledger.holds({ limit: 9 })).map(({ kind }) => kind)).toEqual(['not assigned'])
    await mirror.comeTo()
    await mirror.rest()
    expect(mirror.shown()).toBe('10.00')
    mirror.perun.assign('p', 1)
    await mirror.rest()
    expect([mirror.shown(), await mirror.adjustments()]).toEqual(['11.00', []])
    expect(await mirror.ledger.doubtfulGroups()).toEqual([])
  })
})

suite('a look', () => {
  test('at a group in doubt does not rely on what was read before', async () => {
    await using mirror = await startMirror({ maxAge: HOUR })
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('late')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    await mirror.measure('111')
    expect(await mirror.publish()).toMatchObject(written)
    await mirror.comeTo()
    expect(await mirror.sweep()).toMatchObject(written)
    expect(mirror.shown()).toBe('11.00')
  })

  test('in the middle of which a write arrives does not take that for an edit', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('late')
    await mirror.measure('110')
    expect(await mirror.publish()).toMatchObject(unavailable)
    mirror.hooks.amidRead = mirror.comeTo
    expect(await mirror.publish()).toEqual({ kind: 'unchanged' })
    expect([mirror.shown(), await mirror.adjustments()]).toEqual(['10.00', []])
  })

  test('at several sites within a millisecond believes what it saw last', async () => {
    await using mirror = await startMirror({ sites: [1, 2] })
    const sites = (count: number, fate: Fate) => mirror.fates.push(...Array<Fate>(count).fill('done'), fate)
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('101')
    sites(1, 'late')
    expect(await mirror.publish()).toMatchObject(unavailable)
    await mirror.measure('102')
    expect(await mirror.publish()).toMatchObject(written)
    // The first site was seen when Perun comes to what was given up at the second; then it is written no more.
    await mirror.measure('103', [1])
    const reads: string[] = []
    mirror.hooks.beforeCall = (method) => {
      if (!method.endsWith('getAttributes')) return
      reads.push(method)
      if (reads.length === 2) return mirror.comeTo()
    }
    sites(0, 'lost before')
    expect(await mirror.publish()).toMatchObject(unavailable)
    mirror.hooks.beforeCall = undefined
    expect([reads.length, mirror.shown()]).toEqual([2, '2.00'])
    await mirror.rest()
    expect([mirror.shown(), await mirror.used(), await mirror.adjustments()]).toEqual(['5.00', '5', []])
  })
})

suite('only writes that may have happened are in doubt', () => {
  test.each([
    ['lost after', ['arrived']],
    ['lost before', []],
    ['refused', []],
    ['forbidden', []],
  ] as const)('of three sites, when the second write is %s', async (fate, outcomes) => {
    await using mirror = await startMirror({ sites: [1, 2, 3] })
    await mirror.measure('100')
    await mirror.publish()
    mirror.fates.push('done', fate)
    await mirror.measure('110')
    await mirror.publish()
    for (let minute = 1; minute <= 6; minute += 1) await mirror.sweep()
    expect(mirror.outcomes).toEqual(outcomes)
    expect(await mirror.ledger.doubtfulGroups()).toEqual(fate === 'lost before' ? ['p'] : [])
  })
})

suite('a publish that was overtaken', () => {
  // Lanes never publish a group twice at a time. If they did, the older total must not follow the newer one.
  test('before it was recorded writes nothing', async () => {
    await using mirror = await startMirror()
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('110')
    const { promise: gate, resolve: goOn } = Promise.withResolvers<void>()
    const slow = mirror.newPublisher({
      async account(group) {
        const account = await mirror.ledger.account(group)
        await gate
        return account
      },
    })
    const first = slow.publish('p')
    await mirror.measure('111')
    expect(await mirror.publish()).toMatchObject(written)
    goOn()
    expect(await first).toMatchObject({ kind: 'unavailable', everyone: false })
    expect(mirror.shown()).toBe('11.00')
    expect(mirror.perun.writes.map(({ used }) => used)).toEqual(['0.00', '11.00'])
  })

  test.each([0, 1])('before write %i of two was sent sends nothing more', async (position) => {
    await using mirror = await startMirror({ sites: [1, 2] })
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('110')
    let asked = 0
    const slow = mirror.newPublisher({
      async newestIntention(group) {
        if (asked === position) {
          await mirror.measure('111')
          expect(await mirror.publish()).toMatchObject(written)
        }
        asked += 1
        return mirror.ledger.newestIntention(group)
      },
    })
    expect(await slow.publish('p')).toMatchObject({ kind: 'unavailable', everyone: false })
    const values = mirror.perun.writes.slice(2).map(({ used }) => used)
    expect(values).toEqual([...Array(position).fill('20.00'), '22.00', '22.00'])
    expect([mirror.shown(), mirror.times()]).toEqual(['22.00', { 1: 3, 2: 3 }])
  })
})

suite('between reading and writing', () => {
  test('passes no more than is allowed: what is older is read again, and an edit in between is followed', async () => {
    await using mirror = await startMirror({ sites: [1, 2] })
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('110')
    // A disk that is busy, or a long queue for a connection.
    const slow = mirror.newPublisher({
      async settle(settlement, options) {
        await mirror.ledger.settle(settlement, options)
        if (mirror.clock.at < T0 + 30 * SECOND) mirror.clock.pass(30 * SECOND)
        if (mirror.shown() === '0.00') mirror.perun.edit('p', { used: '1.00' })
      },
    })
    expect(await slow.publish('p')).toEqual({ kind: 'written', writes: 2 })
    expect([mirror.shown(), await mirror.adjustments()]).toEqual(['21.00', ['1']])
    expect(Math.max(...mirror.windows)).toBeLessThanOrEqual(10)
    expect(await mirror.ledger.doubtfulGroups()).toEqual([])
  })

  test('of each further site neither', async () => {
    await using mirror = await startMirror({ sites: [1, 2, 3], maxAge: 0 })
    mirror.hooks.beforeCall = (method) => {
      if (method.endsWith('setAttributes')) mirror.clock.pass(SECOND)
    }
    await mirror.measure('100')
    expect(await mirror.publish()).toEqual({ kind: 'written', writes: 3 })
    expect(mirror.windows).toEqual([0, 0, 0])
    expect(mirror.times()).toEqual({ 1: 1, 2: 1, 3: 1 })
  })

  test('a Perun that takes longer to be read than is allowed is written to all the same', async () => {
    await using mirror = await startMirror()
    mirror.hooks.beforeCall = (method) => {
      if (method.endsWith('getAttributes')) mirror.clock.pass(20 * SECOND)
    }
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('110')
    mirror.clock.pass(11 * SECOND)
    expect(await mirror.publish()).toMatchObject(written)
    expect(mirror.windows).toEqual([0, 20])
  })
})

suite('a group at three sites', () => {
  const fates: Fate[] = ['lost before', 'lost after', 'late', 'refused', 'forbidden', 'killed before', 'killed after']
  const cases = [0, 1, 2].flatMap((position) => fates.map((fate) => [fate, position] as const))

  test.each(cases)('ends with all its values and times when a write is %s at position %i', async (fate, position) => {
    await using mirror = await startMirror({ sites: [1, 2, 3] })
    await mirror.measure('100')
    await mirror.publish()
    expect(mirror.times()).toEqual({ 1: 1, 2: 1, 3: 1 })
    mirror.fates.push(...Array<Fate>(position).fill('done'), fate)
    await mirror.measure('110')
    await mirror.tryToPublish()
    for (let minute = 1; minute <= 6; minute += 1) await mirror.sweep()
    expect([mirror.shown(), mirror.times()]).toEqual(['30.00', { 1: 2, 2: 2, 3: 2 }])
    expect(await mirror.ledger.holds({ limit: 9 })).toEqual([])
    expect(await mirror.ledger.dirtyGroups()).toEqual([])

    // Perun comes to what was given up after newer values were written at all sites, or at another one only.
    await mirror.measure('111', [((position + 1) % 3) + 1])
    expect(await mirror.publish()).toMatchObject(written)
    const now = mirror.times()
    await mirror.comeTo()
    await mirror.rest()
    expect([mirror.shown(), mirror.times()]).toEqual(['31.00', now])
    expect(await mirror.adjustments()).toEqual([])
    expect(await mirror.ledger.doubtfulGroups()).toEqual([])
  })
})

suite('a site that is refused', () => {
  test('after a late write set it back is made up for when Perun takes it again', async () => {
    await using mirror = await startMirror({ sites: [1, 2] })
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('101')
    mirror.fates.push('late')
    expect(await mirror.publish()).toMatchObject(unavailable)
    await mirror.measure('102')
    expect(await mirror.publish()).toMatchObject(written)
    await mirror.comeTo()
    expect([mirror.shown(), mirror.times()]).toEqual(['2.00', { 1: 2, 2: 3 }])
    // The next worker knows of the refused write, which the one of the other site overtakes.
    mirror.fates.push('refused')
    expect(await mirror.publish()).toEqual({ kind: 'held' })
    mirror.restart()
    expect(await mirror.publish()).toMatchObject({ kind: 'written', writes: 1 })
    expect([mirror.shown(), mirror.times()]).toEqual(['4.00', { 1: 2, 2: 3 }])
    await mirror.rest()
    expect([mirror.shown(), mirror.times(), await mirror.adjustments()]).toEqual(['4.00', { 1: 3, 2: 3 }, []])
  })

  test('and shows what an older write brought does not take a newer one that arrived for an edit', async () => {
    await using mirror = await startMirror({ sites: [1, 2] })
    await mirror.measure('100')
    await mirror.publish()
    await mirror.measure('101', [2])
    mirror.fates.push('late')
    expect(await mirror.publish()).toMatchObject(unavailable)
    mirror.fates.push('refused')
    expect(await mirror.publish()).toEqual({ kind: 'held' })
    await mirror.comeTo()
    expect([mirror.shown(), mirror.times()]).toEqual(['1.00', { 1: 1, 2: 2 }])
    await mirror.measure('102', [2])
    mirror.fates.push('lost after')
    expect(await mirror.publish()).toMatchObject(unavailable)
    expect(mirror.shown()).toBe('2.00')
    await mirror.rest()
    expect([mirror.shown(), mirror.times(), await mirror.adjustments()]).toEqual(['2.00', { 1: 1, 2: 3 }, []])
  })
})

type Step =
  | { readonly do: 'grow'; readonly sites: number[] }
  | { readonly do: 'publish'; readonly fates: Fate[]; readonly comes: boolean[] }
  | { readonly do: 'come to'; readonly which: number }
  | { readonly do: 'restart' | 'sweep' }
  | { readonly do: 'edit'; readonly used: string | null }

const anyFate = fc.constantFrom<Fate>(
  'done',
  'done',
  'lost before',
  'lost after',
  'late',
  'late',
  'refused',
  'forbidden',
  'killed before',
  'killed after',
)

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('grow' as const), sites: fc.subarray([1, 2, 3], { minLength: 1 }) }),
  fc.record({
    do: fc.constant('publish' as const),
    fates: fc.array(anyFate, { maxLength: 3 }),
    comes: fc.array(fc.boolean(), { maxLength: 12 }),
  }),
  fc.record({ do: fc.constant('come to' as const), which: fc.nat(3) }),
  fc.record({ do: fc.constantFrom('restart' as const, 'sweep' as const) }),
)

/** Whatever becomes of the calls, in whatever order Perun comes to them, also in the middle of a look. */
async function live(mirror: Awaited<ReturnType<typeof startMirror>>, step: Step) {
  if (step.do === 'publish') {
    mirror.fates.push(...step.fates)
    const comes = [...step.comes]
    mirror.hooks.beforeCall = () => (comes.shift() === true ? mirror.comeTo() : undefined)
    await mirror.tryToPublish()
    mirror.hooks.beforeCall = undefined
    mirror.fates.splice(0)
  } else if (step.do === 'come to') {
    if (mirror.pending > 0) await mirror.comeTo(step.which % mirror.pending)
  } else if (step.do === 'restart') mirror.restart()
  else if (step.do === 'sweep') await mirror.sweep()
  else if (step.do === 'edit') mirror.perun.edit('p', { used: step.used }, 'erika')
}

const anyEdit: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('edit' as const),
  used: fc.constantFrom('0', '1.00', '2.00', '3', '5.5', '7.0001', '1.12345678', '-4', 'plenty', '', null),
})

suite('whatever becomes of its calls', () => {
  test(
    'Perun shows in the end what was used, at all sites, and nothing was taken for an edit',
    { timeout: 60_000 },
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 25 }), async (steps) => {
          await using mirror = await startMirror({ sites: [1, 2, 3] })
          let value = 100
          const totals = [0, 0, 0]
          await mirror.measure(`${value}`)
          for (const step of steps) {
            await live(mirror, step)
            if (step.do !== 'grow') continue
            value += 1
            for (const site of step.sites) totals[site - 1] = value - 100
            await mirror.measure(`${value}`, step.sites)
          }
          while (mirror.pending > 0) await mirror.comeTo()
          await mirror.rest()
          const account = (await mirror.ledger.account('p'))!
          const used = totals.reduce((sum, each) => sum + each)
          expect(await mirror.adjustments()).toEqual([])
          expect([await mirror.used(), mirror.shown()]).toEqual([`${used}`, `${used}.00`])
          expect(mirror.times()).toEqual(
            Object.fromEntries(account.sites.map(({ site, publishedAt }) => [site, (publishedAt! - T0) / SECOND])),
          )
          expect([await mirror.ledger.doubtfulGroups(), await mirror.ledger.dirtyGroups()]).toEqual([[], []])
        }),
        { numRuns: 60 },
      ),
  )

  test('and whatever people edit, Perun shows in the end what the ledger says', { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(anyStep, anyEdit), { minLength: 4, maxLength: 25 }), async (steps) => {
        await using mirror = await startMirror({ sites: [1, 2, 3] })
        let value = 100
        await mirror.measure(`${value}`)
        for (const step of steps) {
          await live(mirror, step)
          if (step.do !== 'grow') continue
          value += 1
          await mirror.measure(`${value}`, step.sites)
        }
        while (mirror.pending > 0) await mirror.comeTo()
        // One more reading has the group looked at; what a person has to decide is decided then.
        await mirror.measure(`${value + 1}`)
        await mirror.rest()
        if ((await mirror.ledger.holds({ limit: 9 })).length > 0) mirror.perun.edit('p', { used: '3.00' }, 'erika')
        for (let minute = 0; minute <= 6; minute += 1) await mirror.sweep()
        const entries = await mirror.ledger.entries('p', { limit: 1_000 })
        const used = entries.reduce((sum, { amount }) => sum + amount, 0n)
        expect(await mirror.used()).toBe(formatCredits(used))
        expect(mirror.shown()).toBe(formatRounded(used, 2))
        expect([await mirror.ledger.doubtfulGroups(), await mirror.ledger.dirtyGroups()]).toEqual([[], []])
        expect(await mirror.ledger.holds({ limit: 9 })).toEqual([])
      }),
      { numRuns: 40 },
    ),
  )
})
