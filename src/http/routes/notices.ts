/** What people were told about their credits, what a mail looks like, and groups that are not told. */
import { formatCredits } from '../../core/credits.ts'
import { DAY, formatInstant } from '../../core/time.ts'
import type { StoredNotice } from '../../ledger/ledger.ts'
import type { Telling } from '../../ledger/messages.ts'
import type { Mute } from '../../ledger/notices.ts'
import type { Told } from '../../publish/messenger.ts'
import { readAsking } from '../asking.ts'
import { BadRequestError } from '../errors.ts'
import { instantOrNull } from '../groupJson.ts'
import { readJson } from '../json.ts'
import type { HttpParts } from '../parts.ts'
import { cutPage, limitSummary, link, queryLimit, queryNumber, queryText, type Route } from '../route.ts'
import { unknownGroup } from './groups.ts'

/** `GET /api/notices`, newest first. */
export function noticesRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/notices',
    who: 'operator',
    summary: 'What people were told about their credits, whom and when, newest first',
    query: { group: 'Only those of this group', before: 'Only those with a smaller number', limit: limitSummary },
    answers: { 200: 'A page of notices with their messages, and the address of the next one', 400: 'No such page' },
    async handle(ctx) {
      const [group, limit] = [queryText(ctx, 'group'), queryLimit(ctx)]
      const before = queryNumber(ctx, 'before', { min: 1, max: Number.MAX_SAFE_INTEGER })
      const wanted = { ...(group !== undefined && { group }), ...(before !== undefined && { before }) }
      const { page, last } = cutPage(await ledger.notices({ ...wanted, limit: limit + 1 }), limit)
      const tellings = Map.groupBy(await ledger.tellings(page.map(({ id }) => id)), ({ notice }) => notice)
      const mute = group === undefined ? undefined : await ledger.muted(group)
      const next = last === undefined ? null : link('/api/notices', { group, before: last.id, limit })
      const notices = page.map((notice) => noticeJson(notice, tellings.get(notice.id) ?? []))
      ctx.body = { notices, mute: mute === undefined ? null : muteJson(mute), next }
    },
  }
}

/** `POST /api/groups/:name/mute` or `/unmute`. */
export function muteRoute(change: 'mute' | 'unmute', { ledger, clock, logger }: HttpParts): Route {
  return {
    method: 'post',
    path: `/api/groups/:name/${change}`,
    who: 'operator',
    summary: change === 'mute' ? 'Tells the people of a group nothing any more' : 'Tells the people of a group again',
    body: '{"reason": "…", "actor": "who decides; operator if not given"}',
    answers: {
      200:
        change === 'mute'
          ? 'Who muted it, when and why'
          : 'It is not muted any more; what came up meanwhile is not told',
      400: 'No reason is given',
      404: 'There is no such group',
      413: 'Too long',
      415: 'No JSON',
    },
    async handle(ctx) {
      const group = ctx.params.name!
      const { actor, reason } = readAsking(await readJson(ctx))
      const mute = { group, at: clock.now(), actor, reason }
      const isKnown = change === 'mute' ? await ledger.mute(mute) : await ledger.unmute(group)
      if (!isKnown) throw unknownGroup(group)
      logger.info({ group, actor, reason }, change === 'mute' ? 'A group is muted' : 'A group is not muted any more')
      ctx.body = { group, muted: change === 'mute', mute: change === 'mute' ? muteJson(mute) : null }
    },
  }
}

/** Only styles in attributes: mail programs know no others. No script, nothing from elsewhere. */
const PREVIEW_POLICY = "default-src 'none'; style-src-attr 'unsafe-inline'; frame-ancestors 'none'"

/** `GET /notices/preview`: an example of each kind of mail, as it would be sent. */
export function previewRoute({ previewDigest, clock }: Pick<HttpParts, 'previewDigest' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/notices/preview',
    who: 'operator',
    summary: 'What a mail to people looks like, with made-up projects',
    query: { kind: 'threshold, runs-out or digest (the default)', format: 'html (the default) or text' },
    answers: { 200: 'The mail', 400: 'No such kind or format' },
    handle(ctx) {
      const notices = examples(clock.now())[choice(ctx.query.kind, 'kind', ['digest', 'threshold', 'runs-out'])]
      const format = choice(ctx.query.format, 'format', ['html', 'text'])
      const { subject, text, html } = previewDigest(notices)
      ctx.type = format === 'html' ? 'text/html' : 'text/plain'
      ctx.set('Content-Security-Policy', PREVIEW_POLICY)
      ctx.body = format === 'html' ? html : `Subject: ${subject}\n\n${text}`
    },
  }
}

/** The first choice is the one that holds without any. @throws {BadRequestError} if it is none of them. */
function choice<Choice extends string>(given: unknown, name: string, choices: readonly [Choice, ...Choice[]]): Choice {
  const found = given === undefined ? choices[0] : choices.find((each) => each === given)
  if (found !== undefined) return found
  throw new BadRequestError(`${name}: expected ${choices.join(', ')}, got ${JSON.stringify(given)}.`)
}

function examples(now: number): Record<'digest' | 'threshold' | 'runs-out', readonly Told[]> {
  const facts = { id: 1, granted: '5000', at: now }
  const outlook = { burnPerDay: 96.5, runsOutAt: now + 10 * DAY }
  const threshold = {
    ...facts,
    group: 'Protein Folding',
    kind: 'threshold',
    line: 80,
    used: 4_012_500_000n,
    outlook,
  } as const
  const runsOut = {
    ...facts,
    group: 'Großes Mikroskop',
    kind: 'runs out',
    line: 14,
    used: 3_900_000_000n,
    outlook,
  } as const
  const all = { ...facts, group: 'Old <Project> & Co', kind: 'threshold', line: 100, used: 5_000_000_000n } as const
  return { threshold: [threshold], 'runs-out': [runsOut], digest: [threshold, runsOut, all] }
}

function noticeJson(
  { id, group, kind, line, granted, used, at, entry, state }: StoredNotice,
  tellings: readonly Telling[],
) {
  return {
    id,
    group,
    kind,
    /** Percent of the grant, or days. */
    line,
    granted,
    used: formatCredits(used),
    at: formatInstant(at),
    entry: entry ?? null,
    state,
    messages: tellings.map(tellingJson),
  }
}

function tellingJson({ uid, channel, to, copyTo, state, attempts, attemptedAt, endedAt, problem }: Telling) {
  return {
    id: uid,
    channel,
    to,
    copy_to: copyTo ?? null,
    state,
    attempts,
    tried_at: instantOrNull(attemptedAt),
    ended_at: instantOrNull(endedAt),
    problem: problem ?? null,
  }
}

function muteJson({ at, actor, reason }: Mute) {
  return { at: formatInstant(at), actor, reason }
}
