/** What people were told about their credits. */
import { type Fields, fieldsOf, listOf, show, showTime } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { writeListing } from '../output.ts'
import type { Column } from '../table.ts'
import { limitOf, limitOption } from './limit.ts'

export const noticesCommand: Command = {
  name: 'notices',
  operands: ['[GROUP]'],
  options: limitOption,
  summary: 'what people were told about their credits, whom and when, the newest first',
  examples: ['notices', 'notices bio', 'notices --limit 20 --json'],
  async run(call, context) {
    const group = call.operands[0]
    // A misspelt name must not look like a group that nobody was told of.
    if (group !== undefined) await context.client.get(`/api/groups/${inPath(group)}`)
    const query = { group }
    await writeListing(
      {
        ...{ path: '/api/notices', query, field: 'notices', columns, limit: limitOf(call), none: 'No notices.' },
        after: (_shown, { mute }) => (mute === null || mute === undefined ? undefined : describeMute(fieldsOf(mute))),
      },
      context,
    )
    return undefined
  },
}

export function describeMute({ at, actor, reason }: Fields): string {
  return `Muted since ${showTime(at)} UTC by ${show(actor)}: ${show(reason)}`
}

const columns: readonly Column<Fields>[] = [
  { head: 'number', value: ({ id }) => show(id), align: 'right', isExtra: true },
  { head: 'time (UTC)', value: ({ at }) => showTime(at) },
  { head: 'group', value: ({ group }) => show(group), isElastic: true },
  { head: 'what', value: what },
  { head: 'used', value: ({ used }) => show(used), align: 'right', isExtra: true },
  { head: 'of', value: ({ granted }) => show(granted), align: 'right', isExtra: true },
  { head: 'state', value: ({ state }) => show(state) },
  { head: 'messages', value: messages, isElastic: true, isExtra: true },
]

function what({ kind, line }: Fields): string {
  return kind === 'threshold' ? `${show(line)} % used` : `within ${show(line)} days`
}

function messages(notice: Fields): string {
  const told = listOf(notice, 'messages').map(({ to, state, ended_at: at, problem }) => {
    const why = problem === null || problem === undefined || state === 'sent' ? '' : ` (${show(problem)})`
    return `${show(to)}: ${show(state)}${at === null ? '' : ` ${showTime(at)}`}${why}`
  })
  return told.length === 0 ? '–' : told.join('; ')
}
