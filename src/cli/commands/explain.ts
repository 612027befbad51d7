/** What the used credits of a group are made of. */
import { type Fields, fieldsOf, listOf, show, showCount, showTime } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { write } from '../output.ts'
import { type Column, facts, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { limitOf, limitOption } from './limit.ts'

const ENTRIES = 10

export const explainCommand: Command = {
  name: 'explain',
  operands: ['GROUP'],
  options: {
    ...limitOption,
    before: { value: 'NUMBER', doc: 'only entries with a smaller number' },
  },
  summary: 'a receipt: the sums that make up the used credits, and the newest entries',
  about: `The worker adds all entries up again. ${ENTRIES} entries are shown if --limit does not say otherwise, 1,000 at most.`,
  examples: ['explain bio', 'explain bio --limit 100', 'explain bio --before 4711 --json'],
  async run(call, context) {
    const path = `/api/groups/${inPath(call.operands[0]!)}/explain`
    const query = { limit: limitOf(call) ?? ENTRIES, before: call.text('before') }
    write(await context.client.get(path, query), context, (fields) => describe(fields, context.terminal))
    return undefined
  },
}

function describe(receipt: Fields, terminal: Terminal): string {
  const { group, used, charged, granted, adjustments, openings } = receipt
  const sums = facts([
    ['charges', `${show(charged)} credits`],
    ['adjustments', sumOf(adjustments)],
    ['openings', sumOf(openings)],
    ['used', `${show(used)} of ${show(granted)} granted`],
    ['Perun shows', shownInPerun(receipt)],
    ...listOf(receipt, 'not_shown').map(notShown),
  ])
  const parts = listOf(receipt, 'charges')
  const charges = parts.length === 0 ? '' : `\nCharges\n${table(chargeColumns, parts, terminal)}`
  const items = listOf(receipt, 'entries')
  const entries = items.length === 0 ? '' : `\nNewest entries\n${table(entryColumns, items, terminal)}`
  const last = items.at(-1)
  const more = receipt.next === null ? '' : `\nThere are more: --before ${show(last?.number)}\n`
  return `Receipt of ${show(group)}\n${sums}${charges}${entries}${more}`
}

function shownInPerun({ shown_in_perun: wanted, published }: Fields): string {
  if (published === null || published === undefined) return `nothing yet; ${show(wanted)} once it is told`
  return published === wanted ? show(wanted) : `${show(published)}; ${show(wanted)} once it is told`
}

function sumOf(value: unknown): string {
  const { credits, entries } = fieldsOf(value)
  return `${show(credits)} credits in ${showCount(entries)} ${entries === 1 ? 'entry' : 'entries'}`
}

function notShown({ site, contact, charged }: Fields): readonly [string, string] {
  return ['not shown', `${show(charged)} credits at site ${show(site)}: ${show(contact)}`]
}

const chargeColumns: readonly Column<Fields>[] = [
  { head: 'site', value: ({ site }) => show(site) },
  { head: 'meter', value: ({ meter, metric }) => show(meter ?? metric) },
  { head: 'project', value: ({ project_id: id }) => show(id), isElastic: true, isExtra: true },
  { head: 'consumption', value: ({ consumption, unit }) => `${show(consumption)} ${show(unit)}`, align: 'right' },
  { head: 'price', value: ({ price }) => show(price), align: 'right' },
  { head: 'credits', value: ({ credits }) => show(credits), align: 'right' },
  { head: 'from (UTC)', value: ({ from }) => showTime(from), isExtra: true },
  { head: 'to (UTC)', value: ({ to }) => showTime(to), isExtra: true },
  { head: 'entries', value: ({ entries }) => showCount(entries), align: 'right', isExtra: true },
]

const entryColumns: readonly Column<Fields>[] = [
  { head: 'number', value: ({ number }) => show(number), align: 'right' },
  { head: 'time (UTC)', value: ({ at }) => showTime(at) },
  { head: 'kind', value: ({ kind }) => show(kind) },
  { head: 'site', value: ({ site }) => show(site) },
  { head: 'credits', value: ({ amount }) => show(amount), align: 'right' },
  { head: 'what for', value: whatFor, isElastic: true },
]

function whatFor({ kind, consumption, unit, meter, metric, price, reason, actor }: Fields): string {
  const by = actor === null || actor === undefined ? '' : `, by ${show(actor)}`
  if (kind !== 'charge') return `${show(reason)}${by}`
  const accepted = reason === undefined ? '' : `: ${show(reason)}${by}`
  return `${show(consumption)} ${show(unit)} of ${show(meter ?? metric)} at ${show(price)}${accepted}`
}
