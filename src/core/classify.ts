/**
 * What a delivery as a whole says about falls and jumps of a site.
 *
 * One series alone cannot tell why it fell: a machine was deleted, or all history of the site was weighted anew. The other
 * series of the site can, those of its other metric among them. What is found here chooses the words an operator reads and
 * whether growth is held; it never makes anything charged. Deliveries may be partial: that a series is absent proves nothing.
 */
import type { Cause } from './causes.ts'
import { isLagging, isSummationNoise, type JumpReason, type SeriesState } from './decide.ts'
import { approximate, compare } from './decimals.ts'
import { hours, JUMP_ALLOWANCE, lastChange, UNEXPLAINED } from './lines.ts'
import { projectKey, type Reading } from './series.ts'

/** A reading beside what was known of its series. */
export interface Step {
  readonly before: SeriesState
  readonly reading: Reading
}

/** What happened to one metric of one site. */
export interface SiteVerdict {
  /** Why its series fell, if any did. */
  readonly fall: Cause
  readonly jump?: Jump
}

/** Why growth is held. */
export interface Jump {
  readonly reason: JumpReason
  readonly cause: Cause
  /** Held is what grew at least by this factor; 1 is all growth. */
  readonly least: number
  /** The project whose total the series took in. */
  readonly other?: string
}

/** From this many series on, what all of them do is no coincidence. */
const ENOUGH_SERIES = 3
/** "All" series: those of a few projects may do something else at the same time. */
const NEARLY_ALL = 0.8
/** So many of a site do not grow beyond belief at the same instant by themselves. */
const MANY = 0.05
/** When totals both fall and jump, so many of a site have to. */
const MANY_BOTH_WAYS = 0.2
/** Factors within this of each other are the same factor. */
const SAME_FACTOR = 0.02
/** What is left of a total when its origin is now. */
const NEAR_ZERO = 0.01
/** Growth beyond this many times the pace: a project that boots machines reaches it, several at one instant do not. */
const BEYOND_BELIEF = 30
/** In a small site: of the total, what both metrics of a project have to jump by. */
const JUMP_OF_TOTAL = 0.05
/** MiB in a GiB. */
const UNIT_RATIO = 1_024
const UNIT_TOLERANCE = 0.05

/** What a changed total did, in approximate numbers. */
interface Move {
  readonly project: string
  /** The new total by the old one. */
  readonly factor: number
  /** Growth by what the pace explains, delays included; 0 for a fall or if nothing is known of the pace. */
  readonly excess: number
}

interface Moves {
  readonly all: readonly Move[]
  readonly fallen: readonly Move[]
  /** Grew by more than `UNEXPLAINED` times what the pace explains. */
  readonly jumped: readonly Move[]
}

/** @param steps All readings of one site in one delivery whose series are known, by their metric. */
export function classify(steps: ReadonlyMap<string, readonly Step[]>): ReadonlyMap<string, SiteVerdict> {
  const moves = new Map([...steps].map(([metric, own]) => [metric, movesOf(own)]))
  const pairs = pairsOf([...moves.values()])
  return new Map([...moves].map(([metric, own]) => [metric, verdict(own, pairs)]))
}

function verdict(moves: Moves, pairs: readonly Pair[]): SiteVerdict {
  const cause = jumpCause(moves, pairs)
  const fall = fallCause(moves, pairs)
  if (cause === undefined) return { fall }
  if (cause !== 'unit switched') return { fall, jump: { reason: 'site jump', cause, least: 1 } }
  // Behind a federation only the series of one of several exporters may be switched.
  const least = isMost(moves.jumped.filter(isNewUnit), moves.all) ? 1 : UNIT_RATIO / 2
  return { fall, jump: { reason: cause, cause, least } }
}

function movesOf(steps: readonly Step[]): Moves {
  const all: Move[] = []
  for (const { before, reading } of steps) {
    const { watermark, pace } = before
    const difference = reading.at > watermark.at ? compare(reading.value, watermark.value) : 0
    if (difference === 0 || watermark.value.digits === 0n) continue
    if (difference < 0 && (isSummationNoise(watermark.value, reading.value) || isLagging(before, reading))) continue
    const total = approximate(watermark.value)
    const value = approximate(reading.value)
    const explained = pace * hours(reading.at - lastChange(before) + JUMP_ALLOWANCE)
    const excess = difference > 0 && explained > 0 ? (value - total) / explained : 0
    all.push({ project: projectKey(reading.series), factor: value / total, excess })
  }
  return {
    all,
    fallen: all.filter(({ factor }) => factor < 1),
    jumped: all.filter(({ excess }) => excess > UNEXPLAINED),
  }
}

