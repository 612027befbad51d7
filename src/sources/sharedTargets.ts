/**
 * Shares the targets out among the replicas of a ledger, without anybody who decides for all.
 *
 * A target is scraped by whoever has claimed it. Every second a replica looks who is there and who has claimed what. It takes
 * what is free while it has less than its share (`shareOf()`). Who has less and finds nothing free says so by a claim of its
 * own, `WANTED`; only then others give up what they have beyond their share. So a replica counts by what it does: one that
 * still catches up, or stops, neither claims nor wants anything, and leaves no gap.
 *
 * Not every replica may know every target: settings are exchanged one by one. What stays free for a while for such a reason
 * is taken by anybody, share or not.
 *
 * What a replica that ended had claimed is free as soon as the ledger says so, and taken with the next look. If the ledger
 * cannot be asked, nobody scrapes what he has not claimed.
 */
import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { freeTargets, shareOf } from '../core/shares.ts'
import { SECOND } from '../core/time.ts'
import type { Logger } from '../telemetry/logger.ts'
import { targetLabel } from '../telemetry/metrics.ts'
import type { Scraper, Turn, Turns } from './turns.ts'

/** That a name belongs to this process. */
interface Claim {
  /** Aborts when it is lost. */
  readonly lost: AbortSignal
  release(): Promise<void>
}

/** One of those that share. */
interface Peer {
  readonly id: number
  readonly name: string
  readonly state: 'working' | 'gone'
  readonly isSelf: boolean
  /** What it has claimed, of the names that were asked about. */
  readonly claims: readonly string[]
}

export interface SharedTargetsOptions {
  /** Who shares; rejects while that cannot be asked. */
  readonly replicas: {
    claim(name: string): Promise<Claim | undefined>
    /** The oldest first. */
    list(names: readonly string[]): Promise<readonly Peer[]>
  }
  /** The addresses of all targets that there are to share, also before anybody waits for them. */
  readonly urls: () => readonly string[]
  readonly logger: Logger
  /** Resolves after `ms` or once `signal` is aborted; a timer if not given. */
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined
}

export interface SharedTargets extends Turns {
  /** The claim of each target by its name, and the target's address without login and query. */
  claims(): ReadonlyMap<string, string>
  /** To be called once: from then on it is known who scrapes what. */
  start(): void
  /** To be called when no target is scraped any more. */
  stop(): Promise<void>
}

/** Between two looks, in milliseconds. */
export const LOOK = SECOND
/** Looks at which a target was free before anybody takes it. */
export const PATIENCE = 5
/** While the ledger cannot be asked, looks come at growing distances up to this. */
const LONGEST_PAUSE = 8 * SECOND

/** Claimed by a replica that has less than its share. */
export const WANTED = 'a target for me'

/** A target of this process: claimed, or waited for. */
interface Entry {
  readonly label: string
  claim?: Claim
  ending?: AbortController
  /** Who waits for it. */
  waiter?: ((turn: Turn) => void) | undefined
  /** Looks in a row at which nobody had it. */
  freeFor: number
}

