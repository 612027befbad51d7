/**
 * What must be true of every step of a series, looked at in the commit that made it: exactly what its value grew by is
 * charged or held, or a note says that it fell, came back, or was set to another instant.
 *
 * Held growth is followed as it is extended, cut and withdrawn later, which is why a ledger at rest cannot tell it all.
 */
import Big from 'big.js'
import { describe, type EntryRow, type HeldRow, type NoteRow } from './rows.ts'
import type { Mark } from './seriesOracle.ts'
import type { Verdict } from './story.ts'

/** By so much a watermark may be ahead of the worker's clock. */
const CLOCK_TOLERANCE = 300_000n

/** What a commit did with one series. */
interface Doings {
  charged: Big
  held: Big
  /** Whether held growth was taken back. */
  isWithdrawn: boolean
  /** To be told of only if something is wrong. */
  readonly rows: (EntryRow | HeldRow)[]
  readonly notes: NoteRow[]
}

export class StepOracle {
  readonly #verdict: Verdict
  /** The worker's clock, right or wrong. */
  readonly #clock: { now(): number }
  readonly #held = new Map<string, HeldRow>()
  readonly #withdrawn = new Map<bigint, Big>()
  #doings = new Map<bigint, Doings>()

  constructor(verdict: Verdict, clock: { now(): number }) {
    this.#verdict = verdict
    this.#clock = clock
  }

  /** Begins with what a commit did beside entries. */
  begin(held: readonly HeldRow[], notes: readonly NoteRow[]): void {
    this.#doings = new Map()
    for (const note of notes) this.#of(note.series_id).notes.push(note)
    for (const row of held) this.#lookAtHeld(row)
  }

  #of(series: bigint): Doings {
    const known = this.#doings.get(series)
    if (known !== undefined) return known
    const doings = { charged: new Big(0), held: new Big(0), isWithdrawn: false, rows: [], notes: [] }
    this.#doings.set(series, doings)
    return doings
  }

  #lookAtHeld(row: HeldRow): void {
    const key = `${row.hold_id} ${row.series_id} ${row.from_at} ${row.from_value}`
    const before = this.#held.get(key)
    if (before !== undefined && before.to_value === row.to_value && before.withdrawn === row.withdrawn) return
    this.#held.set(key, row)
    const doings = this.#of(row.series_id)
    const growth = new Big(row.to_value).minus(before?.to_value ?? row.from_value)
    doings.rows.push(row)
    const isTaken = row.withdrawn !== (before?.withdrawn ?? 0n)
    if (growth.lt(0) || isTaken) doings.isWithdrawn = true
    if (growth.gt(0)) doings.held = doings.held.plus(growth)
    if (growth.lt(0)) this.#withdraw(row.series_id, growth.neg())
    if (isTaken && row.isAccepted === 0n) this.#withdraw(row.series_id, new Big(row.to_value).minus(row.from_value))
  }

  #withdraw(series: bigint, growth: Big): void {
    this.#withdrawn.set(series, this.withdrawn(series).plus(growth))
  }

  /** What was held of a series and will never be charged, because the series came back to a line it had left before. */
  withdrawn(series: bigint): Big {
    return this.#withdrawn.get(series) ?? new Big(0)
  }

  /** A charge that is new or has grown, for what its series grew by or for what an operator accepted. */
  charged(row: EntryRow, before: EntryRow | undefined): void {
    if (row.kind !== 'charge' || row.actor !== null) return
    const doings = this.#of(row.series_id!)
    doings.charged = doings.charged.plus(row.to_value!).minus(before?.to_value ?? row.from_value!)
    doings.rows.push(row)
  }

  /** @param before The watermark before the commit, or the first reading of a new series. */
  step(series: bigint, before: Pick<Mark, 'at' | 'value'>, after: Pick<Mark, 'at' | 'value'>, name: string): void {
    const { charged, held, isWithdrawn, rows, notes } = this.#of(series)
    const grown = new Big(after.value).minus(before.value)
    const isNoted = notes.some(({ kind }) => kind === 'recovered' || kind === 'rebased')
    const isSo = isNoted || (isWithdrawn && held.gt(0)) || charged.plus(held).eq(grown)
    this.#verdict.check(isSo, 'every step of a series is charged, held or noted', () =>
      [`${name}: ${before.value} → ${after.value}`, ...rows.map(lineOf)].join('\n    '),
    )
  }

  /** Whether a watermark went back because it was later than the worker's clock allows, with a note that says so. */
  isRedated(series: bigint, before: Pick<Mark, 'at' | 'value'>, after: Pick<Mark, 'at' | 'value'>): boolean {
    const now = BigInt(this.#clock.now())
    const isAhead = before.at > now + CLOCK_TOLERANCE && after.at === now && after.value === before.value
    const instant = new Date(Number(before.at)).toISOString()
    const says = `The watermark ${before.value} at ${instant} was later than our clock`
    return (
      isAhead &&
      this.#of(series).notes.some((note) => note.kind === 'redated' && note.at === now && note.text.startsWith(says))
    )
  }
}

function lineOf(row: EntryRow | HeldRow): string {
  if ('kind' in row) return describe(row)
  return `held ${row.from_value} → ${row.to_value}${row.withdrawn === 1n ? ', withdrawn' : ''}`
}
