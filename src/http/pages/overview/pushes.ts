/** What other programs pushed. */
import type { Instant } from '../../../core/time.ts'
import type { PushStatus, Receiver } from '../../../sources/source.ts'
import type { HttpParts } from '../../parts.ts'
import { type Html, type HtmlValue, html } from '../html.ts'
import { moment } from '../pieces.ts'
import { table } from '../table.ts'

/** Nothing at all where nothing was ever pushed. */
export function pushesPart(receivers: HttpParts['receivers'], now: Instant): Html {
  const used = Object.values(receivers)
    .map(({ status }: Receiver) => status)
    .filter(({ lastPush }) => lastPush !== undefined)
  return html`${
    used.length > 0 &&
    html`<section aria-labelledby="pushes">
<h2 id="pushes">Pushes</h2>
${pushTable(used, now)}
</section>`
  }`
}

function pushTable(rows: readonly PushStatus[], now: Instant): Html {
  return table<PushStatus>({
    caption: 'What other programs pushed since the start.',
    columns: [
      { name: 'Protocol', isText: true, cell: ({ protocol }) => protocol },
      { name: 'Last push', cell: ({ lastPush }) => (lastPush === undefined ? 'none' : moment(lastPush, now)) },
      {
        name: 'Last taken',
        cell: ({ lastSuccess }) => (lastSuccess === undefined ? 'none' : moment(lastSuccess, now)),
      },
      { name: 'Taken', isNumber: true, cell: ({ taken }) => taken },
      { name: 'Refused', isNumber: true, cell: ({ refused }) => refused },
      { name: 'Samples', isNumber: true, cell: ({ samples }) => samples },
      { name: 'Readings', isNumber: true, cell: ({ readings }) => readings },
      { name: 'Errors', isText: true, cell: troubles },
    ],
    rows,
  })
}

/** Why samples are no readings stands in `/stats`; here is what somebody has to look after. */
function troubles({ lastError, errors, rejected }: PushStatus): HtmlValue {
  const known = Object.entries(rejected).filter(
    ([why, count]) => count > 0 && why !== 'unknown metric' && why !== 'unlisted',
  )
  const lines = [
    ...(lastError === undefined ? [] : [lastError]),
    ...known.map(([why, count]) => `${count} × ${why}`),
    ...errors.slice(0, 1).map(({ line, message }) => (line === undefined ? message : `line ${line}: ${message}`)),
  ]
  return lines.length === 0
    ? html`<span class="soft">none</span>`
    : html`<ul class="quiet-list">${lines.map((line) => html`<li>${line}</li>`)}</ul>`
}
