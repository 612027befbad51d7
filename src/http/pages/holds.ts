/** The pages about what is held back and what was edited in Perun. */
import { readAsking } from '../asking.ts'
import { BadRequestError, ConflictError, NotFoundError } from '../errors.ts'
import type { HttpParts } from '../parts.ts'
import { cutPage, link, queryChoice, queryNumber, queryText, type Route, type RouteContext } from '../route.ts'
import { readForm } from './forms.ts'
import { type Decision, holdContent, type Verdict, verdicts } from './holdPage.ts'
import { driftTable, holdTable } from './holdTables.ts'
import { type Html, html } from './html.ts'
import { answerPage, goTo } from './layout.ts'
import { pager } from './pieces.ts'

/** Rows of a page, and growths that are shown of a hold. */
const PAGE = 50
const GROWTHS = 100

const filters = ['open', 'closed', 'all'] as const

interface Wanted {
  readonly group: string | undefined
  readonly before: number | undefined
}

function readWanted(ctx: RouteContext): Wanted {
  return {
    group: queryText(ctx, 'group') || undefined,
    before: queryNumber(ctx, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER }),
  }
}

/** What is given of it, as the ledger wants it. */
function given({ group, before }: Wanted): { group?: string; before?: number } {
  return { ...(group !== undefined && { group }), ...(before !== undefined && { before }) }
}

/** `GET /holds`, newest first. */
export function holdsPageRoute({ ledger, clock }: Pick<HttpParts, 'ledger' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/holds',
    who: 'operator',
    isForPeople: true,
    summary: 'The page of holds',
    query: { group: 'Only those of this group', state: filters.join(', '), before: 'Only those with a smaller number' },
    answers: { 200: 'The page', 400: 'No such page' },
    async handle(ctx) {
      const wanted = readWanted(ctx)
      const { group, before } = wanted
      const state = queryChoice(ctx, 'state', filters) ?? 'open'
      const found = await ledger.holds({ ...given(wanted), filter: state, limit: PAGE + 1 })
      const { page, last } = cutPage(found, PAGE)
      const states = filters.map((each) => {
        const current = each === state && html` aria-current="true"`
        return html`<li><a class="tab" href="${link('/holds', { group, state: each })}"${current}>${each}</a></li>`
      })
      const caption =
        state === 'open' ? 'What is not charged or published until it is resolved.' : 'Closed holds say why they ended.'
      answerPage(ctx, {
        title: 'Holds',
        content: html`<h1>Holds</h1>
${groupNote(group, '/holds')}
<nav aria-label="State of holds"><ul class="tabs">${states}</ul></nav>
${page.length === 0 ? html`<p>No ${state === 'all' ? '' : `${state} `}holds${before !== undefined && ' further back'}.</p>` : holdTable(page, clock.now(), caption)}
${older(page.length, before, link('/holds', { group, state }), last && link('/holds', { group, state, before: last.id }))}
<p><a href="${group === undefined ? '/drifts' : link('/drifts', { group })}">What was edited in Perun</a></p>`,
      })
    },
  }
}

/** `GET /drifts`, newest first. */
export function driftsPageRoute({ ledger, clock }: Pick<HttpParts, 'ledger' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/drifts',
    who: 'operator',
    isForPeople: true,
    summary: 'The page of what was edited in Perun',
    query: { group: 'Only those of this group', before: 'Only those with a smaller number' },
    answers: { 200: 'The page', 400: 'No such page' },
    async handle(ctx) {
      const wanted = readWanted(ctx)
      const { group, before } = wanted
      const { page, last } = cutPage(await ledger.drifts({ ...given(wanted), limit: PAGE + 1 }), PAGE)
      const caption = 'Used credits in Perun that this worker did not write, newest first.'
      answerPage(ctx, {
        title: 'Edited in Perun',
        content: html`<h1>Edited in Perun</h1>
${groupNote(group, '/drifts')}
${page.length === 0 ? html`<p>Nothing was edited${before !== undefined && ' further back'}.</p>` : driftTable(page, clock.now(), caption)}
${older(page.length, before, link('/drifts', { group }), last && link('/drifts', { group, before: last.id }))}`,
      })
    },
  }
}

