/** The workers that share the ledger, and who does what. */
import type { Instant } from '../../../core/time.ts'
import type { Replica } from '../../parts.ts'
import { type Html, type HtmlValue, html } from '../html.ts'
import { moment, tag } from '../pieces.ts'
import { table } from '../table.ts'

/** Nothing at all where the ledger cannot be shared. */
export function replicasPart(replicas: readonly Replica[], now: Instant): Html {
  return html`${
    replicas.length > 0 &&
    html`<section aria-labelledby="replicas">
<h2 id="replicas">Workers</h2>
${replicaTable(replicas, now)}
</section>`
  }`
}

function replicaTable(rows: readonly Replica[], now: Instant): Html {
  return table<Replica>({
    caption: 'The workers that share this ledger. The lead tells people and looks for edits in Perun.',
    columns: [
      { name: 'Worker', isText: true, cell: nameOf },
      { name: 'State', cell: stateOf },
      { name: 'Since', cell: ({ startedAt }) => moment(startedAt, now) },
      { name: 'Last seen', cell: ({ seenAt }) => moment(seenAt, now) },
      { name: 'Version', cell: ({ version }) => version },
      { name: 'Scrapes', isText: true, cell: ({ targets }) => listOf(targets) },
      { name: 'Publishes', isText: true, cell: ({ publishing }) => listOf(publishing) },
    ],
    rows,
  })
}

function nameOf({ id, name, isSelf }: Replica): Html {
  return html`${name} <small class="soft">${id}${isSelf && ', gave this answer'}</small>`
}

function stateOf({ state, isLead, isCatchingUp }: Replica): Html {
  const more = [isLead && 'lead', isCatchingUp && 'catches up'].filter((word) => word !== false)
  return html`${tag(state === 'working' ? 'good' : 'bad', state)}${more.length > 0 && html` <small class="soft">${more.join(', ')}</small>`}`
}

/** How many of a long list are shown. */
const MOST = 10

function listOf(all: readonly string[]): HtmlValue {
  if (all.length === 0) return html`<span class="soft">none</span>`
  const rest = all.length - MOST
  return html`<ul class="quiet-list">${all.slice(0, MOST).map((each) => html`<li>${each}</li>`)}${rest > 0 && html`<li class="soft">and ${rest} more</li>`}</ul>`
}
