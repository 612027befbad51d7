/** What must be true of a series from its first reading to its last one, when nothing happens any more. */
import Big from 'big.js'
import { MINUTE } from '#src/core/time.ts'
import { type Cloud, type Dated, formatUnits, keyOf, nameOf, type Said, type SimulatedSeries } from './cloud.ts'
import { describe, type EntryRow, type HeldRow, type NoteRow, type SeriesRow } from './rows.ts'
import type { Verdict } from './story.ts'

/** A watermark that was seen in the ledger, with what is behind it. */
export interface Mark {
  readonly at: bigint
  readonly value: string
  readonly said: Dated | undefined
}

/** All that a ledger holds of a series. */
interface Rows {
  readonly charges: readonly EntryRow[]
  readonly held: readonly HeldRow[]
  readonly notes: readonly NoteRow[]
  /** How many entries there were each time its watermark was set back, because a clock had been ahead. */
  readonly redated: readonly bigint[]
  /** What was held and taken back, because the series came back to a line it had left. */
  readonly withdrawn: Big
}

export class SeriesOracle {
  readonly #cloud: Cloud
  readonly #verdict: Verdict

  constructor(cloud: Cloud, verdict: Verdict) {
    this.#cloud = cloud
    this.#verdict = verdict
  }

  rest(row: SeriesRow, marks: readonly Mark[], { charges, held, notes, redated, withdrawn }: Rows): void {
    const series = this.#cloud.find(keyOf(seriesOf(row)))!
    this.#chain(series, row, charges)
    for (const each of epochs(charges, redated)) this.#apart(series, each)
    if (marks.some(({ said }) => said === undefined)) return
    const charged = sum(charges.filter(({ actor }) => actor === null))
    const accepted = sum(charges.filter(({ actor }) => actor !== null))
    this.#accepted(series, accepted, held)
    const waiting = sum(held.filter(({ withdrawn, isAccepted }) => withdrawn === 0n && isAccepted === 0n))
    const [first, last] = [marks[0]!, marks.at(-1)!]
    const what = () =>
      [
        `${nameOf(series)}: charged ${charged}, accepted ${accepted}, held ${waiting}, from ${first.value} to ${last.value}`,
        ...lifeOf(marks, charges, held, notes),
      ].join('\n')
    if (!series.isDistorted) {
      const grown = new Big(last.value).minus(first.value)
      const all = charged.plus(accepted).plus(waiting)
      this.#verdict.check(all.eq(grown), 'growth is charged or held, exactly and once', what)
      return
    }
    this.#upperBound(marks, charged, what)
    this.#lowerBound(marks, notes, charged.plus(accepted).plus(waiting).plus(withdrawn), what)
  }

  /** What an operator accepted is charged, unless the series came back to its line before. */
  #accepted(series: SimulatedSeries, charged: Big, held: readonly HeldRow[]): void {
    const all = held.filter(({ isAccepted }) => isAccepted === 1n)
    const least = sum(all.filter(({ withdrawn }) => withdrawn === 0n))
    this.#verdict.check(
      charged.gte(least) && charged.lte(sum(all)),
      'what is accepted is charged, and nothing else is',
      () => `${nameOf(series)}: accepted ${least} to ${sum(all)}, charged ${charged}`,
    )
  }

  /** What one charge leaves over is what the next one begins with. */
  #chain(series: SimulatedSeries, row: SeriesRow, charges: readonly EntryRow[]): void {
    let carry = new Big(0)
    for (const charge of charges) {
      this.#verdict.check(
        carry.eq(charge.carry_in!),
        'a carry is carried on',
        () => `${nameOf(series)}: ${describe(charge)}`,
      )
      carry = new Big(charge.carry_out!)
    }
    this.#verdict.check(carry.eq(row.carry), 'a carry is carried on', () => `${nameOf(series)} ends with ${row.carry}`)
  }

  #apart(series: SimulatedSeries, charges: readonly EntryRow[]): void {
    const inTime = charges.toSorted((a, b) => Number(a.from_at! - b.from_at!) || Number(a.at - b.at))
    for (const [index, charge] of inTime.entries()) {
      const next = inTime[index + 1]
      this.#verdict.check(
        next === undefined || next.from_at! >= charge.at,
        'no time is charged twice',
        () => `${nameOf(series)}: ${describe(charge)} and ${describe(next!)}`,
      )
    }
  }

  /** Never more than what was consumed and what distortions brought in; a dip that comes back brings nothing. */
  #upperBound(marks: readonly Mark[], charged: Big, what: () => string): void {
    const [first, last] = [marks[0]!.said!, marks.at(-1)!.said!]
    const consumed = last.truth - first.truth + (last.added - first.added)
    const most = units(consumed + hiddenReturns(marks) + lateFalls(marks))
    this.#verdict.check(
      charged.lte(most),
      'nothing is charged that was not consumed',
      () => `${what()}, at most ${most}`,
    )
  }

  /** All that was consumed where nothing was distorted: in steps without a fall, without a return and without a jump. */
  #lowerBound(marks: readonly Mark[], notes: readonly NoteRow[], accounted: Big, what: () => string): void {
    let plain = 0n
    for (const [index, mark] of marks.entries()) {
      const before = marks[index - 1]
      if (before === undefined) continue
      const isPlain = mark.said!.offset === before.said!.offset
      const isNoted = notes.some(({ kind, at }) => kind === 'recovered' && at > before.at && at <= mark.at)
      if (isPlain && !isNoted) plain += mark.said!.truth - before.said!.truth
    }
    this.#verdict.check(
      accounted.gte(units(plain)),
      'no consumption is lost',
      () => `${what()}, at least ${units(plain)}`,
    )
  }
}

