/** Holds and drifts as tables, with what to do about them. */
import { formatCredits } from '../../core/credits.ts'
import type { Instant } from '../../core/time.ts'
import { decidableHolds, type StoredDrift, type StoredHold } from '../../ledger/ledger.ts'
import { holdAdvice } from './holdAdvice.ts'
import { type Html, type HtmlValue, html } from './html.ts'
import { groupLink, minute, moment } from './pieces.ts'
import { table } from './table.ts'

export function holdTable(holds: readonly StoredHold[], now: Instant, caption: HtmlValue): Html {
  return table<StoredHold>({
    caption,
    columns: [
      { name: 'Hold', cell: ({ id, kind }) => html`<a href="/holds/${id}">${id}</a><br>${kind}` },
      {
        name: 'Group',
        cell: ({ group, site }) =>
          html`${group === undefined ? html`all of it<br>` : groupLink(group)}<small class="soft">site ${site}</small>`,
      },
      { name: 'Reason', isText: true, cell: ({ reason }) => reason },
      {
        name: 'Since',
        cell: ({ openedAt, closed }) =>
          closed === undefined ? moment(openedAt, now) : html`${minute(openedAt)} to ${minute(closed.at)}`,
      },
      { name: 'What to do', isText: true, cell: (hold) => toDo(hold) },
    ],
    rows: holds,
  })
}

function toDo({ id, kind, closed }: StoredHold): Html {
  if (closed !== undefined) return html`${closed.why}`
  const decide =
    decidableHolds.has(kind) && html` <a href="/holds/${id}">Decide<span class="hidden"> about hold ${id}</span></a>`
  return html`${holdAdvice[kind]}${decide}`
}

export function driftTable(drifts: readonly StoredDrift[], now: Instant, caption: HtmlValue): Html {
  const credits = (amount: bigint | undefined) =>
    amount === undefined ? html`<span class="soft">none</span>` : formatCredits(amount)
  return table<StoredDrift>({
    caption,
    columns: [
      { name: 'Group', cell: ({ group, site }) => html`${groupLink(group)}<small class="soft">site ${site}</small>` },
      { name: 'We wrote', isNumber: true, cell: ({ expected }) => credits(expected) },
      { name: 'Perun showed', isNumber: true, cell: ({ shown }) => credits(shown) },
      { name: 'Seen', cell: ({ seenAt }) => moment(seenAt, now) },
      {
        name: 'Edited',
        isText: true,
        cell: ({ modifiedBy, modifiedAt }) =>
          html`${modifiedBy ?? 'by nobody we know'}${modifiedAt !== undefined && html`<br><small class="soft">${modifiedAt}</small>`}`,
      },
      {
        name: 'What became of it',
        isText: true,
        cell: ({ entryId }) =>
          entryId === undefined
            ? 'Nothing was written over it: the group is on hold.'
            : html`The ledger follows: adjustment <code>${entryId}</code>. Was it a mistake, correct it in Perun.`,
      },
    ],
    rows: drifts,
  })
}
