/** Small pieces that several pages show. */

import { formatRounded } from '../../core/credits.ts'
import { type Decimal, parseDecimal } from '../../core/decimals.ts'
import { inPath } from '../../core/groupPath.ts'
import { DAY, formatInstant, HOUR, type Instant, MINUTE, SECOND } from '../../core/time.ts'
import { type Html, html } from './html.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'idle'

export function tag(tone: Tone, text: string): Html {
  return html`<span class="tag ${tone}">${text}</span>`
}

/** An instant: how long ago or ahead it is, and in full when one points at it or a program reads it. */
export function moment(at: Instant, now: Instant): Html {
  const full = formatInstant(at)
  return html`<time datetime="${full}" title="${full}" class="nowrap">${distance(at - now)}</time>`
}

/** An instant to the minute, in UTC. */
export function minute(at: Instant): Html {
  const full = formatInstant(at)
  return html`<time datetime="${full}" title="${full}" class="nowrap">${full.slice(0, 16).replace('T', ' ')} UTC</time>`
}

/** The day of an instant in UTC: `2026-01-31`. */
export function day(at: Instant): Html {
  const full = formatInstant(at)
  return html`<time datetime="${full}" title="${full}" class="nowrap">${full.slice(0, 10)}</time>`
}

/** `5 min ago`, `in 3 h`; `now` within a second. */
function distance(ms: number): string {
  const length = Math.abs(ms)
  if (length < SECOND) return 'now'
  return ms < 0 ? `${duration(length)} ago` : `in ${duration(length)}`
}

/** Whole units, rounded down: `59 s`, `3 h`, `12 days`. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`
  return `${Math.floor(ms / DAY)} days`
}

/** How long credits last, from now on; `undefined` if the time at which they were expected to run out has passed. */
export function timeLeft(runsOutAt: Instant, now: Instant): string | undefined {
  return runsOutAt > now ? duration(runsOutAt - now) : undefined
}

/** Credits that are known approximately, with as many decimals as are published. @param credits As a double. */
export function about(credits: number, precision: number): string {
  return formatRounded(BigInt(Math.round(credits * 1e6)), precision)
}

/** Below this part of the grant a bar warns. */
const LITTLE = 20

/** What is left of a grant as a bar, with the same in words. @param left An exact number, as the API tells it. */
export function leftBar(left: string, granted: string): Html {
  const percent = percentOf(left, granted)
  if (percent === undefined) return html`<span class="nowrap">${left}</span>`
  const tone = percent <= 0 ? 'bad' : percent <= LITTLE ? 'warn' : 'good'
  const width = Math.min(100, Math.max(0, percent))
  return html`<span class="nowrap">${left}</span> <span class="soft nowrap">${percent.toFixed(1)} %</span>
<svg class="bar ${tone}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="8"/></svg>`
}

/** Whether nothing is left of a grant; what is not known is not used up. @param left As the API tells it. */
export function isUsedUp(left: string | null | undefined): boolean {
  const rest = parseDecimal(left ?? '')
  return rest !== undefined && rest.digits <= 0n
}

/** To one decimal, rounded down, so that 100 is all and 0 may be a little. */
function percentOf(left: string, granted: string): number | undefined {
  const [part, whole] = [parseDecimal(left), parseDecimal(granted)].map((each) => each && toNumber(each))
  if (part === undefined || whole === undefined || whole <= 0) return undefined
  const percent = Math.floor((part / whole) * 1_000) / 10
  return Number.isFinite(percent) ? percent : undefined
}

function toNumber({ digits, scale }: Decimal): number {
  return Number(digits) / 10 ** scale
}

export function groupAddress(group: string): string {
  return `/groups/${inPath(group)}`
}

/** The name of a group within a sentence. */
export function groupName(group: string): Html {
  return html`<a class="text" href="${groupAddress(group)}" dir="auto">${group}</a>`
}

/** A name may be in any script and of any length: its direction is its own, and a table shows its beginning. */
export function groupLink(group: string): Html {
  return html`<a class="name" href="${groupAddress(group)}" dir="auto">${group}</a>`
}

export interface Pager {
  readonly previous: string | undefined
  readonly previousName?: string
  readonly next: string | undefined
  readonly nextName?: string
  /** Where one is: `51 to 100 of 120`. */
  readonly where: string
}

/** Links to the page before and the page after. */
export function pager({ previous, previousName = 'Previous', next, nextName = 'Next', where }: Pager): Html {
  const to = (address: string | undefined, rel: string, name: string) =>
    address === undefined
      ? html`<span class="soft">${name}</span>`
      : html`<a href="${address}" rel="${rel}">${name}</a>`
  const [back, on] = [to(previous, 'prev', `← ${previousName}`), to(next, 'next', `${nextName} →`)]
  return html`<nav class="pages" aria-label="Pages of the table">${back}<span>${where}</span>${on}</nav>`
}
