/** What workers may live through: readings of all kinds, people who decide, a clock that is set. */
import fc from 'fast-check'
import { createHoldDesk } from '#src/billing/holds.ts'
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { MINUTE } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { adjustment } from '../ledger/contract/settling.ts'
import { meters } from '../verify/ledgers.ts'
import { reading, silent, T0 } from './billing.ts'

export const projects = ['alpha', 'beta', 'gamma', 'delta']

/** What may happen next: projects show new totals, people decide about a hold or add something, our clock is set. */
export const happenings = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('reading' as const),
        minutes: fc.integer({ min: 0, max: 90 }),
        project: fc.constantFrom(...projects),
        origin: fc.constantFrom('a', 'b'),
        step: fc.constantFrom(
          '1.0047221891027555',
          '0',
          '0.1',
          '-0.1',
          '-30',
          '30',
          '31.5',
          '9000000',
          '0.3333333333333333',
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('accept' as const, 'dismiss' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('clock' as const),
        minutes: fc.constantFrom<number>(-90, -30, -2, 30, 90),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('gift' as const),
        project: fc.constantFrom(...projects),
        amount: fc.bigInt({ min: -1_000_000n, max: 1_000_000n }),
      }),
    },
  ),
  { minLength: 20, maxLength: 80 },
)

export type Happening = typeof happenings extends fc.Arbitrary<(infer Each)[]> ? Each : never

/** A worker's parts on a ledger, and a clock that stands still until something happens. */
export function startLife(ledger: Ledger) {
  let now = T0
  const shared = { ledger, meters, clock: { now: () => now }, logger: silent, onChanged: () => {} }
  const intake = createIntake({ ...shared, maxSeries: 1_000, smallSites: 'charge' })
  const decide = createHoldDesk(shared)
  const totals = new Map<string, number>()

  async function read({ minutes, project, step, origin }: Extract<Happening, { kind: 'reading' }>): Promise<void> {
    now += minutes * MINUTE
    const total = Math.max(0, (totals.get(project) ?? 100) + Number(step))
    totals.set(project, total)
    const readings = [{ ...reading({ project, at: now, value: `${total}` }), origin, isOfNow: origin === 'a' }]
    await intake.take({ id: 'd', source: 'test', receivedAt: now, rejected: noRejections(), readings })
  }

  async function give({ project, amount }: Extract<Happening, { kind: 'gift' }>, id: string): Promise<void> {
    if ((await ledger.account(project)) === undefined) return
    const entries = [{ ...adjustment(id, amount, project), recordedAt: now }]
    await ledger.settle({ group: project, at: now, entries })
  }

  return {
    async happen(happening: Happening, index: number): Promise<void> {
      if (happening.kind === 'reading') return read(happening)
      if (happening.kind === 'gift') return give(happening, `gift ${index}`)
      if (happening.kind === 'clock') {
        now += happening.minutes * MINUTE
        return
      }
      const [hold] = await ledger.holds({ limit: 1 })
      if (hold !== undefined) await decide(hold.id, { verdict: happening.kind, actor: 'erika', reason: 'looked at' })
    },
  }
}
