/** The tables of the planner (`test/scenarios/planner*.txt`), as what `POST /api/plan` takes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Row, readTable } from './scenarios.ts'

export interface PlannedKind {
  readonly count: string
  readonly sizes: Readonly<Record<string, string>>
  readonly weights: Readonly<Record<string, string>>
  readonly hours_per_day: string
}

export interface Plan {
  readonly row: Row
  readonly machines: readonly PlannedKind[]
}

export function readPlans(name: string): Plan[] {
  const { settings, rows } = readTable(readFileSync(join(import.meta.dirname, '../scenarios', name), 'utf8'))
  const kinds = new Map(settings.map(([, kind, ...sizes]) => [kind!, sizes.map(readSize)]))
  return rows.map((row) => ({ row, machines: row.machines!.split(', ').map((each) => readKind(each, kinds)) }))
}

interface Size {
  readonly meter: string
  readonly amount: string
  readonly weight: string
}

/** `cpu 28 × 2`. */
function readSize(text: string): Size {
  const [meter, amount, , weight] = text.split(' ')
  return { meter: meter!, amount: amount!, weight: weight! }
}

/** `2 small 8 h`. */
function readKind(text: string, kinds: ReadonlyMap<string, readonly Size[]>): PlannedKind {
  const [count, kind, hours] = text.split(' ')
  const sizes = kinds.get(kind!)!
  return {
    count: count!,
    sizes: Object.fromEntries(sizes.map(({ meter, amount }) => [meter, amount])),
    weights: Object.fromEntries(sizes.map(({ meter, weight }) => [meter, weight])),
    hours_per_day: hours!,
  }
}
