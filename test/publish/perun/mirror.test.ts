/** Perun ends equal to the ledger, whatever becomes of single writes. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { HOUR, SECOND } from '#src/core/time.ts'
import { T0 } from '../../helpers/billing.ts'
import { type Fate, startMirror } from '../../helpers/mirror.ts'

const unavailable = { kind: 'unavailable' }
const written = { kind: 'written' }

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
    for (let minute = 1; minute <= 60; minute += 1) await mirror.sweep()
    expect([mirror.shown(), mirror.times()]).toEqual(['31.00', now])
    expect(await mirror.adjustments()).toEqual([])
    expect(await mirror.ledger.doubtfulGroups()).toEqual([])
  })
})

type Step =
  | { readonly do: 'grow'; readonly sites: number[] }
  | { readonly do: 'publish'; readonly fates: Fate[]; readonly comes: boolean[] }
  | { readonly do: 'come to'; readonly which: number }
  | { readonly do: 'restart' | 'sweep' }

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
    comes: fc.array(fc.boolean(), { maxLength: 6 }),
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
}

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
          for (let minute = 0; minute <= 66; minute += 1) await mirror.sweep()
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
})
