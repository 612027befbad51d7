/** What a replay came to, for people and for programs: with other prices, both side by side. */
import { printable } from '../../cli/printable.ts'
import { type Column, table } from '../../cli/table.ts'
import { type Credits, formatCredits } from '../../core/credits.ts'
import { formatInstant } from '../../core/time.ts'
import type { Paper } from '../program.ts'
import type { Recording } from './recording.ts'
import type { Replayed } from './replay.ts'

interface Row {
  readonly group: string
  readonly used: Credits
  /** With the other prices, if there are any. */
  readonly other: Credits
}

function rowsOf({ used }: Replayed, other: Replayed | undefined): Row[] {
  const rows = [...used].map(([group, credits]) => ({ group, used: credits, other: other?.used.get(group) ?? 0n }))
  return rows.sort((a, b) => Number(b.used - a.used) || (a.group < b.group ? -1 : 1))
}

export function describeReplay(
  recordings: readonly Recording[],
  result: Replayed,
  other: Replayed | undefined,
  paper: Pick<Paper, 'width' | 'hasColours'>,
): string {
  const [first, last] = [recordings[0]!, recordings.at(-1)!]
  const readings = recordings.reduce((sum, each) => sum + each.readings.length, 0)
  const outcomes = Object.entries(result.outcomes).map(([name, count]) => `${count} ${name}`)
  const remarks = result.notes.filter(({ kind }) => kind !== 'opened')
  const lines = [
    `${counted(recordings.length, 'recording')} from ${formatInstant(first.at)} until ${formatInstant(last.at)}, ${counted(readings, 'reading')}: ${outcomes.join(', ')}`,
    ...describeRejected(recordings),
    '',
    creditsTable(rowsOf(result, other), other !== undefined, paper),
    ...remarks.map(
      ({ at, group, kind, text }) => `${formatInstant(at)} ${printable(group)} ${kind}: ${printable(text)}`,
    ),
    ...result.holds.map(({ kind, reason }) => `held (${kind}): ${printable(reason)}`),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

function counted(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}

/** Lines about other metrics are no matter. */
function describeRejected(recordings: readonly Recording[]): string[] {
  const counts: Record<string, number> = {}
  for (const { rejected } of recordings)
    for (const [reason, count] of Object.entries(rejected)) counts[reason] = (counts[reason] ?? 0) + count
  const told = Object.entries(counts).filter(([reason, count]) => count > 0 && reason !== 'unknown metric')
  const hint = told.some(([reason]) => reason === 'incomplete') ? ' (no project or site: --site names one)' : ''
  return told.length === 0 ? [] : [`left out: ${told.map(([reason, count]) => `${count} ${reason}`).join(', ')}${hint}`]
}

function creditsTable(rows: readonly Row[], hasOther: boolean, paper: Pick<Paper, 'width' | 'hasColours'>): string {
  const columns: Column<Row>[] = [
    { head: 'group', value: ({ group }) => printable(group), isElastic: true },
    { head: 'credits', value: ({ used }) => formatCredits(used), align: 'right' },
  ]
  const others: Column<Row>[] = [
    { head: 'other prices', value: ({ other }) => formatCredits(other), align: 'right' },
    { head: 'difference', value: ({ used, other }) => formatCredits(other - used), align: 'right' },
  ]
  return table([...columns, ...(hasOther ? others : [])], rows, paper)
}

export function replayJson(recordings: readonly Recording[], result: Replayed, other: Replayed | undefined): string {
  return JSON.stringify({
    recordings: recordings.map(({ path, at, readings, rejected }) => {
      return { path, at: formatInstant(at), readings: readings.length, rejected }
    }),
    outcomes: result.outcomes,
    groups: rowsOf(result, other).map(({ group, used, other: with_ }) => ({
      ...{ group, credits: formatCredits(used) },
      ...(other !== undefined && { other_prices: formatCredits(with_), difference: formatCredits(with_ - used) }),
    })),
    notes: result.notes.map(({ at, group, kind, series, text }) => {
      return { at: formatInstant(at), group, kind, site: series.site, metric: series.metric, text }
    }),
    holds: result.holds.map(({ kind, site, group = null, reason, growths }) => {
      return { kind, site, group, reason, growths: growths.length }
    }),
  })
}
