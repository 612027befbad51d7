/** Feeds recordings into a scratch ledger, as scrapes at their times. */
import type { Settings } from '../../config/settings.ts'
import { noRejections } from '../../core/admit.ts'
import type { Meters } from '../../core/meters.ts'
import { inPortions } from '../../core/portions.ts'
import type { Instant } from '../../core/time.ts'
import type { HeldGrowth, Ledger, Note, StoredHold } from '../../ledger/ledger.ts'
import { newTaskId } from '../../telemetry/context.ts'
import { type Totals, totalsOf } from '../totals.ts'
import { openWorkbench, type Workbench } from '../workbench.ts'
import type { Recording } from './recording.ts'

export interface Replayed {
  readonly used: Totals
  readonly outcomes: Workbench['outcomes']
  readonly notes: readonly (Note & { readonly group: string })[]
  readonly holds: readonly (StoredHold & { readonly growths: readonly HeldGrowth[] })[]
}

/** Of notes of a group and growths of a hold. */
const MOST = 1_000

/**
 * @param path Where the scratch ledger is kept: a new file, or `:memory:`.
 * @throws {LedgerError}
 */
export async function replay(
  recordings: readonly Recording[],
  settings: Settings,
  meters: Meters,
  path: string,
): Promise<Replayed> {
  let now: Instant = 0
  const { ledger, take, outcomes } = await openWorkbench({ kind: 'sqlite', path }, settings, meters, { now: () => now })
  try {
    for (const { at, readings } of recordings.toSorted((a, b) => a.at - b.at)) {
      now = at
      // Whoever reads a recording that holds several instants wants each of them to count.
      for (const portion of inPortions(readings)) {
        now = Math.max(at, portion.at(-1)?.at ?? at)
        await take({
          id: newTaskId('replay'),
          source: 'replay',
          receivedAt: now,
          readings: portion,
          rejected: noRejections(),
        })
      }
    }
    return { ...(await resultOf(ledger)), outcomes }
  } finally {
    await ledger.close()
  }
}

async function resultOf(ledger: Ledger): Promise<Omit<Replayed, 'outcomes'>> {
  const used = await totalsOf(ledger)
  const notes: Replayed['notes'][number][] = []
  for (const group of used.keys()) for (const note of await ledger.notes(group, MOST)) notes.push({ ...note, group })
  const holds: Replayed['holds'][number][] = []
  for (const hold of await ledger.holds({ filter: 'all', limit: MOST }))
    holds.push({ ...hold, growths: await ledger.heldGrowths(hold.id, MOST) })
  return { used, notes: notes.sort((a, b) => a.at - b.at), holds }
}
