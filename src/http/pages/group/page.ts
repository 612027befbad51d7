/** The page of a group: how it stands, its curve, what it consumed, and the receipt of any point. */

import { bucketEnd, bucketStart, steps } from '../../../core/buckets.ts'
import { inPath } from '../../../core/groupPath.ts'
import { formatInstant, type Instant } from '../../../core/time.ts'
import type { Extent } from '../../../ledger/history.ts'
import type { GroupRow, SeriesRow } from '../../../ledger/ledger.ts'
import type { HttpParts } from '../../parts.ts'
import { queryInstant } from '../../period.ts'
import { queryNumber, queryText, type Route, type RouteContext } from '../../route.ts'
import { unknownGroup } from '../../routes/groups.ts'
import { type Html, html } from '../html.ts'
import { answerPage } from '../layout.ts'
import { calculator } from './calculator.ts'
import { charts } from './charts.ts'
import { muteForm } from './mute.ts'
import { filledIn, otherwise, type Question, readQuestion, spans } from './question.ts'
import { entriesAddress, noReceipt, receipt } from './receipt.ts'
import { remarks } from './remarks.ts'
import { standing } from './standing.ts'
import { bucketName, moment } from './text.ts'
import { told } from './told.ts'

type Parts = Pick<HttpParts, 'ledger' | 'meters' | 'clock' | 'precision' | 'notifyAt' | 'forecasts'>

/** How many of the newest notes, holds, drifts and notices are shown, and entries of a receipt at a time. */
const NOTES = 20
const HOLDS = 100
const DRIFTS = 20
const NOTICES = 20
const ENTRIES = 100

const query = {
  span: `${spans.join(', ')}; 30 days if not given`,
  from: 'Instead of a span: later than this',
  to: 'Not later than this',
  step: 'hour, day or month; what suits the period if not given',
  tz: 'The IANA name of the time zone whose hours, days and months these are; UTC if not given',
  at: 'Shows the receipt of the bucket that this instant belongs to',
  before: 'Of the receipt, only entries with a smaller number',
  only: '`receipt`: nothing but that',
}

/** `GET /groups/:name`. */
export function groupPageRoute(parts: Parts): Route {
  return groupPage(parts, '/groups/:name', 'The page of a group')
}

/** `GET /credits_history/:project`: the same page, where OS Credits had its chart. */
export function creditsHistoryPageRoute(parts: Parts): Route {
  return groupPage(parts, '/credits_history/:project', 'The page of a group, at the address that OS Credits had')
}

function groupPage(parts: Parts, path: string, summary: string): Route {
  return {
    method: 'get',
    path,
    who: 'reader',
    isForPeople: true,
    summary,
    query,
    answers: { 200: 'The page', 400: 'No such period, step or zone', 404: 'No such group' },
    async handle(ctx) {
      const name = (ctx.params.name ?? ctx.params.project)!
      const group = await parts.ledger.group(name)
      const extent = await parts.ledger.extent(name)
      if (group === undefined || extent === undefined) throw unknownGroup(name)
      await answerGroup(ctx, parts, group, extent)
    },
  }
}

type Group = GroupRow & { readonly series: SeriesRow[] }

async function answerGroup(ctx: RouteContext, parts: Parts, group: Group, extent: Extent): Promise<void> {
  const { ledger, clock, meters, precision, notifyAt } = parts
  const now = clock.now()
  const question = readQuestion(ctx, extent, now)
  const slip = await receiptOf(ctx, parts, group.group, question)
  if (queryText(ctx, 'only') === 'receipt') {
    const content = html`${heading(group.group)}<p><a href="${ctx.path}${otherwise(ctx, {})}">The group</a></p>${slip}`
    return answerPage(ctx, { title: `Receipt of ${shortened(group.group)}`, content })
  }
  const name = group.group
  const consumption = (await ledger.consumption(name, question.bounds))!
  const [notes, holds, drifts, notices, mute] = await Promise.all([
    ledger.notes(name, NOTES),
    ledger.holds({ group: name, limit: HOLDS }),
    ledger.drifts({ group: name, limit: DRIFTS }),
    ledger.notices({ group: name, limit: NOTICES }),
    ledger.muted(name),
  ])
  const tellings = await ledger.tellings(notices.map(({ id }) => id))
  const { viewer, isOperator } = ctx.state
  const forecast = await parts.forecasts.of(group)
  const receiptAddress = (end: Instant) => `${otherwise(ctx, { at: formatInstant(end) })}#receipt`
  const past = {
    question,
    consumption,
    granted: group.granted,
    notifyAt,
    meters,
    precision,
    now,
    forecast,
    receiptAddress,
  }
  answerPage(ctx, {
    title: shortened(name),
    scripts: ['group.js'],
    styles: ['uPlot.min.css', 'group.css'],
    content: html`${heading(name)}
${standing({ group, holds, forecast, notifyAt, precision, now })}
${extent.first === undefined ? nothingYet() : html`${picker(ctx, question)}${charts(past)}${slip}${downloads(name, question)}`}
${calculator({ asked: filledIn(ctx), group, meters, now })}
${told({ notices, tellings, mute, showsRecipients: isOperator, form: isOperator ? muteForm({ group: name, mute, viewer }) : undefined })}
${remarks({ group, notes, drifts, meters })}`,
  })
}

