/**
 * Sees to it that people and programs are told of notices: looks for who is to be told, gathers, sends, and tries again.
 *
 * All of it is in the ledger, step by step, so a process that ends in between goes on where it was. A message is stored with
 * its content and its id before it is sent, and marked with its notices in one transaction after it. Killed in between, it is
 * sent again with the same id: at least once, and whoever gets it twice can tell. Nobody who publishes waits for any of it:
 * the ledger answers at once, so between two steps everybody else gets a turn.
 */
import { setImmediate as othersFirst } from 'node:timers/promises'
import { type Clock, DAY, HOUR, MINUTE, SECOND } from '../core/time.ts'
import {
  type Channel,
  type Ledger,
  LedgerError,
  type Message,
  type NoticeState,
  type StoredNotice,
} from '../ledger/ledger.ts'
import { newTaskId, withTask } from '../telemetry/context.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type AddresseesOptions, addresseesOf } from './addressees.ts'
import type { Messenger, Outlook, SendOutcome, Told } from './messenger.ts'
import { newsOf } from './overtaken.ts'

export interface TellerOptions {
  readonly ledger: Pick<
    Ledger,
    | 'waitingNotices'
    | 'settleNotices'
    | 'addressNotice'
    | 'gathered'
    | 'messageNotices'
    | 'muted'
    | 'group'
    | 'notices'
    | 'tellings'
    | 'closeMessage'
    | 'dueMessages'
    | 'beginAttempt'
    | 'failAttempt'
    | 'endMessage'
  >
  /** Without one for mail nobody is looked for in Perun. */
  readonly messengers: Readonly<Partial<Record<Channel, Messenger>>>
  readonly people: AddresseesOptions
  /** Names of the webhooks that are told of everything. */
  readonly webhooks: readonly string[]
  readonly outlookOf: (group: string) => Promise<Outlook | undefined>
  /** Whether it is up to this process to tell, asked before each step; always if not given. */
  readonly isOurs?: (() => boolean) | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Told what became of a notice. */
  readonly onNotice?: (kind: StoredNotice['kind'], state: NoticeState) => void
  readonly onMessage?: (channel: Channel, outcome: SendOutcome['kind'] | 'given up') => void
}

export interface Teller {
  start(): void
  /** There may be a notice: looks soon. */
  wake(): void
  /** Looks now, once. Never rejects. */
  round(): Promise<void>
  /** Begins nothing further; resolves when what is under way has come to an end. */
  stop(): Promise<void>
  /** What did not work the last time, by what it is about. */
  readonly problems: Readonly<Partial<Record<Channel | 'people', string>>>
}

/** How long a mail waits for further notices of the same recipient. */
export const GATHERING = 5 * MINUTE
/** A recipient gets one mail in this time. */
export const ONE_MAIL_IN = DAY
/** A notice that could not be addressed for so long is no news. */
export const TOO_LATE = 7 * DAY
/** A message that was never tried for so long is none either: mail was switched off meanwhile. */
const TOO_OLD = 14 * DAY

/** From one attempt to the next; after the last, some five days on, a message is given up. */
export const RETRIES: readonly number[] = [
  MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  HOUR,
  ...[3, 6, 12, 24, 24, 24, 24].map((hours) => hours * HOUR),
]

/** How often is looked without being woken. */
const PERIOD = 30 * SECOND
/** Many are woken for at a time. */
const SOON = SECOND
/** Rows held in memory at a time. */
const PAGE = 100
/** Nobody reads more forecasts than that in one message. */
const MOST_OUTLOOKS = 100
/** So many groups in a row whose people cannot be looked up: it is not the group. */
const MOST_FAILED_LOOK_UPS = 3

const channels: readonly Channel[] = ['mail', 'webhook']

