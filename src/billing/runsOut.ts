/**
 * Looks at the groups again and again for those whose credits run out within some days, and records a notice of each: once
 * for a grant.
 *
 * A look at all groups reads few of them at a time and pauses after each, so that it keeps nobody waiting.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, DAY, HOUR, SECOND } from '../core/time.ts'
import type { GroupRow, Ledger } from '../ledger/ledger.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { createOutlook } from './outlook.ts'

export interface RunsOutOptions {
  readonly ledger: Pick<Ledger, 'groups' | 'notice'>
  readonly outlookOf: ReturnType<typeof createOutlook>
  /** At least 1. */
  readonly days: number
  /** Whether it is up to this process to look; always if not given. */
  readonly isOurs?: (() => boolean) | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Told when there is a new notice. */
  readonly onNotice: () => void
}

export interface RunsOutWatch {
  start(): void
  /** Looks at all groups once. */
  look(): Promise<void>
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
}

const PERIOD = HOUR
/** The first look comes after the first scrapes. */
const FIRST = 30 * SECOND
/** Groups read at a time, and milliseconds between two of them. */
const PORTION = 20
const BREATH = 10
/** A project that is not measured any more uses nothing, however it went on before. */
const LATEST_READING = 2 * DAY
/** Of fewer days nobody can say how it goes on. */
const FEWEST_DAYS = 3

export function createRunsOutWatch(options: RunsOutOptions): RunsOutWatch {
  const { ledger, outlookOf, days, isOurs = () => true, clock, logger, onNotice } = options
  const stopping = new AbortController()
  let underWay = Promise.resolve()

  async function look(): Promise<void> {
    let after: string | undefined
    for (;;) {
      const { rows } = await ledger.groups({ limit: PORTION, ...(after !== undefined && { after }) })
      for (const row of rows) {
        if (stopping.signal.aborted || !isOurs()) return
        await consider(row)
        await pause(BREATH)
      }
      after = rows.at(-1)?.group
      if (rows.length < PORTION) return
    }
  }

  async function consider(row: GroupRow): Promise<void> {
    if (row.lastReadingAt === undefined || clock.now() - row.lastReadingAt > LATEST_READING) return
    const outlook = await outlookOf(row)
    if (outlook === undefined) return
    const { forecast, granted, used } = outlook
    const { runsOut } = forecast
    const at = clock.now()
    if (forecast.days < FEWEST_DAYS || runsOut.kind !== 'expected' || runsOut.at - at > days * DAY) return
    const isNew = await ledger.notice({ group: row.group, kind: 'runs out', line: days, granted, used, at })
    if (!isNew) return
    logger.info({ group: row.group, days }, 'The credits of a group run out soon')
    onNotice()
  }

  async function repeat(): Promise<void> {
    await pause(FIRST)
    while (!stopping.signal.aborted) {
      const isDue = isOurs()
      if (isDue)
        await look().catch((err: unknown) => logger.error({ err }, 'It could not be seen whose credits run out soon'))
      await pause(isDue ? PERIOD : FIRST)
    }
  }

  function pause(ms: number): Promise<unknown> {
    return sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined)
  }

  return {
    start() {
      underWay = repeat()
    },
    look,
    async stop() {
      stopping.abort()
      await underWay
    },
  }
}
