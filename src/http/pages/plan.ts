/**
 * `GET /plan`: the planner as a page. Its form is in the address, so a plan can be kept as a bookmark and sent to somebody;
 * what it says is what `POST /api/plan` answers.
 */
import type { Meter } from '../../core/meters.ts'
import { BadRequestError } from '../errors.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { type PlanJson, planJson } from '../routes/plan.ts'
import { type Html, type HtmlValue, html } from './html.ts'
import { answerPage } from './layout.ts'
import { bodyOf, emptyKind, isAsked, type PlanForm, readPlanForm } from './planForm.ts'
import { table } from './table.ts'

export function planPageRoute({ meters, clock }: Pick<HttpParts, 'meters' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/plan',
    who: 'all',
    isForPeople: true,
    summary: 'The planner page: which grant machines need, or how long credits last',
    answers: { 200: 'The page', 400: 'No such plan' },
    handle(ctx) {
      const all = [...meters.values()]
      const form = readPlanForm(new URLSearchParams(ctx.querystring), all)
      const answer = isAsked(form)
        ? answerOf(form, () => planJson(bodyOf(form), { meters, now: clock.now() }))
        : undefined
      if (answer?.problem !== undefined) ctx.status = 400
      answerPage(ctx, {
        title: 'Planner',
        content: html`<h1>Planner</h1>
<p>Which grant machines need, how long credits last, and what an extension or a change does to a running project: exactly, at the prices of today.</p>
${answer?.problem !== undefined && html`<p class="notice bad problem" role="alert">${answer.problem}</p>`}
${answer?.plan !== undefined && result(answer.plan, form, all)}
${planForm(form, all)}`,
      })
    },
  }
}

type Answer =
  | { readonly plan: PlanJson; readonly problem?: never }
  | { readonly plan?: never; readonly problem: string }

function answerOf(form: PlanForm, plan: () => PlanJson): Answer {
  try {
    return { plan: plan() }
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error
    return { problem: inWords(error.message, form) }
  }
}

/** The fields of the API as those of the form. */
function inWords(message: string, { kinds }: PlanForm): string {
  const asked = kinds.flatMap((kind, index) => (kind === emptyKind ? [] : [index]))
  return message
    .replace(/^machines\[(\d+)\]\.?/, (_, index: string) => `Machines ${(asked[Number(index)] ?? 0) + 1}, `)
    .replace(
      /, (sizes|weights)\.(\w+):/,
      (_, what: string, name: string) => `, ${what === 'sizes' ? '' : 'weight of '}${name}:`,
    )
    .replace('hours_per_day:', 'hours a day:')
    .replace(
      'machines: expected a list of 1 to 1000 kinds of machines, got 0 of them.',
      'Say at least how large one kind of machine is.',
    )
}

function result(plan: PlanJson, form: PlanForm, meters: readonly Meter[]): Html {
  const { credits, grant, more, left_after, left, lasts } = { ...blank, ...plan } as Readonly<Record<string, unknown>>
  const facts: [string, HtmlValue, string][] = []
  const add = (name: string, value: unknown, hint = '') => {
    if (value !== undefined) facts.push([name, value as string, hint])
  }
  if (more === undefined) add('Grant to ask for', grant, `credits for ${form.days} days`)
  else {
    add('Grant to ask for', grant, 'credits in all')
    add('More than now', more, 'credits')
  }
  add(form.granted === '' ? 'These days cost' : 'The days ahead cost', credits, 'credits, exactly')
  add('Left now', left, 'credits')
  add('Left after these days', left_after, 'credits, if the grant stays as it is')
  if ('lasts' in plan)
    add(
      form.granted === '' ? 'The credits last' : 'What is left lasts',
      lastsText(lasts),
      lasts === null ? '' : 'if all of it goes on like that',
    )
  add('A day', plan.per_day, 'credits')
  add('An hour', plan.per_hour, 'credits, while all machines run')
  return html`<section aria-labelledby="result"><h2 id="result">What it takes</h2>
<dl class="facts">${facts.map(([name, value, hint]) => html`<div><dt>${name}</dt><dd>${value}${hint !== '' && html`<small>${hint}</small>`}</dd></div>`)}</dl>
${priceTable(plan, meters)}
</section>`
}

const blank = { lasts: undefined }

/** Days and hours are numbers of JSON that keep their digits. */
function lastsText(lasts: unknown): string {
  if (lasts === null) return 'for ever'
  const { days, hours } = lasts as { days: object; hours: object }
  return `${JSON.stringify(days)} days, ${JSON.stringify(hours)} hours`
}

function priceTable({ prices }: PlanJson, meters: readonly Meter[]): Html {
  return table({
    caption: 'Prices of today',
    columns: [
      { name: 'Meter', cell: ([name]) => name },
      { name: 'Credits a unit', isNumber: true, cell: ([, { price }]) => price },
      { name: 'Unit', cell: ([name]) => meters.find((meter) => meter.name === name)?.unit },
      {
        name: 'Holds',
        cell: ([, { until }]) =>
          until === null
            ? 'until further notice'
            : `until ${until}: what is planned beyond it will cost something else`,
      },
    ],
    rows: Object.entries(prices),
  })
}

function planForm({ kinds, days, credits, granted, used }: PlanForm, meters: readonly Meter[]): Html {
  return html`<form method="get" action="/plan">
<h2>Machines</h2>
${kinds.map((kind, index) => kindFields(kind, index, meters))}
<h2>How long</h2>
<fieldset><legend>Days to plan for, or credits to spend</legend>
<div class="row">
${field('days', 'Days', days)}
${field('credits', 'Credits', credits)}
</div></fieldset>
<fieldset><legend>A running project</legend>
<p class="hint">For an extension or a change. With these, days are added to the grant, and machines may be given up by a count below zero. Without days, it says how long the rest lasts.</p>
<div class="row">
${field('granted', 'Granted credits', granted)}
${field('used', 'Used credits', used)}
</div></fieldset>
<div class="row"><button>Plan</button><button name="more" value="1" class="quiet">More kinds of machines</button><a class="button quiet" href="/plan">Begin anew</a></div>
</form>`
}

function kindFields(kind: Readonly<Record<string, string>>, index: number, meters: readonly Meter[]): Html {
  const one = (name: string, label: string, hint?: string) => field(name, label, kind[name] ?? '', hint, `-${index}`)
  const hasWeights = meters.some(({ name }) => (kind[`weight.${name}`] ?? '') !== '')
  return html`<fieldset><legend>Machines ${index + 1}</legend>
<div class="row">
${one('count', 'How many', '1')}
${meters.map(({ name, unit }) => one(`size.${name}`, `${name} (${unit.replace(/[·*]?h$/, '')})`))}
${one('hours', 'Hours a day', '24')}
</div>
<details${hasWeights && html` open`}><summary>Weights</summary>
<p class="hint">What the exporter multiplies an amount with; 1 for ordinary machines.</p>
<div class="row">${meters.map(({ name }) => one(`weight.${name}`, `Weight of ${name}`, '1'))}</div></details>
</fieldset>`
}

function field(name: string, label: string, value: string, hint?: string, suffix = ''): Html {
  const id = `${name}${suffix}`
  return html`<div><label for="${id}">${label}</label><input id="${id}" name="${name}" value="${value}" inputmode="decimal" autocomplete="off" maxlength="40"${hint !== undefined && html` placeholder="${hint}"`}></div>`
}