/** What distortions took away and gave back. */
function heightOf({ offset, added, jumped }: Said): bigint {
  return offset - added - jumped
}

/**
 * LOUD: what totals do not tell apart from consumption (`docs/CLASSIFIER.md`): a step that also returns from a dip, and grows
 * by no more than three times what the project consumes in its time and 15 minutes, now or by its pace up to then. So it is
 * with totals that are hours old, and with a dip that is passed by what goes on growing below it; machines that ran for days
 * come back with more. And less than a tenth of any step; and within an hour after a jump that was taken for growth, because
 * that counts for its pace, and later as long as it does; and the way up to a height at which the series was never read,
 * because its dip began before it was opened: to the worker that is a jump of one project, as `added` is. And a return while
 * our clock is ahead by more than it was: then hours seem to have passed in which a line that was left would have grown as much.
 */
function hiddenReturns(marks: readonly Mark[]): bigint {
  let hidden = 0n
  let highest = heightOf(marks[0]!.said!)
  let jumpedAt = -3_600_001n
  let leastAhead = marks[0]!.said!.ahead
  const pace = new Pace(marks[0]!.at)
  const lines = new LinesAbove()
  for (const [index, mark] of marks.entries()) {
    const { at, said } = mark
    const before = marks[index - 1]
    if (before === undefined) continue
    const returned = heightOf(said!) - heightOf(before.said!)
    const consumed = said!.truth - before.said!.truth
    const grown = consumed + said!.offset - before.said!.offset
    const elapsed = at - before.at
    const isLikeConsumption =
      grown * elapsed <= 3n * consumed * (elapsed + 900_000n) || pace.explains(at, grown) || lines.explain(at, grown)
    const unseen = heightOf(said!) - (highest > heightOf(before.said!) ? highest : heightOf(before.said!))
    if (heightOf(said!) > highest) highest = heightOf(said!)
    const jump = said!.added - before.said!.added
    if (jump > 0n) jumpedAt = at
    const isAfterJump = at - jumpedAt <= 3_600_000n
    const isMisdated = said!.ahead - leastAhead > 15 * MINUTE
    leastAhead = Math.min(leastAhead, said!.ahead)
    let step = 0n
    if (returned > 0n && (isAfterJump || isMisdated || returned * 10n <= grown || isLikeConsumption)) step = returned
    else if (unseen > 0n) step = unseen
    hidden += step
    if (grown > 0n) pace.learn(at, consumed + (jump > 0n ? jump : 0n) + step)
    else if (grown < 0n) pace.fell(at)
    if (grown < 0n) lines.left({ at: before.at, height: before.said!.truth + before.said!.offset, pace: pace.now })
    else lines.grew(said!.truth + said!.offset, consumed + step)
  }
  return hidden
}

/** The lines a series left and is below of yet. */
class LinesAbove {
  #lines: { readonly at: bigint; readonly height: bigint; readonly pace: number; grown: bigint }[] = []

