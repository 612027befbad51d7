/** Histories of all kinds, and what their periods add up to when nothing but the entries is looked at. */
import fc from 'fast-check'
import { createHoldDesk } from '#src/billing/holds.ts'
import { boundaries, steps, type Zone } from '#src/core/buckets.ts'
import { add, formatDecimal, subtract, zero } from '#src/core/decimals.ts'
import { DAY, HOUR, type Instant, MINUTE } from '#src/core/time.ts'
import type { Consumption, ConsumptionPart } from '#src/ledger/history.ts'
import type { Ledger, StoredEntry } from '#src/ledger/ledger.ts'
import { cpu, meters, ram, silent } from './billing.ts'
import { deliver } from './ledger.ts'

/** Some days before clocks change in Europe, some after they did in America. */
const START: Instant = Date.UTC(2026, 2, 24)

const zones: Zone[] = [
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Kiritimati'],
]

/** What happens next, `minutes` after what happened before. */
export type Happening = { readonly minutes: number } & (
  | { readonly what: 'reading'; readonly site: string; readonly metric: string; readonly growth: number }
  | { readonly what: 'accept' }
  | { readonly what: 'adjust' | 'correct' | 'open'; readonly amount: bigint }
  | { readonly what: 'restart' }
)

const minutes = fc.oneof(
  fc.integer({ min: 1, max: 90 }),
  fc.constantFrom(30, 60, 1_440),
  fc.integer({ max: 2_000, min: 1 }),
)
const reading = fc.record({
  minutes,
  what: fc.constant('reading' as const),
  site: fc.constantFrom('1', '2'),
  metric: fc.constantFrom(cpu.metric, ram.metric),
  // Growth, a fall, and what no group can have used.
  growth: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 30_000 }) }, fc.constantFrom(-500, 7_000_000_000)),
})
const decision = fc.record({
  minutes,
  what: fc.constantFrom('adjust' as const, 'correct' as const, 'open' as const),
  amount: fc.bigInt({ min: -5_000_000n, max: 5_000_000n }),
})
const other = fc.record({ minutes, what: fc.constantFrom('accept' as const, 'restart' as const) })

export const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.oneof({ weight: 8, arbitrary: reading }, decision, other),
  { minLength: 5, maxLength: 50 },
)

/** The ends of some buckets somewhere around what happened. */
export const someBounds: fc.Arbitrary<Instant[]> = fc
  .record({
    from: fc.integer({ min: -3 * DAY, max: 12 * DAY }),
    length: fc.oneof(fc.integer({ min: 1, max: 20 * DAY }), fc.constantFrom(HOUR, DAY, 30 * DAY)),
    whole: fc.constantFrom(1, MINUTE, HOUR, DAY),
    step: fc.constantFrom(...steps),
    zone: fc.constantFrom(...zones),
  })
  .map(({ from, length, whole, step, zone }) => {
    const begin = START + Math.floor(from / whole) * whole
    return boundaries({ from: begin, to: begin + length }, { step, zone, limit: 400 })
  })

/** Lets a group live. @param restart Gives the ledger to go on with. */
export async function live(
  ledger: Ledger,
  group: string,
  story: readonly Happening[],
  restart = (same: Ledger) => same,
) {
  let current = ledger
  let at = START
  const values = new Map<string, number>()
  for (const [index, each] of story.entries()) {
    at += each.minutes * MINUTE
    if (each.what === 'reading') {
      const { site, metric, growth } = each
      const value = Math.max(0, (values.get(site + metric) ?? 1_000) + growth / 7)
      values.set(site + metric, value)
      await deliver(current, { project: group, site, metric, at, value: String(value) })
    } else if (each.what === 'restart') current = restart(current)
    else if (each.what === 'accept') await acceptAll(current, group, at)
    else await remark(current, group, `${each.what} ${index}`, at, each)
  }
  return current
}

async function acceptAll(ledger: Ledger, group: string, at: Instant): Promise<void> {
  const decide = createHoldDesk({ ledger, meters, clock: { now: () => at }, logger: silent, onChanged: () => {} })
  for (const { id } of await ledger.holds({ group, limit: 99 }))
    await decide(id, { verdict: 'accept', actor: 'erika', reason: 'It is true' })
}

async function remark(
  ledger: Ledger,
  group: string,
  id: string,
  at: Instant,
  { what, amount }: Extract<Happening, { amount: bigint }>,
): Promise<void> {
  if ((await ledger.group(group)) === undefined) return
  const facts = { id: `${group}/${id}`, group, amount, recordedAt: at, reason: 'because' }
  const [charge] = (await ledger.entries(group, { limit: 3 })).filter(({ kind }) => kind === 'charge')
  if (what === 'open') {
    await ledger.settle({ group, at, entries: [{ ...facts, kind: 'opening', site: '1' }] })
  } else if (what === 'adjust' || charge?.kind !== 'charge') {
    await ledger.settle({ group, at, entries: [{ ...facts, kind: 'adjustment', actor: 'erika' }] })
  } else {
    const corrects = { first: charge.number, last: charge.number }
    const entry = { ...facts, kind: 'adjustment', actor: 'erika', site: charge.series.site, corrects } as const
    await ledger.correct(() => ({ entries: [entry] }))
  }
}

/** The parts of each bucket, in an order and a notation of their own. */
export function told(parts: readonly ConsumptionPart[]): string[] {
  return parts
    .map(({ kind, site, metric, entries, amount, consumption }) =>
      [kind, site ?? '-', metric ?? '-', `${entries} entries`, amount, formatDecimal(consumption)].join(' '),
    )
    .sort()
}

/** What `Ledger.consumption` has to answer, from the entries of the group alone. */
export function addedUp(entries: readonly StoredEntry[], bounds: readonly Instant[]): Consumption {
  const parts = (own: readonly StoredEntry[]) => {
    const sums = new Map<string, ConsumptionPart>()
    for (const entry of own) {
      const place = placeOf(entry, entries)
      const key = JSON.stringify(place)
      const sum = sums.get(key) ?? { ...place, entries: 0, amount: 0n, consumption: zero }
      const consumption = entry.kind === 'charge' ? subtract(entry.to.value, entry.from.value) : zero
      sums.set(key, {
        ...sum,
        entries: sum.entries + 1,
        amount: sum.amount + entry.amount,
        consumption: add(sum.consumption, consumption),
      })
    }
    return [...sums.values()]
  }
  const within = (from: Instant, to: Instant) => entries.filter(({ at }) => at > from && at <= to)
  return {
    before: within(Number.NEGATIVE_INFINITY, bounds[0]!).reduce((sum, { amount }) => sum + amount, 0n),
    buckets: bounds.slice(1).map((to, index) => parts(within(bounds[index]!, to))),
  }
}

function placeOf(entry: StoredEntry, all: readonly StoredEntry[]): Pick<ConsumptionPart, 'kind' | 'site' | 'metric'> {
  if (entry.kind === 'charge') return { kind: entry.kind, site: entry.series.site, metric: entry.series.metric }
  const site = entry.site ? { site: entry.site } : {}
  const last = entry.kind === 'adjustment' ? entry.corrects?.last : undefined
  const charge = all.find(({ number }) => number === last)
  return { kind: entry.kind, ...site, ...(charge?.kind === 'charge' && { metric: charge.series.metric }) }
}