function groupNote(group: string | undefined, all: string): Html {
  return html`${group !== undefined && html`<p>Only of <b dir="auto">${group}</b>. <a href="${all}">Of all groups</a></p>`}`
}

function older(shown: number, before: number | undefined, first: string, next: string | undefined): Html | undefined {
  if (before === undefined && next === undefined) return undefined
  return pager({
    previous: before === undefined ? undefined : first,
    previousName: 'Newest',
    next,
    nextName: 'Older',
    where: `${shown} shown`,
  })
}

/** `GET /holds/:id`: a hold with its growth, and the forms to decide about it. With a verdict in the query it asks once more. */
export function holdPageRoute(parts: Pick<HttpParts, 'ledger' | 'clock' | 'meters' | 'precision'>): Route {
  return {
    method: 'get',
    path: '/holds/:id',
    who: 'operator',
    isForPeople: true,
    summary: 'The page of a hold',
    query: { verdict: 'accept or dismiss: asks whether that is meant', reason: 'Why', actor: 'Who decides' },
    answers: { 200: 'The page', 400: 'No such decision', 404: 'No hold has this number' },
    async handle(ctx) {
      const hold = await parts.ledger.hold(idOf(ctx))
      if (hold === undefined) throw unknownHold(ctx)
      const { page: growths, last } = cutPage(await parts.ledger.heldGrowths(hold.id, GROWTHS + 1), GROWTHS)
      const { viewer } = ctx.state
      const decision = readDecision(ctx)
      if (decision?.problem !== undefined) ctx.status = 400
      answerPage(ctx, {
        title: `Hold ${hold.id}`,
        content: holdContent({
          ...parts,
          hold,
          growths,
          hasMore: last !== undefined,
          decision,
          viewer,
          now: parts.clock.now(),
        }),
      })
    },
  }
}

/** What somebody is about to decide. */
function readDecision(ctx: RouteContext): Decision | undefined {
  const verdict = queryChoice(ctx, 'verdict', verdicts)
  if (verdict === undefined) return undefined
  const [reason = '', actor = ''] = [queryText(ctx, 'reason'), queryText(ctx, 'actor')]
  try {
    return { verdict, ...asking({ reason, actor }), problem: undefined }
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error
    return { verdict, reason, actor, problem: error.message }
  }
}

/** Whoever does not say who they are is the operator, as in the API. */
function asking({ reason, actor }: { reason: string; actor: string }): { reason: string; actor: string } {
  return readAsking(actor.trim() === '' ? { reason } : { reason, actor })
}

/** `POST /holds/:id/accept` and `POST /holds/:id/dismiss`: what the API does, for a form. */
export function decideOnPageRoute(verdict: Verdict, { decideHold }: Pick<HttpParts, 'decideHold'>): Route {
  return {
    method: 'post',
    path: `/holds/:id/${verdict}`,
    who: 'operator',
    isForPeople: true,
    summary: verdict === 'accept' ? 'Accepts a hold, from its page' : 'Dismisses a hold, from its page',
    body: 'A form with reason and actor',
    answers: {
      303: 'To the page of the hold',
      400: 'No reason is given',
      404: 'No such hold',
      409: 'It is closed, or ends by itself',
    },
    async handle(ctx) {
      const form = await readForm(ctx)
      const asked = asking({ reason: form.get('reason') ?? '', actor: form.get('actor') ?? '' })
      const id = idOf(ctx)
      const resolved = await decideHold(id, { verdict, ...asked })
      if (resolved.kind === 'unknown') throw unknownHold(ctx)
      if (resolved.kind === 'refused') throw new ConflictError(resolved.why)
      goTo(ctx, `/holds/${id}`)
    },
  }
}

/** No hold has the number 0. */
function idOf({ params }: RouteContext): number {
  return /^\d{1,15}$/.test(params.id!) ? Number(params.id) : 0
}

function unknownHold({ params }: RouteContext): NotFoundError {
  return new NotFoundError(`No hold has the number ${JSON.stringify(params.id)}.`)
}
