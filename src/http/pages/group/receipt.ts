/** The receipt of a point on the curve: the entries that lie between it and the point before, down to readings and prices. */

import type { Zone } from '../../../core/buckets.ts'
import { type Credits, formatCredits } from '../../../core/credits.ts'
import { inPath } from '../../../core/groupPath.ts'
import type { Meters } from '../../../core/meters.ts'
import { formatInstant, type Instant } from '../../../core/time.ts'
import type { Consumption } from '../../../ledger/history.ts'
import type { StoredEntry } from '../../../ledger/ledger.ts'
import { entryJson } from '../../groupJson.ts'
import { type Html, type HtmlValue, html } from '../html.ts'
import { type Column, table } from '../table.ts'
import { moment } from './text.ts'

export interface Receipt {
  /** The bucket it is of: `2026-03-29`. */
  readonly title: string
  readonly zone: Zone
  readonly after: Instant
  readonly upTo: Instant
  /** Of this time alone. */
  readonly consumption: Consumption
  /** Newest first: a page of them. */
  readonly entries: readonly StoredEntry[]
  /** Where the older ones are, if there are more. */
  readonly next: string | undefined
  /** This receipt as a page of its own. */
  readonly address: string
  readonly meters: Meters
  /** For programs. */
  readonly api: string
}

/** Where there is none yet, and where the script puts one. */
export function noReceipt(): Html {
  return html`<section id="receipt" class="receipt-of" aria-labelledby="receipt-title" tabindex="-1">
<h2 id="receipt-title">Receipt</h2>
<p class="hint">Choose a point on a chart, or <em>Show</em> in a table: this tells what was charged there, entry by entry.</p>
</section>`
}

export function receipt(facts: Receipt): Html {
  const { title, zone, after, upTo, consumption, entries, next, address, api } = facts
  const [parts = []] = consumption.buckets
  const credits = parts.reduce((sum, { amount }) => sum + amount, 0n)
  const count = parts.reduce((sum, part) => sum + part.entries, 0)
  const end = consumption.before + credits
  return html`<section id="receipt" class="receipt-of" aria-labelledby="receipt-title" tabindex="-1">
<h2 id="receipt-title">Receipt of ${title}</h2>
<p>Of what lies after ${moment(after, zone)} and up to ${moment(upTo, zone)} (${zone}): used credits went from <data value="${formatCredits(consumption.before)}">${formatCredits(consumption.before)}</data> to <strong>${formatCredits(end)}</strong>, by <strong>${signed(credits)}</strong> in ${count} ${count === 1 ? 'entry' : 'entries'}.</p>
${entries.length > 0 ? entryTable(facts) : html`<p class="hint">There is no entry in this time.</p>`}
<p class="pages">${next !== undefined && html`<a class="button quiet receipt" href="${next}">Older entries</a>`} <a href="${address}">This receipt as a page</a> <a href="${api}">As JSON</a></p>
<p class="hint">Each charge is exact: amount = consumption × price + carry in − carry out, where the carry is what does not fill a micro-credit. The hash of an entry covers it and the hash of the entry before it in its series.</p>
</section>`
}

function signed(amount: Credits): string {
  return amount > 0n ? `+${formatCredits(amount)}` : formatCredits(amount)
}

function entryTable({ entries, meters, zone }: Receipt): Html {
  const columns: [Column<StoredEntry>, ...Column<StoredEntry>[]] = [
    { name: 'Entry', cell: ({ number, kind }) => html`${number} <span class="soft">${kind}</span>` },
    { name: 'Of', cell: (entry) => whatOf(entry, meters) },
    {
      name: 'From reading',
      isNumber: true,
      cell: (entry) => entry.kind === 'charge' && reading(entry, 'from', zone, meters),
    },
    { name: 'To reading', isNumber: true, cell: (entry) => reading(entry, 'to', zone, meters) },
    { name: 'Consumption × price', isNumber: true, cell: (entry) => computation(entry, meters) },
    { name: 'Credits', isNumber: true, cell: ({ amount }) => html`<strong>${formatCredits(amount)}</strong>` },
    { name: 'Hash', cell: ({ hash }) => html`<code class="hash">${hash}</code>` },
  ]
  return table({ caption: 'Entries, newest first', columns, rows: entries })
}

function whatOf(entry: StoredEntry, meters: Meters): HtmlValue {
  const json = entryJson(entry, meters)
  if (entry.kind !== 'charge') {
    const actor = entry.kind === 'adjustment' ? html` <span class="soft">by ${entry.actor}</span>` : undefined
    return html`${entry.reason}${actor}`
  }
  const accepted = entry.accepted && html`, accepted by ${entry.accepted.actor}: ${entry.accepted.reason}`
  return html`${'meter' in json ? (json.meter ?? json.metric) : ''} <span class="soft">site ${entry.series.site}, project ${entry.series.projectId}${accepted}</span>`
}

function reading(entry: StoredEntry, which: 'from' | 'to', zone: Zone, meters: Meters): HtmlValue {
  const json = entryJson(entry, meters)
  if (entry.kind !== 'charge' || !('from' in json)) return html`<span class="soft">${moment(entry.at, zone)}</span>`
  return html`${json[which].value} <span class="soft">${json.unit} at ${moment(entry[which].at, zone)}</span>`
}

function computation(entry: StoredEntry, meters: Meters): HtmlValue {
  const json = entryJson(entry, meters)
  if (!('price' in json)) return undefined
  const carry = [
    json.carry_in !== '0' && html` + ${json.carry_in}`,
    json.carry_out !== '0' && html` − ${json.carry_out}`,
  ]
  return html`${json.consumption} × ${json.price}${carry} <span class="soft">${json.price_version}</span>`
}

/** `/api/groups/:name/entries` of the same time. */
export function entriesAddress(group: string, after: Instant, upTo: Instant): string {
  const query = new URLSearchParams({ from: formatInstant(after), to: formatInstant(upTo) })
  return `/api/groups/${inPath(group)}/entries?${query}`
}
