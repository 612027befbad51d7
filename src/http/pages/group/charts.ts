/**
 * The charts of a group and the tables below them. A chart is drawn from its table (`assets/group.js`), so both have the same
 * numbers; without a script, or an eye, there is the table.
 */
import { formatCredits, parseCredits } from '../../../core/credits.ts'
import { formatDecimal, parseDecimal, subtract } from '../../../core/decimals.ts'
import type { Meters } from '../../../core/meters.ts'
import { lineOf } from '../../../core/thresholds.ts'
import { DAY, formatInstant, type Instant } from '../../../core/time.ts'
import type { GroupForecast } from '../../../ledger/forecasts.ts'
import type { Consumption } from '../../../ledger/history.ts'
import { type Bucket, bucketsJson, type Division } from '../../historyJson.ts'
import { assetAddress } from '../assets.ts'
import { type Html, html } from '../html.ts'
import { about } from '../pieces.ts'
import { type Column, table } from '../table.ts'
import type { Question } from './question.ts'
import { bucketName, drawn } from './text.ts'

export interface Past {
  readonly question: Question
  readonly consumption: Consumption
  readonly granted: string | undefined
  readonly notifyAt: readonly number[]
  readonly meters: Meters
  readonly precision: number
  readonly now: Instant
  readonly forecast: GroupForecast | undefined
  /** The address of the receipt of a bucket, by its end. */
  receiptAddress(end: Instant): string
}

/** More rows than these are folded away. */
const FEW_ROWS = 12

interface Row {
  readonly name: string
  readonly start: Instant
  readonly end: Instant
  /** Where its end is drawn: the last bucket is not over yet. */
  readonly at: Instant
  readonly byMeter: Bucket
  readonly bySite: Bucket
}

export function charts(past: Past): Html {
  const rows = rowsOf(past)
  return html`${leftChart(past, rows)}${stackedChart(past, rows, 'meter')}${stackedChart(past, rows, 'site')}`
}

function rowsOf({ question: { bounds, step, zone }, consumption, meters, now }: Past): Row[] {
  const byMeter = bucketsJson(consumption, bounds, { by: 'meter', zone, meters })
  const bySite = bucketsJson(consumption, bounds, { by: 'site', zone, meters })
  return byMeter.map((bucket, index) => {
    const [start, end] = [bounds[index]!, bounds[index + 1]!]
    const at = start < now && now < end ? now : end
    return { name: bucketName([start, end], step, zone), start, end, at, byMeter: bucket, bySite: bySite[index]! }
  })
}

/** What is left of a grant, or what was used where there is none. */
function leftChart(past: Past, rows: readonly Row[]): Html {
  const { granted, question } = past
  const grant = granted === undefined ? undefined : parseDecimal(granted)
  const what = grant === undefined ? 'used' : 'left'
  const level = (used: string) => (grant === undefined ? used : formatDecimal(subtract(grant, parseDecimal(used)!)))
  const ahead = forecastRows(past, level)
  const lines = grant === undefined ? [] : thresholds(past, granted!)
  const columns: [Column<Row>, ...Column<Row>[]] = [
    { name: 'Until the end of', cell: ({ name, at }) => html`<time datetime="${formatInstant(at)}">${name}</time>` },
    { name: 'Credits left', isNumber: true, cell: ({ byMeter }) => drawn(level(byMeter.used)) },
    {
      name: 'Used in all',
      isNumber: true,
      cell: ({ byMeter }) => (grant === undefined ? drawn(byMeter.used) : byMeter.used),
    },
    { name: 'Corrections', isNumber: true, cell: ({ byMeter }) => correction(byMeter) },
    { name: 'Receipt', cell: receiptLink(past) },
  ]
  const begin = [formatInstant(question.bounds[0]!), level(formatCredits(past.consumption.before))]
  return html`<section aria-labelledby="left-title">
<h2 id="left-title">Credits ${what}</h2>
<figure class="chart" data-kind="left" data-step="${question.step}" data-zone="${question.zone}" data-begin="${begin.join(' ')}" data-what="${what}" data-lines="${JSON.stringify(lines)}" data-uplot="${assetAddress('uPlot.esm.js')}">
<div class="plot" hidden></div>
<p class="readout" aria-hidden="true" hidden></p>
<figcaption>${leftCaption(
    past,
    what,
    lines,
    rows.some(({ byMeter }) => correctionsOf(byMeter) !== undefined),
  )}</figcaption>
${folded(rows.length, table({ caption: `Credits ${what} at the end of each ${question.step}${grant === undefined ? '' : ', of the grant as it is now'}`, columns: grant === undefined ? [columns[0], ...columns.slice(2)] : columns, rows }))}
${ahead.length > 0 && folded(ahead.length, forecastTable(ahead, what), 'forecast')}
</figure>
</section>`
}

