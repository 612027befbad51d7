/** What a backfill came to, for people and for programs. */
import { printable } from '../../cli/printable.ts'
import { formatInstant, type Instant } from '../../core/time.ts'
import type { Paper } from '../program.ts'
import { changeJson, changesTable } from '../totals.ts'
import type { Backfilled } from './backfill.ts'

/** Groups that are named; programs get all. */
const MOST_NAMED = 20

interface Facts {
  readonly isDryRun: boolean
  readonly wasStopped: boolean
}

export function describeBackfill(result: Backfilled, { isDryRun, wasStopped }: Facts, paper: Paper): string {
  const { after, upTo, readings, changes, missing, holds } = result
  if (after === undefined || upTo === undefined)
    return 'There is nothing to be read: the ledger ends where the period does.\n'
  const lines = [
    `${isDryRun ? 'Dry run: nothing was changed. ' : ''}${readings.toLocaleString('en')} readings from ${formatInstant(after)} until ${formatInstant(upTo)}`,
    ...(changes.length === 0 ? ['No group is charged anything.'] : ['', changesTable(changes, paper)]),
    ...missing.slice(0, MOST_NAMED).map(describeMissing),
    ...(missing.length > MOST_NAMED ? [`and ${missing.length - MOST_NAMED} more`] : []),
    ...Object.entries(holds).map(([kind, count]) => `${count} new hold${count === 1 ? '' : 's'}: ${kind}`),
    ...(wasStopped ? [describeStop(upTo, isDryRun)] : []),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

function describeMissing({ group, metric, site, at }: Backfilled['missing'][number]): string {
  return `${printable(group)}: Prometheus has no ${metric} of site ${site} at ${formatInstant(at)}, so it begins later`
}

function describeStop(upTo: Instant, isDryRun: boolean): string {
  if (isDryRun) return `Stopped at ${formatInstant(upTo)}.`
  return `Stopped. All until ${formatInstant(upTo)} is recorded. Type the same again to go on: what is recorded counts once.`
}

export function backfillJson(result: Backfilled, { isDryRun, wasStopped }: Facts): string {
  const { after, upTo, readings, outcomes, changes, missing, holds } = result
  const instant = (at: Instant | undefined) => (at === undefined ? null : formatInstant(at))
  return JSON.stringify({
    ...{
      dry_run: isDryRun,
      stopped: wasStopped,
      after: instant(after),
      up_to: instant(upTo),
      readings,
      outcomes,
      holds,
    },
    groups: changes.map(changeJson),
    missing: missing.map((each) => ({ ...each, at: formatInstant(each.at) })),
  })
}