function heading(name: string): Html {
  if (name.length <= LONG) return html`<h1 dir="auto">${name}</h1>`
  const whole =
    name.length > LONGER && html`<details><summary>The whole name</summary><p dir="auto">${name}</p></details>`
  return html`<h1 class="long" dir="auto">${name}</h1>${whole}`
}

function nothingYet(): Html {
  return html`<section aria-labelledby="nothing"><h2 id="nothing">Consumption</h2>
<p class="hint">Nothing was charged yet. The first reading of a series only marks where charging starts; what it grows by from then on is charged.</p></section>`
}

/** Names up to here fit a window's title, or a line. */
const LONG = 60
/** And up to here three lines. */
const LONGER = 180

function shortened(name: string): string {
  return name.length > LONG ? `${name.slice(0, LONG)}…` : name
}

function picker(ctx: RouteContext, { span, step, isCoarser, zone, bounds }: Question): Html {
  const chosen = (name: string) => queryText(filledIn(ctx), name) ?? ''
  return html`<section class="picker" aria-label="Period">
<ul class="spans">${spans.map(
    (each) =>
      html`<li><a href="${otherwise(ctx, { span: each, from: undefined, to: undefined })}"${each === span && html` aria-current="true"`}>${each}</a></li>`,
  )}</ul>
<details${span === undefined && html` open`}><summary>Other period, step, time zone</summary>
<form method="get" class="card">
<div class="row">
<div><label for="from">After</label><input id="from" name="from" value="${chosen('from')}" placeholder="2026-01-01"></div>
<div><label for="to">Until</label><input id="to" name="to" value="${chosen('to')}" placeholder="2026-01-31 12:00"></div>
<div><label for="step">Step</label><select id="step" name="step">${[...steps].map((each) => html`<option value="${each}"${each === step && html` selected`}>${each}</option>`)}</select></div>
<div><label for="tz">Time zone</label><input id="tz" name="tz" value="${zone}" list="zones"><datalist id="zones">${zones.map((each) => html`<option value="${each}"></option>`)}</datalist></div>
<button>Show</button>
</div>
</form>
</details>
<p class="hint">Shown: ${moment(bounds[0]!, zone)} to ${moment(bounds.at(-1)!, zone)} (${zone}), by ${step}.${isCoarser && ' So long a time has too many of what was asked for.'}</p>
</section>`
}

/** To choose from; any other name may be written. */
const zones = ['UTC', 'Europe/Berlin', 'Europe/London', 'America/New_York', 'Asia/Tokyo']

/** Where programs and spreadsheets get what the page shows. */
function downloads(name: string, { bounds, step, zone }: Question): Html {
  const path = `/api/groups/${inPath(name)}`
  const period = { from: formatInstant(bounds[0]!), to: formatInstant(bounds.at(-1)!), step, tz: zone }
  const history = (by: string, format: string) => `${path}/history?${new URLSearchParams({ ...period, by, format })}`
  const entries = (format: string) =>
    `${path}/entries?${new URLSearchParams({ from: period.from, to: period.to, limit: '1000', format })}`
  return html`<section aria-labelledby="downloads">
<h2 id="downloads">Downloads</h2>
<ul class="downloads">
<li>Consumption by meter: <a href="${history('meter', 'csv')}" download="history-by-meter.csv">CSV</a>, <a href="${history('meter', 'json')}">JSON</a></li>
<li>Consumption by site: <a href="${history('site', 'csv')}" download="history-by-site.csv">CSV</a>, <a href="${history('site', 'json')}">JSON</a></li>
<li>Entries, 1,000 at a time: <a href="${entries('csv')}" download="entries.csv">CSV</a>, <a href="${entries('json')}">JSON</a></li>
<li>Forecast: <a href="${path}/forecast?format=csv" download="forecast.csv">CSV</a>, <a href="${path}/forecast">JSON</a></li>
<li>What all used credits are made of: <a href="${path}/explain">JSON</a></li>
</ul>
</section>`
}

async function receiptOf(
  ctx: RouteContext,
  { ledger, meters }: Parts,
  name: string,
  { bounds, step, zone }: Question,
): Promise<Html> {
  const asked = filledIn(ctx)
  const at = queryInstant(asked, 'at', zone)
  if (at === undefined) return noReceipt()
  const before = queryNumber(asked, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER })
  const [after, upTo] = bucketAround(at, bounds) ?? [bucketStart(at, step, zone), bucketEnd(at, step, zone)]
  const consumption = (await ledger.consumption(name, [after, upTo]))!
  const page = { after, upTo, limit: ENTRIES + 1, ...(before !== undefined && { before }) }
  const entries = await ledger.entries(name, page)
  const hasMore = entries.length > ENTRIES
  const last = entries[ENTRIES - 1]
  const address = { at: formatInstant(upTo) }
  return receipt({
    ...{ zone, after, upTo, consumption, meters, entries: entries.slice(0, ENTRIES) },
    title: bucketName([after, upTo], step, zone),
    next: hasMore ? `${otherwise(ctx, { ...address, before: String(last!.number) })}#receipt` : undefined,
    address: otherwise(ctx, { ...address, only: 'receipt' }),
    api: entriesAddress(name, after, upTo),
  })
}

function bucketAround(at: Instant, bounds: readonly Instant[]): readonly [Instant, Instant] | undefined {
  const index = bounds.findIndex((end) => at <= end)
  return index > 0 ? [bounds[index - 1]!, bounds[index]!] : undefined
}
