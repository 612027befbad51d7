/**
 * What people correct: adjustments of a group, and another price for a past period.
 *
 * No entry is ever changed or deleted. A correction is a new entry with a reason and the name of whoever made it, and it names
 * what it corrects; taking it back is another one, of the opposite amount. Another price is first previewed; applying it does
 * exactly what the preview said, or nothing.
 */
import { randomUUID } from 'node:crypto'
import { type Credits, formatCredits, LARGEST_AMOUNT, LARGEST_TOTAL } from '../core/credits.ts'
import { formatDecimal } from '../core/decimals.ts'
import type { AdjustmentEntry } from '../core/entries.ts'
import { differenceOf, makesNegative, type Period } from '../core/repricing.ts'
import { type Clock, formatInstant } from '../core/time.ts'
import {
  type Adjusted,
  type AdjustmentRequest,
  type Asking,
  type CorrectionDesk,
  type CorrectionFacts,
  Refusal,
  type Repricing,
  type RepricingLine,
  type RepricingRequest,
} from '../ledger/corrections.ts'
import type { Ledger, StoredEntry } from '../ledger/ledger.ts'
import type { Logger } from '../telemetry/logger.ts'

export interface CorrectionDeskOptions {
  readonly ledger: Pick<Ledger, 'correct' | 'charges' | 'savePreview' | 'repricings' | 'entryNamed' | 'summary'>
  readonly clock: Clock
  readonly logger: Logger
  /** Told which groups have a new total. */
  readonly onChanged: (groups: readonly string[]) => void
}

export function createCorrectionDesk({ ledger, clock, logger, onChanged }: CorrectionDeskOptions): CorrectionDesk {
  async function adjust(request: AdjustmentRequest): Promise<Adjusted | undefined> {
    const { group, amount, actor, reason } = request
    const id = `adjustment/${request.id ?? randomUUID()}`
    const now = clock.now()
    let adjusted: { used: Credits; wasKnown: boolean } | undefined
    const changed = await ledger.correct((facts) => {
      const used = facts.used(group)
      if (used === undefined) return { entries: [] }
      const known = facts.entryNamed(id)
      if (known !== undefined) checkSame(known, request)
      adjusted = { used: known === undefined ? used + amount : used, wasKnown: known !== undefined }
      if (known !== undefined) return { entries: [] }
      checkTotal(used, amount)
      const corrected = request.corrects === undefined ? {} : correctedBy(request.corrects, group, facts)
      return { entries: [{ kind: 'adjustment', id, group, amount, recordedAt: now, reason, actor, ...corrected }] }
    })
    if (adjusted === undefined) return undefined
    if (!adjusted.wasKnown) {
      logger.info({ group, entry: id, amount: formatCredits(amount), actor }, `Adjusted by ${actor}: ${reason}`)
      onChanged(changed)
    }
    return { ...adjusted, entry: (await ledger.entryNamed(id))! }
  }

  async function preview({ meter, period, perUnit, actor, reason }: RepricingRequest): Promise<Repricing> {
    const now = clock.now()
    checkOverlap(await ledger.repricings(), meter.metric, period)
    const { entries: seenEntry } = await ledger.summary()
    const lines: RepricingLine[] = []
    await ledger.charges(meter.metric, period, (series, seriesNumber, charges) => {
      const last = charges.at(-1)!
      const place = { series, seriesNumber, first: charges[0]!.number, last: last.number, lastHash: last.hash }
      lines.push({ ...place, ...differenceOf(charges, period, perUnit) })
    })
    if (lines.length === 0) throw new Refusal(`Nothing was charged for ${meter.name} in this period.`)
    checkSize(lines)
    const repricing: Repricing = {
      ...{ id: randomUUID(), metric: meter.metric, period, perUnit, reason, actor, previewedAt: now, seenEntry },
    }
    await ledger.savePreview(repricing, lines)
    logger.info({ repricing: repricing.id, series: lines.length, actor }, `Re-pricing of ${meter.name} previewed`)
    return repricing
  }

  async function apply(id: string, { actor }: Pick<Asking, 'actor'>): Promise<Repricing | undefined> {
    return change(id, (repricing, facts) => {
      if (repricing.applied !== undefined)
        throw new Refusal(`It was applied at ${formatInstant(repricing.applied.at)}.`)
      checkOverlap(facts.repricings(), repricing.metric, repricing.period)
      if (facts.hasMoved(repricing)) {
        throw new Refusal('More was charged in this period since the preview: make a new one.')
      }
      const next = { ...repricing, applied: { at: clock.now(), actor } }
      const entries = [...entriesOf(facts.lines(id), next)]
      const advice = 'Adjust the group first, or preview a shorter period'
      checkTotals(entries, facts, `Applying it would make totals negative. ${advice}`)
      return { repricing: next, entries }
    })
  }

  async function undo(id: string, { actor, reason }: Asking): Promise<Repricing | undefined> {
    return change(id, (repricing, facts) => {
      if (repricing.applied === undefined) throw new Refusal('It is not applied: there is nothing to undo.')
      if (repricing.undone !== undefined) throw new Refusal(`It was undone at ${formatInstant(repricing.undone.at)}.`)
      const next = { ...repricing, undone: { at: clock.now(), actor, reason } }
      const entries = [...oppositesOf(facts, next)]
      checkTotals(entries, facts, 'Undoing it would make totals negative. Adjust the group first')
      return { repricing: next, entries }
    })
  }

  async function change(
    id: string,
    decide: (
      repricing: Repricing,
      facts: CorrectionFacts,
    ) => { repricing: Repricing; entries: Iterable<AdjustmentEntry> },
  ): Promise<Repricing | undefined> {
    let next: Repricing | undefined
    const changed = await ledger.correct((facts) => {
      const repricing = facts.repricing(id)
      if (repricing === undefined) return { entries: [] }
      const decided = decide(repricing, facts)
      next = decided.repricing
      return decided
    })
    if (next === undefined) return undefined
    const what = next.undone === undefined ? 'applied' : 'undone'
    logger.info({ repricing: id, groups: changed.length }, `Re-pricing ${what}: ${next.reason}`)
    if (changed.length > 0) onChanged(changed)
    return next
  }

  return { adjust, preview, apply, undo }
}

