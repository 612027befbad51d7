/** Groups as pages show them: idle, busy for a year, on hold, corrected, and with names that nobody should choose. */
import { DAY, HOUR, type Instant } from '#src/core/time.ts'
import type { Face } from '../http/server.ts'
import { type Measured, ram } from './billing.ts'

/** A Tuesday, some days before clocks change in Europe. */
export const NOW: Instant = Date.UTC(2026, 2, 24, 15)

/** Readings of a project with two meters, at two sites, each six hours: more on weekdays, more since a month. */
function readingsOf(project: string, days: number): Measured[] {
  const readings: Measured[] = []
  const totals = [0, 0, 0]
  for (let at = NOW - days * DAY; at <= NOW; at += 6 * HOUR) {
    const isWeekend = [0, 6].includes(new Date(at).getUTCDay())
    const pace = (isWeekend ? 0.3 : 1) * (at > NOW - 28 * DAY ? 1.4 : 1)
    readings.push(
      { project, at, value: totals[0]!.toFixed(4), site: '8676' },
      { project, at, value: totals[1]!.toFixed(4), site: '8676', metric: ram.metric },
      { project, at, value: totals[2]!.toFixed(4), site: '9001' },
    )
    totals[0]! += 6 * 4.2 * pace
    totals[1]! += 6 * 16.8 * pace
    totals[2]! += 6 * 1.7 * pace
  }
  return readings
}

export async function withGroup(face: Face, group: string, days: number, granted?: string): Promise<void> {
  await face.record(...readingsOf(group, days))
  const contacts = ['8676', '9001'].map((site) => ({ site, contact: 'active' as const }))
  await face.ledger.settle({ group, at: NOW, contacts, ...(granted !== undefined && { granted }) })
}

export async function correct(face: Face, group: string): Promise<void> {
  const gift = { id: `${group}/gift`, group, kind: 'adjustment', actor: 'erika', reason: 'A gift for <Erika>' } as const
  await face.ledger.settle({
    group,
    at: NOW - 9 * DAY,
    entries: [{ ...gift, amount: -412_500_000n, recordedAt: NOW - 9 * DAY }],
  })
}

export async function hold(face: Face, group: string): Promise<void> {
  const reason = `Perun has no group ${JSON.stringify(group.slice(0, 80))} in this organisation.`
  await face.ledger.settle({
    group,
    at: NOW,
    holds: [{ key: `unknown group/${group}`, kind: 'unknown group', site: '8676', group, reason }],
  })
}
