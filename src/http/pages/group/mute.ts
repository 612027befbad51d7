/** How an operator mutes a group on its page, and has its people told again. */
import type { Mute } from '../../../ledger/notices.ts'
import { readAsking } from '../../asking.ts'
import type { Viewer } from '../../door.ts'
import { changeMute, type MuteChange } from '../../muting.ts'
import type { HttpParts } from '../../parts.ts'
import type { Route } from '../../route.ts'
import { readForm, tokenField } from '../forms.ts'
import { type Html, html } from '../html.ts'
import { goTo } from '../layout.ts'
import { groupAddress } from '../pieces.ts'

const texts = {
  mute: {
    open: 'Mute this group …',
    effect:
      'From now on nobody is told of its credits: no mail to its people or to governance, no webhook. What is waiting is not told either. What comes up is listed here all the same.',
    button: 'Mute',
  },
  unmute: {
    open: 'Tell its people again …',
    effect: 'They are told of what comes up from now on. What came up meanwhile is not told any more.',
    button: 'Tell them again',
  },
} as const

const previews = [
  ['digest', 'of a day'],
  ['threshold', 'a part of the grant is used'],
  ['runs-out', 'credits run out soon'],
] as const

/** A form to mute the group, or to take that back, whichever it is time for. */
export function muteForm({ group, mute, viewer }: { group: string; mute: Mute | undefined; viewer: Viewer }): Html {
  const change = mute === undefined ? 'mute' : 'unmute'
  const { open, effect, button } = texts[change]
  return html`<details class="mute"><summary>${open}</summary>
<form method="post" action="${groupAddress(group)}/${change}" class="card narrow">
${tokenField(viewer)}
<p>${effect}</p>
<label for="mute-reason">Reason</label>
<input id="mute-reason" name="reason" required maxlength="1000">
<label for="mute-actor">Who decides</label>
<input id="mute-actor" name="actor" maxlength="1000" placeholder="operator" autocomplete="name">
<p class="hint">Both are ${change === 'mute' ? 'shown here, and ' : ''}in the log of the worker.</p>
<button>${button}</button>
</form></details>
<p class="hint">What mails look like: ${previews.map(([kind, name], index) => html`${index > 0 && ', '}<a href="/notices/preview?kind=${kind}">${name}</a>`)}; <a href="/notices/preview?format=text">as plain text</a>.</p>`
}

/** `POST /groups/:name/mute` and `POST /groups/:name/unmute`: what the API does, for a form. */
export function muteOnPageRoute(change: MuteChange, parts: Pick<HttpParts, 'ledger' | 'clock' | 'logger'>): Route {
  return {
    method: 'post',
    path: `/groups/:name/${change}`,
    who: 'operator',
    isForPeople: true,
    summary: change === 'mute' ? 'Mutes a group, from its page' : 'Has its people told again, from its page',
    body: 'A form with reason and actor',
    answers: { 303: 'To the page of the group', 400: 'No reason is given', 404: 'No such group' },
    async handle(ctx) {
      const form = await readForm(ctx)
      const [reason, actor] = [form.get('reason') ?? '', form.get('actor')?.trim() ?? '']
      const group = ctx.params.name!
      await changeMute(parts, change, group, readAsking(actor === '' ? { reason } : { reason, actor }))
      goTo(ctx, `${groupAddress(group)}#notices`)
    },
  }
}
