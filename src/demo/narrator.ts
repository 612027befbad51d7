/** Tells in plain words what happens in the demo: what was used, what the worker made of it, what Perun shows. */
import { formatCredits, parseCredits } from '../core/credits.ts'
import type { PerunSimulator } from './perun/simulator.ts'

/** What the worker says of a group; the parts told here. */
export interface GroupReport {
  readonly group: string
  readonly used: string
  readonly holds: readonly string[]
}

/** Holds of groups that are not charged at all: Perun cannot take what they used. */
const ofContact = ['unknown group', 'not assigned', 'no grant']
/** Holds of groups that are charged and published but for what is held. */
const ofGrowth = ['implausible growth', 'unclear after a fall', 'site jump', 'unit switched', 'series merged']

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
    const shown = state?.used == null ? 'not in Perun yet' : `Perun shows ${state.used} of ${state.granted}`
    return [`  ${group.padEnd(18)}${grew.padStart(14)}${used.padStart(16)} credits   ${standing(shown, holds)}`]
  }

  return { tell: (reports: readonly GroupReport[]) => reports.flatMap(tell) }
}

/** What Perun shows of a group and what is held back; where all of it is, what Perun shows means nothing. */
function standing(shown: string, holds: readonly string[]): string {
  if (holds.some((kind) => ofContact.includes(kind))) return `on hold (${holds.join(', ')}): recorded, not charged`
  const growth = holds.filter((kind) => ofGrowth.includes(kind))
  const others = holds.filter((kind) => !ofGrowth.includes(kind))
  const told = [
    ...(growth.length > 0 ? [`some growth on hold (${growth.join(', ')})`] : []),
    ...(others.length > 0 ? [`on hold (${others.join(', ')})`] : []),
  ]
  return [shown, ...told].join(', ')
}