export function createSharedTargets({ replicas, urls, logger, wait = timer }: SharedTargetsOptions): SharedTargets {
  const stopping = new AbortController()
  /** By the names of their claims, those first that were claimed first. */
  const entries = new Map<string, Entry>()
  let peers: readonly Peer[] = []
  let wanted: Claim | undefined
  /** Why nobody could be asked, at the last look. */
  let trouble: string | undefined
  let failures = 0
  let running: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look()
        succeeded()
      } catch (error) {
        failed(error)
      }
      await wait(Math.min(LOOK * 2 ** failures, LONGEST_PAUSE), stopping.signal)
    }
  }

  function succeeded(): void {
    if (trouble !== undefined) logger.warn('It is known again who scrapes which target')
    trouble = undefined
    failures = 0
  }

  function failed(error: unknown): void {
    const { message } = error instanceof Error ? error : new Error(String(error))
    const level = message === trouble ? 'debug' : 'warn'
    trouble = message
    failures += 1
    logger[level]({ reason: message }, 'It cannot be found out who scrapes which target: nothing new is scraped')
  }

  async function look(): Promise<void> {
    peers = await replicas.list([...claims().keys(), WANTED])
    const mine = claimed()
    const known = peers.map(({ isSelf, state, claims }) => ({
      isSelf,
      state,
      isAsking: claims.includes(WANTED),
      claims: isSelf ? mine : claims.filter((name) => entries.has(name)),
    }))
    const working = known.filter(({ state }) => state === 'working')
    // Somebody who was taken for dead takes nothing before he is one of them again.
    if (!working.some(({ isSelf }) => isSelf)) return
    const share = shareOf(
      entries.size,
      working.filter(({ isSelf, isAsking, claims }) => isSelf || isAsking || claims.length > 0),
    )
    const free = freeTargets([...entries.keys()].sort(), known)
    for (const [name, entry] of entries) entry.freeFor = free.includes(name) ? entry.freeFor + 1 : 0
    await take(free, share)
    await ask(free.length === 0 && claimed().length < share)
    if (working.some(({ isSelf, isAsking }) => isAsking && !isSelf)) giveUp(claimed().length - share)
  }

  function claims(): ReadonlyMap<string, string> {
    return new Map(urls().map((url) => [claimOf(url), targetLabel(url)]))
  }

  function claimed(): string[] {
    return [...entries].filter(([, { claim }]) => claim !== undefined).map(([name]) => name)
  }

  async function take(free: readonly string[], share: number): Promise<void> {
    const taken: string[] = []
    for (const name of free) {
      const entry = entries.get(name)
      const isLeft = (entry?.freeFor ?? 0) > PATIENCE
      if (stopping.signal.aborted || entry === undefined || !(isLeft || claimed().length < share)) continue
      const claim = await replicas.claim(name)
      if (claim === undefined) continue
      if (begin(name, entry, claim)) taken.push(entry.label)
      else await letGo(claim)
    }
    if (taken.length > 0) logger.info({ targets: taken }, 'This worker scrapes these targets from now on')
  }

  /** Returns whether somebody waits for it still. */
  function begin(name: string, entry: Entry, claim: Claim): boolean {
    const { waiter } = entry
    if (waiter === undefined || claim.lost.aborted || entries.get(name) !== entry) return false
    entries.delete(name)
    const ending = new AbortController()
    const held: Entry = { label: entry.label, freeFor: 0, claim, ending }
    entries.set(name, held)
    const over = () => {
      if (entries.get(name) === held) entries.delete(name)
    }
    claim.lost.addEventListener('abort', over, { once: true })
    waiter({
      lost: claim.lost,
      ending: ending.signal,
      async release() {
        claim.lost.removeEventListener('abort', over)
        over()
        await letGo(claim)
      },
    })
    return true
  }

  async function ask(isShort: boolean): Promise<void> {
    if (wanted?.lost.aborted) wanted = undefined
    if (isShort) wanted ??= await replicas.claim(WANTED)
    else if (wanted !== undefined) {
      const claim = wanted
      wanted = undefined
      await letGo(claim)
    }
  }

  /** Those that were claimed first: one that nobody took, as nobody else knows it, comes last. */
  function giveUp(count: number): void {
    const held = [...entries.values()].filter(({ ending }) => ending !== undefined)
    const given = held.slice(0, Math.max(0, count)).filter(({ ending }) => !ending!.signal.aborted)
    for (const { ending } of given) ending!.abort()
    if (given.length > 0)
      logger.info({ targets: given.map(({ label }) => label) }, 'Another worker scrapes these targets from now on')
  }

  /** A ledger that does not answer drops claims by itself. */
  async function letGo(claim: Claim): Promise<void> {
    await claim.release().catch((err: unknown) => logger.debug({ err }, 'A claim could not be released'))
  }

  function next(url: string, signal: AbortSignal): Promise<Turn | undefined> {
    if (signal.aborted) return Promise.resolve(undefined)
    const name = claimOf(url)
    return new Promise((resolve) => {
      const leave = () => {
        entries.delete(name)
        resolve(undefined)
      }
      signal.addEventListener('abort', leave, { once: true })
      const waiter = (turn: Turn) => {
        signal.removeEventListener('abort', leave)
        resolve(turn)
      }
      entries.set(name, { label: targetLabel(url), freeFor: 0, waiter })
    })
  }

  function scraperOf(url: string): Scraper {
    const name = claimOf(url)
    if (entries.get(name)?.claim !== undefined) return { kind: 'here' }
    if (trouble !== undefined) return { kind: 'nobody', reason: `It cannot be found out who scrapes it: ${trouble}` }
    const other = peers.find(({ isSelf, claims }) => !isSelf && claims.includes(name))
    if (other === undefined) return { kind: 'nobody', reason: 'Nobody has claimed it yet.' }
    return { kind: 'elsewhere', id: other.id, name: other.name }
  }

  return {
    next,
    scraperOf,
    claims,
    start() {
      running = run()
    },
    async stop() {
      stopping.abort()
      await running
      await ask(false)
    },
  }
}

/** An address may hold a login, which is nobody's business; and it may be written in several ways. */
function claimOf(url: string): string {
  return `target ${hash('sha256', URL.parse(url)?.href ?? url)}`
}

async function timer(ms: number, signal: AbortSignal): Promise<void> {
  // Being stopped is the only way that this fails.
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
