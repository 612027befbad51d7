/** A ledger with groups that have notices, a teller with any fate of its messages, and a clock that stands still. */
import { MINUTE } from '#src/core/time.ts'
import type { Channel, Ledger, Message } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import type { Messenger, SendOutcome, Told } from '#src/publish/messenger.ts'
import { createTeller, type TellerOptions } from '#src/publish/teller.ts'
import { silent, T0, testClock } from './billing.ts'
import { follow } from './ledger.ts'

export class Killed extends Error {}

/** What becomes of a message; `killed` is the end of the process before or after it was sent. */
export type Fate = SendOutcome | 'killed before' | 'killed after'

export interface Sent extends Pick<Message, 'uid' | 'to' | 'copyTo'> {
  readonly channel: Channel
  /** `group line` of each notice. */
  readonly says: readonly string[]
  readonly at: number
}

export function told(over: Partial<Told> = {}): Told {
  return { id: 1, group: 'alpha', kind: 'threshold', line: 80, granted: '100', used: 81_500_000n, at: T0, ...over }
}

export async function startTelling({
  people = {} as Readonly<Record<string, readonly unknown[]>>,
  ...over
}: Partial<Omit<TellerOptions, 'people'>> & {
  people?: Readonly<Record<string, readonly unknown[]>>
  addressing?: Omit<TellerOptions['people'], 'peopleOf'>
} = {}) {
  const { addressing = {}, ...rest } = over
  const clock = testClock()
  const ledger: Ledger = openSqliteLedger(':memory:', { notifyAt: [50, 80, 100] })
  const sent: Sent[] = []
  const fates: Fate[] = []
  const outcomes: string[] = []
  const lookUps: string[] = []
  const state = { perun: true }

  function messenger(channel: Channel): Messenger {
    return {
      compose: (notices) => JSON.stringify(notices.map(({ group, line }) => `${group} ${line}`)),
      async send({ uid, to, copyTo, content }) {
        const fate = fates.shift() ?? { kind: 'sent' }
        if (fate === 'killed before') throw new Killed()
        if (typeof fate === 'object' && fate.kind !== 'sent') return fate
        sent.push({
          ...{ uid, to, channel, says: JSON.parse(content) as string[], at: clock.at - T0 },
          ...(copyTo !== undefined && { copyTo }),
        })
        if (fate === 'killed after') throw new Killed()
        return fate
      },
    }
  }

  const newTeller = (more: Partial<TellerOptions> = {}) =>
    createTeller({
      ledger,
      messengers: { mail: messenger('mail'), webhook: messenger('webhook') },
      people: {
        ...addressing,
        async peopleOf(group) {
          lookUps.push(group)
          if (!state.perun) throw new Error('Perun does not answer')
          return people[group] ?? []
        },
      },
      webhooks: [],
      outlookOf: async () => undefined,
      clock,
      logger: silent,
      onNotice: (kind, became) => outcomes.push(`${kind}: ${became}`),
      onMessage: (channel, outcome) => outcomes.push(`${channel}: ${outcome}`),
      ...rest,
      ...more,
    })
  let teller = newTeller()

  return {
    clock,
    ledger,
    sent,
    fates,
    outcomes,
    lookUps,
    state,
    newTeller,
    get problems() {
      return teller.problems
    },
    /** The next notice of a group, which is made known if it is new. */
    async notice(group: string, line: number, granted = '100') {
      if ((await ledger.group(group)) === undefined) await follow(ledger, group, [[0, '1']])
      await ledger.notice({ group, kind: 'threshold', line, granted, used: 5n, at: clock.at })
    },
    round: () => teller.round(),
    /** The process starts anew, with all that it knew forgotten. */
    restart(more: Partial<TellerOptions> = {}) {
      teller = newTeller(more)
    },
    /** Time goes by, and the teller looks every few minutes. */
    async pass(ms: number, every = 5 * MINUTE) {
      for (let gone = 0; gone < ms; gone += every) {
        clock.pass(Math.min(every, ms - gone))
        await teller.round()
      }
    },
    states: async () =>
      Object.fromEntries(
        (await ledger.notices({ limit: 99 })).map(({ group, line, state: became }) => [`${group} ${line}`, became]),
      ),
    [Symbol.asyncDispose]: () => ledger.close(),
  }
}
