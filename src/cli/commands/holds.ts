/** What is held back. */
import { type Fields, show, showTime } from '../answers.ts'
import type { Command } from '../command.ts'
import { writeListing } from '../output.ts'
import type { Column } from '../table.ts'
import { limitOf, limitOption } from './limit.ts'

export const holdsCommand: Command = {
  name: 'holds',
  operands: [],
  options: {
    group: { value: 'GROUP', doc: 'only those of this group' },
    state: { value: 'STATE', doc: 'open, closed or all; open if not given' },
    ...limitOption,
  },
  summary: 'what is not charged or published until it is resolved, the newest first',
  examples: ['holds', 'holds --group bio --state all'],
  async run(call, context) {
    const query = { group: call.text('group'), state: call.text('state') }
    await writeListing(
      { path: '/api/holds', query, field: 'holds', columns, limit: limitOf(call), none: 'No holds.' },
      context,
    )
    return undefined
  },
}

const columns: readonly Column<Fields>[] = [
  { head: 'number', value: ({ id }) => show(id), align: 'right' },
  { head: 'kind', value: ({ kind }) => show(kind), style: ({ closed_at: at }) => (at === null ? 'yellow' : undefined) },
  { head: 'group', value: ({ group }) => show(group), isElastic: true },
  { head: 'site', value: ({ site }) => show(site), isExtra: true },
  { head: 'since (UTC)', value: ({ opened_at: at }) => showTime(at) },
  { head: 'until (UTC)', value: ({ closed_at: at }) => showTime(at), isExtra: true },
  { head: 'reason', value: ({ reason, closed_why: why }) => show(why ?? reason), isElastic: true },
]
