/**
 * What metrics show of each group: credits as they stand, and the forecast that was made last.
 *
 * Prometheus asks more often than thousands of forecasts can be made, so it never waits for them: asking has those that are
 * too old made anew beside other work, and shows what is known. After a start they come within minutes.
 */
import { formatCredits } from './core/credits.ts'
import { approximate, parseDecimal } from './core/decimals.ts'
import { type Clock, type Instant, MINUTE } from './core/time.ts'
import type { ForecastSummary, Forecasts } from './ledger/forecasts.ts'
import type { GroupCredits, LedgerReader } from './ledger/ledger.ts'
import type { GroupNumbers } from './telemetry/metrics.ts'

/** Up to six time series for each: more groups would be too much for most Prometheus servers. */
const MOST_GROUPS = 20_000
/** Groups read at a time, while their forecasts are made. */
const PAGE = 500
/** How long after forecasts were looked through they are again. */
const PERIOD = 5 * MINUTE

export interface GroupMetrics {
  read(): Promise<GroupNumbers>
  /** Resolves when no forecasts are being made. */
  idle(): Promise<void>
}

export interface GroupMetricsOptions {
  readonly ledger: Pick<LedgerReader, 'credits' | 'groups'>
  readonly forecasts: Pick<Forecasts, 'lately' | 'latest'>
  /** Whether forecasts are made at all. */
  readonly withForecasts: boolean
  readonly clock: Clock
  readonly isStopping: () => boolean
}

export function createGroupMetrics({
  ledger,
  forecasts,
  withForecasts,
  clock,
  isStopping,
}: GroupMetricsOptions): GroupMetrics {
  let making: Promise<void> | undefined
  let madeAt: Instant | undefined

  async function make(): Promise<void> {
    let after: string | undefined
    for (let count = 0; count < MOST_GROUPS; count += PAGE) {
      const { rows } = await ledger.groups({ ...(after !== undefined && { after }), limit: PAGE })
      for (const row of rows) {
        if (isStopping()) return
        await forecasts.lately(row)
      }
      after = rows.at(-1)?.group
      if (after === undefined) return
    }
  }

  function makeIfOld(): void {
    const isOld = madeAt === undefined || Math.abs(clock.now() - madeAt) >= PERIOD
    if (!isOld || making !== undefined) return
    // A ledger in trouble is told of by others; it is tried again later.
    making = make()
      .catch(() => undefined)
      .finally(() => {
        making = undefined
        madeAt = clock.now()
      })
  }

  return {
    async read() {
      const { rows, total } = await ledger.credits(MOST_GROUPS).catch(() => ({ rows: [], total: 0 }))
      if (withForecasts) makeIfOld()
      const groups = rows.map((row) => ({ ...numbersOf(row), ...outlookOf(forecasts.latest(row.group)) }))
      return { groups, leftOut: total - rows.length }
    },
    async idle() {
      await making
    },
  }
}

function numbersOf({ group, used, granted }: GroupCredits) {
  return { group, used: Number(formatCredits(used)), granted: numberOf(granted) }
}

/** Perun's text may be no number: then nothing is shown. */
function numberOf(text: string | undefined): number | undefined {
  const number = text === undefined ? undefined : parseDecimal(text)
  return number === undefined ? undefined : approximate(number)
}

function outlookOf(summary: ForecastSummary | undefined) {
  return { burnPerDay: summary?.burnPerDay, runsOut: summary === undefined ? {} : endsOf(summary) }
}

/** Nothing of what is not known or not within ten years; of credits that are used up, when that was seen last. */
function endsOf({ runsOut, until }: ForecastSummary): GroupNumbers['groups'][number]['runsOut'] {
  switch (runsOut.kind) {
    case 'expected':
      return { early: runsOut.early, expected: runsOut.at, late: runsOut.late }
    case 'never':
      return { early: runsOut.early }
    case 'already':
      return { expected: until }
    case 'no grant':
      return {}
  }
}
