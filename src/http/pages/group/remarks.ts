/** What else is known of a group: its series, its notes, and what was edited in Perun. */
import { formatCredits } from '../../../core/credits.ts'
import { formatDecimal } from '../../../core/decimals.ts'
import type { Meters } from '../../../core/meters.ts'
import type { GroupRow, Note, SeriesRow, StoredDrift } from '../../../ledger/ledger.ts'
import { type Html, html } from '../html.ts'
import { minute } from '../pieces.ts'
import { table } from '../table.ts'

export interface Remarks {
  readonly group: GroupRow & { readonly series: readonly SeriesRow[] }
  readonly notes: readonly Note[]
  readonly drifts: readonly StoredDrift[]
  readonly meters: Meters
}

export function remarks({ group, notes, drifts, meters }: Remarks): Html {
  return html`${siteTable(group)}${seriesTable(group.series, meters)}${noteTable(notes)}${driftTable(drifts)}`
}

function siteTable({ sites }: GroupRow): Html {
  return html`<section aria-labelledby="sites">
<h2 id="sites">Sites</h2>
${table({
  caption: 'Where the group is charged, and how Perun has it there',
  columns: [
    { name: 'Site', cell: ({ site }) => site },
    { name: 'In Perun', cell: ({ contact }) => contact },
    { name: 'Charged, credits', isNumber: true, cell: ({ charged }) => formatCredits(charged) },
  ],
  rows: sites,
})}
</section>`
}

function seriesTable(series: readonly SeriesRow[], meters: Meters): Html {
  return html`<section aria-labelledby="series">
<h2 id="series">Series</h2>
${table({
  caption: 'What is measured, and the last reading that counted',
  columns: [
    { name: 'Meter', cell: ({ metric }) => meters.get(metric)?.name ?? metric },
    { name: 'Site', cell: ({ site }) => html`<span class="nowrap">${site}</span>` },
    { name: 'Project', cell: ({ projectId }) => html`<span class="name">${projectId}</span>` },
    { name: 'Total so far', isNumber: true, cell: ({ state }) => formatDecimal(state.watermark.value) },
    { name: 'Unit', cell: ({ metric }) => html`<span class="nowrap">${meters.get(metric)?.unit ?? '–'}</span>` },
    { name: 'At', cell: ({ state }) => minute(state.watermark.at) },
  ],
  rows: series,
})}
</section>`
}

function noteTable(notes: readonly Note[]): Html {
  return html`<section aria-labelledby="notes">
<h2 id="notes">Notes</h2>
${
  notes.length === 0
    ? html`<p class="hint">Nothing happened that needs explaining.</p>`
    : html`<details class="numbers"${notes.length <= 4 && html` open`}><summary>${notes.length === 1 ? 'One note' : `The newest ${notes.length} notes`}</summary>${table(
        {
          caption: 'What explains the ledger and changes no amount, newest first',
          columns: [
            { name: 'At', cell: ({ at }) => minute(at) },
            { name: 'What', cell: ({ kind }) => kind },
            { name: 'Series', cell: ({ series }) => `${series.metric}, site ${series.site}` },
            { name: 'Why', cell: ({ text }) => text },
          ],
          rows: notes,
        },
      )}</details>`
}
</section>`
}

function driftTable(drifts: readonly StoredDrift[]): Html | undefined {
  if (drifts.length === 0) return undefined
  return html`<section aria-labelledby="drifts">
<h2 id="drifts">Drifts</h2>
<p class="hint">Perun showed used credits that this worker did not write. The ledger followed with an adjustment, or the group is on hold.</p>
${table({
  caption: 'Edits in Perun, newest first',
  columns: [
    { name: 'Seen at', cell: ({ seenAt }) => minute(seenAt) },
    { name: 'Site', cell: ({ site }) => site },
    { name: 'Expected', isNumber: true, cell: ({ expected }) => expected !== undefined && formatCredits(expected) },
    { name: 'Shown', isNumber: true, cell: ({ shown }) => (shown === undefined ? 'nothing' : formatCredits(shown)) },
    { name: 'Modified by', cell: ({ modifiedBy }) => modifiedBy },
    { name: 'Modified at', cell: ({ modifiedAt }) => modifiedAt },
  ],
  rows: drifts,
})}
</section>`
}
