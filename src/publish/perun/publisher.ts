/**
 * Publishes a group's credits to Perun: look, plan, record, write, record.
 *
 * What is about to be written is recorded first. So when the reply is lost, or the process dies in between, the next look
 * tells whether it was written, and does not take our own value for somebody's edit.
 */
import type { Clock } from '../../core/time.ts'
import type { GroupAccount, Ledger, Settlement } from '../../ledger/ledger.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Publisher, PublishOutcome } from '../publisher.ts'
import { type AttributeNames, type Definitions, lookUpDefinitions, withValue } from './attributes.ts'
import { createGroups, LOOK_UP, READ_ONE } from './groups.ts'
import {
  isDrift,
  isPublished,
  isSettled,
  type Plan,
  planPublish,
  type SiteView,
  sitesToLookAt,
  type Write,
} from './plan.ts'
import { PerunError, type PerunRpc } from './rpc.ts'

export interface PerunPublisherOptions {
  readonly rpc: PerunRpc
  readonly ledger: Pick<Ledger, 'account' | 'settle'>
  readonly voId: number
  readonly names: AttributeNames
  /** Milliseconds that what Perun showed may be old when we write. */
  readonly maxAge: number
  /** Decimals of published credits, 0 to 6. */
  readonly precision: number
  readonly clock: Clock
  readonly logger: Logger
  /** How many groups wait to be published. */
  readonly demand: () => number
  /** Told of each entry that publishing adds to the ledger; `isDrift` if it follows an edit that we did not make. */
  readonly onEntry?: (entry: { readonly kind: 'opening' | 'adjustment'; readonly isDrift: boolean }) => void
}

const SET = 'attributesManager/setAttributes'

/** A write that Perun could not do this often, while it could do others, is the group's own trouble. */
const ATTEMPTS = 5

/** Trouble with so many groups, and with nothing done in between, is Perun's own: it is read-only, or its database is down. */
const MANY_TROUBLED = 3

export function createPerunPublisher(options: PerunPublisherOptions): Publisher {
  const { rpc, ledger, precision, clock, logger } = options
  const groups = createGroups(options)
  const attempts = new Map<string, number>()
  /** The groups that Perun had trouble with since it last did something. */
  const troubled = new Set<string>()
  let definitions: Promise<Definitions> | undefined

  function define(): Promise<Definitions> {
    definitions ??= lookUpDefinitions(rpc, options.names).catch((error: unknown) => {
      definitions = undefined
      throw error
    })
    return definitions
  }

  async function publish(group: string): Promise<PublishOutcome> {
    const account = await ledger.account(group)
    if (account === undefined) return { kind: 'unchanged' }
    const now = clock.now()
    if (isSettled(account, precision, now)) {
      if (!account.sites.every(isPublished)) return { kind: 'held' }
      conclude({ group, at: now, dealtWith: account.used })
      return { kind: 'unchanged' }
    }
    if (sitesToLookAt(account, now).length === 0) return { kind: 'held' }
    try {
      return await bringUp(account)
    } catch (error) {
      if (!(error instanceof PerunError)) throw error
      groups.doubt(group)
      return failed(group, error)
    }
  }

  async function bringUp(account: GroupAccount): Promise<PublishOutcome> {
    await define()
    const views = new Map<string, SiteView>()
    for (const { site } of sitesToLookAt(account, clock.now())) views.set(site, await look(site, account.group))
    const plan = planPublish(account, views, { precision, now: clock.now() })
    return carryOut(account, plan)
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

  async function carryOut(account: GroupAccount, plan: Plan): Promise<PublishOutcome> {
    const { group } = account
    const { writes, shown, held, total, settlement } = plan
    const done = held ? {} : { dealtWith: total }
    announce(account, settlement)
    for (const entry of settlement.entries ?? []) {
      logger.info({ group, site: entry.site, entry: entry.kind }, entry.reason)
      options.onEntry?.({ kind: entry.kind, isDrift: isDrift(entry) })
    }
    if (writes.length === 0) {
      await ledger.settle({ ...settlement, ...done })
      return { kind: held ? 'held' : 'unchanged' }
    }
    await ledger.settle(settlement)
    for (const write of writes) {
      const refusal = await set(group, write)
      if (refusal !== undefined) return refuse(group, write.site, refusal)
    }
    attempts.delete(group)
    const sites = writes.map(({ site, upTo }) => ({ site, upTo }))
    conclude({ group, at: clock.now(), answered: shown, published: { used: shown, sites }, ...done })
    return { kind: 'written', writes: writes.length }
  }

  /** Nobody waits for this: if it is lost, the intention is still there, and the next look finds it fulfilled. */
  function conclude(settlement: Settlement): void {
    ledger.settle(settlement, { urgent: false }).catch((error: unknown) => {
      logger.error({ group: settlement.group, err: error }, 'What was published could not be recorded')
    })
  }

  /** Both values in one call, which Perun does as a whole or not at all. Returns why Perun refuses it, if it does. */
  async function set(group: string, { site, groupId, used, timestamps }: Write): Promise<string | undefined> {
    const known = await define()
    const attributes = [withValue(known.used, used), withValue(known.timestamps, { ...timestamps })]
    try {
      const target = { group: groupId, resource: Number(site), workWithGroupAttributes: true }
      await rpc.call(SET, { ...target, attributes })
      groups.written(site, group, { used, timestamps })
      troubled.clear()
      logger.debug({ group, site, used }, 'Published')
      return undefined
    } catch (error) {
      if (!(error instanceof PerunError) || !(error.failure === 'refused' || isOwnTrouble(group, error))) throw error
      groups.doubt(group)
      // A definition that was deleted and made again has another id.
      if (error.exception === 'AttributeNotExistsException') definitions = undefined
      return error.exception
    }
  }

  async function refuse(group: string, site: string, refused: string): Promise<PublishOutcome> {
    attempts.delete(group)
    const account = await ledger.account(group)
    if (account === undefined) return { kind: 'held' }
    const { settlement } = planPublish(account, new Map([[site, { refused }]]), { precision, now: clock.now() })
    announce(account, settlement)
    await ledger.settle(settlement)
    return { kind: 'held' }
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
    async close() {
      rpc.close()
    },
  }
}
