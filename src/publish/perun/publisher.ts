/**
 * Publishes a group's credits to Perun: look, plan, record, write, record.
 *
 * What is about to be written is recorded first. So when the reply is lost, or the process dies in between, the next look
 * tells whether it was written, and does not take our own value for somebody's edit. Each write has a number in the ledger,
 * and only the newest of a group is sent; between looking and writing passes no more than `maxAge`.
 */
import { type Clock, SECOND } from '../../core/time.ts'
import { type GroupAccount, type Ledger, OvertakenError, type Settlement } from '../../ledger/ledger.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { createGathering } from '../gathering.ts'
import type { Publisher, PublishOutcome } from '../publisher.ts'
import { createTurns, type Turn } from '../turns.ts'
import { type AttributeNames, type Definitions, lookUpDefinitions, withValue } from './attributes.ts'
import type { Outcome } from './doubts.ts'
import type { SiteView } from './draft.ts'
import { isDrift } from './drift.ts'
import { createGroups, LOOK_UP, READ_ONE } from './groups.ts'
import { createOthers } from './others.ts'
import { isPublished, isSettled, type Plan, planPublish, sitesToLookAt, type Write } from './plan.ts'
import { PerunError, type PerunRpc } from './rpc.ts'
import { createSurvey } from './survey.ts'

export interface PerunPublisherOptions {
  readonly rpc: PerunRpc
  readonly ledger: Pick<Ledger, 'shownGroups' | 'account' | 'settle' | 'newestIntention'>
  readonly voId: number
  readonly names: AttributeNames
  /** Milliseconds that what Perun showed may be old when we write; what is older is read again just before. */
  readonly maxAge: number
  /** Decimals of published credits, 0 to 6. */
  readonly precision: number
  readonly clock: Clock
  readonly logger: Logger
  /** How many groups wait to be published. */
  readonly demand: () => number
  /** Asked at once before a write whether it is still ours to do; always if not given. */
  readonly mayWrite?: (() => boolean) | undefined
  /** How many groups are written at a time, 1 or more; what is published beyond that is prepared and waits for its turn. */
  readonly writers: number
  /** Told of each entry that publishing adds to the ledger; `isDrift` if it follows an edit that we did not make. */
  readonly onEntry?: (entry: { readonly kind: 'opening' | 'adjustment'; readonly isDrift: boolean }) => void
  /** Told before each write how many seconds ago the reading of what it replaces began. */
  readonly onWrite?: (secondsSinceRead: number) => void
  /** Told what came of a write that was never answered, and how many seconds after it was begun. */
  readonly onDoubtResolved?: (outcome: Outcome, seconds: number) => void
}

const SET = 'attributesManager/setAttributes'

/** Milliseconds that groups which are prepared wait for each other before they are recorded; writing those before takes longer. */
const GATHERING = 10

/** A write that Perun could not do this often, while it could do others, is the group's own trouble. */
const ATTEMPTS = 5

/** Trouble with so many groups, and with nothing done in between, is Perun's own: it is read-only, or its database is down. */
const MANY_TROUBLED = 3

/** What came of the writes of a plan. */
interface Sent {
  readonly answered: readonly Write[]
  /** Of the one after them. */
  readonly failure?: Failure
}

/** Whether the write may have happened, or may happen yet. */
function isInDoubt({ error }: Failure): boolean {
  if (error instanceof PerunError) return error.failure === 'unavailable'
  return !(error instanceof OvertakenError)
}

interface Failure {
  readonly site: string
  readonly error: unknown
  /** Perun's word for it, if it is the group's own trouble. */
  readonly refused?: string
}

