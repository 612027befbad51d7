/** Deciding about a hold. */
import { show } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { askConsent, askingOf, consentOptions, reasonOption, requireConsent } from '../consent.ts'
import { write } from '../output.ts'
import { describeHold, fetchHold } from './hold.ts'

export const acceptCommand = decideCommand('accept', {
  summary: 'charge exactly what a hold keeps back, once',
  willHappen: 'All of this growth will be charged, at the prices of its time:',
})

export const dismissCommand = decideCommand('dismiss', {
  summary: 'charge nothing of what a hold keeps back, ever',
  willHappen: 'Nothing of this growth will ever be charged:',
})

function decideCommand(
  verdict: 'accept' | 'dismiss',
  { summary, willHappen }: { summary: string; willHappen: string },
): Command {
  return {
    name: verdict,
    operands: ['NUMBER'],
    options: { ...reasonOption, ...consentOptions },
    summary,
    about: 'Shows the hold and asks first. The reason stays in the ledger; a decision cannot be taken back.',
    examples: [`${verdict} 7 --reason "Confirmed by the site"`, `${verdict} 7 --reason "Ticket 42" --actor jane --yes`],
    async run(call, context) {
      const { client, terminal } = context
      requireConsent(call, terminal)
      const number = call.operands[0]!
      const hold = await fetchHold(number, client)
      await askConsent(`${willHappen}\n\n${describeHold(hold.fields, terminal)}\n`, call, terminal)
      const answer = await client.post(`/api/holds/${inPath(number)}/${verdict}`, askingOf(call))
      write(answer, context, ({ id, closed_why: why }) => `Hold ${show(id)} is closed: ${show(why)}\n`)
      return undefined
    },
  }
}
