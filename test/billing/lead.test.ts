/** Of several replicas one has the lead, and another one has it soon when that ends. */
import { once } from 'node:events'
import { expect, onTestFinished, suite, test } from 'vitest'
import { createLead, LEAD } from '#src/billing/lead.ts'
import { testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'
import { createCluster } from '../helpers/replicas.ts'

/** Gives everything that waits for a promise its turn. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Replicas that try again whenever `tryAgain()` says so. */
function startLeads(count: number) {
  const cluster = createCluster()
  const clock = testClock()
  let pauses: (() => void)[] = []
  const wait = (_ms: number, signal: AbortSignal) =>
    Promise.race([new Promise<void>((resolve) => pauses.push(resolve)), once(signal, 'abort').then(() => {})])
  const leads = Array.from({ length: count }, () => {
    const replica = cluster.join()
    const { logger, lines } = memoryLog('service')
    const lead = createLead({ replicas: replica, clock, logger, wait })
    lead.start()
    onTestFinished(() => lead.stop())
    return { replica, lead, lines }
  })
  return {
    ...cluster,
    clock,
    leads,
    held: () => leads.map(({ lead }) => lead.isHeld()),
    async tryAgain() {
      await settled()
      const due = pauses
      pauses = []
      for (const goOn of due) goOn()
      await settled()
    },
  }
}

suite('the lead', () => {
  test('is had by one of them, who knows since when', async () => {
    const { held, tryAgain, leads, clock } = startLeads(3)
    await tryAgain()
    expect(held()).toEqual([true, false, false])
    expect(leads.map(({ lead }) => lead.since)).toEqual([clock.at, undefined, undefined])
  })

  test.each([
    ['stops', ({ lead }: ReturnType<typeof startLeads>['leads'][number]) => lead.stop()],
    ['dies', async ({ replica }: ReturnType<typeof startLeads>['leads'][number]) => replica.die()],
  ])('is had by another one when the first %s', async (_how, end) => {
    const { held, tryAgain, leads, clock } = startLeads(2)
    await tryAgain()
    clock.pass(1_000)
    await end(leads[0]!)
    await settled()
    expect(held()).toEqual([false, false])
    await tryAgain()
    expect(held()).toEqual([false, true])
    expect(leads[1]!.lead.since).toBe(clock.at)
  })

  test('that was lost is claimed again', async () => {
    const { held, tryAgain, leads } = startLeads(1)
    await tryAgain()
    leads[0]!.replica.loseClaims()
    expect(held()).toEqual([false])
    await settled()
    await tryAgain()
    expect(held()).toEqual([true])
    expect(leads[0]!.lines.map(({ msg }) => msg)).toEqual([
      'This worker has the lead: it tells people and looks after Perun',
      'This worker has lost the lead',
      'This worker has the lead: it tells people and looks after Perun',
    ])
  })

  // Its claim is not lost yet, but another one may take it for dead.
  test('does not count for somebody who is none of the replicas any more', async () => {
    const { held, tryAgain, leads } = startLeads(1)
    await tryAgain()
    leads[0]!.replica.fallSilent()
    expect(held()).toEqual([false])
  })

  test('cannot be claimed while the ledger cannot be asked, which is said once', async () => {
    const { held, tryAgain, leads, state } = startLeads(1)
    await tryAgain()
    state.isDown = true
    leads[0]!.replica.loseClaims()
    for (let times = 0; times < 4; times += 1) await tryAgain()
    expect(held()).toEqual([false])
    expect(leads[0]!.lines.filter(({ reason }) => reason !== undefined).map(({ level }) => level)).toEqual(
      expect.arrayContaining(['warn', 'debug']),
    )
    expect(leads[0]!.lines.filter(({ level, reason }) => level === 'warn' && reason !== undefined)).toHaveLength(1)
    state.isDown = false
    await tryAgain()
    expect(held()).toEqual([true])
  })

  test('is left to others by one that stops, also if it never had it', async () => {
    const { tryAgain, leads } = startLeads(2)
    await tryAgain()
    await leads[1]!.lead.stop()
    await leads[0]!.lead.stop()
    expect(leads.flatMap(({ replica }) => replica.claimed())).not.toContain(LEAD)
  })
})
