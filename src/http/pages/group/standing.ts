/** How a group stands now: its state with the reason and what to do, its credits, and when they run out. */
import { formatCredits, formatShown } from '../../../core/credits.ts'
import { approximate, isNegative, isZero, parseDecimal } from '../../../core/decimals.ts'
import { reached } from '../../../core/thresholds.ts'
import type { Instant } from '../../../core/time.ts'
import type { GroupForecast } from '../../../ledger/forecasts.ts'
import type { GroupRow, StoredHold } from '../../../ledger/ledger.ts'
import { groupJson, groupState } from '../../groupJson.ts'
import { holdAdvice } from '../holdAdvice.ts'
import { type Html, html } from '../html.ts'
import { about, day, isUsedUp, minute, tag, timeLeft } from '../pieces.ts'

export interface Standing {
  readonly group: GroupRow
  readonly holds: readonly StoredHold[]
  readonly forecast: GroupForecast | undefined
  /** At which parts of a grant, in percent, people are told. */
  readonly notifyAt: readonly number[]
  readonly precision: number
  readonly now: Instant
}

export function standing(facts: Standing): Html {
  return html`<section aria-label="How the group stands">
${stateNotice(facts)}
${grantNotice(facts)}
<dl class="facts">
${fact('Used', formatCredits(facts.group.used), publishedHint(facts))}
${fact('Granted', facts.group.granted ?? '–', facts.group.granted === undefined ? 'none is known' : 'in Perun')}
${fact('Left', leftOf(facts.group) ?? '–', share(facts.group))}
${fact('Burn', facts.forecast === undefined ? '–' : `${about(facts.forecast.burnPerDay, facts.precision)} a day`, 'at present')}
</dl>
<p class="forecast">${facts.forecast === undefined && isUsedUp(leftOf(facts.group)) ? allUsed : forecastSentence(facts.forecast, facts.now)}</p>
</section>`
}

function fact(name: string, value: string, hint: Html | string): Html {
  return html`<div><dt>${name}</dt><dd>${value}<small>${hint}</small></dd></div>`
}

/** As in the API; `undefined` if the grant is unknown or no number. */
export function leftOf(group: GroupRow): string | undefined {
  return groupJson(group).left ?? undefined
}

function share({ used, granted }: GroupRow): string {
  const grant = granted === undefined ? undefined : parseDecimal(granted)
  if (grant === undefined || isZero(grant) || isNegative(grant)) return 'of the grant'
  const percent = (approximate({ digits: used, scale: 6 }) / approximate(grant)) * 100
  return `${percent.toFixed(1)} % of the grant is used`
}

function publishedHint({ group: { published, publishedAt }, precision }: Standing): Html | string {
  if (published === undefined || publishedAt === undefined) return 'not published in Perun yet'
  return html`Perun shows ${formatShown(published, precision)} since ${minute(publishedAt)}`
}

const tags = {
  held: ['bad', 'On hold'],
  new: ['idle', 'New'],
  waiting: ['idle', 'Waiting'],
  active: ['good', 'Active'],
} as const

function stateNotice({ group, holds }: Standing): Html {
  const state = groupState(group)
  const [kind, name] = tags[state]
  return html`<div class="notice ${kind}">
<p>${tag(kind, name)} ${reasons[state]}</p>
${holds.length > 0 && html`<ul class="holds">${holds.map(holdItem)}</ul>`}
${lastReading(group)}
</div>`
}

const reasons = {
  held: 'Something is not charged or published until it is resolved:',
  new: 'Its sites were not looked up in Perun yet. Wait a minute.',
  waiting: 'Its used credits grew, and Perun is told next.',
  active: 'Perun shows what the ledger says.',
} as const

function lastReading({ lastReadingAt }: GroupRow): Html | undefined {
  return lastReadingAt === undefined ? undefined : html`<p class="soft">Last measured ${minute(lastReadingAt)}.</p>`
}

function holdItem({ id, kind, site, reason, openedAt }: StoredHold): Html {
  return html`<li><strong>${kind}</strong> at site ${site} since ${minute(openedAt)}: ${reason} <em>${holdAdvice[kind]}</em> <a href="/holds/${id}">Hold ${id}</a></li>
`
}

/** A word where the grant is used up, or nearly. */
function grantNotice({ group, notifyAt }: Standing): Html | undefined {
  const grant = group.granted === undefined ? undefined : parseDecimal(group.granted)
  if (grant === undefined) return undefined
  const percent = reached(group.used, grant, notifyAt).at(-1)
  if (percent === undefined) return undefined
  if (percent < 100) return html`<p class="notice warn">${percent} % of the grant or more is used.</p>`
  return html`<p class="notice bad">The grant is used up. Whoever grants credits in Perun can grant more; the worker stops no machine.</p>`
}

const allUsed = html`<strong>All granted credits are used.</strong>`

/** When credits run out, in words. */
function forecastSentence(forecast: GroupForecast | undefined, now: Instant): Html {
  if (forecast === undefined) return html`Too little was charged yet to tell when credits run out.`
  const { runsOut, days } = forecast
  const basis = html`From ${days} ${days === 1 ? 'day' : 'days'} of consumption up to ${minute(forecast.until)}.`
  switch (runsOut.kind) {
    case 'no grant':
      return html`There is no grant that could run out. ${basis}`
    case 'already':
      return allUsed
    case 'never':
      return html`At this rate credits last for more than ten years${
        runsOut.early !== undefined && html`; with more use than expected until ${day(runsOut.early)} or later`
      }. ${basis}`
    case 'expected': {
      const left = timeLeft(runsOut.at, now)
      if (left === undefined) {
        return html`<strong>By the last readings, of ${minute(forecast.until)}, credits should have run out on ${day(runsOut.at)}</strong>; nothing has been measured since.`
      }
      return html`<strong>Credits are expected to last until ${day(runsOut.at)}</strong> (for ${left}); in four of five cases ${
        runsOut.late === undefined
          ? html`they last until ${day(runsOut.early)} or longer, perhaps for good`
          : html`until a day from ${day(runsOut.early)} to ${day(runsOut.late)}`
      }. ${basis}`
    }
  }
}
