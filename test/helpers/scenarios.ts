/**
 * Runs scenario tables (`test/scenarios/*.txt`): what exporters showed, line by line, and what came of it.
 *
 * Columns are named by the first line and separated by two or more blanks; `#` begins a remark. A `+` instead of a time
 * puts a line into the same delivery as the line above. Each delivery goes the way of a scrape: sample → reading → intake →
 * ledger. `used` is the total of the line's project after the delivery, in credits.
 */
import type { Outcome } from '#src/billing/biller.ts'
import { createIntake } from '#src/billing/intake.ts'
import { admit, noRejections } from '#src/core/admit.ts'
import { formatCredits } from '#src/core/credits.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Meter, Meters } from '#src/core/meters.ts'
import type { Reading } from '#src/core/series.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { cpu, ram, silent, T0, testClock } from './billing.ts'

export type Row = Readonly<Record<string, string>>

/** What one delivery came to: its decisions, sorted, and the totals of its projects. */
export interface Came {
  readonly at: string
  readonly decisions: readonly string[]
  readonly used: readonly string[]
}

const metrics: Record<string, string> = { cpu: cpu.metric, ram: ram.metric }

/** The rows of a table by the names of its columns, and its settings (`@ name  value`). */
export function readTable(text: string): { settings: string[][]; rows: Row[] } {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim())
  const cells = lines.filter((line) => line !== '').map((line) => line.split(/\s{2,}/))
  const settings = cells
    .filter(([first]) => first!.startsWith('@ '))
    .map(([first, ...rest]) => [first!.slice(2), ...rest])
  const [columns = [], ...rows] = cells.filter(([first]) => !first!.startsWith('@ '))
  return {
    settings,
    rows: rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? '']))),
  }
}

export async function runScenario(text: string): Promise<{ expected: Came[]; came: Came[] }> {
  const { settings, rows } = readTable(text)
  const ledger = openSqliteLedger(':memory:')
  const meters: Meters = new Map([cpu, ram].map((each) => [each.metric, configured(each, settings)]))
  const listed = settings.find(([name]) => name === 'whitelist')?.slice(1)
  const whitelist = listed === undefined ? undefined : new Set(listed)
  const clock = testClock()
  let outcomes: Partial<Record<Outcome, number>> = {}
  let kinds = new Set<string>()
  const intake = createIntake({
    maxSeries: 10_000,
    ledger: {
      ...ledger,
      record: (series, decide) =>
        ledger.record(series, (stored) => {
          const recording = decide(stored)
          kinds = new Set(recording.holds.map(({ kind }) => kind))
          return recording
        }),
    },
    meters,
    clock,
    logger: silent,
    onBilled: (billed) => {
      outcomes = billed.outcomes
    },
    onChanged: () => {},
  })
  const deliveries: Row[][] = []
  for (const row of rows) row.at === '+' ? deliveries.at(-1)!.push(row) : deliveries.push([row])
  const [expected, came]: [Came[], Came[]] = [[], []]
  for (const delivery of deliveries) {
    const at = instant(delivery[0]!.at!)
    clock.at = instant(delivery[0]!.clock ?? delivery[0]!.at!)
    const admitted = delivery.map((row) =>
      admit({ ...toSample(row), at }, { meters, whitelist, labels: new Map(), site: '8676', at }),
    )
    const readings = admitted.filter((each): each is Reading => typeof each === 'object')
    const rejected = admitted.filter((each) => typeof each === 'string') as string[]
    outcomes = {}
    kinds = new Set()
    await intake.take({ id: 'line', source: 'table', receivedAt: clock.at, readings, rejected: noRejections() })
    const names = Object.entries(outcomes).map(
      ([name, count]) => [name === 'held' ? `held: ${[...kinds].join(', ')}` : name, count] as const,
    )
    const decisions = [...rejected, ...names.flatMap(([name, count]) => Array<string>(count).fill(name))]
    const used = async (row: Row) => formatCredits((await ledger.account(project(row)))?.used ?? 0n)
    came.push({ at: delivery[0]!.at!, decisions: decisions.sort(), used: await Promise.all(delivery.map(used)) })
    expected.push({
      at: delivery[0]!.at!,
      decisions: delivery.map((row) => row.decision!).sort(),
      used: delivery.map((row) => row.used!),
    })
  }
  await ledger.close()
  return { expected, came }
}

function configured(meter: Meter, settings: readonly string[][]): Meter {
  const own = settings.filter(([, name]) => name === meter.name)
  const prices = own
    .filter(([what]) => what === 'price')
    .map(([, , perUnit, from]) => ({
      version: `${meter.name}@${from ?? 'always'}`,
      from: from === undefined ? Number.NEGATIVE_INFINITY : instant(from),
      perUnit: decimal(perUnit!),
    }))
  const limit = own.find(([what]) => what === 'limit')?.[2]
  return {
    ...meter,
    prices: prices.length === 0 ? meter.prices : prices,
    maxGrowthPerHour: limit === undefined ? meter.maxGrowthPerHour : decimal(limit),
  }
}

function toSample(row: Row) {
  const labels = new Map([
    ['project_name', project(row)],
    ['project_id', row.id ?? ''],
    ['location_id', row.site ?? ''],
    ['instance', row.from ?? ''],
  ])
  return { metric: metrics[row.meter ?? 'cpu'] ?? row.meter!, labels, value: row.value! }
}

function project(row: Row): string {
  return row.project ?? 'alpha'
}

/** `26:30`: 26 hours and a half after the start. */
function instant(text: string): number {
  const [hours, minutes, seconds = '0'] = text.split(':')
  return T0 + Number(hours) * HOUR + Number(minutes) * MINUTE + Number(seconds) * 1_000
}
