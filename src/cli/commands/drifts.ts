/** What people edited in Perun. */
import { type Fields, show, showTime } from '../answers.ts'
import type { Command } from '../command.ts'
import { writeListing } from '../output.ts'
import type { Column } from '../table.ts'
import { limitOf, limitOption } from './limit.ts'

export const driftsCommand: Command = {
  name: 'drifts',
  operands: [],
  options: { group: { value: 'GROUP', doc: 'only those of this group' }, ...limitOption },
  summary: 'used credits in Perun that the worker did not write, the newest first',
  examples: ['drifts', 'drifts --group bio --limit 5'],
  async run(call, context) {
    const query = { group: call.text('group') }
    await writeListing(
      { path: '/api/drifts', query, field: 'drifts', columns, limit: limitOf(call), none: 'No drifts.' },
      context,
    )
    return undefined
  },
}

const columns: readonly Column<Fields>[] = [
  { head: 'number', value: ({ id }) => show(id), align: 'right' },
  { head: 'group', value: ({ group }) => show(group), isElastic: true },
  { head: 'site', value: ({ site }) => show(site), isExtra: true },
  { head: 'expected', value: ({ expected }) => show(expected), align: 'right' },
  { head: 'shown', value: ({ shown }) => show(shown), align: 'right' },
  { head: 'seen (UTC)', value: ({ seen_at: at }) => showTime(at) },
  { head: 'by', value: ({ modified_by: who }) => show(who), isElastic: true },
]
