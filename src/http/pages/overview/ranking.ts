/**
 * The order of all groups by what only forecasts tell: their burn, and when their credits run out. Forecasts of thousands of
 * groups take a while, so the order is made beside other work when somebody asks for it, and is some minutes old.
 */
import { type Clock, type Instant, MINUTE } from '../../../core/time.ts'
import type { ForecastSummary, Forecasts } from '../../../ledger/forecasts.ts'
import type { LedgerReader } from '../../../ledger/ledger.ts'
import type { Logger } from '../../../telemetry/logger.ts'

export type RankedBy = 'burn' | 'runs out'

export interface Ranking {
  /**
   * The names of all groups: the smallest burn first, the one that runs out next first. Groups of which nothing can be told
   * are left out.
   *
   * @returns `undefined` as long as it was never made; asking for it begins that.
   */
  names(by: RankedBy): { readonly names: readonly string[]; readonly madeAt: Instant } | undefined
  /** Resolves when nothing is being made. */
  idle(): Promise<void>
}

/** How old an order may be until it is made again. */
const MAX_AGE = 5 * MINUTE
/** Groups read at a time. */
const PAGE = 500

interface Made {
  readonly at: Instant
  readonly names: Readonly<Record<RankedBy, readonly string[]>>
}

export function createRanking({
  ledger,
  forecasts,
  clock,
  logger,
}: {
  readonly ledger: Pick<LedgerReader, 'groups'>
  readonly forecasts: Pick<Forecasts, 'lately'>
  readonly clock: Clock
  readonly logger: Logger
}): Ranking {
  let made: Made | undefined
  let making: Promise<void> | undefined

  async function make(): Promise<void> {
    try {
      const all = await rank(ledger, forecasts)
      made = { at: clock.now(), names: all }
    } catch (err) {
      // The ledger is in trouble or closed, which others tell. It is tried again when somebody asks.
      logger.debug({ err }, 'Groups could not be put in order')
    } finally {
      making = undefined
    }
  }

  return {
    names(by) {
      if (made === undefined || Math.abs(clock.now() - made.at) > MAX_AGE) making ??= make()
      return made && { names: made.names[by], madeAt: made.at }
    },
    async idle() {
      await making
    },
  }
}

async function rank(
  ledger: Pick<LedgerReader, 'groups'>,
  forecasts: Pick<Forecasts, 'lately'>,
): Promise<Record<RankedBy, string[]>> {
  const burns: [name: string, burn: number][] = []
  const ends: [name: string, at: number][] = []
  let after: string | undefined
  do {
    const { rows } = await ledger.groups({ ...(after !== undefined && { after }), limit: PAGE })
    for (const row of rows) {
      const summary = await forecasts.lately(row)
      if (summary === undefined) continue
      burns.push([row.group, summary.burnPerDay])
      const end = endOf(summary)
      if (end !== undefined) ends.push([row.group, end])
    }
    after = rows.at(-1)?.group
  } while (after !== undefined)
  return { burn: inOrder(burns), 'runs out': inOrder(ends) }
}

/** What runs out at no time comes after what does at some; without a grant nothing can. */
function endOf({ runsOut }: ForecastSummary): number | undefined {
  switch (runsOut.kind) {
    case 'already':
      return Number.NEGATIVE_INFINITY
    case 'expected':
      return runsOut.at
    case 'never':
      return Number.POSITIVE_INFINITY
    case 'no grant':
      return undefined
  }
}

function inOrder(all: readonly (readonly [name: string, value: number])[]): string[] {
  // Infinities minus themselves are no number.
  return all.toSorted(([, one], [, other]) => (one === other ? 0 : one - other)).map(([name]) => name)
}