function leftCaption({ forecast }: Past, what: string, lines: readonly Line[], hasCorrections: boolean): Html {
  const words = [
    html`<span class="key curve"></span> credits ${what}`,
    hasCorrections && html`<span class="key mark"></span> with a correction`,
    forecast !== undefined && html`<span class="key ahead"></span> expected`,
    forecast !== undefined && html`<span class="key band"></span> in four of five cases`,
    lines.length > 0 &&
      html`<span class="key line"></span> of the grant used: ${lines.map(({ label, left }, index) => html`${index > 0 && ', '}${label} (${left} left)`)}`,
  ]
  return html`<ul class="keys">${words.map((word) => word !== false && html`<li>${word}</li>`)}</ul>`
}

interface Line {
  readonly label: string
  readonly left: string
}

function thresholds({ notifyAt }: Past, granted: string): Line[] {
  const grant = parseDecimal(granted)!
  return notifyAt.map((percent) => {
    const line = { digits: lineOf(grant, percent), scale: 6 }
    return { label: `${percent} %`, left: formatDecimal(subtract(grant, line)) }
  })
}

interface ForecastRow {
  readonly at: Instant
  readonly low: string
  readonly expected: string
  readonly high: string
}

/** As many days as the period has, so that both can be seen; none of a period that ended before. */
function forecastRows({ forecast, question: { bounds }, precision, now }: Past, level: (used: string) => string) {
  const [from, to] = [bounds[0]!, bounds.at(-1)!]
  if (forecast === undefined || to < Math.min(now, forecast.until)) return []
  const until = forecast.until + Math.max(14 * DAY, to - from)
  const text = (used: number) => level(about(used, precision))
  return forecast.curve
    .filter(({ at }) => at <= until)
    .map(
      ({ at, low, expected, high }): ForecastRow => ({
        at,
        low: text(low),
        expected: text(expected),
        high: text(high),
      }),
    )
}

function forecastTable(rows: readonly ForecastRow[], what: string): Html {
  const [most, least] = what === 'left' ? (['low', 'high'] as const) : (['high', 'low'] as const)
  return table<ForecastRow>({
    caption: `Credits ${what} as expected at the end of each day (UTC); in four of five cases it is between most and least`,
    columns: [
      {
        name: 'At',
        cell: ({ at }) =>
          html`<time datetime="${formatInstant(at)}">${formatInstant(at).slice(0, 16).replace('T', ' ')}</time>`,
      },
      { name: 'Expected', isNumber: true, cell: ({ expected }) => drawn(expected) },
      { name: 'Least', isNumber: true, cell: (row) => drawn(row[least]) },
      { name: 'Most', isNumber: true, cell: (row) => drawn(row[most]) },
    ],
    rows,
  })
}