  left(line: { readonly at: bigint; readonly height: bigint; readonly pace: number }): void {
    this.#lines.push({ ...line, grown: 0n })
  }

  grew(height: bigint, growth: bigint): void {
    this.#lines = this.#lines.filter((line) => line.height > height)
    for (const line of this.#lines) line.grown += growth
  }

  /** Whether it and all growth since is what each of them would have brought. */
  explain(at: bigint, grown: bigint): boolean {
    if (this.#lines.length === 0) return false
    return this.#lines.every((line) => Number(line.grown + grown) <= line.pace * Number(at - line.at))
  }
}

/** How fast a series has grown, as far as that may be taken for consumption: over about ten minutes of growth, as the worker. */
class Pace {
  /** In 10⁻¹⁰ units per millisecond. */
  #pace = 0
  #changedAt: bigint

  constructor(at: bigint) {
    this.#changedAt = at
  }

  get now(): number {
    return this.#pace
  }

  explains(at: bigint, grown: bigint): boolean {
    return Number(grown) <= 3 * this.#pace * (Number(at - this.#changedAt) + 15 * MINUTE)
  }

  learn(at: bigint, growth: bigint): void {
    const memory = this.#pace === 0 ? 0 : 10 * MINUTE
    const elapsed = Number(at - this.#changedAt)
    this.#pace = (this.#pace * memory + Number(growth)) / (memory + elapsed)
    this.#changedAt = at
  }

  /** What fell goes on at its pace. */
  fell(at: bigint): void {
    this.#changedAt = at
  }
}

/**
 * LOUD: of two exporters one lags behind. When a clock that was wrong dates what the first one said by more than ten minutes
 * otherwise, or it is silent for so long, what the second one says counts as a fall; the way back up is growth if it is less
 * than a tenth of a step.
 */
function lateFalls(marks: readonly Mark[]): bigint {
  let fallen = 0n
  for (const [index, { at, said }] of marks.entries()) {
    const before = marks[index - 1]
    if (before === undefined || at - before.at <= 600_000n) continue
    if (said!.truth < before.said!.truth) fallen += before.said!.truth - said!.truth
  }
  return fallen
}

/** Charges between two corrections of a wrong clock: only across such a one may two of them overlap in time. */
function epochs(charges: readonly EntryRow[], redated: readonly bigint[]): EntryRow[][] {
  // Held growth of before may be accepted after it.
  const own = redated.length === 0 ? charges : charges.filter(({ actor }) => actor === null)
  return [...Map.groupBy(own, ({ number }) => redated.filter((last) => number > last).length).values()]
}

/** What happened to a series: where it began and ended, left its line or came back, and what was made of that. */
function lifeOf(
  marks: readonly Mark[],
  charges: readonly EntryRow[],
  held: readonly HeldRow[],
  notes: readonly NoteRow[],
): string[] {
  const turns = marks.filter(({ said }, index) => {
    const [before, after] = [marks[index - 1], marks[index + 1]]
    return (
      before === undefined ||
      after === undefined ||
      said?.offset !== before.said?.offset ||
      said?.offset !== after.said?.offset
    )
  })
  const lines = [
    ...turns.map(({ at, value, said }) => ({
      at,
      line: said === undefined ? `said ${value}` : `said ${value} (${units(said.offset)} of it by distortions)`,
    })),
    ...charges.map((charge) => ({ at: charge.at, line: `${describe(charge)} ${charge.actor ?? ''}` })),
    ...held.map(({ to_at, from_value, to_value }) => ({ at: to_at, line: `held ${from_value} → ${to_value}` })),
    ...notes.map(({ at, kind }) => ({ at, line: kind })),
  ]
  return lines
    .toSorted((a, b) => Number(a.at - b.at))
    .slice(0, 80)
    .map(({ at, line }) => `    ${new Date(Number(at)).toISOString()} ${line}`)
}

function units(value: bigint): Big {
  return new Big(value < 0n ? `-${formatUnits(-value)}` : formatUnits(value))
}

function sum(rows: readonly { readonly from_value: string | null; readonly to_value: string | null }[]): Big {
  return rows.reduce((total, row) => total.plus(row.to_value!).minus(row.from_value!), new Big(0))
}

export function seriesOf({ site, metric, project_id, project_name }: SeriesRow) {
  return { site, metric, projectId: project_id, projectName: project_name }
}
