/**
 * Weights make large machines count for more than their size: an amount of 28 vCPUs with weight 2 is exported as 56.
 *
 * Tables are dated by when a machine *started*, so machines keep their weights when a new table is added, and all
 * history changes at once when an old table is edited. The real exporter is sent its tables by another service; this file format
 * is ours and described at the top of `weights.toml`.
 */
import type { Instant } from '../../core/time.ts'
import {
  instantOf,
  positiveField,
  readToml,
  type Section,
  tableField,
  tablesField,
  UnusableError,
  wrong,
} from './toml.ts'

/** Weights by size, the sizes ascending. None at all means that every size has weight 1. */
export type Steps = readonly (readonly [size: number, weight: number])[]

export interface WeightTable {
  /** Machines that started at or after this, and before the next table, are weighed with this one. */
  readonly from: Instant
  /** By number of vCPUs. */
  readonly vcpus: Steps
  /** By GiB of RAM. */
  readonly ram: Steps
}

/** Ascending by `from`. */
export type Weights = readonly WeightTable[]

/** @throws {UnusableError} naming the table and the field that cannot be used. */
export function parseWeights(text: string): Weights {
  const tables = tablesField(readToml(text, 'the weights file'), 'weights').map((table, index) =>
    readTable({ table, where: `weights table ${index + 1}` }),
  )
  return tables.sort((a, b) => a.from - b.from)
}

function readTable(section: Section): WeightTable {
  const from = instantOf(section.table.from)
  if (from === undefined) throw wrong(section, 'from', 'a date', section.table.from)
  return { from, vcpus: readSteps(section, 'vcpus'), ram: readSteps(section, 'ram') }
}

function readSteps(section: Section, field: string): Steps {
  const steps: Section = { table: tableField(section, field), where: `"${field}" of ${section.where}` }
  return Object.keys(steps.table)
    .map((size) => [readSize(steps, size), positiveField(steps, size, 1)] as const)
    .sort(([a], [b]) => a - b)
}

function readSize({ where }: Section, text: string): number {
  const size = Number(text)
  if (text.trim() === '' || !(size > 0 && size < Infinity)) {
    throw new UnusableError(`In ${where}: expected sizes such as "28", got "${text}"`)
  }
  return size
}

/** The table for a machine that started at `startedAt`: the last one that began by then, else the first; none if none. */
export function tableFor(weights: Weights, startedAt: Instant): WeightTable | undefined {
  return weights.findLast(({ from }) => from <= startedAt) ?? weights[0]
}

/** The weight of the smallest step that holds `size`; a size above them all has the weight of the largest. */
export function weightOf(steps: Steps, size: number): number {
  const step = steps.find(([limit]) => size <= limit) ?? steps.at(-1)
  return step === undefined ? 1 : step[1]
}
