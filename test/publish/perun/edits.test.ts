/** Each edit in Perun counts once: by what it differs from what was shown there, whatever becomes of our calls. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { MINUTE, SECOND } from '#src/core/time.ts'
import { type Fate, startMirror } from '../../helpers/mirror.ts'

const CENT = 10_000n
const sites = [1, 2, 3]

/** No late ones: what Perun comes to after an edit replaces it, and nobody can tell. */
const fate = fc.constantFrom<Fate>(
  ...(['done', 'done', 'lost before', 'lost after', 'refused', 'forbidden', 'killed before', 'killed after'] as const),
)

type Step =
  | { readonly do: 'grow'; readonly sites: number[] }
  | { readonly do: 'publish'; readonly fates: Fate[]; readonly secondsBeforeWrites: number }
  | { readonly do: 'restart' | 'sweep' | 'edit' | 'remove' }
  | { readonly do: 'wait'; readonly times: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('grow' as const), sites: fc.subarray(sites, { minLength: 1 }) }),
  fc.record({
    do: fc.constant('publish' as const),
    fates: fc.array(fate, { maxLength: 4 }),
    secondsBeforeWrites: fc.constantFrom(0, 0, 11),
  }),
  fc.record({ do: fc.constantFrom('restart' as const, 'sweep' as const, 'edit' as const, 'remove' as const) }),
  fc.record({ do: fc.constant('wait' as const), times: fc.constantFrom(1, 1, 14) }),
)

/** A group at three sites, and how much it should have used by what was measured and edited. */
async function startGroup() {
  // What was seen is never good for longer than the moment, so no edit falls between a look and a write.
  const mirror = await startMirror({ sites, maxAge: 0 })
  const grown = new Map(sites.map((site) => [site, 0]))
  let value = 100
  let edits = 0
  let edited = 0n
  let shown = 0n

  /** Notes what is shown, as far as anything is. */
  function look(): bigint {
    const used = mirror.shown()
    if (typeof used === 'string') shown = BigInt(used.replace('.', ''))
    return shown
  }

  async function grow(where: readonly number[]): Promise<void> {
    value += 1
    for (const site of where) grown.set(site, value - 100)
    await mirror.measure(`${value}`, where)
  }

  function edit(used: (before: bigint) => bigint | null): void {
    const before = look()
    const after = used(before)
    if (after !== null) edited += after - before
    mirror.clock.pass(SECOND)
    mirror.perun.edit('p', { used: after === null ? null : formatCredits(after * CENT) }, 'erika')
    mirror.clock.pass(SECOND)
    if (after !== null) shown = after
  }

  /** A value that nobody has written before. */
  function change(): void {
    edits += 1
    edit((before) => before + 37n * BigInt(edits))
  }

  async function publish(fates: readonly Fate[], secondsBeforeWrites: number): Promise<void> {
    mirror.clock.pass(SECOND)
    mirror.fates.push(...fates)
    mirror.hooks.beforeCall = (method) => {
      if (method.endsWith('setAttributes')) mirror.clock.pass(secondsBeforeWrites * SECOND)
    }
    await mirror.tryToPublish()
    mirror.hooks.beforeCall = undefined
    mirror.fates.splice(0)
  }

  return {
    mirror,
    async live(step: Step): Promise<void> {
      if (step.do === 'grow') await grow(step.sites)
      else if (step.do === 'publish') await publish(step.fates, step.secondsBeforeWrites)
      else if (step.do === 'restart') mirror.restart()
      else if (step.do === 'sweep') await mirror.sweep()
      else if (step.do === 'edit') change()
      else if (step.do === 'remove') edit(() => null)
      else if (step.do === 'wait') for (let times = 0; times < step.times; times += 1) await mirror.sweep(5 * MINUTE)
    },
    /** What was removed is set again, and growth has the group looked at. */
    async rest(): Promise<void> {
      if (typeof mirror.shown() !== 'string') change()
      await grow(sites)
      await mirror.rest()
    },
    expected: () => BigInt([...grown.values()].reduce((sum, each) => sum + each)) * 100n * CENT + edited * CENT,
    [Symbol.asyncDispose]: () => mirror[Symbol.asyncDispose](),
  }
}

test('each edit counts once, whatever becomes of our calls', { timeout: 60_000 }, () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
      await using group = await startGroup()
      const { mirror } = group
      await mirror.measure('100')
      await mirror.publish()
      for (const each of steps) await group.live(each)
      await group.rest()
      const credits = formatCredits(group.expected())
      expect([await mirror.used(), Number(mirror.shown())]).toEqual([credits, Number(credits)])
      expect([await mirror.ledger.doubtfulGroups(), await mirror.ledger.dirtyGroups()]).toEqual([[], []])
    }),
    { numRuns: 40 },
  ),
)
