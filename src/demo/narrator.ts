/** Tells in plain words what happens in the demo: what was used, what the worker made of it, what Perun shows. */
import { formatCredits, parseCredits } from '../core/credits.ts'
import type { PerunSimulator } from './perun/simulator.ts'

/** What the worker says of a group; the parts told here. */
export interface GroupReport {
  readonly group: string
  readonly used: string
  readonly holds: readonly string[]
}

/** A line for each group that changed since the last look. */
export function createNarrator(perun: Pick<PerunSimulator, 'readAll'>) {
  const last = new Map<string, string>()

  function tell({ group, used, holds }: GroupReport): string[] {
    const before = last.get(group)
    if (before === used) return []
    last.set(group, used)
    const growth = before === undefined ? undefined : parseCredits(used) - parseCredits(before)
    const grew = growth === undefined ? '' : `${growth > 0n ? '+' : ''}${formatCredits(growth)}`
    const state = perun.readAll().find(({ name }) => name === group)
    const shown =
      holds.length > 0
        ? `on hold (${holds.join(', ')}): recorded, not charged`
        : state?.used == null
          ? 'not in Perun yet'
          : `Perun shows ${state.used} of ${state.granted}`
    return [`  ${group.padEnd(18)}${grew.padStart(14)}${used.padStart(16)} credits   ${shown}`]
  }

  return { tell: (reports: readonly GroupReport[]) => reports.flatMap(tell) }
}