/** The moves of a project in two metrics. */
type Pair = readonly [Move, Move]

function pairsOf([first, second]: readonly Moves[]): Pair[] {
  if (first === undefined || second === undefined) return []
  const others = new Map(second.all.map((move) => [move.project, move]))
  return first.all.flatMap((move) => {
    const other = others.get(move.project)
    return other === undefined ? [] : [[move, other] as const]
  })
}

function fallCause({ all, fallen, jumped }: Moves, pairs: readonly Pair[]): Cause {
  if (fallen.length === 0) return 'unknown'
  const share = fallen.length / all.length
  if (isMost(fallen.filter(isOldUnit), fallen) && (fallen.length >= ENOUGH_SERIES || share === 1))
    return 'unit switched'
  if (share >= NEARLY_ALL && fallen.every(({ factor }) => factor <= NEAR_ZERO)) return 'restart'
  const moved = fallen.length + jumped.length
  if (jumped.length > 0 && moved >= ENOUGH_SERIES && moved >= MANY_BOTH_WAYS * all.length) return 're-weighted'
  if (fallen.length < ENOUGH_SERIES || share < MANY) return 'subject removed'
  if (share < NEARLY_ALL) return 'purge'
  return siteCause(fallen, pairs)
}

function jumpCause({ all, fallen, jumped }: Moves, pairs: readonly Pair[]): Cause | undefined {
  if (jumped.length === 0) return undefined
  const switched = jumped.filter(isNewUnit)
  const isEvidence = switched.length >= ENOUGH_SERIES || isMost(switched, all)
  if (isMost(switched, jumped) && isEvidence) return 'unit switched'
  const moved = fallen.length + jumped.length
  const beyondBelief = jumped.filter(({ excess }) => excess > BEYOND_BELIEF)
  if (jumped.length >= ENOUGH_SERIES && isMost(jumped, all)) return siteCause(jumped, pairs)
  if (beyondBelief.length >= ENOUGH_SERIES && beyondBelief.length >= MANY * all.length) return siteCause(jumped, pairs)
  if (fallen.length > 0 && moved >= ENOUGH_SERIES && moved >= MANY_BOTH_WAYS * all.length && beyondBelief.length > 0)
    return 're-weighted'
  return all.length < ENOUGH_SERIES && pairs.some(jumpedAlike) ? 're-weighted' : undefined
}

/** Why most series of a site moved: all by one factor, or cpu and ram of a project alike, or neither. */
function siteCause(moved: readonly Move[], pairs: readonly Pair[]): Cause {
  if (haveSameFactor(moved)) return 're-weighted'
  const projects = new Set(moved.map(({ project }) => project))
  const own = pairs.filter(([{ project }]) => projects.has(project))
  if (own.length === 0) return 'unknown'
  return isMost(own.filter(movedAlike), own) ? 'start moved' : 're-weighted'
}

function movedAlike([first, second]: Pair): boolean {
  return Math.abs(first.factor - second.factor) <= SAME_FACTOR * Math.max(first.factor, second.factor)
}

/** A small site gives no other evidence than that both metrics of a project jump by the same part of their totals. */
function jumpedAlike([first, second]: Pair): boolean {
  const [one, other] = [first.factor - 1, second.factor - 1]
  const isJump = Math.min(first.excess, second.excess) > UNEXPLAINED && Math.min(one, other) > JUMP_OF_TOTAL
  return isJump && Math.abs(one - other) <= SAME_FACTOR * Math.max(one, other)
}

/** In the new unit it also counts what was consumed meanwhile, which is much for a young total. */
function isNewUnit({ factor }: Move): boolean {
  return factor >= UNIT_RATIO * (1 - UNIT_TOLERANCE) && factor <= 2 * UNIT_RATIO
}

function isOldUnit({ factor }: Move): boolean {
  return factor * UNIT_RATIO >= 1 - UNIT_TOLERANCE && factor * UNIT_RATIO <= 2
}

function isMost(some: readonly unknown[], all: readonly unknown[]): boolean {
  return some.length > 0 && some.length >= NEARLY_ALL * all.length
}

/** Whether most factors are one, apart from what was consumed meanwhile. */
function haveSameFactor(moves: readonly Move[]): boolean {
  const factors = moves.map(({ factor }) => factor).sort((a, b) => a - b)
  const middle = factors[Math.floor(factors.length / 2)] ?? 0
  return isMost(
    factors.filter((each) => Math.abs(each - middle) <= SAME_FACTOR * middle),
    factors,
  )
}
