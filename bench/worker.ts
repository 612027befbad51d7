/** The parts of a worker between readings and Perun, in this process and joined as `src/worker.ts` joins them. */
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import { createLanes } from '#src/billing/lanes.ts'
import type { Clock } from '#src/core/time.ts'
import { openSqliteLedger, type SqliteOptions } from '#src/ledger/sqlite/ledger.ts'
import { createOutbox } from '#src/publish/outbox.ts'
import { createPerunPublisher } from '#src/publish/perun/publisher.ts'
import { createPerunRpc } from '#src/publish/perun/rpc.ts'
import { lanesFor } from '#src/worker.ts'
import { names } from './perun.ts'
import { readings } from './readings.ts'

export interface AssemblyOptions extends Pick<SqliteOptions, 'onCommit'> {
  readonly path: string
  readonly perun: { readonly url: string; readonly login: string; readonly password: string; readonly voId: number }
  /** As `OS_CREDITS_WORKERS`. */
  readonly workers: number
  /** As `OS_CREDITS_PERUN_MAX_AGE`, in milliseconds. */
  readonly maxAge: number
  readonly clock: Clock
  readonly onWrite?: (secondsSinceRead: number) => void
  readonly onPublished?: () => void
}

export function assemble({ path, perun, workers, maxAge, clock, onWrite, onCommit, onPublished }: AssemblyOptions) {
  const logger = pino({ level: 'silent' })
  const ledger = openSqliteLedger(path, { ...(onCommit !== undefined && { onCommit }) })
  const rpc = createPerunRpc({ ...perun, timeout: 30_000, connections: workers + 2 })
  const lanes = createLanes({ workers: lanesFor({ workers }), work: (group) => outbox.work(group) })
  const publisher = createPerunPublisher({
    rpc,
    ledger,
    voId: perun.voId,
    names,
    maxAge,
    precision: 2,
    clock,
    logger,
    demand: () => lanes.waiting,
    writers: workers,
    ...(onWrite !== undefined && { onWrite }),
  })
  const outbox = createOutbox({
    ledger,
    publisher,
    lanes: () => lanes,
    clock,
    logger,
    onPublished: (outcome) => outcome === 'written' && onPublished?.(),
  })
  const intake = createIntake({ ...readings.billing, clock, ledger, logger, onChanged: outbox.wake })
  return {
    ledger,
    lanes,
    outbox,
    intake,
    async close(): Promise<void> {
      outbox.stop()
      await lanes.stop()
      await publisher.close()
      await ledger.close()
    },
  }
}

/** A clock that runs with the real one, and can be moved on: hours of a made-up site pass in seconds. */
export function createLeapingClock(start: number): Clock & { leap(ms: number): void } {
  const begun = performance.now()
  let leapt = 0
  return {
    now: () => Math.round(start + leapt + performance.now() - begun),
    leap(ms) {
      leapt += ms
    },
  }
}
