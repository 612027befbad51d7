/**
 * What a delivery as a whole says about falls and jumps of a site.
 *
 * One series alone cannot tell why it fell: a machine was deleted, or all history of the site was weighted anew. The other
 * series of the site can, those of its other metric among them. What is found here chooses the words an operator reads and
 * whether growth is held; it never makes anything charged. Deliveries may be partial: that a series is absent proves nothing.
 */
import type { Cause } from './causes.ts'
import type { JumpReason } from './decide.ts'
import type { HeldJump } from './interrupted.ts'
import { UNEXPLAINED } from './lines.ts'
import { type Move, type Moves, movesOf, noMoves, type Pair, pairsOf, projectOf, type Step } from './moves.ts'
import { doubtful, isSmallSite, type SmallSites } from './smallSite.ts'

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
  /** Held are only the series of these projects, by `projectKey`. */
  readonly only?: ReadonlySet<string>
  /** The project whose total the series took in. */
  readonly other?: string
  /** The jump of the site that this is the rest of. */
  readonly begun?: HeldJump
}

/** From this many series on, what all of them do is no coincidence. */
const ENOUGH_SERIES = 3
/** "All" series: those of a few projects may do something else at the same time. */
const NEARLY_ALL = 0.8
/** So many of a site do not grow beyond belief at the same instant by themselves. */
const MANY = 0.05
/** So many do not grow by several times their pace at the same instant by themselves. */
const MANY_TOGETHER = 0.3
/** When totals both fall and jump, so many of a site have to. */
const MANY_BOTH_WAYS = 0.2
/** Factors within this of each other are the same factor. */
const SAME_FACTOR = 0.02
/** What is left of a total when its origin is now. */
const NEAR_ZERO = 0.01
/** Growth beyond this many times the pace: a project that boots machines reaches it, several at one instant do not. */
const BEYOND_BELIEF = 30
/** A machine with much of one thing and little of the other moves the two totals of a project by up to this. */
const LOPSIDED = 20
/** MiB in a GiB. */
const UNIT_RATIO = 1_024
const UNIT_TOLERANCE = 0.05

/** @param steps All readings of one site in one delivery whose series are known, by their metric. */
export function classify(
  steps: ReadonlyMap<string, readonly Step[]>,
  smallSites: SmallSites = 'hold',
): ReadonlyMap<string, SiteVerdict> {
  return classifyMoves(new Map([...steps].map(([metric, own]) => [metric, movesOf(own)])), smallSites)
}

/** The same of what is known to have moved. */
export function classifyMoves(
  moves: ReadonlyMap<string, Moves>,
  smallSites: SmallSites = 'hold',
): ReadonlyMap<string, SiteVerdict> {
  return new Map(
    [...moves].map(([metric, own]) => {
      const other = [...moves].find(([name]) => name !== metric)?.[1] ?? noMoves
      return [metric, verdict(own, other, smallSites === 'hold' && isSmallSite(own))]
    }),
  )
}

/**
 * @param other What another metric of the site did meanwhile.
 * @param isStrict Whether only what a pace explains is believed.
 */
function verdict(own: Moves, other: Moves, isStrict: boolean): SiteVerdict {
  const isOtherFalling = isMany(other.fallen, other.all) && !isMost(other.fallen.filter(isOldUnit), other.fallen)
  const isQuiet = own.fallen.length + own.jumped.length === 0 && !isOtherFalling
  if (isQuiet && !isStrict) return { fall: 'unknown', ...switchedOnly(own) }
  // Of a project that just goes on, its other total matters only if that fell with many.
  const pairs = pairsOf(isOtherFalling ? own.all : [...own.fallen, ...own.jumped], other)
  const fall = fallCause(own, pairs)
  const cause = jumpCause(own, pairs)
  if (cause === 'unit switched') return { fall, ...switchedOnly(own) }
  if (cause !== undefined) return { fall, jump: { reason: 'site jump', cause, least: 1 } }
  // What moved all of one metric moved some of this one.
  const isRecomputed = isOtherFalling || isSiteJump(jumpCause(other, []))
  if (isRecomputed && own.jumped.length > 0)
    return { fall, jump: { reason: 'site jump', cause: 're-weighted', least: 1 } }
  const only = isStrict ? doubtful(own, isOfUnit(other) ? noMoves : other) : suspects(pairs, isOtherFalling)
  return only.size === 0 ? { fall } : { fall, jump: { reason: 'implausible growth', cause: 'unknown', least: 1, only } }
}

