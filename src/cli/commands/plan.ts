/** Which grant machines need, and how long credits last. */
import { type Fields, fieldsOf, show, showTime } from '../answers.ts'
import type { Call, Command } from '../command.ts'
import { UsageError } from '../errors.ts'
import { write } from '../output.ts'
import { printable } from '../printable.ts'
import { facts } from '../table.ts'

export const planCommand: Command = {
  name: 'plan',
  operands: ['MACHINES…'],
  options: {
    days: { value: 'NUMBER', doc: 'what they cost for so many days' },
    credits: { value: 'NUMBER', doc: 'for how long so many credits last' },
    granted: { value: 'NUMBER', doc: 'what a running project was granted' },
    used: { value: 'NUMBER', doc: 'what it has used' },
    hours: { value: 'NUMBER', doc: 'hours a day that machines run, if they do not say it; 24 if not given' },
  },
  summary: 'which grant machines need for some days, or how long credits last',
  about: `MACHINES are [COUNTx]METER=SIZE[:WEIGHT],…[@HOURS], as often as there are kinds of them: 2xcpu=28:2,ram=64:2.5@8 are two
machines that run for 8 hours a day. Weights multiply sizes before they are priced. With --granted and --days, a count
below zero is of machines that the project gives up.`,
  examples: [
    'plan 2xcpu=1,ram=2 cpu=28:2,ram=64:2.5 --hours 8 --days 91',
    'plan cpu=4,ram=8 --credits 1000',
    'plan cpu=28,ram=64 -1xcpu=1,ram=2 --granted 78042 --used 726.4 --days 61',
  ],
  async run(call, context) {
    const answer = await context.client.post('/api/plan', requestOf(call))
    write(answer, context, describe)
    return undefined
  },
}

function requestOf(call: Call) {
  const fields = [
    ['days', 'days'],
    ['credits', 'credits'],
    ['granted', 'granted'],
    ['used', 'used'],
    ['hours', 'hours_per_day'],
  ] as const
  const given = fields.flatMap(([option, field]) => (call.has(option) ? [[field, call.text(option)]] : []))
  return { machines: call.operands.map(readMachines), ...Object.fromEntries(given) }
}

/** The worker says what is wrong about a number; here only the notation counts. */
function readMachines(text: string) {
  const [, count, sizes = '', hours] = /^(?:(-?\d+)x)?([^@]+)(?:@(.+))?$/.exec(text) ?? []
  const parts = sizes.split(',').map((part) => /^([^=:]+)=([^=:]+)(?::([^=:]+))?$/.exec(part))
  if (!parts.every((part) => part !== null)) {
    const got = JSON.stringify(printable(text))
    throw new UsageError(`MACHINES: expected a notation such as 2xcpu=28,ram=64 or cpu=28:2,ram=64:2.5@8, got ${got}.`)
  }
  const weighted = parts.filter(([, , , weight]) => weight !== undefined)
  return {
    sizes: Object.fromEntries(parts.map(([, meter, size]) => [meter, size])),
    ...(weighted.length > 0 && { weights: Object.fromEntries(weighted.map(([, meter, , weight]) => [meter, weight])) }),
    ...(count !== undefined && { count }),
    ...(hours !== undefined && { hours_per_day: hours }),
  }
}

function describe(plan: Fields): string {
  const credits = (name: string) => (plan[name] === undefined ? undefined : `${show(plan[name])} credits`)
  const sums = facts([
    ['in an hour', credits('per_hour')],
    ['in a day', credits('per_day')],
    ['for these days', credits('credits')],
    ['grant to ask for', credits('grant')],
    ['more than now', credits('more')],
    ['left now', credits('left')],
    ['left after these days', credits('left_after')],
    ['lasts', plan.lasts === undefined ? undefined : lasting(plan.lasts)],
  ])
  const prices = Object.entries(fieldsOf(plan.prices)).map(([meter, price]) => priceText(meter, fieldsOf(price)))
  return `${sums}\nPrices: ${prices.join(', ')}\n`
}

function lasting(value: unknown): string {
  if (value === null) return 'for ever'
  const { days, hours } = fieldsOf(value)
  return `${show(days)} days and ${show(hours)} hours`
}

function priceText(meter: string, { price, until }: Fields): string {
  return `${show(meter)} ${show(price)}${until === null ? '' : ` until ${showTime(until)} UTC`}`
}
