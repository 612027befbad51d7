/** The groups. */
import { compare, parseDecimal, zero } from '../../core/decimals.ts'
import { type Fields, show, showCount, showList, showTime } from '../answers.ts'
import type { Command } from '../command.ts'
import { UsageError } from '../errors.ts'
import { csvOption, wantsCsv, writeCsv, writeListing } from '../output.ts'
import type { Column } from '../table.ts'
import type { Style } from '../terminal.ts'
import { limitOf, limitOption } from './limit.ts'

export const groupsCommand: Command = {
  name: 'groups',
  operands: [],
  options: {
    search: { value: 'TEXT', doc: 'only groups with this in their name' },
    ...limitOption,
    ...csvOption,
  },
  summary: 'the groups, what they used and what is left',
  examples: ['groups', 'groups --search bio --limit 20', 'groups --csv > groups.csv', 'groups --json'],
  async run(call, context) {
    const limit = limitOf(call)
    const query = { search: call.text('search') }
    if (wantsCsv(call, context)) {
      if (limit !== undefined) throw new UsageError('--csv prints all of them, so it takes no --limit.')
      await writeCsv('/api/groups', { ...query, limit: 1_000 }, context)
      return undefined
    }
    await writeListing(
      {
        path: '/api/groups',
        query,
        field: 'groups',
        columns,
        limit,
        none: 'No groups.',
        after: (shown, { total }) =>
          shown === total ? undefined : `${showCount(shown)} of ${showCount(total)} groups`,
      },
      context,
    )
    return undefined
  },
}

const columns: readonly Column<Fields>[] = [
  { head: 'group', value: ({ group }) => show(group), isElastic: true },
  { head: 'state', value: ({ state }) => show(state), style: ({ state }) => styleOf(state) },
  { head: 'used', value: ({ used }) => show(used), align: 'right' },
  { head: 'granted', value: ({ granted }) => show(granted), align: 'right' },
  { head: 'left', value: ({ left }) => show(left), align: 'right', style: ({ left }) => styleOfRest(left) },
  { head: 'last reading (UTC)', value: ({ last_reading_at: at }) => showTime(at), isExtra: true },
  { head: 'holds', value: ({ holds }) => showList(holds), isElastic: true, isExtra: true },
]

function styleOf(state: unknown): Style | undefined {
  return state === 'held' ? 'yellow' : state === 'active' ? 'green' : undefined
}

function styleOfRest(left: unknown): Style | undefined {
  const rest = typeof left === 'string' ? parseDecimal(left) : undefined
  return rest !== undefined && compare(rest, zero) <= 0 ? 'red' : undefined
}