function checkSame(known: StoredEntry, { group, amount, reason, actor, corrects }: AdjustmentRequest): void {
  const isSame =
    known.kind === 'adjustment' &&
    known.group === group &&
    known.amount === amount &&
    known.reason === reason &&
    known.actor === actor &&
    known.corrects?.first === corrects
  if (!isSame) throw new Refusal(`This id was used for another adjustment, entry ${known.number} of ${known.group}.`)
}

function checkTotal(used: Credits, amount: Credits): void {
  const after = used + amount
  if (makesNegative(used, amount)) {
    const [now, total] = [formatCredits(used), formatCredits(after)]
    throw new Refusal(`The group has used ${now} credits; this would make it ${total}. More cannot be given back.`)
  }
  if (after > LARGEST_TOTAL) throw new Refusal('The total would be more than a ledger can hold.')
}

/** No sum of these differences may be more than a ledger can hold. */
function checkSize(lines: readonly RepricingLine[]): void {
  const sum = lines.reduce((all, { amount }) => all + (amount < 0n ? -amount : amount), 0n)
  if (sum <= LARGEST_AMOUNT) return
  const [all, most] = [formatCredits(sum), formatCredits(LARGEST_AMOUNT)]
  throw new Refusal(`The differences are ${all} credits together, more than the ${most} that a ledger can hold.`)
}

/** How many groups a refusal names. */
const NAMED = 10

/** @param what Begins the refusal. */
function checkTotals(entries: readonly AdjustmentEntry[], facts: CorrectionFacts, what: string): void {
  const amounts = new Map<string, Credits>()
  for (const { group, amount } of entries) amounts.set(group, (amounts.get(group) ?? 0n) + amount)
  const negative = [...amounts].filter(([group, amount]) => makesNegative(facts.used(group) ?? 0n, amount))
  if (negative.length === 0) return
  const totals = negative.map(([group, amount]) => `${group} (${formatCredits((facts.used(group) ?? 0n) + amount)})`)
  const more = negative.length > NAMED ? ` and ${negative.length - NAMED} more` : ''
  throw new Refusal(`${what}: ${totals.slice(0, NAMED).join(', ')}${more}.`)
}

/** Where a correction belongs: the site of what it corrects. */
function correctedBy(
  number: number,
  group: string,
  facts: CorrectionFacts,
): Pick<AdjustmentEntry, 'corrects' | 'site'> {
  const entry = facts.entry(number)
  if (entry === undefined || entry.group !== group) throw new Refusal(`Entry ${number} is none of this group.`)
  const site = entry.kind === 'charge' ? entry.series.site : entry.site
  return { corrects: { first: number, last: number }, ...(site !== undefined && { site }) }
}

function checkOverlap(others: readonly Repricing[], metric: string, { from, to }: Period): void {
  const other = others.find(
    ({ applied, undone, ...each }) =>
      applied !== undefined &&
      undone === undefined &&
      each.metric === metric &&
      each.period.from < to &&
      from < each.period.to,
  )
  if (other === undefined) return
  throw new Refusal(`Re-pricing ${other.id} is applied and overlaps with this period: undo it first.`)
}

function* entriesOf(lines: Iterable<RepricingLine>, repricing: Repricing): Generator<AdjustmentEntry> {
  const { id, metric, period, perUnit, reason, applied } = repricing
  const { at, actor } = applied!
  const what = `${metric} from ${formatInstant(period.from)} to ${formatInstant(period.to)} at ${formatDecimal(perUnit)} a unit`
  for (const { series, seriesNumber, first, last, amount } of lines) {
    if (amount === 0n) continue
    yield {
      kind: 'adjustment',
      id: entryId(id, seriesNumber),
      group: series.projectName,
      site: series.site,
      amount,
      recordedAt: at,
      reason: `Re-priced ${what}: ${reason}`,
      actor,
      corrects: { first, last },
    }
  }
}

function* oppositesOf(facts: CorrectionFacts, { id, undone }: Repricing): Generator<AdjustmentEntry> {
  const { at, actor, reason } = undone!
  const ids = [...facts.lines(id)].map(({ seriesNumber }) => entryId(id, seriesNumber))
  for (const entry of facts.entriesNamed(ids).values()) {
    if (entry.kind !== 'adjustment') continue
    yield {
      kind: 'adjustment',
      id: `${entry.id}/undo`,
      group: entry.group,
      ...(entry.site !== undefined && { site: entry.site }),
      amount: -entry.amount,
      recordedAt: at,
      reason: `Undone: ${reason}`,
      actor,
      corrects: { first: entry.number, last: entry.number },
    }
  }
}

function entryId(repricing: string, seriesNumber: number): string {
  return `repricing/${repricing}/${seriesNumber}`
}
