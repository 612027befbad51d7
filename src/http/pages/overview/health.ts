/** How the worker stands: its targets, Perun, its ledger. */
import { formatCredits } from '../../../core/credits.ts'
import { type Instant, MINUTE } from '../../../core/time.ts'
import type { LedgerSummary } from '../../../ledger/ledger.ts'
import type { HttpParts, Publishing, Target } from '../../parts.ts'
import { type Html, type HtmlValue, html } from '../html.ts'
import { duration, minute, moment, tag } from '../pieces.ts'
import { table } from '../table.ts'

export interface Health {
  readonly summary: LedgerSummary
  /** Why the ledger cannot be written; absent if it can. */
  readonly trouble: string | undefined
  /** Groups with writes to Perun that were never answered. */
  readonly doubtful: number
  readonly now: Instant
}

type Parts = Pick<HttpParts, 'outbox' | 'writeWindow' | 'lanes' | 'targetsFile'>

export async function readHealth({ ledger, clock }: Pick<HttpParts, 'ledger' | 'clock'>): Promise<Health> {
  const [summary, trouble, doubtful] = await Promise.all([
    ledger.summary(),
    ledger.check().catch((error: Error) => error.message),
    ledger.doubtfulGroups(),
  ])
  return { summary, trouble, doubtful: doubtful.length, now: clock.now() }
}

/** What nobody may overlook: a ledger, a Perun or a file of targets that does not work. */
export function alarms({ outbox, targetsFile }: Parts, { trouble, now }: Health): Html {
  const status = outbox?.status
  const file = targetsFile()
  return html`${trouble !== undefined && html`<div class="notice bad" role="alert"><p><strong>The ledger cannot be written.</strong> ${trouble}</p></div>`}
${status !== undefined && status.state !== 'publishing' && html`<div class="notice ${status.state === 'stopped' ? 'bad' : 'warn'}" role="alert"><p><strong>Perun: ${status.state}.</strong> ${sentence(status.reason)} Since ${moment(status.since, now)}; it is tried again ${moment(status.until, now)}. Readings go on being recorded.</p></div>`}
${file !== undefined && file.problems.length > 0 && html`<div class="notice warn" role="alert"><p><strong>The file of targets cannot be used.</strong> The targets stay as they were. Since ${moment(file.since, now)}:</p><ul>${file.problems.map((problem) => html`<li>${problem}</li>`)}</ul></div>`}`
}

/** What Perun said may end without a full stop. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

export function totals(parts: Parts, { summary, trouble, doubtful }: Health): Html {
  const held = Object.values(summary.holds).reduce((sum, count) => sum + count, 0)
  const { last, longest } = parts.writeWindow()
  return html`<dl class="facts">
${fact('Groups', summary.groups, `${summary.dirty} waiting to be published`)}
${fact('Used credits', formatCredits(summary.used), 'of all groups')}
${fact(
  'Open holds',
  held === 0 ? 0 : html`<a href="/holds">${held}</a>`,
  Object.entries(summary.holds)
    .map(([kind, count]) => `${count} × ${kind}`)
    .join(', '),
)}
${fact('Perun', perun(parts.outbox?.status), parts.outbox === undefined ? 'not set up: nothing is published' : `${plural(parts.lanes.working, 'lane')} at work, ${plural(parts.lanes.waiting, 'group')} waiting, ${doubtful} in doubt`)}
${fact('From reading to write', last === undefined ? '—' : seconds(last), longest === undefined ? 'nothing was written since the start' : `the longest was ${seconds(longest)}`)}
${fact('Ledger', trouble === undefined ? tag('good', 'writable') : tag('bad', 'in trouble'), `${plural(summary.entries, 'entry', 'entries')} of ${summary.series} series, ${plural(summary.drifts, 'drift')}`)}
</dl>`
}

function fact(name: string, value: HtmlValue, more: HtmlValue): Html {
  return html`<div><dt>${name}</dt><dd>${value}${more !== '' && html`<small>${more}</small>`}</dd></div>`
}

function perun(status: Publishing | undefined): Html {
  if (status === undefined) return tag('idle', 'off')
  return tag(status.state === 'publishing' ? 'good' : status.state === 'waiting' ? 'warn' : 'bad', status.state)
}

function seconds(length: number): string {
  return `${length.toFixed(3)} s`
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** Older readings than these are shown as such. */
const STALE = 10 * MINUTE

