/**
 * Readings become ledger lines here: state → decide → record.
 *
 * The ledger hands over what is stored of the series, this module asks the pure rules of `core/` what each reading means,
 * and hands back what to write. It runs inside the ledger's transaction and does not wait for anything.
 */
import { describeFall } from '../core/causes.ts'
import type { Jump, SiteVerdict } from '../core/classify.ts'
import { type Credits, LARGEST_AMOUNT } from '../core/credits.ts'
import { type Decision, decide, describePoint, type HeldReason, type Point, type SeriesState } from '../core/decide.ts'
import { add, approximate, type Decimal, isZero, subtract, zero } from '../core/decimals.ts'
import { type ChargeEntry, chargeId, continues, type OpenEntry, type ReadCharge, windowOf } from '../core/entries.ts'
import { withAccepted } from '../core/lines.ts'
import type { Meter, Meters } from '../core/meters.ts'
import { type Charge, rate } from '../core/rating.ts'
import { projectKey, type Reading, type Series, seriesKey } from '../core/series.ts'
import { formatInstant, type Instant } from '../core/time.ts'
import type {
  HeldBack,
  HeldGrowth,
  Hold,
  Note,
  Posting,
  Recording,
  SeriesChange,
  StoredSeries,
} from '../ledger/ledger.ts'
import { unitKey, type Verdicts } from './sites.ts'
import { describeClockAhead, describeHold, describeRecovery } from './words.ts'

/** What came of a reading, for logs and metrics. `surplus`: its series is beyond what its target may open. */
export type Outcome = Decision['kind'] | 'conflict' | 'surplus'

export interface BillingContext {
  readonly meters: Meters
  readonly verdicts: Verdicts
  readonly now: Instant
  /** What the delivery came from, as far as it is known. */
  readonly source?: string
  /** Holds about the delivery as a whole, and keys of holds that it shows to be over. */
  readonly holds?: readonly Hold[]
  readonly released?: readonly string[]
  /** Groups whose total can take no more charges of this delivery. */
  readonly full?: ReadonlySet<string>
  /** Keys of the holds about units that are open. */
  readonly unitHolds?: ReadonlySet<string>
}

export interface Billed {
  readonly recording: Recording
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
  /** The sum of the charges. */
  readonly charged: Credits
  /** Charge entries that begin here. */
  readonly begun: number
}

const noHolds: ReadonlySet<string> = new Set()

/** A single charge beyond this is a mistake: the sum of a million of them must still fit a ledger. */
const LARGEST_CHARGE = LARGEST_AMOUNT / 1_000_000n

/**
 * What to record when a person accepts held growth: exactly that growth is charged, in entries of its own.
 *
 * @throws {RangeError} if there is no meter for it any more, or no ledger could sum it up.
 */
export function accept(
  { growths, stored }: HeldBack,
  accepted: { readonly actor: string; readonly reason: string },
  { meters, now }: { meters: Meters; now: Instant },
): Recording {
  const drafts = new Map<string, Draft>()
  for (const [index, { series, from, to }] of growths.entries()) {
    const key = seriesKey(series)
    const draft = drafts.get(key) ?? createDraft(series, stored[index])
    drafts.set(key, draft)
    const meter = meters.get(series.metric)
    if (meter === undefined) throw new RangeError(`Nothing is charged for ${series.metric} any more`)
    draft.open = undefined
    if (!charge(draft, { from, to }, meter, now)) throw new RangeError('The growth is more than a ledger can sum up')
    draft.state = withAccepted(draft.state!, { from, to })
  }
  for (const draft of drafts.values()) {
    draft.open = undefined
    draft.postings.splice(0, Number.POSITIVE_INFINITY, ...draft.postings.map((posting) => withActor(posting, accepted)))
  }
  return {
    at: now,
    changes: [...drafts.values()].flatMap(toChange),
    notes: [],
    holds: [],
    released: [],
    withdrawn: [],
    heldGrowths: [],
  }
}

function withActor(posting: Posting, accepted: { readonly actor: string; readonly reason: string }): Posting {
  return posting.kind === 'append' ? { ...posting, entry: { ...posting.entry, accepted } } : posting
}

/**
 * What to record for some readings of a delivery. A series may occur several times; its readings are taken in order.
 *
 * @param stored What the ledger knows of the series of each reading, as of before the first of them.
 */
