/** Why totals fall and jump, in words for operators. */

/** What a delivery as a whole says about why series fell or jumped. `unknown` when totals alone do not tell. */
export type Cause =
  | 'restart'
  | 'subject removed'
  | 're-weighted'
  | 'start moved'
  | 'purge'
  | 'unit switched'
  | 'series merged'
  | 'unknown'

/** What happened when totals fell, and what to check. Nothing was charged for any of these. */
const falls: Readonly<Record<Cause, string>> = {
  restart: 'all totals of the site began anew: its exporter restarted with another start date, or lost its data',
  'subject removed':
    'a machine dropped out of the sum: it was deleted and purged, or the cloud did not answer for it; the others go on',
  're-weighted':
    'many totals changed by a factor at one instant: other weights, or a start date that moved and hits all alike',
  'start moved':
    'nearly all totals changed at one instant, cpu and ram of a project alike: the start date moved, or old records were purged',
  purge:
    'several totals fell at one instant, others did not: old records were purged, or weights or the start date changed',
  'unit switched': 'the totals fell by the ratio of MiB to GiB: the exporter counts another unit',
  'series merged': 'a total fell by that of another series that is there again: check which projects were split',
  unknown: 'nothing is known about why',
}

export function describeFall(cause: Cause): string {
  return `${cause} (${falls[cause]})`
}

/** What happened when totals jumped, and what to check before anyone decides about the hold. */
const jumps: Readonly<Record<Cause, string>> = {
  restart: 'Its totals began anew.',
  'subject removed': 'Machines came back into its sums.',
  're-weighted':
    'Totals changed by a factor at one instant, as they do when weights change or the start date moves: check the weights and the start date of its exporter.',
  'start moved':
    'Totals changed at one instant, cpu and ram of a project alike, as they do when the start date moves to an earlier day: check the start date and the database of its exporter.',
  purge: 'Old records are back.',
  'unit switched':
    'Totals jumped by the ratio of GiB to MiB: its exporter counts another unit. All growth of these series is held until the old unit is back or a person decides: correct the exporter, or the unit and the price in the prices file.',
  'series merged': 'One total took in another one that is gone: check which projects were merged or renamed.',
  unknown:
    'Many totals jumped at one instant and far beyond their pace, and the totals do not tell why: check the weights, the start date and the database of its exporter.',
}

export function describeJump(cause: Cause): string {
  return jumps[cause]
}
