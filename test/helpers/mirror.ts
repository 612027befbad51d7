/** A ledger, a Perun simulator and a publisher between them whose writes can meet any fate; time stands still. */
import { formatCredits } from '#src/core/credits.ts'
import { MINUTE, SECOND } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { createPerunPublisher } from '#src/publish/perun/publisher.ts'
import { createPerunRpc, PerunError, type PerunRpc } from '#src/publish/perun/rpc.ts'
import { type Measured, recorder, silent, T0, testClock } from './billing.ts'

/**
 * What becomes of a write:
 * - `done`: Perun does it and says so.
 * - `lost before`, `lost after`: Perun does not answer, and did not do it, or did.
 * - `late`: Perun does not answer, and does it when `comeTo` is called.
 * - `refused`, `forbidden`: Perun says no.
 * - `killed before`, `killed after`: the process dies in the call. A new one has to be started.
 */
export type Fate =
  | 'done'
  | 'lost before'
  | 'lost after'
  | 'late'
  | 'refused'
  | 'forbidden'
  | 'killed before'
  | 'killed after'

const names = {
  used: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
  granted: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
  timestamps: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
}

export class Killed extends Error {}

export async function startMirror({ maxAge = 10 * SECOND, sites = [1] }: { maxAge?: number; sites?: number[] } = {}) {
  const clock = testClock()
  const perun = await startPerun({ clock })
  perun.addGroup({ name: 'p', granted: '200', resources: sites })
  const ledger = openSqliteLedger(':memory:')
  const real = createPerunRpc({ url: perun.url, login: 'credits', password: 'secret', timeout: 5_000, connections: 4 })
  const fates: Fate[] = []
  const pending: (() => Promise<unknown>)[] = []
  const hooks: {
    beforeCall?: ((method: string) => void | Promise<void>) | undefined
    amidRead?: (() => void | Promise<void>) | undefined
  } = {}
  const outcomes: string[] = []
  const windows: number[] = []

  /** Perun reads attributes of the group, then those of the group at the site, and a write may come in between. */
  async function tornRead(parameters: object): Promise<unknown> {
    const method = 'attributesManager/getAttributes'
    const before = (await real.call(method, parameters)) as { entity: string }[]
    await hooks.amidRead?.()
    hooks.amidRead = undefined
    const after = (await real.call(method, parameters)) as { entity: string }[]
    return before.map((attribute, index) => (attribute.entity === 'group' ? attribute : after[index]))
  }

  const rpc: PerunRpc = {
    ...real,
    async call(method, parameters, before) {
      await hooks.beforeCall?.(method)
      if (hooks.amidRead !== undefined && method === 'attributesManager/getAttributes') return tornRead(parameters)
      if (method !== 'attributesManager/setAttributes') return real.call(method, parameters)
      const fate = fates.shift() ?? 'done'
      if (fate === 'late') pending.push(() => real.call(method, parameters))
      if (fate === 'refused') throw new PerunError(method, 'refused', 'WrongAttributeValueException')
      if (fate === 'forbidden') throw new PerunError(method, 'forbidden', 'HTTP 403')
      if (fate === 'killed before') throw new Killed()
      if (fate === 'lost before' || fate === 'late') throw new PerunError(method, 'unavailable', 'ETIMEDOUT')
      const answer = await real.call(method, parameters, before)
      if (fate === 'killed after') throw new Killed()
      if (fate === 'lost after') throw new PerunError(method, 'unavailable', 'ECONNRESET')
      return answer
    },
  }

  const newPublisher = (
    over: Partial<Pick<Ledger, 'account' | 'settle' | 'newestIntention'>> = {},
    mayWrite?: () => boolean,
  ) =>
    createPerunPublisher({
      mayWrite,
      rpc,
      ledger: { ...ledger, ...over },
      voId: perun.voId,
      names,
      maxAge,
      precision: 2,
      clock,
      logger: silent,
      demand: () => 0,
      writers: 4,
      onDoubtResolved: (outcome) => outcomes.push(outcome),
      onWrite: (seconds) => windows.push(seconds),
    })
  let publisher = newPublisher()
  const record = recorder(ledger, clock)

  /** Whoever is dirty or in doubt is published. */
  async function sweep(later = MINUTE) {
    clock.pass(later)
    const isDue = [...(await ledger.dirtyGroups()), ...(await ledger.doubtfulGroups())].includes('p')
    return isDue ? publisher.publish('p') : undefined
  }

  return {
    clock,
    perun,
    ledger,
    fates,
    /** `beforeCall` is called before each call but the reading of a whole site, `amidRead` once in a read of the group. */
    hooks,
    /** What came of writes without an answer. */
    outcomes,
    windows,
    newPublisher,
    /** The same readings at each of the sites, a second later than the last. */
    async measure(value: string, where: readonly number[] = sites) {
      clock.pass(SECOND)
      await record(...where.map((site): Measured => ({ project: 'p', at: clock.at, value, site: `${site}` })))
    },
    publish: () => publisher.publish('p'),
    survey: () => publisher.survey(),
    /** Publishes; a process that dies of it is started again. */
    async tryToPublish() {
      try {
        return await publisher.publish('p')
      } catch (error) {
        if (!(error instanceof Killed)) throw error
        publisher = newPublisher()
        return { kind: 'killed' } as const
      }
    },
    /** The process is killed and started again. */
    restart() {
      publisher = newPublisher()
    },
    /** How many writes Perun may still come to. */
    get pending() {
      return pending.length
    },
    /** Perun comes to the oldest of the late writes, or another one. */
    async comeTo(index = 0) {
      await pending.splice(index, 1)[0]?.()
    },
    forgetPending: () => void pending.splice(0),
    sweep,
    /** More than an hour in which nothing is measured, edited or lost. */
    async rest() {
      for (let look = 1; look <= 6; look += 1) await sweep()
      for (let look = 1; look <= 12; look += 1) await sweep(5 * MINUTE)
    },
    used: async () => formatCredits((await ledger.account('p'))!.used),
    shown: () => perun.read('p').used,
    /** The latest timestamp that Perun shows of each site, in seconds after the beginning. */
    times: () =>
      Object.fromEntries(
        Object.entries(perun.read('p').timestamps).map(([site, times]) => [
          site,
          (Date.parse(`${times.project_vcpu_usage!.replace(' ', 'T')}Z`) - T0) / SECOND,
        ]),
      ),
    adjustments: async () =>
      (await ledger.entries('p', { limit: 1_000 })).flatMap((entry) =>
        entry.kind === 'adjustment' ? [formatCredits(entry.amount)] : [],
      ),
    async [Symbol.asyncDispose]() {
      real.close()
      await perun.close()
      await ledger.close()
    },
  }
}
