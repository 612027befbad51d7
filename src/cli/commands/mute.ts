/** Telling the people of a group nothing any more, and telling them again. */
import { fieldsOf, show } from '../answers.ts'
import { inPath } from '../client.ts'
import type { Command } from '../command.ts'
import { askConsent, askingOf, consentOptions, reasonOption, requireConsent } from '../consent.ts'
import { write } from '../output.ts'
import { describeMute } from './notices.ts'

export const muteCommand = changeCommand('mute', {
  summary: 'tell nobody of the credits of a group any more',
  willHappen: 'Nobody will be told of its credits: no mail to its people or to governance, no webhook.',
  done: (group) => `${group} is muted.`,
})

export const unmuteCommand = changeCommand('unmute', {
  summary: 'tell the people of a group again',
  willHappen: 'Its people will be told of what comes up from now on. What came up meanwhile is not told any more.',
  done: (group) => `The people of ${group} are told again.`,
})

function changeCommand(
  change: 'mute' | 'unmute',
  { summary, willHappen, done }: { summary: string; willHappen: string; done: (group: string) => string },
): Command {
  return {
    name: change,
    operands: ['GROUP'],
    options: { ...reasonOption, ...consentOptions },
    summary,
    about: 'Says what will happen and asks first. It can be taken back at any time.',
    examples: [`${change} bio --reason "They asked for it"`, `${change} bio --reason "Ticket 42" --actor jane --yes`],
    async run(call, context) {
      const { client, terminal } = context
      requireConsent(call, terminal)
      const path = `/api/groups/${inPath(call.operands[0]!)}`
      const { group } = (await client.get(path)).fields
      const { mute } = (await client.get('/api/notices', { group: call.operands[0]!, limit: 1 })).fields
      const now = mute === null || mute === undefined ? 'Not muted now.' : describeMute(fieldsOf(mute))
      await askConsent(`${show(group)}: ${willHappen}\n${now}\n`, call, terminal)
      const answer = await client.post(`${path}/${change}`, askingOf(call))
      write(answer, context, (fields) => `${done(show(fields.group))}\n`)
      return undefined
    },
  }
}
