/** "What would it cost": machines of a size, beside what the group has. A form that needs no script. */

import { formatCredits } from '../../../core/credits.ts'
import { compare, decimal, parseDecimal } from '../../../core/decimals.ts'
import type { Meters } from '../../../core/meters.ts'
import type { Instant } from '../../../core/time.ts'
import type { GroupRow } from '../../../ledger/ledger.ts'
import { BadRequestError } from '../../errors.ts'
import { type Asked, queryText } from '../../route.ts'
import { planJson } from '../../routes/plan.ts'
import { type Html, html } from '../html.ts'

export interface Calculation {
  readonly asked: Asked
  readonly group: Pick<GroupRow, 'used' | 'granted'>
  readonly meters: Meters
  readonly now: Instant
}

/** What `POST /api/plan` answers, as far as it is shown here. */
interface Plan {
  readonly per_hour: string
  readonly per_day: string
  readonly credits: string
  readonly grant: string
  readonly more?: string
  readonly left_after?: string
  readonly lasts?: { readonly days: number; readonly hours: number } | null
}

/** Fields beside the sizes: their names in the address, labels, and what is asked if nothing is. */
const fields = [
  ['count', 'Machines', '1'],
  ['hours', 'Hours a day', '24'],
  ['days', 'Days', '30'],
] as const

const examples: Readonly<Record<string, string>> = { cpu: '4', ram: '16' }

export function calculator(calculation: Calculation): Html {
  const { asked, meters } = calculation
  const sizes = [...meters.values()].map(
    ({ name, unit }) => [`size-${name}`, `${name} (${unit.replace('·h', '')})`, examples[name] ?? '1'] as const,
  )
  const isAsked = queryText(asked, 'count') !== undefined
  const kept = ['span', 'from', 'to', 'step', 'tz'].map((name) => [name, queryText(asked, name)] as const)
  return html`<section id="calculator" aria-labelledby="calculator-title" tabindex="-1">
<h2 id="calculator-title">What would it cost?</h2>
<form method="get" action="#calculator" class="card calculator">
${kept.map(([name, value]) => value !== undefined && html`<input type="hidden" name="${name}" value="${value}">`)}
<div class="row">
${[...sizes, ...fields].map(([name, label, example]) => field(name, label, queryText(asked, name) ?? example))}
<button>Calculate</button>
</div>
<div class="result" role="status">${isAsked && result(calculation)}</div>
</form>
</section>`
}

function field(name: string, label: string, value: string): Html {
  return html`<div><label for="calc-${name}">${label}</label><input id="calc-${name}" name="${name}" value="${value}" inputmode="decimal" required></div>
`
}

function result(calculation: Calculation): Html {
  try {
    return answer(planOf(calculation), calculation)
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error
    const words = error.message.replace(/^machines\[0\]\.(sizes\.)?/, '').replace('hours_per_day:', 'hours a day:')
    return html`<p class="problem">${words}</p>`
  }
}

/** @throws {BadRequestError} if it is none. */
function planOf({ asked, group, meters, now }: Calculation): Plan {
  const sizes = [...meters.values()].map(({ name }) => [name, queryText(asked, `size-${name}`) ?? '0'])
  const [count, hours, days] = fields.map(([name, , usual]) => queryText(asked, name) ?? usual)
  const grant = group.granted === undefined ? undefined : parseDecimal(group.granted)
  const isRunning = grant !== undefined && compare(grant, decimal('0')) >= 0 && group.used >= 0n
  const body = {
    machines: [{ count, sizes: Object.fromEntries(sizes) }],
    hours_per_day: hours,
    days,
    ...(isRunning && { granted: group.granted, used: formatCredits(group.used) }),
  }
  return JSON.parse(JSON.stringify(planJson(body, { meters, now }))) as Plan
}

function answer(plan: Plan, { asked }: Calculation): Html {
  const days = queryText(asked, 'days') ?? ''
  return html`<dl class="facts">
<div><dt>An hour</dt><dd>${plan.per_hour}<small>credits while they run</small></dd></div>
<div><dt>A day</dt><dd>${plan.per_day}<small>credits</small></dd></div>
<div><dt>${days} days</dt><dd>${plan.credits}<small>credits</small></dd></div>
${plan.left_after !== undefined && html`<div><dt>Left then</dt><dd>${plan.left_after}<small>of the present grant, if nothing else runs</small></dd></div>`}
${plan.lasts !== undefined && html`<div><dt>What is left lasts</dt><dd>${lasting(plan.lasts)}<small>for these machines alone</small></dd></div>`}
${plan.more !== undefined ? html`<div><dt>To ask for</dt><dd>${plan.grant}<small>as the new grant: ${plan.more} more</small></dd></div>` : html`<div><dt>To ask for</dt><dd>${plan.grant}<small>as the grant</small></dd></div>`}
</dl>`
}

function lasting(lasts: NonNullable<Plan['lasts']> | null): string {
  return lasts === null ? 'for ever' : `${lasts.days} days, ${Number(lasts.hours.toFixed(1))} h`
}