export function createPerunPublisher(options: PerunPublisherOptions): Publisher {
  const { rpc, ledger, precision, clock, logger } = options
  const groups = createGroups(options)
  const newTurn = createTurns(options.writers)
  const gather = createGathering(GATHERING)
  const others = createOthers(clock)
  const isShared = options.mayWrite !== undefined
  const attempts = new Map<string, number>()
  /** The groups that Perun had trouble with since it last did something. */
  const troubled = new Set<string>()
  /** Writes without an answer that are known not to have happened. They say which sites are to be written again. */
  const undone = new Map<string, Set<number>>()
  const survey = createSurvey({ ledger, groups, logger, handsOver: isShared })
  let definitions: Promise<Definitions> | undefined

  function define(): Promise<Definitions> {
    definitions ??= lookUpDefinitions(rpc, options.names).catch((error: unknown) => {
      definitions = undefined
      throw error
    })
    return definitions
  }

  async function publish(group: string, look = false): Promise<PublishOutcome> {
    const account = await ledger.account(group)
    if (account === undefined) return { kind: 'unchanged' }
    const now = clock.now()
    const isStray = survey.takeStray(group) || look
    if (!isStray && isSettled(account, precision, now)) {
      const isAll = sitesToLookAt(account, now).length === account.sites.length && account.sites.every(isPublished)
      if (!isAll) return { kind: 'held' }
      const concluded = conclude({ group, at: now, dealtWith: account.used }, isShared)
      // The next worker may find a hold, by which the group is not clean after all.
      if (isShared) await concluded
      return { kind: 'unchanged' }
    }
    if (sitesToLookAt(account, now).length === 0) return { kind: 'held' }
    const turn = newTurn()
    try {
      return await bringUp(account, turn)
    } catch (error) {
      if (error instanceof OvertakenError) return { kind: 'unavailable', reason: error.message, everyone: false }
      if (!(error instanceof PerunError)) throw error
      groups.doubt(group)
      return failed(group, error)
    } finally {
      others.forget(group)
      turn.end()
    }
  }

  /** Looks and writes until all is written; looks again where what was seen is not good enough to write on. */
  async function bringUp(account: GroupAccount, turn: Turn): Promise<PublishOutcome> {
    const { group } = account
    await define()
    let written = 0
    let isSecondLook = false
    for (let current = account, isFirst = true; ; current = (await ledger.account(group))!, isFirst = false) {
      if (!isFirst || current.intended.length > 0) groups.doubt(group)
      const plan = await planFor(current)
      // A write in doubt may have arrived in the middle of a look, which then shows its value without its times, or these only.
      isSecondLook = !isSecondLook && plan.settlement.drifts !== undefined && current.intended.length > 0
      if (isSecondLook) continue
      const outcome = await carryOut(current, plan, isFirst, turn)
      if (outcome.kind === 'unchanged' && written > 0) return { kind: 'written', writes: written }
      if (outcome.kind !== 'written') return outcome
      written += outcome.writes
      if (outcome.writes === plan.writes.length) return { kind: 'written', writes: written }
    }
  }

  async function planFor(account: GroupAccount): Promise<Plan> {
    const now = clock.now()
    const views = new Map<string, SiteView>()
    others.note(account)
    for (const { site } of sitesToLookAt(account, now)) views.set(site, await lookAnew(site, account.group))
    return planPublish(account, views, { precision, now })
  }

  async function lookAnew(site: string, group: string): Promise<SiteView> {
    const view = await look(site, group)
    if (typeof view !== 'object' || !('readAt' in view) || !others.haveWrittenSince(group, view.readAt)) return view
    groups.doubt(group)
    return look(site, group)
  }

  async function look(site: string, group: string): Promise<SiteView> {
    try {
      return await groups.view(site, group)
    } catch (error) {
      if (!(error instanceof PerunError)) throw error
      const isOurs = (error.call === READ_ONE || error.call === LOOK_UP) && isOwnTrouble(group, error)
      if (error.failure !== 'refused' && !isOurs) throw error
      return { refused: error.exception }
    }
  }

  /** @returns `written` with fewer writes than were planned if the rest has to be looked at again. */
  async function carryOut(account: GroupAccount, plan: Plan, isFirst: boolean, turn: Turn): Promise<PublishOutcome> {
    const { group } = account
    const { writes, held, total } = plan
    const done = held ? {} : { dealtWith: total }
    const settlement = { ...plan.settlement, ...(writes.length === 0 && done) }
    const known = replaced(account, plan)
    // What was read again is written at once.
    if (isFirst && writes.length > 0) await gather()
    await ledger.settle({ ...settlement, resolved: [...(settlement.resolved ?? []), ...known] })
    tell(account, { ...plan, resolved: plan.resolved.filter(({ number }) => !known.includes(number)) })
    if (writes.length === 0) return { kind: held ? 'held' : 'unchanged' }
    // It is kept until all is written: what became too old while it was waited for is read again and written at once.
    await turn.take()
    const { answered, failure } = await sendAll(group, writes, isFirst)
    if (answered.length > 0) {
      if (isShared) others.wrote(group, writes.at(-1)!.number, plan.shown)
      const sites = answered.map(({ site, upTo }) => ({ site, upTo }))
      const published = { used: plan.shown, sites }
      const numbers = answered.map(({ number }) => number)
      const isAll = answered.length === writes.length
      void conclude({ group, at: clock.now(), answered: numbers, published, ...(isAll && done) })
    }
    if (failure === undefined) return { kind: 'written', writes: answered.length }
    if (failure.refused !== undefined) return refuse(group, failure.site, failure.refused)
    throw failure.error
  }

  /**
   * What was written needs nobody to wait for this: if it is lost, the intention is still there, and the next look finds it
   * fulfilled; if it comes after that of another worker, the ledger keeps the newer one.
   */
  function conclude(settlement: Settlement, urgent = false): Promise<void> {
    return ledger.settle(settlement, { urgent }).catch((error: unknown) => {
      logger.error({ group: settlement.group, err: error }, 'What was published could not be recorded')
    })
  }

  /** One after another, until one fails or what was seen is too old to write on. */
  async function sendAll(group: string, writes: readonly Write[], isFirst: boolean): Promise<Sent> {
    const newest = writes.at(-1)!.number
    const answered: Write[] = []
    for (const write of writes) {
      // What was read again just now is as new as it gets.
      if (isTooOld(write) && (isFirst || answered.length > 0)) break
      const failure = await send(group, write, newest)
      if (failure !== undefined) {
        noteUndone(group, writes.slice(answered.length + (isInDoubt(failure) ? 1 : 0)))
        return { answered, failure }
      }
      answered.push(write)
    }
    if (answered.length === writes.length) attempts.delete(group)
    else noteUndone(group, writes.slice(answered.length))
    return { answered }
  }

  /** A clock that was set back makes everything look young; what seems to come from the future is read again. */
  function isTooOld({ readAt }: Write): boolean {
    const age = clock.now() - readAt
    return age > options.maxAge || age < 0
  }

  /** @throws {OvertakenError} */
  function checkTurn(group: string, write: Write, isAgain: boolean): void {
    if (options.mayWrite?.() === false)
      throw new OvertakenError(`Write ${write.number} of ${group} is not sent: another worker may publish it by now`)
    if (!isAgain || !isTooOld(write)) return
    throw new OvertakenError(`Write ${write.number} of ${group} is not sent: what was read is too old by now`)
  }

  /** Both values in one call, which Perun does as a whole or not at all. */
  async function send(group: string, write: Write, newest: number): Promise<Failure | undefined> {
    const { site, groupId, used, timestamps, readAt } = write
    const target = { group: groupId, resource: Number(site), workWithGroupAttributes: true }
    try {
      const known = await define()
      const attributes = [withValue(known.used, used), withValue(known.timestamps, { ...timestamps })]
      if ((await ledger.newestIntention(group)) !== newest)
        throw new OvertakenError(`Write ${write.number} of ${group} is not sent: another publish of it has begun`)
      options.onWrite?.((clock.now() - readAt) / SECOND)
      await rpc.call(SET, { ...target, attributes }, (isAgain) => checkTurn(group, write, isAgain))
      groups.written(site, group, { used, timestamps })
      troubled.clear()
      logger.debug({ group, site, used }, 'Published')
      return undefined
    } catch (error) {
      if (!(error instanceof PerunError)) return { site, error }
      groups.doubt(group)
      if (error.failure !== 'refused' && !isOwnTrouble(group, error)) return { site, error }
      // A definition that was deleted and made again has another id.
      if (error.exception === 'AttributeNotExistsException') definitions = undefined
      return { site, error, refused: error.exception }
    }
  }

  function noteUndone(group: string, writes: readonly Write[]): void {
    const numbers = new Set([...(undone.get(group) ?? []), ...writes.map(({ number }) => number)])
    if (numbers.size > 0) undone.set(group, numbers)
  }

  /** The undone writes that need no memory any more, because their site is written again or has been. */
  function replaced({ group, intended }: GroupAccount, { writes }: Plan): number[] {
    const numbers = undone.get(group)
    if (numbers === undefined) return []
    const sites = new Set(writes.map(({ site }) => site))
    const open = intended.filter(({ number }) => numbers.has(number))
    const kept = open.filter(({ site, overtaken }) => !overtaken && !sites.has(site))
    if (kept.length === 0) undone.delete(group)
    else undone.set(group, new Set(kept.map(({ number }) => number)))
    return open.filter((each) => !kept.includes(each)).map(({ number }) => number)
  }

  async function refuse(group: string, site: string, refused: string): Promise<PublishOutcome> {
    attempts.delete(group)
    const account = await ledger.account(group)
    if (account === undefined) return { kind: 'held' }
    const plan = planPublish(account, new Map([[site, { refused }]]), { precision, now: clock.now() })
    await ledger.settle(plan.settlement)
    tell(account, plan)
    return { kind: 'held' }
  }

  /** Says what a plan that is recorded has found. */
  function tell(account: GroupAccount, { settlement, resolved }: Plan): void {
    const { group } = account
    announce(account, settlement)
    for (const entry of settlement.entries ?? []) {
      logger.info({ group, site: entry.site, entry: entry.kind }, entry.reason)
      options.onEntry?.({ kind: entry.kind, isDrift: isDrift(entry) })
    }
    for (const { number, at, outcome } of resolved) {
      if (outcome === 'late')
        logger.warn({ group, write: number }, 'Perun came to a write that was given up: it is written anew')
      options.onDoubtResolved?.(outcome, Math.max(0, clock.now() - at) / SECOND)
    }
  }

  /** A hold is said once, when it begins. */
  function announce({ group, holds }: GroupAccount, settlement: Settlement): void {
    for (const { key, kind, site, reason } of settlement.holds ?? []) {
      if (!holds.includes(key)) logger.warn({ group, site, hold: kind }, reason)
    }
  }

  /** Perun's database trouble and a group that it cannot read or store look the same; only the second one goes on for one group. */
  function isOwnTrouble(group: string, error: PerunError): boolean {
    const count = error.isTrouble ? (attempts.get(group) ?? 0) + 1 : 0
    attempts.set(group, count)
    if (error.isTrouble) troubled.add(group)
    return count >= ATTEMPTS && troubled.size < MANY_TROUBLED
  }

  function failed(group: string, error: PerunError): PublishOutcome {
    logger.debug({ group, err: error }, 'Publishing failed')
    if (error.failure === 'forbidden') return { kind: 'forbidden', reason: error.message }
    if (error.failure === 'refused')
      return { kind: 'forbidden', reason: `${error.message}: check the settings of Perun's attributes` }
    const isOfGroup = error.isTrouble && (error.call === SET || error.call === READ_ONE || error.call === LOOK_UP)
    const everyone = !isOfGroup || troubled.size >= MANY_TROUBLED
    if (everyone) attempts.delete(group)
    return { kind: 'unavailable', reason: error.message, everyone }
  }

  return {
    publish,
    survey: () => survey.look(),
    async close() {
      rpc.close()
    },
  }
}