export function targetsPart(targets: readonly Target[], now: Instant): Html {
  return html`<section aria-labelledby="sites">
<h2 id="sites">Sites</h2>
${targets.length === 0 && html`<p>Nothing is scraped: <code>USAGE_EXPORTER_URLS</code> names no target.</p>`}
${targets.length > 0 && targetTable(targets, now)}
</section>`
}

function targetTable(targets: readonly Target[], now: Instant): Html {
  return table<Target>({
    caption: 'What is scraped. Samples and readings are those of the last scrape that worked.',
    columns: [
      { name: 'Target', isText: true, cell: ({ target, labels }) => html`${target}${labelList(labels)}` },
      { name: 'State', cell: targetState },
      {
        name: 'Last scrape',
        cell: ({ scraper, lastScrape, lastDuration }) =>
          lastScrape === undefined || scraper.kind !== 'here'
            ? notKnown(scraper)
            : html`${moment(lastScrape, now)}${lastDuration !== undefined && html` <small class="soft">took ${Math.round(lastDuration)} ms</small>`}`,
      },
      {
        name: 'Fresh',
        cell: ({ scraper, lastSuccess }) => (scraper.kind === 'here' ? freshness(lastSuccess, now) : notKnown(scraper)),
      },
      { name: 'Samples', isNumber: true, cell: ({ samples }) => samples },
      { name: 'Readings', isNumber: true, cell: ({ readings }) => readings },
      { name: 'Errors', isText: true, cell: troubles },
    ],
    rows: targets,
  })
}

function labelList(labels: Target['labels']): Html {
  const all = Object.entries(labels)
  return html`${all.length > 0 && html`<br><small class="soft">${all.map(([name, value]) => `${name}=${value}`).join(', ')}</small>`}`
}

function notKnown({ kind }: Target['scraper']): string {
  return kind === 'elsewhere' ? '—' : 'not yet'
}

function targetState({ scraper, up, failures }: Target): Html {
  if (scraper.kind === 'elsewhere')
    return html`${tag('idle', 'elsewhere')} <small class="soft">scraped by ${scraper.name}</small>`
  if (scraper.kind === 'nobody')
    return html`${tag('warn', 'not scraped')} <small class="soft">${scraper.reason}</small>`
  if (up === undefined) return tag('idle', 'not scraped yet')
  return up
    ? tag('good', 'up')
    : html`${tag('bad', 'down')} <small class="soft">failed ${plural(failures, 'time')}</small>`
}

function freshness(lastSuccess: Instant | undefined, now: Instant): Html {
  if (lastSuccess === undefined) return tag('bad', 'never worked')
  const age = Math.max(0, now - lastSuccess)
  return html`${tag(age > STALE ? 'warn' : 'good', `${duration(age)} old`)}<br><small class="soft">${minute(lastSuccess)}</small>`
}

/** Why samples are no readings stands in `/stats`; here is what somebody has to look after. */
function troubles({ lastError, errors, rejected, outdated }: Target): HtmlValue {
  const known = Object.entries(rejected).filter(
    ([why, count]) => count > 0 && why !== 'unknown metric' && why !== 'unlisted',
  )
  const lines = [
    ...(lastError === undefined ? [] : [lastError]),
    ...known.map(([why, count]) => `${count} × ${why}`),
    ...(outdated === 0 ? [] : [`${outdated} × outdated`]),
    ...(errors.length === 0 ? [] : [`${plural(errors.length, 'unusable line')} in /stats`]),
  ]
  return lines.length === 0
    ? html`<span class="soft">none</span>`
    : html`<ul class="quiet-list">${lines.map((line) => html`<li>${line}</li>`)}</ul>`
}