export function createTeller(options: TellerOptions): Teller {
  const { ledger, messengers, webhooks, outlookOf, isOurs = () => true, clock, logger, onNotice, onMessage } = options
  const problems: Partial<Record<Channel | 'people', string>> = {}
  let timer: NodeJS.Timeout | undefined
  let wokenFor: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  let stopping = false
  /** Why the ledger could not go on, as it was last told. */
  let said: string | undefined

  /** Whether nothing further is to be begun. */
  function isOver(): boolean {
    return stopping || !isOurs()
  }

  async function look(): Promise<void> {
    if (isOver()) return
    try {
      await addressAll()
      await closeAll()
      await Promise.all(channels.map(sendAll))
      said = undefined
    } catch (error) {
      const isLedgers = error instanceof LedgerError
      // Trouble with the ledger is said aloud by whoever records readings.
      const level = !isLedgers ? 'error' : error.message === said ? 'debug' : 'warn'
      if (isLedgers) said = error.message
      logger[level]({ err: error }, 'Telling people of notices failed; it is tried again')
    }
  }

  async function addressAll(): Promise<void> {
    if (channels.every((channel) => messengers[channel] === undefined)) return
    let failures = 0
    let page: StoredNotice[]
    let after = 0
    do {
      page = await ledger.waitingNotices({ after, limit: PAGE })
      for (const notice of page) {
        if (isOver() || failures >= MOST_FAILED_LOOK_UPS) return
        after = notice.id
        await othersFirst()
        failures = (await address(notice)) ? 0 : failures + 1
      }
    } while (page.length === PAGE)
    if (failures === 0) delete problems.people
  }

  /** Returns whether it could be found out who is to be told. */
  async function address(notice: StoredNotice): Promise<boolean> {
    const { id, group, kind } = notice
    const now = clock.now()
    if (now - notice.at > TOO_LATE) {
      await ledger.settleNotices([id], 'too late')
      logger.warn({ group, notice: id }, 'Nobody could be told of a notice in time')
      onNotice?.(kind, 'too late')
      return true
    }
    const to = webhooks.map((name) => ({ channel: 'webhook', to: name }) as const)
    try {
      const mail = messengers.mail === undefined ? undefined : await addresseesOf(group, options.people)
      const { state = 'addressed' } = mail ?? {}
      if (await ledger.addressNotice(id, { at: now, ...mail, to: [...to, ...(mail?.to ?? [])], state })) {
        tellWho(notice, mail?.skipped ?? 0, state)
      }
      return true
    } catch (error) {
      if (error instanceof LedgerError) throw error
      const reason = error instanceof Error ? error.message : String(error)
      const level = problems.people === reason ? 'debug' : 'warn'
      problems.people = reason
      logger[level]({ group, err: error }, 'The people of a group could not be looked up; it is tried again')
      return false
    }
  }

  function tellWho({ group, kind, id }: StoredNotice, skipped: number, state: NoticeState): void {
    if (skipped > 0)
      logger.warn({ group, notice: id, skipped }, 'Some addresses of a group are none, or too many: they are skipped')
    if (state !== 'no recipient') return
    logger.warn({ group, notice: id }, 'Nobody of a group is known who could be told of its notice')
    onNotice?.(kind, state)
  }

  async function closeAll(): Promise<void> {
    const now = clock.now()
    const when = { now, openedBy: now - GATHERING, noneSince: now - ONE_MAIL_IN }
    for (const message of await ledger.gathered(when, PAGE)) {
      if (isOver()) return
      try {
        await close(message)
      } catch (err) {
        // A mistake about one message keeps nobody else from being told.
        if (err instanceof LedgerError) throw err
        logger.error({ message: message.uid, err }, 'A message could not be written')
      }
    }
  }

  async function close({ id, uid, channel, to }: Message): Promise<void> {
    const messenger = messengers[channel]
    if (messenger === undefined) return
    const notices = await ledger.messageNotices(id)
    const wanted: StoredNotice[] = []
    const muted: StoredNotice[] = []
    for (const notice of notices) {
      await othersFirst()
      if ((await ledger.muted(notice.group)) !== undefined) muted.push(notice)
      else wanted.push(notice)
    }
    // A webhook is told of everything, each by itself.
    const news = channel === 'mail' ? await newsOf(wanted, to, ledger) : { told: wanted, overtaken: [], instead: [] }
    const { overtaken, instead } = news
    const told: Told[] = []
    for (const notice of news.told) {
      await othersFirst()
      told.push(await describe(notice, told.length < MOST_OUTLOOKS))
    }
    const content = told.length === 0 ? '' : messenger.compose(told)
    const ids = (list: readonly { readonly id: number }[]) => list.map((each) => each.id)
    const closing = { told: ids(told), muted: ids(muted), overtaken: ids(overtaken), instead: ids(instead) }
    await ledger.closeMessage(id, { content, ...closing, at: clock.now() })
    for (const { kind } of muted) onNotice?.(kind, 'muted')
    if (overtaken.length > 0)
      logger.info({ message: uid, notices: overtaken.length }, 'Notices about a former grant are left out of a message')
  }

  async function describe({ state: _, ...notice }: StoredNotice, isDetailed: boolean): Promise<Told> {
    const outlook = isDetailed ? await outlookOf(notice.group) : undefined
    return { ...notice, ...(outlook !== undefined && { outlook }) }
  }

  /** One after another; those that would fail for the same reason are left for the next round. */
  async function sendAll(channel: Channel): Promise<void> {
    const messenger = messengers[channel]
    if (messenger === undefined) return
    const avoided = new Set<string>()
    let page: Awaited<ReturnType<typeof ledger.dueMessages>>
    do {
      page = await ledger.dueMessages(channel, clock.now(), PAGE)
      for (const message of page) {
        if (isOver()) return
        if (avoided.has(message.to)) continue
        const outcome = await send(messenger, message)
        if (outcome.kind === 'sent') delete problems[channel]
        if (outcome.kind !== 'failed') continue
        if (outcome.affects === 'all') return
        if (outcome.affects === 'recipient') avoided.add(message.to)
      }
    } while (page.length === PAGE && avoided.size === 0)
  }

  async function send(messenger: Messenger, message: Message & { content: string }): Promise<SendOutcome> {
    const { id, channel, attempts, openedAt } = message
    const at = clock.now()
    if (attempts === 0 && at - openedAt > TOO_OLD) {
      return conclude(message, { kind: 'refused', why: 'It waited for two weeks and is no news any more' })
    }
    await ledger.beginAttempt(id, { at, retryAt: at + (RETRIES[attempts] ?? DAY) })
    const outcome = await messenger.send(message)
    if (outcome.kind !== 'failed' || attempts >= RETRIES.length) return conclude(message, outcome)
    tellProblem(message, outcome.why)
    await ledger.failAttempt(id, outcome.why)
    onMessage?.(channel, 'failed')
    return outcome
  }

  async function conclude(message: Message, outcome: SendOutcome): Promise<SendOutcome> {
    const { id, uid, channel } = message
    const at = clock.now()
    const notices = await ledger.messageNotices(id)
    const facts = { message: uid, channel, notices: notices.length }
    if (outcome.kind === 'sent') {
      const { remark } = outcome
      await ledger.endMessage(id, { state: 'sent', at, ...(remark !== undefined && { problem: remark }) })
      logger.info({ ...facts, ...(remark !== undefined && { remark }) }, 'Told of notices')
    } else {
      await ledger.endMessage(id, { state: 'given up', at, problem: outcome.why })
      problems[channel] = outcome.why
      logger.error({ ...facts, why: outcome.why }, 'A message is given up: whoever was to get it is not told')
    }
    onMessage?.(channel, outcome.kind === 'sent' ? 'sent' : 'given up')
    for (const { kind } of notices) onNotice?.(kind, outcome.kind === 'sent' ? 'sent' : 'given up')
    return outcome
  }

  function tellProblem({ uid, channel, attempts }: Message, why: string): void {
    const level = problems[channel] === why ? 'debug' : 'warn'
    problems[channel] = why
    logger[level](
      { message: uid, channel, attempt: attempts + 1 },
      `A message could not be sent: ${why}. It is tried again.`,
    )
  }

  function round(): Promise<void> {
    underWay ??= withTask(newTaskId('tell'), look).finally(() => {
      underWay = undefined
    })
    return underWay
  }

  function start(): void {
    if (stopping) return
    timer = setTimeout(() => void round().then(start), PERIOD)
  }

  return {
    start() {
      this.wake()
      start()
    },
    wake() {
      if (stopping) return
      wokenFor ??= setTimeout(() => {
        wokenFor = undefined
        void round()
      }, SOON)
    },
    round,
    async stop() {
      stopping = true
      clearTimeout(timer)
      clearTimeout(wokenFor)
      await underWay
    },
    problems,
  }
}
