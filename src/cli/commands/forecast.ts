/** When the credits of a group run out. */
import { compare, parseDecimal } from '../../core/decimals.ts'
import { type Fields, fieldsOf, listOf, show, showCount, showTime } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { write } from '../output.ts'
import { type Column, facts, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export const forecastCommand: Command = {
  name: 'forecast',
  operands: ['GROUP'],
  options: { curve: { doc: 'show the used credits to expect, day by day' } },
  summary: 'how many credits a group uses a day, and when they run out',
  about:
    'A forecast is made of what the group used lately. What really happens lies between the two ends in four of five cases.',
  examples: ['forecast bio', 'forecast bio --curve', 'forecast bio --json'],
  async run(call, context) {
    const answer = await context.client.get(`/api/groups/${inPath(call.operands[0]!)}/forecast`)
    write(answer, context, (fields) => describe(fields, call.has('curve'), context.terminal))
    return undefined
  },
}

function describe(forecast: Fields, withCurve: boolean, terminal: Terminal): string {
  const { group, used, granted, burn_per_day: burn, based_on: basis } = forecast
  const about = facts([
    ['group', show(group)],
    ['used', `${show(used)} of ${show(granted)} granted`],
    ['burn', burn === null ? 'not known yet' : `about ${show(burn)} credits a day`],
    ['runs out', isUsedUp(used, granted) ? usedUp : runsOut(fieldsOf(forecast.runs_out))],
    ['based on', basis === null ? undefined : basisOf(fieldsOf(basis))],
  ])
  const points = listOf(forecast, 'curve')
  return withCurve && points.length > 0 ? `${about}\n${table(columns, points, terminal)}` : about
}

const usedUp = 'its credits are used up'

/** Also where too little was charged for a forecast. */
function isUsedUp(used: unknown, granted: unknown): boolean {
  const [spent, grant] = [used, granted].map((each) => (typeof each === 'string' ? parseDecimal(each) : undefined))
  return spent !== undefined && grant !== undefined && compare(spent, grant) >= 0
}

function basisOf({ days, until }: Fields): string {
  return `${showCount(days)} ${days === 1 ? 'day' : 'days'}, up to ${showTime(until)} UTC`
}

function runsOut({ kind, at, early, late }: Fields): string {
  switch (kind) {
    case 'expected':
      return `${day(at)}; from ${day(early)} to ${late === null ? 'later than ten years from now' : day(late)} in four of five cases`
    case 'never':
      return `not within ten years${early === null ? '' : `; in one of ten cases from ${day(early)} on`}`
    case 'already':
      return usedUp
    case 'no grant':
      return 'it has no grant that could run out'
    default:
      return 'not known: too little was charged yet'
  }
}

function day(instant: unknown): string {
  return showTime(instant).slice(0, 10)
}

const columns: readonly Column<Fields>[] = [
  { head: 'end of (UTC)', value: ({ at }) => showTime(at) },
  { head: 'least', value: ({ low }) => show(low), align: 'right' },
  { head: 'expected', value: ({ expected }) => show(expected), align: 'right' },
  { head: 'most', value: ({ high }) => show(high), align: 'right' },
]