/** Whether a metric moved only because another unit is counted. */
function isOfUnit(moves: Moves): boolean {
  return jumpCause(moves, []) === 'unit switched' || fallCause(moves, []) === 'unit switched'
}

/** The projects whose two totals say that they were recomputed, though the site was not. */
function suspects(pairs: readonly Pair[], isOtherFalling: boolean): ReadonlySet<string> {
  const isSuspect = ([own, other]: Pair) => own.factor > 1 && other.factor < 1 && isOtherFalling
  return new Set(pairs.filter((pair) => isSuspect(pair) || isLopsided(pair)).map(([own]) => projectOf(own)))
}

function isSiteJump(cause: Cause | undefined): boolean {
  return cause !== undefined && cause !== 'unit switched'
}

/** The jump of series that were switched to another unit, if those of the site were. */
function switchedOnly(moves: Moves): Pick<SiteVerdict, 'jump'> {
  if (jumpCause(moves, []) !== 'unit switched') return {}
  // Behind a federation only the series of one of several exporters may be switched.
  const least = isMost(moves.all.filter(isNewUnit), moves.all) ? 1 : UNIT_RATIO / 2
  return { jump: { reason: 'unit switched', cause: 'unit switched', least } }
}

function fallCause({ all, fallen, jumped }: Moves, pairs: readonly Pair[]): Cause {
  if (fallen.length === 0) return 'unknown'
  const share = fallen.length / all.length
  if (isMost(fallen.filter(isOldUnit), fallen) && (fallen.length >= ENOUGH_SERIES || share === 1))
    return 'unit switched'
  const begunAnew = fallen.filter(({ factor }) => factor <= NEAR_ZERO)
  if (share >= NEARLY_ALL && isMost(begunAnew, fallen)) return 'restart'
  const moved = fallen.length + jumped.length
  if (jumped.length > 0 && moved >= ENOUGH_SERIES && moved >= MANY_BOTH_WAYS * all.length) return 're-weighted'
  if (!isMany(fallen, all)) return 'subject removed'
  if (share < NEARLY_ALL) return 'purge'
  return siteCause(fallen, pairs)
}

function jumpCause({ all, fallen, jumped }: Moves, pairs: readonly Pair[]): Cause | undefined {
  const switched = all.filter(isNewUnit)
  const isEvidence = switched.length >= ENOUGH_SERIES || isMost(switched, all)
  if (isMost(switched, [...new Set([...switched, ...jumped])]) && isEvidence) return 'unit switched'
  const moved = fallen.length + jumped.length
  const beyondBelief = jumped.filter(({ excess = 0 }) => excess > BEYOND_BELIEF)
  if (jumped.length >= ENOUGH_SERIES && jumped.length >= MANY_TOGETHER * all.length) return siteCause(jumped, pairs)
  if (isMany(beyondBelief, all)) return siteCause(jumped, pairs)
  if (fallen.length > 0 && moved >= ENOUGH_SERIES && moved >= MANY_BOTH_WAYS * all.length && beyondBelief.length > 0)
    return 're-weighted'
  return undefined
}

/** Why most series of a site moved: all by one factor, or cpu and ram of a project alike, or neither. */
function siteCause(moved: readonly Move[], pairs: readonly Pair[]): Cause {
  if (haveSameFactor(moved)) return 're-weighted'
  const moves = new Set(moved)
  const own = pairs.filter(([move]) => moves.has(move))
  if (own.length === 0) return 'unknown'
  return isMost(own.filter(movedAlike), own) ? 'start moved' : 're-weighted'
}

function movedAlike([first, second]: Pair): boolean {
  return Math.abs(first.factor - second.factor) <= SAME_FACTOR * Math.max(first.factor, second.factor)
}

/** Machines always consume of both: a total that jumps while the other one of its project falls or goes on is recomputed. */
function isLopsided([own, other]: Pair): boolean {
  const excess = own.excess ?? 0
  if (excess <= UNEXPLAINED) return false
  return other.factor <= 1 || (other.excess !== undefined && other.excess * LOPSIDED < excess)
}

/** In the new unit it also counts what was consumed meanwhile, which is much for a young total. */
function isNewUnit({ factor }: Move): boolean {
  return factor >= UNIT_RATIO * (1 - UNIT_TOLERANCE) && factor <= 2 * UNIT_RATIO
}

function isOldUnit({ factor }: Move): boolean {
  return factor * UNIT_RATIO >= 1 - UNIT_TOLERANCE && factor * UNIT_RATIO <= 2
}

function isMany(some: readonly unknown[], all: readonly unknown[]): boolean {
  return some.length >= ENOUGH_SERIES && some.length >= MANY * all.length
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
