/** What the page of a hold shows. */
import { type Credits, formatRounded } from '../../core/credits.ts'
import { subtract, zero } from '../../core/decimals.ts'
import type { Meters } from '../../core/meters.ts'
import { rate } from '../../core/rating.ts'
import type { Instant } from '../../core/time.ts'
import { decidableHolds, type HeldGrowth, type StoredHold } from '../../ledger/ledger.ts'
import type { Viewer } from '../door.ts'
import { heldGrowthJson } from '../groupJson.ts'
import { tokenField } from './forms.ts'
import { holdAdvice } from './holdAdvice.ts'
import { type Html, html } from './html.ts'
import { groupLink, groupName, minute, moment, tag } from './pieces.ts'
import { table } from './table.ts'

export const verdicts = ['accept', 'dismiss'] as const
export type Verdict = (typeof verdicts)[number]

export interface Decision {
  readonly verdict: Verdict
  readonly reason: string
  readonly actor: string
  /** What is wrong with it. */
  readonly problem: string | undefined
}

export interface HoldPart {
  readonly hold: StoredHold
  readonly growths: readonly HeldGrowth[]
  readonly hasMore: boolean
  readonly decision: Decision | undefined
  readonly viewer: Viewer
  readonly meters: Meters
  readonly precision: number
  readonly now: Instant
}

export function holdContent(part: HoldPart): Html {
  const { hold, now } = part
  const { id, kind, site, group, reason, openedAt, seenAt, closed } = hold
  return html`<h1>Hold ${id}: ${kind}</h1>
<p>${closed === undefined ? tag('bad', 'open') : tag('good', 'closed')} ${group === undefined ? 'All of ' : html`Group ${groupName(group)} at `}site ${site}</p>
<p>${reason}</p>
<p class="soft">Held since ${minute(openedAt)}, seen last ${moment(seenAt, now)}.</p>
${closed !== undefined && html`<div class="notice good"><p>Closed ${minute(closed.at)}: ${closed.why}</p></div>`}
${closed === undefined && whatToDo(part)}
${growthPart(part)}`
}

function whatToDo(part: HoldPart): Html {
  const { hold, decision } = part
  const advice = html`<h2>What to do</h2><p>${holdAdvice[hold.kind]}</p>`
  if (!decidableHolds.has(hold.kind)) return advice
  if (decision !== undefined && decision.problem === undefined) return confirmation(part, decision)
  return html`${advice}${decisionForm(hold, decision)}`
}

function decisionForm({ id }: StoredHold, decision: Decision | undefined): Html {
  const problem = decision?.problem
  return html`<form method="get" action="/holds/${id}" class="card narrow">
${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
<label for="reason">Reason</label>
<input id="reason" name="reason" value="${decision?.reason}" required maxlength="1000"${problem !== undefined && html` aria-invalid="true" aria-describedby="problem"`}>
<label for="actor">Who decides</label>
<input id="actor" name="actor" value="${decision?.actor}" maxlength="1000" placeholder="operator" autocomplete="name">
<p class="hint">Both stay in the ledger. Neither can be taken back; an adjustment can correct it.</p>
<div class="row"><button name="verdict" value="accept">Accept …</button><button name="verdict" value="dismiss" class="quiet">Dismiss …</button></div>
</form>`
}

function confirmation({ hold: { id }, viewer, ...part }: HoldPart, { verdict, reason, actor }: Decision): Html {
  const isAccepted = verdict === 'accept'
  const credits = part.hasMore ? undefined : creditsOf(part.growths, part.meters)
  const amount = credits === undefined ? '' : ` That is about ${formatRounded(credits, part.precision)} credits.`
  return html`<h2>${isAccepted ? 'Accept' : 'Dismiss'} hold ${id}?</h2>
<form method="post" action="/holds/${id}/${verdict}" class="card narrow">
${tokenField(viewer)}
<input type="hidden" name="reason" value="${reason}">
<input type="hidden" name="actor" value="${actor}">
<p>${isAccepted ? `Exactly the growth below is charged, once, at the prices beside it: those of its time as they are set now.${amount}` : `The growth below is never charged.${amount}`}</p>
<p>Reason: <b dir="auto">${reason}</b><br>Decided by: <b dir="auto">${actor}</b></p>
<div class="row"><button${!isAccepted && html` class="danger"`}>${isAccepted ? 'Accept and charge it' : 'Dismiss it for good'}</button><a class="button quiet" href="/holds/${id}">Cancel</a></div>
</form>`
}

/** What growth costs, but for what is left of a micro-credit; `undefined` if there is growth that nothing is charged for. */
function creditsOf(growths: readonly HeldGrowth[], meters: Meters): Credits | undefined {
  let sum = 0n
  for (const { series, from, to } of growths) {
    const meter = meters.get(series.metric)
    if (meter === undefined || to.at <= from.at) return undefined
    const usage = { from: from.at, to: to.at, consumption: subtract(to.value, from.value) }
    for (const { amount } of rate(meter, usage, zero)) sum += amount
  }
  return sum
}

function growthPart({ growths, hasMore, meters, hold }: HoldPart): Html {
  if (growths.length === 0)
    return html`${decidableHolds.has(hold.kind) && html`<h2>Growth</h2><p>It keeps nothing back any more.</p>`}`
  const rows = growths.map((each) => ({ growth: each, json: heldGrowthJson(each, meters) }))
  return html`<h2>Growth</h2>
${table<(typeof rows)[number]>({
  caption: html`What is kept back, of each series${hasMore && `: the first ${growths.length}, the others are in /api/holds/${hold.id}`}.`,
  columns: [
    { name: 'Group', cell: ({ json }) => html`${groupLink(json.group)}<small class="soft">${json.project_id}</small>` },
    { name: 'Meter', cell: ({ json }) => json.meter ?? json.metric },
    {
      name: 'From',
      isNumber: true,
      cell: ({ json }) => html`${json.from.value}<br><small class="soft">${json.from.at}</small>`,
    },
    {
      name: 'To',
      isNumber: true,
      cell: ({ json }) => html`${json.to.value}<br><small class="soft">${json.to.at}</small>`,
    },
    { name: 'Consumption', isNumber: true, cell: ({ json }) => `${json.consumption} ${json.unit ?? ''}` },
    { name: 'Price', cell: ({ json }) => json.price_versions.join(', ') || 'none any more' },
  ],
  rows,
})}`
}
