/** What people were told about their credits, what a mail looks like, and groups that are not told. */
import { formatCredits } from '../../core/credits.ts'
import { DAY, formatInstant } from '../../core/time.ts'
import type { StoredNotice } from '../../ledger/ledger.ts'
import type { Telling } from '../../ledger/messages.ts'
import type { Mute } from '../../ledger/notices.ts'
import type { Told } from '../../publish/messenger.ts'
import { readAsking } from '../asking.ts'
import { instantOrNull } from '../groupJson.ts'
import { readJson } from '../json.ts'
import { changeMute, type MuteChange } from '../muting.ts'
import type { HttpParts } from '../parts.ts'
import {
  beforeSummary,
  cutPage,
  ledgerTrouble,
  limitSummary,
  link,
  queryChoice,
  queryLimit,
  queryNumber,
  queryText,
  type Route,
} from '../route.ts'
import { word } from '../schema.ts'
import { asking, groupParameter, ofGroup } from '../schemas/common.ts'
import { mailHtml, mailText, muted, noticesPage, unmuted } from '../schemas/notices.ts'

/** `GET /api/notices`, newest first. */
export function noticesRoute({ ledger }: Pick<HttpParts, 'ledger'>): Route {
  return {
    method: 'get',
    path: '/api/notices',
    who: 'operator',
    summary: 'What people were told about their credits, whom and when, newest first',
    query: { group: ofGroup, before: beforeSummary, limit: limitSummary },
    answers: {
      200: { description: 'A page of notices with their messages', json: noticesPage },
      400: 'No such page',
      503: ledgerTrouble,
    },
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
export function muteRoute(change: MuteChange, parts: Pick<HttpParts, 'ledger' | 'clock' | 'logger'>): Route {
  return {
    method: 'post',
    path: `/api/groups/:name/${change}`,
    who: 'operator',
    summary: change === 'mute' ? 'Tells the people of a group nothing any more' : 'Tells the people of a group again',
    tag: 'notices',
    params: groupParameter,
    body: asking,
    answers: {
      200:
        change === 'mute'
          ? { description: 'It is muted', json: muted }
          : { description: 'It is not any more; what came up meanwhile is not told', json: unmuted },
      400: 'No reason is given',
      404: 'There is no such group',
      503: ledgerTrouble,
    },
    async handle(ctx) {
      const group = ctx.params.name!
      const mute = await changeMute(parts, change, group, readAsking(await readJson(ctx)))
      ctx.body = { group, muted: mute !== undefined, mute: mute === undefined ? null : muteJson(mute) }
    },
  }
}

const kinds = ['digest', 'threshold', 'runs-out'] as const

/** Only styles in attributes: mail programs know no others. No script, nothing from elsewhere. */
const PREVIEW_POLICY = "default-src 'none'; style-src-attr 'unsafe-inline'; frame-ancestors 'none'"

/** `GET /notices/preview`: an example of each kind of mail, as it would be sent. */
export function previewRoute({ previewDigest, clock }: Pick<HttpParts, 'previewDigest' | 'clock'>): Route {
  return {
    method: 'get',
    path: '/notices/preview',
    who: 'operator',
    summary: 'What a mail to people looks like, with made-up projects',
    isForPeople: true,
    query: {
      kind: word('Which mail; the digest if not given', kinds),
      format: word('How it is read; as HTML if not given', ['html', 'text']),
    },
    answers: {
      200: { description: 'The mail', html: mailHtml, text: mailText },
      400: 'No such kind or format',
    },
    handle(ctx) {
      const notices = examples(clock.now())[queryChoice(ctx, 'kind', kinds) ?? 'digest']
      const format = queryChoice(ctx, 'format', ['html', 'text']) ?? 'html'
      const { subject, text, html } = previewDigest(notices)
      ctx.type = format === 'html' ? 'text/html' : 'text/plain'
      ctx.set('Content-Security-Policy', PREVIEW_POLICY)
      ctx.body = format === 'html' ? html : `Subject: ${subject}\n\n${text}`
    },
  }
}

function examples(now: number): Record<(typeof kinds)[number], readonly Told[]> {
  const facts = { id: 1, granted: '5000', at: now }
  const lasting = (left: number, burnPerDay: number) => ({ burnPerDay, runsOutAt: now + (left / burnPerDay) * DAY })
  const threshold = {
    ...facts,
    group: 'Protein Folding',
    kind: 'threshold',
    line: 80,
    used: 4_012_500_000n,
    outlook: lasting(987.5, 96.5),
  } as const
  const runsOut = {
    ...facts,
    group: 'Großes Mikroskop',
    kind: 'runs out',
    line: 14,
    used: 3_900_250_000n,
    outlook: lasting(1_099.75, 148.2),
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