export function bill(
  readings: readonly Reading[],
  stored: readonly (StoredSeries | undefined)[],
  { meters, verdicts, now, source, holds: ofDelivery = [], released = [], full, unitHolds = noHolds }: BillingContext,
): Billed {
  const drafts = new Map<string | number, Draft>()
  const collected: Collected = { notes: [], holds: new Map(), withdrawn: [], heldGrowths: [] }
  const outcomes: Partial<Record<Outcome, number>> = {}
  for (const [index, reading] of readings.entries()) {
    const key = stored[index]?.number ?? seriesKey(reading.series)
    const draft = drafts.get(key) ?? createDraft(reading.series, stored[index])
    drafts.set(key, draft)
    const verdict = verdicts(reading.series)
    const meter = meters.get(reading.series.metric)!
    const isUnitHeld = unitHolds.size > 0 && unitHolds.has(unitKey(reading.series))
    const isFull = full?.has(reading.series.projectName) ?? false
    const outcome = take(draft, reading, { meter, verdict, isUnitHeld, isFull, now, source }, collected)
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  const changes = [...drafts.values()].flatMap(toChange)
  const { notes, holds, withdrawn, heldGrowths } = collected
  const all = [...ofDelivery, ...holds.values()]
  const origin = source === undefined ? {} : { source }
  const recording = { at: now, ...origin, changes, notes, holds: all, released, withdrawn, heldGrowths }
  return { recording, outcomes, ...sumOf(changes) }
}

function sumOf(changes: readonly SeriesChange[]): { charged: Credits; begun: number } {
  let charged = 0n
  let begun = 0
  for (const { postings } of changes) {
    for (const posting of postings) {
      charged += posting.kind === 'append' ? posting.entry.amount : posting.amount
      if (posting.kind === 'append') begun += 1
    }
  }
  return { charged, begun }
}

/** What becomes of a series while its readings are taken. */
interface Draft {
  readonly series: Series
  readonly before: StoredSeries | undefined
  state: SeriesState | undefined
  carry: Decimal
  /** The entry that may still grow: the last posting, or the ledger's. */
  open: Omit<OpenEntry, 'number'> | undefined
  readonly postings: Posting[]
}

interface Collected {
  readonly notes: Note[]
  readonly holds: Map<string, Hold>
  readonly withdrawn: Recording['withdrawn'][number][]
  readonly heldGrowths: HeldGrowth[]
}

interface Situation {
  readonly meter: Meter
  readonly verdict: SiteVerdict | undefined
  readonly isUnitHeld: boolean
  readonly now: Instant
  readonly source: string | undefined
  readonly isFull: boolean
}

function createDraft(series: Series, before: StoredSeries | undefined): Draft {
  return { series, before, state: before?.state, carry: before?.carry ?? zero, open: before?.open, postings: [] }
}

function toChange({ series, before, state, carry, open, postings }: Draft): SeriesChange[] {
  if (state === undefined || state === before?.state) return []
  const closes = open === undefined && (before?.open !== undefined || postings.length > 0)
  return [{ series, ...(before !== undefined && { before }), state, carry, postings, closes }]
}

/** Applies one reading to the draft of its series. */
function take(draft: Draft, reading: Reading, situation: Situation, collected: Collected): Outcome {
  const { meter, verdict, isUnitHeld, isFull, now } = situation
  const jump = jumpOf(verdict, draft.state, reading)
  const isUnitBack = verdict?.fall === 'unit switched'
  const chargedFrom = isLate(draft, reading) ? draft.open?.from : undefined
  const circumstances = { meter, now, jump: jump?.reason, isUnitHeld, isUnitBack, chargedFrom }
  const decision = decide(draft.state, reading, circumstances)
  const withdraw = (from: Point) => collected.withdrawn.push({ series: draft.series, from, until: reading.at })
  const note = (kind: Note['kind'], text: string, at = reading.at) =>
    collected.notes.push({ kind, series: draft.series, at, text })
  switch (decision.kind) {
    case 'stale':
      if (decision.conflict)
        note('conflict', `Another value for the same instant was dropped: ${describePoint(reading)}`)
      return decision.conflict ? 'conflict' : 'stale'
    case 'late':
      if (decision.conflict) {
        note(
          'conflict',
          `A late reading is outside of what was charged around it and dropped: ${describePoint(reading)}`,
        )
      }
      return decision.conflict ? 'conflict' : 'late'
    case 'outdated':
      return decision.kind
    case 'opened':
      note('opened', `First reading: ${describePoint(reading)}. Nothing before it is charged.`)
      break
    case 'rebased':
      draft.open = undefined
      note(
        'rebased',
        `Fell from ${describePoint(decision.from)} to ${describePoint(decision.to)}: ${describeFall(verdict?.fall ?? 'unknown')}. Nothing is charged for it.`,
      )
      if (decision.backAt !== undefined) withdraw(decision.backAt)
      break
    case 'redated':
      draft.open = undefined
      note(
        'redated',
        `The watermark ${describePoint(decision.from)} was later than our clock, which was wrong then or is now: it counts as of ${formatInstant(decision.to.at)}.`,
        decision.to.at,
      )
      break
    case 'recovered':
      draft.open = undefined
      note('recovered', describeRecovery(decision, decision.former, 'charged'))
      withdraw(decision.former)
      if (isFull || !charge(draft, decision, meter, now)) return hold(draft, 'implausible growth', decision, collected)
      break
    case 'charged':
      if (isFull || !charge(draft, decision, meter, now)) return hold(draft, 'implausible growth', decision, collected)
      break
    case 'held':
      if (decision.reason === 'clock ahead') return ahead(draft, decision.to, situation.source, collected)
      if (decision.backAt !== undefined) {
        note('recovered', describeRecovery(decision, decision.backAt, 'held'))
        withdraw(decision.backAt)
      }
      return hold(draft, decision.reason, decision, collected, jump)
    case 'unchanged':
  }
  draft.state = decision.state
  return decision.kind
}

function isLate({ state }: Draft, { at }: Reading): boolean {
  return state !== undefined && at < state.watermark.at
}

/** Why growth of a series is held, if the delivery says so and the series grew by so much. */
function jumpOf(
  verdict: SiteVerdict | undefined,
  state: SeriesState | undefined,
  { series, value }: Reading,
): Jump | undefined {
  const jump = verdict?.jump
  if (jump === undefined || state === undefined) return undefined
  if (jump.begun !== undefined && state.watermark.at >= jump.begun.at) return undefined
  if (jump.only !== undefined) return jump.only.has(projectKey(series)) ? jump : undefined
  return approximate(value) >= jump.least * approximate(state.watermark.value) ? jump : undefined
}

/** Charges what lies between two points. Returns false, with nothing changed, if the amount cannot be true. */
function charge(draft: Draft, { from, to }: { from: Point; to: Point }, meter: Meter, now: Instant): boolean {
  const consumption = subtract(to.value, from.value)
  if (isZero(consumption)) return true
  const charges = rate(meter, { from: from.at, to: to.at, consumption }, draft.carry)
  if (charges.some(({ amount }) => amount > LARGEST_CHARGE)) return false
  let value = from.value
  for (const part of charges) {
    const toValue = add(value, part.consumption)
    post(draft, { ...part, fromValue: value, toValue }, now)
    value = toValue
  }
  draft.carry = charges.at(-1)!.carryOut
  return true
}

/** Moves the end of the open entry, or begins a new one. */
function post(draft: Draft, part: ReadCharge, now: Instant): void {
  const to = { at: part.to, value: part.toValue }
  if (!continues(draft.open, part)) {
    draft.postings.push({ kind: 'append', entry: newEntry(draft.series, part, to, now) })
    draft.open = { window: windowOf(part.to), priceVersion: part.price.version }
    return
  }
  const { amount, carryOut } = part
  const last = draft.postings.pop()
  if (last === undefined) {
    draft.postings.push({ kind: 'extend', number: draft.before!.open!.number, to, amount, carryOut })
  } else if (last.kind === 'extend') {
    draft.postings.push({ ...last, to, amount: last.amount + amount, carryOut })
  } else {
    draft.postings.push({ kind: 'append', entry: { ...last.entry, to, amount: last.entry.amount + amount, carryOut } })
  }
}

function newEntry(series: Series, part: Charge & { fromValue: Decimal }, to: Point, now: Instant): ChargeEntry {
  return {
    kind: 'charge',
    id: chargeId(series, part.from),
    group: series.projectName,
    series,
    from: { at: part.from, value: part.fromValue },
    to,
    priceVersion: part.price.version,
    perUnit: part.price.perUnit,
    carryIn: part.carryIn,
    carryOut: part.carryOut,
    amount: part.amount,
    recordedAt: now,
  }
}

/** Notes that a site's clock is ahead; the series stays as it is. */
function ahead({ series, before }: Draft, to: Point, source: string | undefined, { holds }: Collected): 'held' {
  const made = describeClockAhead(series, to, before === undefined ? source : undefined)
  holds.set(made.key, made)
  return 'held'
}

/** Holds growth back: it is kept with the hold, and the series goes on from its new value. */
function hold(
  draft: Draft,
  reason: Exclude<HeldReason, 'clock ahead'>,
  { from, to, state }: { from: Point; to: Point; state: SeriesState },
  { holds, heldGrowths }: Collected,
  jump?: Jump,
): 'held' {
  const { series } = draft
  const made = describeHold(series, reason, { from, to, jump })
  holds.set(made.key, made)
  heldGrowths.push({ holdKey: made.key, series, from, to })
  draft.open = undefined
  draft.state = state
  return 'held'
}
