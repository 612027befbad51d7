/** What must be true of a series from its first reading to its last one, when nothing happens any more. */
import Big from 'big.js'
import { type Cloud, formatUnits, keyOf, nameOf, type Said, type SimulatedSeries } from './cloud.ts'
import type { Configuration } from './configuration.ts'
import { knownBugs } from './knownBugs.ts'
import { describe, type EntryRow, type HeldRow, type NoteRow, type SeriesRow } from './rows.ts'
import type { Verdict } from './story.ts'

/** A watermark that was seen in the ledger, with what is behind it. */
export interface Mark {
  readonly at: bigint
  readonly value: string
  readonly said: Said | undefined
}

/** All that a ledger holds of a series. */
interface Rows {
  readonly charges: readonly EntryRow[]
  readonly held: readonly HeldRow[]
  readonly notes: readonly NoteRow[]
}

export class SeriesOracle {
  readonly #cloud: Cloud
  readonly #verdict: Verdict
  /** Whether deliveries may have been recorded in part: the process died, or the disk failed. */
  readonly #isCut: boolean

  constructor(cloud: Cloud, verdict: Verdict, { faults }: Configuration) {
    this.#cloud = cloud
    this.#verdict = verdict
    this.#isCut = faults.crash + faults.killsPerHour + faults.disk + faults.diskWindowsPerHour > 0
  }

  rest(row: SeriesRow, seen: readonly Mark[], { charges, held, notes }: Rows): void {
    const series = this.#cloud.find(keyOf(seriesOf(row)))!
    const marks = this.#withOpening(series, seen, notes)
    this.#chain(series, row, charges)
    this.#apart(series, charges)
    this.#covered(series, marks, charges, held, notes)
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
    this.#lowerBound(marks, notes, charged.plus(accepted).plus(waiting), what)
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

  /** A delivery may have brought several readings of a new series: the first one is known by its note only. */
  #withOpening(series: SimulatedSeries, marks: readonly Mark[], notes: readonly NoteRow[]): Mark[] {
    const opened = notes.find(({ kind }) => kind === 'opened')
    const value = /^First reading: (\S+) at/.exec(opened?.text ?? '')?.[1]
    this.#verdict.check(value !== undefined, 'a series begins with a note', () => nameOf(series))
    if (value === undefined || opened!.at === marks[0]!.at) return [...marks]
    const said = this.#cloud.behind(keyOf(series), Number(opened!.at), value)
    this.#verdict.check(said !== undefined, 'a watermark was said by an exporter', () => `${nameOf(series)}: ${value}`)
    return [{ at: opened!.at, value, said }, ...marks]
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

  /** Whatever a value did between two watermarks is charged, held or noted. */
  #covered(
    series: SimulatedSeries,
    marks: readonly Mark[],
    charges: readonly EntryRow[],
    held: readonly HeldRow[],
    notes: readonly NoteRow[],
  ): void {
    for (const [index, mark] of marks.entries()) {
      const before = marks[index - 1]
      if (before === undefined) continue
      const change = new Big(mark.value).cmp(before.value)
      const isWithin = (at: bigint) => at > before.at && at <= mark.at
      const isNoted = notes.some(({ kind, at }) => isWithin(at) && (kind === 'recovered' || kind === 'rebased'))
      const isCharged = charges.some((charge) => charge.from_at! < mark.at && charge.at > before.at)
      const isHeld = held.some((growth) => isWithin(growth.to_at))
      const isSo = change === 0 || isNoted || isHeld || (change > 0 && isCharged)
      const what = () =>
        `${nameOf(series)}: ${before.value} → ${mark.value} at ${new Date(Number(mark.at)).toISOString()}`
      this.#verdict.check(isSo, 'every step of a series is charged, held or noted', () =>
        [what(), ...lifeOf(marks, charges, held, notes)].join('\n'),
      )
    }
  }

  /** Never more than what was consumed and what distortions brought in; a dip that comes back brings nothing. */
  #upperBound(marks: readonly Mark[], charged: Big, what: () => string): void {
    if (returnsPartly(marks) && knownBugs.has('a dip that returns in steps')) return
    const [first, last] = [marks[0]!.said!, marks.at(-1)!.said!]
    const jumped =
      this.#isCut && knownBugs.has('a site jump that is recorded in part') ? last.jumped - first.jumped : 0n
    const consumed = last.truth - first.truth + (last.added - first.added) + jumped
    const lagging = knownBugs.has('a dip that returns in steps') ? laggingFalls(marks) : 0n
    const most = units(consumed + hiddenReturns(marks) + lagging)
    this.#verdict.check(
      charged.lte(most),
      'nothing is charged that was not consumed',
      () => `${what()}, at most ${most}`,
    )
  }

  /** All that was consumed where nothing was distorted: in steps without a fall, without a return and without a jump. */
  #lowerBound(marks: readonly Mark[], notes: readonly NoteRow[], accounted: Big, what: () => string): void {
    if (returnsPartly(marks) && knownBugs.has('a dip that returns in steps')) return
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

/** Whether a value rose, for another reason than growth, to a height where it had not been before. */
function returnsPartly(marks: readonly Mark[]): boolean {
  const heights = new Set<bigint>()
  return marks.some(({ said }, index) => {
    const before = marks[index - 1]?.said
    const height = heightOf(said!)
    const isRise = before !== undefined && height > heightOf(before)
    const isNew = isRise && !heights.has(height)
    heights.add(height)
    return isNew
  })
}

/**
 * A step that returns from a dip by less than a tenth of what it grew cannot be told from growth (`whereabouts` in
 * `src/core/decide.ts`).
 */
function hiddenReturns(marks: readonly Mark[]): bigint {
  let hidden = 0n
  for (const [index, mark] of marks.entries()) {
    const before = marks[index - 1]?.said
    if (before === undefined) continue
    const returned = heightOf(mark.said!) - heightOf(before)
    const grown = mark.said!.truth + mark.said!.offset - before.truth - before.offset
    if (returned > 0n && returned * 10n <= grown) hidden += returned
  }
  return hidden
}

/**
 * An exporter that lags behind counts as a fall when the one that is ahead is silent for ten minutes. What it says next is
 * still behind: a return in steps.
 */
function laggingFalls(marks: readonly Mark[]): bigint {
  let fallen = 0n
  for (const [index, mark] of marks.entries()) {
    const before = marks[index - 1]
    if (before === undefined || mark.at - before.at <= 600_000n) continue
    if (mark.said!.truth < before.said!.truth) fallen += before.said!.truth - mark.said!.truth
  }
  return fallen
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
