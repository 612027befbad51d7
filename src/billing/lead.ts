/**
 * The lead: of the replicas of a ledger, one does what only one may do. All of them try to claim it all the time, so another
 * one has it within seconds when it is released or lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock, Instant } from '../core/time.ts'
import type { Replicas } from '../ledger/replicas.ts'
import type { Logger } from '../telemetry/logger.ts'
import { awaitTurn } from './turn.ts'

/** The name of its claim. */
export const LEAD = 'lead'

export interface LeadOptions {
  readonly replicas: Pick<Replicas, 'claim' | 'isMember'>
  readonly clock: Clock
  readonly logger: Logger
  /** Resolves after `ms` or once `signal` is aborted; a timer if not given. */
  readonly wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined
}

export interface Lead {
  /**
   * Whether this process may do what only one may do. To be asked at once before each step of it: a process that was paused
   * learns only by that that another one has the lead by now.
   */
  isHeld(): boolean
  /** Since when; `undefined` while it is not held. */
  readonly since: Instant | undefined
  /** To be called once. */
  start(): void
  /** Lets another one have it. To be called when nothing of its work is under way any more. */
  stop(): Promise<void>
}

export function createLead({ replicas, clock, logger, wait = timer }: LeadOptions): Lead {
  const stopping = new AbortController()
  const { signal } = stopping
  let held: { readonly lost: AbortSignal; readonly since: Instant } | undefined
  let said: string | undefined
  let running: Promise<void> = Promise.resolve()

  function tell(trouble: string | undefined): void {
    if (trouble !== undefined)
      logger[trouble === said ? 'debug' : 'warn']({ reason: trouble }, 'The lead cannot be claimed')
    said = trouble
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const claim = await awaitTurn({ claims: replicas, name: LEAD, wait, onWait: tell }, signal)
      if (claim === undefined) return
      tell(undefined)
      held = { lost: claim.lost, since: clock.now() }
      logger.info('This worker has the lead: it tells people and looks after Perun')
      await aborted(AbortSignal.any([claim.lost, signal]))
      held = undefined
      if (claim.lost.aborted) logger.warn('This worker has lost the lead')
      await claim.release().catch((err: unknown) => logger.debug({ err }, 'The lead could not be released'))
    }
  }

  return {
    isHeld: () => held?.lost.aborted === false && replicas.isMember(),
    get since() {
      return held?.since
    },
    start() {
      running = run()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function timer(ms: number, signal: AbortSignal): Promise<void> {
  // Being stopped is the only way that this fails.
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