/** What each meter or each site was charged. */
function stackedChart(past: Past, rows: readonly Row[], by: Division): Html {
  const { question, meters } = past
  const parts = partsOf(rows, by)
  const bucketOf = ({ byMeter, bySite }: Row) => (by === 'meter' ? byMeter : bySite)
  const unitOf = (name: string) => [...meters.values()].find((meter) => meter.name === name)?.unit
  const columns = parts.flatMap((name): Column<Row>[] => [
    ...(by === 'meter' ? [quantityColumn(name, unitOf(name))] : []),
    {
      name: by === 'meter' ? `${name}, credits` : `Site ${name}`,
      isNumber: true,
      cell: (row) => drawn(creditsOf(bucketOf(row), name)),
    },
  ])
  const all: [Column<Row>, ...Column<Row>[]] = [
    {
      name: question.step === 'hour' ? 'Hour' : question.step === 'day' ? 'Day' : 'Month',
      cell: ({ name, start }) => html`<time datetime="${formatInstant(start)}">${name}</time>`,
    },
    ...columns,
    { name: 'Corrections', isNumber: true, cell: ({ byMeter }) => correctionsOf(byMeter) },
    { name: 'All credits', isNumber: true, cell: ({ byMeter }) => byMeter.credits },
    { name: 'Receipt', cell: receiptLink(past) },
  ]
  return html`<section aria-labelledby="by-${by}">
<h2 id="by-${by}">Consumption by ${by}</h2>
<figure class="chart" data-kind="stack" data-step="${question.step}" data-zone="${question.zone}" data-end="${formatInstant(question.bounds.at(-1)!)}" data-parts="${JSON.stringify(parts)}" data-uplot="${assetAddress('uPlot.esm.js')}">
<div class="plot" hidden></div>
<p class="readout" aria-hidden="true" hidden></p>
<figcaption>${parts.length === 0 ? 'Nothing was charged in this time.' : html`<ul class="keys">${parts.map((name, index) => html`<li><span class="key part-${index % COLOURS}"></span> ${by === 'site' && 'site '}${name}</li>`)}</ul>`}</figcaption>
${folded(rows.length, table({ caption: `Credits charged in each ${question.step}, by ${by}`, columns: all, rows }))}
</figure>
</section>`
}

/** So many parts have a colour of their own. */
const COLOURS = 8

function quantityColumn(name: string, unit: string | undefined): Column<Row> {
  return {
    name: `${name}, ${unit ?? 'units'}`,
    isNumber: true,
    cell: ({ byMeter }) => byMeter.consumption.find((each) => (each.meter ?? each.metric) === name)?.quantity ?? '0',
  }
}

/** The meters or sites of all charges, in the order in which they are told. */
function partsOf(rows: readonly Row[], by: Division): string[] {
  const names = rows.flatMap(({ byMeter, bySite }) =>
    (by === 'meter' ? byMeter : bySite).parts.filter(({ kind }) => kind === 'charge').map(nameOf),
  )
  return [...new Set(names)]
}

type Part = Bucket['parts'][number]

function nameOf({ meter, metric, site }: Part): string {
  return meter ?? metric ?? site ?? '–'
}

function creditsOf({ parts }: Bucket, name: string): string {
  return parts.find((part) => part.kind === 'charge' && nameOf(part) === name)?.credits ?? '0'
}

/** What was added or taken by adjustments and openings; nothing if there were none, or only an opening with 0. */
function correctionsOf({ parts }: Bucket): string | undefined {
  const own = parts.filter(({ kind, credits }) => kind !== 'charge' && credits !== '0')
  if (own.length === 0) return undefined
  return formatCredits(own.reduce((sum, { credits }) => sum + parseCredits(credits), 0n))
}

function correction(bucket: Bucket): Html | undefined {
  const value = correctionsOf(bucket)
  return value === undefined ? undefined : html`<data class="correction" value="${value}">${value}</data>`
}

function receiptLink({ receiptAddress }: Past) {
  return ({ name, end }: Row) =>
    html`<a class="receipt" href="${receiptAddress(end)}">Show<span class="hidden"> the receipt of ${name}</span></a>`
}

function folded(rows: number, content: Html, kind = 'past'): Html {
  const what = kind === 'past' ? 'The same numbers as a table' : 'The forecast as a table'
  return html`<details class="numbers ${kind}"${rows <= FEW_ROWS && html` open`}><summary>${what} (${rows} ${rows === 1 ? 'row' : 'rows'})</summary>${content}</details>`
}
