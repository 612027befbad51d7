/** What the totals of a site did in one delivery, in approximate numbers. */
import { isLagging, isSummationNoise, type SeriesState } from './decide.ts'
import { approximate, compare } from './decimals.ts'
import { hours, isAtRest, JUMP_ALLOWANCE, lastChange, UNEXPLAINED } from './lines.ts'
import { projectKey, type Reading } from './series.ts'

/** A reading beside what was known of its series. */
export interface Step {
  readonly before: SeriesState
  readonly reading: Reading
}

/** What a total did. */
export interface Move {
  readonly step: Step
  /** The new total by the old one. */
  readonly factor: number
  /**
   * Growth by what the pace explains, delays included; boundless for a series that never grew and was at rest; absent for a
   * fall or if nothing is known of the pace.
   */
  readonly excess?: number
}

export interface Moves {
  /** Those of totals that changed. */
  readonly all: readonly Move[]
  readonly still: readonly Move[]
  readonly fallen: readonly Move[]
  /** Grew by more than `UNEXPLAINED` times what the pace explains. */
  readonly jumped: readonly Move[]
  /** Of totals that were zero: they have no factor that says anything. */
  readonly begun: readonly Step[]
}

/** The moves of a project in one metric and in another one. */
export type Pair = readonly [own: Move, other: Move]

export const noMoves: Moves = { all: [], still: [], fallen: [], jumped: [], begun: [] }

export function movesOf(steps: readonly Step[]): Moves {
  const moves = new MovesSoFar()
  for (const step of steps) moves.add(step)
  return moves
}

/** The moves of steps that are looked at one after another. */
export class MovesSoFar implements Moves {
  readonly all: Move[] = []
  readonly still: Move[] = []
  readonly fallen: Move[] = []
  readonly jumped: Move[] = []
  readonly begun: Step[] = []

  add(step: Step): void {
    const { watermark, pace } = step.before
    const { reading } = step
    if (reading.at <= watermark.at) return
    const difference = compare(reading.value, watermark.value)
    if (watermark.value.digits === 0n) {
      if (difference > 0) this.begun.push(step)
      return
    }
    const isStill = difference === 0 || (difference < 0 && isSummationNoise(watermark.value, reading.value))
    if (isStill) this.still.push({ step, factor: 1 })
    if (isStill || (difference < 0 && isLagging(step.before, reading))) return
    const total = approximate(watermark.value)
    const value = approximate(reading.value)
    const explained = pace * hours(reading.at - lastChange(step.before) + JUMP_ALLOWANCE)
    const isExcess = difference > 0 && (explained > 0 || isAtRest(step.before))
    const factor = value / total
    const move = isExcess ? { step, factor, excess: (value - total) / explained } : { step, factor }
    this.all.push(move)
    if (factor < 1) this.fallen.push(move)
    if ((move.excess ?? 0) > UNEXPLAINED) this.jumped.push(move)
  }
}

/** Those of moves that have a partner. */
export function pairsOf(own: readonly Move[], other: Moves): Pair[] {
  if (own.length === 0) return []
  // Names are cheaper to compare than keys, and mostly few projects of many are asked about.
  const names = new Set(own.map(nameOf))
  const others = new Map<string, Move>()
  for (const moves of [other.all, other.still])
    for (const move of moves) if (names.has(nameOf(move))) others.set(projectOf(move), move)
  return own.flatMap((move) => {
    const partner = others.get(projectOf(move))
    return partner === undefined ? [] : [[move, partner] as const]
  })
}

function nameOf({ step }: Move): string {
  return step.reading.series.projectName
}

export function projectOf({ step }: Pick<Move, 'step'>): string {
  return projectKey(step.reading.series)
}
