/** A hold with the growth that it keeps back. */
import { type Fields, fieldsOf, listOf, show, showList, showTime } from '../answers.ts'
import { type Client, inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { write } from '../output.ts'
import { type Column, facts, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export const holdCommand: Command = {
  name: 'hold',
  operands: ['NUMBER'],
  options: {},
  summary: 'a hold with the growth that it keeps back',
  examples: ['hold 7'],
  async run(call, context) {
    const answer = await fetchHold(call.operands[0]!, context.client)
    write(answer, context, (fields) => describeHold(fields, context.terminal))
    return undefined
  },
}

export function fetchHold(number: string, client: Client) {
  return client.get(`/api/holds/${inPath(number)}`)
}

export function describeHold(hold: Fields, terminal: Terminal): string {
  const { id, kind, site, group, reason, opened_at: openedAt, seen_at: seenAt, closed_at: closedAt } = hold
  const head = facts([
    ['hold', `${show(id)}: ${show(kind)}`],
    ['group', show(group)],
    ['site', show(site)],
    ['reason', show(reason)],
    ['since', `${showTime(openedAt)} UTC, seen ${showTime(seenAt)}`],
    ['closed', closedAt === null ? undefined : `${showTime(closedAt)} UTC: ${show(hold.closed_why)}`],
  ])
  const growths = listOf(hold, 'growths')
  const list = growths.length === 0 ? '' : `\n${table(columns, growths, terminal)}`
  return `${head}${list}${hold.more === true ? 'and more\n' : ''}`
}

const columns: readonly Column<Fields>[] = [
  { head: 'group', value: ({ group }) => show(group), isElastic: true },
  { head: 'meter', value: ({ meter, metric }) => show(meter ?? metric) },
  { head: 'growth', value: ({ consumption, unit }) => `${show(consumption)} ${show(unit)}`, align: 'right' },
  { head: 'from', value: ({ from }) => show(fieldsOf(from).value), align: 'right' },
  { head: 'at (UTC)', value: ({ from }) => showTime(fieldsOf(from).at), isExtra: true },
  { head: 'to', value: ({ to }) => show(fieldsOf(to).value), align: 'right' },
  { head: 'at (UTC)', value: ({ to }) => showTime(fieldsOf(to).at) },
  { head: 'price', value: ({ price_versions: versions }) => showList(versions), isExtra: true },
]
