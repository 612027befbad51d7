/** Another price for a past period: previewed, applied as it was previewed, perhaps undone. */
import { type Fields, fieldsOf, listOf, show, showCount, showList, showTime } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Call, Command, Context } from '../command.ts'
import { askConsent, askingOf, consentOptions, reasonOption, requireConsent } from '../consent.ts'
import { write } from '../output.ts'
import { type Column, facts, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

const listCommand: Command = {
  name: 'reprice',
  operands: [],
  options: {},
  summary: 'the prices of past periods that were changed or are to be',
  examples: ['reprice'],
  async run(_call, context) {
    write(await context.client.get('/api/repricings'), context, (fields) => {
      const all = listOf(fields, 'repricings')
      return all.length === 0 ? 'No re-pricings.\n' : table(columns, all, context.terminal)
    })
    return undefined
  },
}

const previewCommand: Command = {
  name: 'reprice preview',
  operands: [],
  options: {
    meter: { value: 'METER', doc: 'such as cpu', isRequired: true },
    from: { value: 'TIME', doc: 'the beginning of the period, in UTC', isRequired: true },
    to: { value: 'TIME', doc: 'its end, which is not in it', isRequired: true },
    price: { value: 'PRICE', doc: 'credits per unit', isRequired: true },
    ...reasonOption,
    actor: consentOptions.actor,
  },
  summary: 'what another price for a past period would change; nothing is changed',
  examples: ['reprice preview --meter cpu --from 2026-01-01 --to 2026-02-01 --price 1.1 --reason "Announced too low"'],
  async run(call, context) {
    const typed = Object.fromEntries(['meter', 'from', 'to', 'price'].map((name) => [name, call.text(name)]))
    const answer = await context.client.post('/api/repricings', { ...typed, ...askingOf(call) })
    write(answer, context, (fields) => describe(fields, context.terminal))
    return undefined
  },
}

const showCommand: Command = {
  name: 'reprice show',
  operands: ['ID'],
  options: {},
  summary: 'what a re-pricing changes, group by group',
  about: 'The first 100 groups are shown; with --json all of them, a line for each page.',
  examples: ['reprice show 3f2a'],
  async run(call, context) {
    const path = `/api/repricings/${inPath(call.operands[0]!)}`
    if (!context.wantsJson) {
      const { fields } = await context.client.get(path)
      context.terminal.out(describe(fields, context.terminal))
      return undefined
    }
    for await (const answer of context.client.pages(path, { limit: 1_000 })) write(answer, context, () => '')
    return undefined
  },
}

const applyCommand: Command = {
  name: 'reprice apply',
  operands: ['ID'],
  options: { ...consentOptions },
  summary: 'charge exactly what was previewed',
  about: 'Shows the preview with its reason, which is that of the new entries too, and asks first.',
  examples: ['reprice apply 3f2a', 'reprice apply 3f2a --actor jane --yes'],
  run: (call, context) => change('apply', call, context),
}

const undoCommand: Command = {
  name: 'reprice undo',
  operands: ['ID'],
  options: { ...reasonOption, ...consentOptions },
  summary: 'take a re-pricing back by the opposite entries',
  about: 'Shows what was applied and asks first.',
  examples: ['reprice undo 3f2a --reason "The wrong month"'],
  run: (call, context) => change('undo', call, context),
}

export const repriceCommands: readonly Command[] = [listCommand, previewCommand, showCommand, applyCommand, undoCommand]

async function change(what: 'apply' | 'undo', call: Call, context: Context): Promise<undefined> {
  const { client, terminal } = context
  requireConsent(call, terminal)
  const path = `/api/repricings/${inPath(call.operands[0]!)}`
  const { fields } = await client.get(path)
  const head = what === 'apply' ? 'These differences will be charged:' : 'These differences will be taken back:'
  await askConsent(`${head}\n\n${describe(fields, terminal)}\n`, call, terminal)
  const answer = await client.post(`${path}/${what}`, askingOf(call))
  write(answer, context, ({ id, state }) => `Re-pricing ${show(id)} is ${show(state)}.\n`)
}

function describe(repricing: Fields, terminal: Terminal): string {
  const { id, state, meter, from, to, price, reason, actor, difference, number_of_groups: count } = repricing
  const groups = listOf(repricing, 'groups')
  const head = facts([
    ['re-pricing', `${show(id)}: ${show(state)}`],
    ['price', `${show(price)} for ${show(meter)}, from ${showTime(from)} to ${showTime(to)} UTC`],
    ['reason', `${show(reason)}, by ${show(actor)}`],
    ['changes', `${show(difference)} credits in ${showCount(count)} groups`],
    ...obstacle(repricing),
    ...since(repricing),
  ])
  const more = repricing.next === null ? '' : `${showCount(groups.length)} of ${showCount(count)} groups\n`
  return `${head}${groups.length === 0 ? '' : `\n${table(groupColumns, groups, terminal)}`}${more}`
}

/** Groups that applying it, or undoing it, would leave with a negative total. */
function obstacle({ state, number_below_zero: count }: Fields): [string, string][] {
  if (typeof count !== 'number' || count === 0) return []
  const next = state === 'applied' ? 'undone' : 'applied'
  return [['below zero', `${showCount(count)} groups would get a negative total: it cannot be ${next}`]]
}

/** What was charged in its period since, at the old price. */
function since({ charged_since: given }: Fields): [string, string][] {
  const { entries, amount } = fieldsOf(given ?? {})
  if (typeof entries !== 'number' || entries === 0) return []
  return [['not in it', `${showCount(entries)} entries came since, ${show(amount)} credits at the old price`]]
}

const columns: readonly Column<Fields>[] = [
  { head: 'id', value: ({ id }) => show(id) },
  { head: 'state', value: ({ state }) => show(state) },
  { head: 'meter', value: ({ meter, metric }) => show(meter ?? metric) },
  { head: 'price', value: ({ price }) => show(price), align: 'right' },
  { head: 'from (UTC)', value: ({ from }) => showTime(from) },
  { head: 'to (UTC)', value: ({ to }) => showTime(to) },
  {
    head: 'came since',
    value: ({ charged_since: since }) => showCount(fieldsOf(since ?? {}).entries),
    align: 'right',
    isExtra: true,
  },
  { head: 'reason', value: ({ reason }) => show(reason), isElastic: true },
]

const groupColumns: readonly Column<Fields>[] = [
  { head: 'group', value: ({ group }) => show(group), isElastic: true },
  { head: 'used before', value: ({ used_before: used }) => show(used), align: 'right' },
  { head: 'difference', value: ({ difference }) => show(difference), align: 'right' },
  {
    head: 'used after',
    value: ({ used_after: used, below_zero: isBelow }) => `${show(used)}${isBelow === true ? ' below 0' : ''}`,
    align: 'right',
  },
  { head: 'granted', value: ({ granted }) => show(granted), align: 'right', isExtra: true },
  { head: 'crosses %', value: ({ crosses }) => showList(crosses), align: 'right' },
]
