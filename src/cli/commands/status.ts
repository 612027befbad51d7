/** What the worker is doing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fields, fieldsOf, listOf, show, showCount, showCounts, showList, showTime } from '../answers.ts'
import type { Answer } from '../client.ts'
import type { Command, Context } from '../command.ts'
import { EXIT, UnreachableError } from '../errors.ts'
import { writeJson } from '../output.ts'
import { type Column, facts, table } from '../table.ts'
import { styled, type Terminal } from '../terminal.ts'

const INTERVAL_MS = 2_000
/** To the beginning, and everything after it cleared. */
const CLEAR = '\u001b[H\u001b[J'

export const statusCommand: Command = {
  name: 'status',
  operands: [],
  options: { watch: { doc: 'show it again every 2 s, until Ctrl-C' } },
  summary: 'what the worker is doing: targets, pushes, groups, ledger, Perun',
  about: 'Ends with 1 if the worker says at /readyz that it does not do its work.',
  examples: ['status', 'status --watch', 'status --json'],
  async run(call, context) {
    if (!call.has('watch')) return showStatus(context, '')
    while (true) {
      await showStatus(context, context.terminal.isTerminal ? CLEAR : '').catch(sayUnreachable(context.terminal))
      await sleep(INTERVAL_MS)
    }
  },
}

/** A worker that is started again is waited for. */
function sayUnreachable(terminal: Terminal) {
  return (error: unknown) => {
    if (!(error instanceof UnreachableError)) throw error
    terminal.err(`${styled(error.message, 'red', terminal)}\n`)
  }
}

/** @param before Written before it, once all of it is known. */
async function showStatus(context: Context, before: string): Promise<number> {
  const { client, terminal, wantsJson } = context
  const stats = await client.get('/stats')
  const ready = await client.get('/readyz', {}, [503])
  if (wantsJson) writeJson(stats.text, terminal)
  else terminal.out(before + describe(stats.fields, ready, context))
  return ready.fields.ready === true ? 0 : EXIT.refused
}

function describe(stats: Fields, { fields: ready }: Answer, { client, terminal }: Context): string {
  const [groups, ledger, perun] = [stats.groups, stats.ledger, stats.perun].map(fieldsOf) as [Fields, Fields, Fields]
  const state = ready.ready === true ? styled('ready', 'green', terminal) : styled('not ready', 'red', terminal)
  const about = facts([
    ['state', ready.ready === true ? state : `${state}: ${showList(ready.reasons)}`],
    ['up', `${show(stats.uptime)}, since ${showTime(stats.started_at)} UTC`],
    ['groups', `${showCount(groups.total)}, ${showCount(groups.waiting)} not told to Perun yet`],
    ['at sites', showCounts(groups.at_sites)],
    ['ledger', `${showCount(ledger.series)} series, ${showCount(ledger.entries)} entries`],
    ...fileOfTargets(fieldsOf(stats.targets_file ?? {}), terminal),
    ['holds', holds(ledger, terminal)],
    ['drifts', showCount(ledger.drifts)],
    ['Perun', publishing(perun, terminal)],
    [
      'lanes',
      `${show(stats.number_of_locks)} of ${show(stats.number_of_workers)} at work, ${show(stats.queue_size)} groups wait`,
    ],
  ])
  const targets = listOf(stats, 'targets')
  const list = targets.length === 0 ? 'No targets.\n' : table(columns, targets, terminal)
  const pushes = listOf(stats, 'pushes').filter(({ last_push }) => last_push !== null)
  const replicas = listOf(stats, 'replicas')
  const shared = replicas.length === 0 ? '' : `\n${table(replicaColumns, replicas, terminal)}`
  const pushed = pushes.length === 0 ? '' : `\n${table(pushColumns, pushes, terminal)}`
  return `Credits worker ${show(stats.version)} at ${client.url}\n${about}\n${list}${shared}${pushed}`
}

/** Only of one that cannot be used. */
function fileOfTargets({ problems }: Fields, terminal: Terminal): [string, string][] {
  if (!Array.isArray(problems) || problems.length === 0) return []
  return [['file', `${styled('the file of targets cannot be used', 'red', terminal)}: ${showList(problems)}`]]
}

function holds({ holds: counts }: Fields, terminal: Terminal): string {
  const text = showCounts(counts)
  return text === 'none' ? text : styled(text, 'yellow', terminal)
}

function publishing({ state, reason, until }: Fields, terminal: Terminal): string {
  if (state === 'publishing') return styled('publishing', 'green', terminal)
  const again = until === undefined ? '' : ` Again at ${showTime(until)} UTC.`
  return `${styled(show(state), state === 'off' ? 'dim' : 'yellow', terminal)}: ${show(reason)}${again}`
}

const columns: readonly Column<Fields>[] = [
  { head: 'target', value: ({ url }) => show(url), isElastic: true },
  { head: 'site', value: ({ labels }) => show(fieldsOf(labels).location_id) },
  { head: 'up', value: upText, style: ({ up }) => (up === false ? 'red' : undefined) },
  { head: 'last success', value: ({ last_success }) => showTime(last_success) },
  { head: 'ms', value: ({ last_duration_ms }) => showCount(last_duration_ms), align: 'right', isExtra: true },
  { head: 'readings', value: ({ readings }) => showCount(readings), align: 'right', isExtra: true },
  { head: 'last error', value: troubleText, isElastic: true },
]

const pushColumns: readonly Column<Fields>[] = [
  { head: 'pushed as', value: ({ protocol }) => show(protocol) },
  { head: 'last push', value: ({ last_push }) => showTime(last_push) },
  { head: 'last success', value: ({ last_success }) => showTime(last_success) },
  { head: 'taken', value: ({ taken }) => showCount(taken), align: 'right' },
  { head: 'refused', value: ({ refused }) => showCount(refused), align: 'right' },
  { head: 'readings', value: ({ readings }) => showCount(readings), align: 'right', isExtra: true },
  { head: 'last error', value: ({ last_error }) => show(last_error), isElastic: true },
]

const replicaColumns: readonly Column<Fields>[] = [
  { head: 'worker', value: ({ name, answers }) => `${show(name)}${answers === true ? ' (answers)' : ''}` },
  { head: 'state', value: ({ state }) => show(state), style: ({ state }) => (state === 'gone' ? 'red' : undefined) },
  { head: 'does', value: ({ lead, catches_up }) => dutiesText(lead, catches_up) },
  { head: 'last seen', value: ({ last_seen }) => showTime(last_seen) },
  { head: 'publishes', value: ({ publishing }) => showCount(lengthOf(publishing)), align: 'right' },
  { head: 'scrapes', value: ({ targets }) => showList(targets), isElastic: true },
]

function upText({ up, scraped }: Fields): string {
  const { by, name } = fieldsOf(scraped ?? {})
  if (by === 'another worker') return `at ${show(name)}`
  return up === null ? 'not yet' : up === true ? 'yes' : 'no'
}

/** Why it is not scraped, if nobody does. */
function troubleText({ last_error, scraped }: Fields): string {
  return show(last_error ?? fieldsOf(scraped ?? {}).reason)
}

function dutiesText(lead: unknown, catchesUp: unknown): string {
  return [lead === true && 'lead', catchesUp === true && 'catches up'].filter((word) => word !== false).join(', ')
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0
}
