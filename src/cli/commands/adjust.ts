/** Charging a group, or giving it back. */
import { randomUUID } from 'node:crypto'
import { type Credits, formatCredits, parseCredits } from '../../core/credits.ts'
import { type Fields, fieldsOf, show } from '../answers.ts'
import { type Client, inPath } from '../client.ts'
import type { Call, Command } from '../command.ts'
import { askConsent, askingOf, consentOptions, reasonOption, requireConsent } from '../consent.ts'
import { UnreachableError, UsageError } from '../errors.ts'
import { write } from '../output.ts'
import { printable } from '../printable.ts'
import { facts } from '../table.ts'

export const adjustCommand: Command = {
  name: 'adjust',
  operands: ['GROUP', 'AMOUNT'],
  options: {
    ...reasonOption,
    corrects: { value: 'NUMBER', doc: 'the entry that it corrects' },
    id: { value: 'TEXT', doc: 'names the adjustment: sent again with the same id, it is recorded once' },
    ...consentOptions,
  },
  summary: 'charge a group, or give it back with an amount below zero',
  about: 'Shows the total before and after, and asks first. Entries never change: an adjustment is a new one.',
  examples: ['adjust bio -12.5 --reason "Outage on Monday"', 'adjust bio 3 --reason "Ticket 42" --corrects 4711 --yes'],
  async run(call, context) {
    const { client, terminal } = context
    requireConsent(call, terminal)
    const [group, typed] = call.operands as [string, string]
    const amount = readAmount(typed)
    const id = call.text('id') ?? `cli-${randomUUID()}`
    const { fields } = await client.get(`/api/groups/${inPath(group)}`)
    await askConsent(describe(fields, amount, call), call, terminal)
    const body = { amount: formatCredits(amount), ...askingOf(call), ...corrected(call), id }
    const answer = await client.post(`/api/groups/${inPath(group)}/adjustments`, body).catch(sayHowToRepeat(id))
    write(answer, context, ({ group: name, used, entry }) => {
      return `${show(name)} has used ${show(used)} credits: entry ${show(fieldsOf(entry).number)}\n`
    })
    return undefined
  },
}

function readAmount(text: string): Credits {
  try {
    const amount = parseCredits(text)
    if (amount !== 0n) return amount
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  const got = JSON.stringify(printable(text))
  throw new UsageError(`AMOUNT: expected credits with at most 6 decimals, not 0, such as -12.5, got ${got}.`)
}

function describe({ group, used, granted }: Fields, amount: Credits, call: Call): string {
  const before = typeof used === 'string' ? parseCredits(used) : undefined
  const after = before === undefined ? '–' : formatCredits(before + amount)
  const what = amount > 0n ? `will be charged ${formatCredits(amount)}` : `will be given back ${formatCredits(-amount)}`
  const lines = facts([
    ['used now', show(used)],
    ['used then', after],
    ['granted', show(granted)],
    ['reason', show(call.text('reason'))],
  ])
  return `${show(group)} ${what} credits:\n\n${lines}\n`
}

function corrected(call: Call): { corrects?: string } {
  const corrects = call.text('corrects')
  return corrects === undefined ? {} : { corrects }
}

/** Whether a request whose answer was lost was carried out is not known; its id makes it harmless to repeat. */
function sayHowToRepeat(id: string): (error: unknown) => Promise<Awaited<ReturnType<Client['post']>>> {
  return async (error) => {
    if (!(error instanceof UnreachableError)) throw error
    throw new UnreachableError(
      `${error.message}\nIt may have been recorded: repeat it with --id ${printable(id)}, which records it once.`,
    )
  }
}
