/** The used credits of all groups, and what they changed by. */
import { printable } from '../cli/printable.ts'
import { table } from '../cli/table.ts'
import { type Credits, formatCredits } from '../core/credits.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Paper } from './program.ts'

export type Totals = ReadonlyMap<string, Credits>

export async function totalsOf(ledger: Pick<Ledger, 'credits'>): Promise<Totals> {
  const { rows } = await ledger.credits(Number.MAX_SAFE_INTEGER)
  return new Map(rows.map(({ group, used }) => [group, used]))
}

export interface Change {
  readonly group: string
  readonly before: Credits
  readonly after: Credits
}

/** Groups whose total is another one, those that changed most first. */
export function changesOf(before: Totals, after: Totals): readonly Change[] {
  const all = [...after].map(([group, used]) => ({ group, before: before.get(group) ?? 0n, after: used }))
  const changed = all.filter((each) => each.before !== each.after)
  return changed.sort((a, b) => Number(b.after - b.before - (a.after - a.before)) || (a.group < b.group ? -1 : 1))
}

export function changeJson({ group, before, after }: Change) {
  return {
    group,
    before: formatCredits(before),
    after: formatCredits(after),
    difference: formatCredits(after - before),
  }
}

export function changesTable(changes: readonly Change[], paper: Pick<Paper, 'width' | 'hasColours'>): string {
  return table<Change>(
    [
      { head: 'group', value: ({ group }) => printable(group), isElastic: true },
      { head: 'used before', value: ({ before }) => formatCredits(before), align: 'right', isExtra: true },
      { head: 'used after', value: ({ after }) => formatCredits(after), align: 'right', isExtra: true },
      { head: 'difference', value: (each) => formatCredits(each.after - each.before), align: 'right' },
    ],
    changes,
    paper,
  )
}
