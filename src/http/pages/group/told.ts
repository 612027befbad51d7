/** What the people of a group were told about their credits. */
import { formatCredits } from '../../../core/credits.ts'
import type { Telling } from '../../../ledger/messages.ts'
import type { Mute, NoticeState, StoredNotice } from '../../../ledger/notices.ts'
import { type Html, html } from '../html.ts'
import { minute } from '../pieces.ts'
import { table } from '../table.ts'

export interface ToldAbout {
  /** Newest first. */
  readonly notices: readonly StoredNotice[]
  readonly tellings: readonly Telling[]
  readonly mute: Mute | undefined
  /** Addresses of people are for operators only. */
  readonly showsRecipients: boolean
  /** What an operator can do about it. */
  readonly form: Html | undefined
}

/** Nothing at all if nothing came up, nobody muted it, and nothing can be done about that. */
export function told({ notices, tellings, mute, showsRecipients, form }: ToldAbout): Html | undefined {
  if (notices.length === 0 && mute === undefined && form === undefined) return undefined
  const byNotice = Map.groupBy(tellings, ({ notice }) => notice)
  const messages = ({ id }: StoredNotice) => byNotice.get(id) ?? []
  return html`<section aria-labelledby="notices">
<h2 id="notices">Notices</h2>
${mute !== undefined && html`<p><b>Muted.</b> Its people are told nothing since ${minute(mute.at)}, by <b dir="auto">${mute.actor}</b>: <span dir="auto">${mute.reason}</span></p>`}
${
  notices.length === 0
    ? html`<p class="hint">Nothing came up yet that its people are to be told.</p>`
    : table({
        caption: 'What its people were to be told, newest first',
        columns: [
          { name: 'At', cell: ({ at }) => minute(at) },
          { name: 'What', cell: what },
          { name: 'Used', isNumber: true, cell: ({ used }) => formatCredits(used) },
          { name: 'Of', isNumber: true, cell: ({ granted }) => granted },
          { name: 'What became of it', cell: ({ state }) => outcomes[state] },
          {
            name: showsRecipients ? 'Sent to' : 'Sent',
            cell: (notice) => messages(notice).map((each) => sending(each, showsRecipients)),
          },
        ],
        rows: notices,
      })
}
${form}
</section>`
}

function what({ kind, line }: StoredNotice): string {
  return kind === 'threshold' ? `${line} % of the grant are used` : `Credits run out within ${line} days`
}

const outcomes: Readonly<Record<NoticeState, string>> = {
  waiting: 'to be told',
  addressed: 'in messages that are not sent yet',
  sent: 'told',
  muted: 'not told: muted',
  passed: 'not told: overtaken by a higher line or another grant, or passed before',
  'no recipient': 'not told: nobody is known who could be',
  'too late': 'not told: it was no news any more',
  'given up': 'not told: no message could be sent',
}

function sending({ channel, to, copyTo, state, endedAt, problem }: Telling, showsRecipients: boolean): Html {
  const whom = showsRecipients
    ? html`<span class="name">${to}</span>${copyTo !== undefined && html` (copy to ${copyTo})`}`
    : channel
  const when = state === 'sent' && endedAt !== undefined ? minute(endedAt) : state
  return html`<div>${whom}: ${when}${showsRecipients && problem !== undefined && html` (${problem})`}</div>`
}
