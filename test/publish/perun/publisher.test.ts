import { expect, onTestFinished, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { type PerunOptions, startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { createPerunPublisher } from '#src/publish/perun/publisher.ts'
import { createPerunRpc, type PerunRpc } from '#src/publish/perun/rpc.ts'
import { recorder, silent, T0, testClock } from '../../helpers/billing.ts'
import { until } from '../../helpers/worker.ts'

const SITE = 8676
const names = {
  used: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
  granted: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
  timestamps: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
}

interface Given extends PerunOptions {
  readonly timeout?: number
  readonly writers?: number
  /** Is asked instead of Perun. */
  readonly call?: (
    rpc: PerunRpc,
    clock: ReturnType<typeof testClock>,
    ...asked: Parameters<PerunRpc['call']>
  ) => Promise<unknown>
}

/** A Perun, a ledger and a publisher between them, at a time that stands still. */
async function setUp({ password = 'secret', timeout = 2_000, writers = 4, call, ...options }: Given = {}) {
  const clock = testClock()
  const perun = await startPerun({ clock, ...options })
  const ledger = openSqliteLedger(':memory:')
  const real = createPerunRpc({ url: perun.url, login: 'credits', password, timeout, connections: 4 })
  const rpc: PerunRpc = call === undefined ? real : { ...real, call: (...asked) => call(real, clock, ...asked) }
  const drifts: number[] = []
  const publisher = createPerunPublisher({
    rpc,
    ledger,
    voId: perun.voId,
    names,
    maxAge: 10 * SECOND,
    precision: 2,
    clock,
    logger: silent,
    demand: () => 0,
    writers,
    onEntry: ({ isDrift }) => isDrift && drifts.push(clock.now()),
  })
  onTestFinished(async () => {
    await publisher.close()
    await perun.close()
    await ledger.close()
  })
  const record = recorder(ledger, clock)
  /** One reading of project p; the clock goes with it. */
  const measure = async (at: number, value: string, site = `${SITE}`) => {
    clock.at = Math.max(clock.at, T0 + at)
    await record({ project: 'p', at: T0 + at, value, site })
  }
  const used = async () => formatCredits((await ledger.account('p'))!.used)
  const holds = async () => (await ledger.holds({ limit: 10 })).map(({ kind }) => kind)
  const publish = () => publisher.publish('p')
  return { clock, perun, ledger, publisher, record, measure, used, holds, drifts, publish }
}

suite('publishing a group to Perun', () => {
  test('writes zero and the time of the first reading at first contact', async () => {
    const { perun, measure, publish } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    expect(await publish()).toEqual({ kind: 'written', writes: 1 })
    expect(perun.read('p')).toMatchObject({
      used: '0.00',
      timestamps: { [SITE]: { project_vcpu_usage: '2026-01-01 00:00:00.000000' } },
    })
  })

  test('writes used credits and timestamps together, in one call', async () => {
    const { perun, measure, publish } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    await measure(HOUR, '105.5')
    await publish()
    expect(perun.calls.byMethod.setAttributes).toBe(2)
    expect(perun.writes.at(-1)).toMatchObject({
      used: '5.50',
      timestamps: { project_vcpu_usage: '2026-01-01 01:00:00.000000' },
    })
  })

  test('neither reads nor writes when the rounded total stays the same', async () => {
    const { perun, measure, publish, ledger } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    const before = perun.calls.total
    await measure(HOUR, '100.004')
    expect(await publish()).toEqual({ kind: 'unchanged' })
    expect(perun.calls.total).toBe(before)
    expect(await ledger.dirtyGroups()).toEqual([])
  })

  test('keeps the timestamps of metrics that are not ours', async () => {
    const { perun, measure, publish } = await setUp()
    const timestamps = { [SITE]: { other_metric: '2025-12-31 00:00:00.000000' } }
    perun.addGroup({ name: 'p', granted: '200', used: '1.00', resources: [SITE], timestamps })
    await measure(0, '100')
    await publish()
    expect(perun.read('p').timestamps[SITE]).toEqual({
      other_metric: '2025-12-31 00:00:00.000000',
      project_vcpu_usage: '2026-01-01 00:00:00.000000',
    })
  })

  test('takes over what an older service has charged', async () => {
    const { perun, measure, publish, used } = await setUp()
    const timestamps = { [SITE]: { project_vcpu_usage: '2025-12-31 23:00:00.000000' } }
    perun.addGroup({ name: 'p', granted: '200', used: '12.34', resources: [SITE], timestamps })
    await measure(0, '100')
    await publish()
    await measure(HOUR, '101')
    await publish()
    expect(await used()).toBe('13.34')
    expect(perun.read('p').used).toBe('13.34')
  })

  test('gives back what was measured while the older service still charged', async () => {
    const { perun, measure, publish, used } = await setUp()
    await measure(0, '100')
    await measure(HOUR, '110')
    const timestamps = { [SITE]: { project_vcpu_usage: '2026-01-01 00:30:00.000000' } }
    perun.addGroup({ name: 'p', granted: '200', used: '50.00', resources: [SITE], timestamps })
    await publish()
    expect(await used()).toBe('50')
  })

  test('charges what was used while Perun was down', async () => {
    const { perun, measure, publish, used } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    perun.faults.fail({ how: 'html-503', times: 2 })
    await measure(0, '100')
    await measure(HOUR, '110')
    expect(await publish()).toMatchObject({ kind: 'unavailable', everyone: true })
    perun.faults.clear()
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(await used()).toBe('10')
    expect(perun.read('p').used).toBe('10.00')
  })

  test('writes both sites of a group, each with its own times', async () => {
    const { perun, clock, measure, publish } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE, 9999] })
    await measure(0, '100')
    await measure(0, '7', '9999')
    expect(await publish()).toEqual({ kind: 'written', writes: 2 })
    await measure(HOUR, '101')
    await measure(HOUR + MINUTE, '9', '9999')
    clock.pass(MINUTE)
    expect(await publish()).toEqual({ kind: 'written', writes: 2 })
    expect(perun.read('p')).toMatchObject({
      used: '3.00',
      timestamps: {
        [SITE]: { project_vcpu_usage: '2026-01-01 01:00:00.000000' },
        9999: { project_vcpu_usage: '2026-01-01 01:01:00.000000' },
      },
    })
  })
})

suite('a group that cannot be published is a hold', () => {
  test('unknown in Perun; what is measured meanwhile is not charged when it appears', async () => {
    const { perun, clock, measure, publish, used, holds } = await setUp()
    perun.addResource(SITE)
    await measure(0, '100')
    await measure(HOUR, '110')
    expect(await publish()).toEqual({ kind: 'held' })
    expect(await holds()).toEqual(['unknown group'])
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    clock.pass(5 * MINUTE)
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(await holds()).toEqual([])
    await measure(2 * HOUR, '111')
    await publish()
    expect(await used()).toBe('1')
    expect(perun.read('p').used).toBe('1.00')
  })

  test('not assigned to one of its sites; the other site is published without it', async () => {
    const { perun, measure, publish, holds } = await setUp()
    perun.addResource(9999)
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await measure(0, '50', '9999')
    await measure(HOUR, '110')
    await measure(HOUR, '70', '9999')
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(await holds()).toEqual(['not assigned'])
    expect(perun.read('p').used).toBe('10.00')
  })

  test('without granted credits', async () => {
    const { perun, clock, measure, publish, holds } = await setUp()
    perun.addGroup({ name: 'p', resources: [SITE] })
    await measure(0, '100')
    expect(await publish()).toEqual({ kind: 'held' })
    expect(await holds()).toEqual(['no grant'])
    expect(perun.read('p').used).toBeNull()
    perun.edit('p', { granted: '10' }, 'the portal')
    clock.pass(5 * MINUTE)
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(await holds()).toEqual([])
  })

  test('refused by Perun; it is left alone for a while, then tried again', async () => {
    const { perun, clock, measure, publish, holds } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    perun.faults.fail({ how: 'attribute-refused', method: 'setAttributes' })
    await measure(0, '100')
    expect(await publish()).toEqual({ kind: 'held' })
    expect(await holds()).toEqual(['refused'])
    const before = perun.calls.total
    expect(await publish()).toEqual({ kind: 'held' })
    expect(perun.calls.total).toBe(before)
    clock.pass(5 * MINUTE)
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(await holds()).toEqual([])
  })

  test('whose used credits vanished; they are not written again unasked', async () => {
    const { perun, clock, measure, publish, holds } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    perun.edit('p', { used: null })
    await measure(HOUR, '110')
    expect(await publish()).toEqual({ kind: 'held' })
    expect(await holds()).toEqual(['used credits missing'])
    expect(perun.read('p').used).toBeNull()
    perun.edit('p', { used: '0.00' })
    clock.pass(5 * MINUTE)
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(perun.read('p').used).toBe('10.00')
  })

  test('at a site that Perun does not know', async () => {
    const { measure, publish, holds } = await setUp()
    await measure(0, '100')
    expect(await publish()).toEqual({ kind: 'held' })
    expect(await holds()).toEqual(['refused'])
  })
})

suite('what somebody edits in Perun', () => {
  test('is followed by the ledger, with who and when', async () => {
    const { perun, measure, publish, ledger, used, drifts } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    await measure(HOUR, '110')
    await publish()
    perun.edit('p', { used: '4.00' }, 'erika@example.org')
    await measure(2 * HOUR, '111')
    await publish()
    expect(await used()).toBe('5')
    expect(perun.read('p').used).toBe('5.00')
    expect(drifts).toHaveLength(1)
    const [adjustment] = (await ledger.entries('p', { limit: 10 })).filter(({ kind }) => kind === 'adjustment')
    expect(adjustment).toMatchObject({ amount: -6_000_000n, actor: 'erika@example.org' })
  })

  test('is no drift if it is our own write whose reply was lost', async () => {
    const { perun, measure, publish, used, drifts } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    for (const how of ['drop-after', 'truncated', 'cut-after'] as const)
      perun.faults.fail({ how, method: 'setAttributes' })
    await measure(HOUR, '110')
    expect(await publish()).toMatchObject({ kind: 'unavailable' })
    await measure(2 * HOUR, '120')
    expect(await publish()).toMatchObject({ kind: 'unavailable' })
    expect(await publish()).toMatchObject({ kind: 'unchanged' })
    expect(await used()).toBe('20')
    expect(perun.read('p').used).toBe('20.00')
    expect(drifts).toEqual([])
  })

  test('is in the history where it happened: no total appears that never was', async () => {
    const { perun, measure, publish, ledger } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    await measure(10 * MINUTE, '150')
    await publish()
    perun.edit('p', { used: '1.50' })
    await measure(20 * MINUTE, '151')
    await publish()
    await measure(30 * MINUTE, '152')
    await publish()
    const history = await ledger.history('p', { from: 0, to: T0 + HOUR, limit: 9 })
    expect(history!.map(({ used }) => formatCredits(used)).reverse()).toEqual(['0', '51', '2.5', '3.5'])
  })

  // Perun may hang for minutes over a call that we have long given up, and do it then.
  test('is no drift if it is a write that we gave up and that Perun came to later', async () => {
    const { perun, measure, publish, used, drifts } = await setUp({ timeout: 150 })
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    perun.faults.latency(400)
    await measure(5 * SECOND, '110')
    expect(await publish()).toMatchObject({ kind: 'unavailable' })
    perun.faults.latency(0)
    await measure(6 * SECOND, '111')
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(perun.read('p').used).toBe('11.00')
    await until('Perun comes to the first one', () => perun.read('p').used === '10.00')
    await measure(MINUTE, '112')
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect([perun.read('p').used, await used(), drifts]).toEqual(['12.00', '12', []])
  })

  test('is no drift if our write never arrived', async () => {
    const { perun, measure, publish, used, drifts } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', used: '3.00', resources: [SITE] })
    await measure(0, '100')
    perun.faults.fail({ how: 'drop-before', method: 'setAttributes' })
    await measure(HOUR, '110')
    expect(await publish()).toMatchObject({ kind: 'unavailable' })
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(await used()).toBe('13')
    expect(perun.read('p').used).toBe('13.00')
    expect(drifts).toEqual([])
  })
})

suite('when Perun fails', () => {
  test.each(['internal-error', 'uncaught', 'consistency-error'] as const)(
    'with %s for one group again and again, that group becomes a hold',
    async (how) => {
      const { perun, measure, publish, holds } = await setUp()
      perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
      perun.faults.fail({ how, method: 'setAttributes', times: Number.POSITIVE_INFINITY })
      await measure(0, '100')
      for (let attempt = 1; attempt < 5; attempt += 1) {
        expect(await publish()).toMatchObject({ kind: 'unavailable', everyone: false })
      }
      expect(await publish()).toEqual({ kind: 'held' })
      expect(await holds()).toEqual(['refused'])
    },
  )

  test.each(['html-502', 'html-503', 'not-json-200', 'drop-before'] as const)(
    'with %s, everybody waits',
    async (how) => {
      const { perun, measure, publish } = await setUp()
      perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
      await measure(0, '100')
      perun.faults.fail({ how, times: 3 })
      expect(await publish()).toMatchObject({ kind: 'unavailable', everyone: true })
    },
  )

  test('by not answering, the call is given up', async () => {
    const { perun, measure, publish } = await setUp({ timeout: 100 })
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    perun.faults.fail({ how: 'hang', times: 3 })
    expect(await publish()).toMatchObject({ kind: 'unavailable', everyone: true })
  })

  test('by refusing the login, nothing more is published', async () => {
    const { perun, measure, publish } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    perun.faults.fail({ how: 'unauthorized', times: Number.POSITIVE_INFINITY })
    await measure(0, '100')
    expect(await publish()).toMatchObject({ kind: 'forbidden' })
  })

  test('by having withdrawn the right to write, nothing more is published', async () => {
    const { perun, measure, publish } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    perun.faults.fail({ how: 'privilege', method: 'setAttributes' })
    await measure(0, '100')
    expect(await publish()).toMatchObject({ kind: 'forbidden' })
  })

  test('by being read-only, nothing is lost', async () => {
    const { perun, measure, publish } = await setUp()
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    await publish()
    perun.faults.readOnly(true)
    await measure(HOUR, '110')
    expect(await publish()).toMatchObject({ kind: 'unavailable' })
    perun.faults.readOnly(false)
    expect(await publish()).toMatchObject({ kind: 'written' })
    expect(perun.read('p').used).toBe('10.00')
  })

  test('a front end that turns a write away after a long time does not get it again, but what is read anew', async () => {
    let turnedAway = 0
    const { perun, measure, publish, clock } = await setUp({
      call: (rpc, clock, method, parameters, beforeSend) => {
        if (method.endsWith('/setAttributes') && turnedAway === 0) {
          turnedAway += 1
          clock.at += 11 * SECOND
          beforeSend?.(true)
        }
        return rpc.call(method, parameters)
      },
    })
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    expect(await publish()).toMatchObject({ kind: 'unavailable', everyone: false })
    expect(perun.writes).toEqual([])
    clock.at += MINUTE
    expect(await publish()).toMatchObject({ kind: 'written' })
  })

  test('because a front end wants a token against forgery, it gets it', async () => {
    const { perun, measure, publish } = await setUp({ csrf: true })
    perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
    await measure(0, '100')
    expect(await publish()).toMatchObject({ kind: 'written' })
  })
})

test('a Perun that is read-only puts no group on hold: all of them wait', async () => {
  const { perun, ledger, publisher, clock } = await setUp()
  const record = recorder(ledger, clock)
  const projects = Array.from({ length: 6 }, (_, index) => `group ${index}`)
  for (const name of projects) perun.addGroup({ name, granted: '200', resources: [SITE] })
  await record(...projects.map((project) => ({ project, at: T0, value: '5' })))
  perun.faults.readOnly(true)
  const kinds = new Set<string>()
  for (let attempt = 0; attempt < 8; attempt += 1) {
    for (const name of projects) kinds.add((await publisher.publish(name)).kind)
  }
  expect([...kinds]).toEqual(['unavailable'])
  expect(await publisher.publish('group 0')).toMatchObject({ everyone: true })
  perun.faults.readOnly(false)
  for (const name of projects) expect(await publisher.publish(name)).toMatchObject({ kind: 'written' })
})

test('a site that we may not read holds its own groups, and no other', async () => {
  const { perun, ledger, publisher, clock } = await setUp()
  const record = recorder(ledger, clock)
  perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
  await record({ project: 'p', at: T0, value: '5' })
  expect(await publisher.publish('p')).toMatchObject({ kind: 'written' })
  perun.faults.fail({ how: 'privilege', method: 'getRichGroupsAssignedToResourceWithAttributesByNames' })
  await record({ project: 'foreign', at: T0, value: '5', site: '9' })
  expect(await publisher.publish('foreign')).toEqual({ kind: 'held' })
  expect((await ledger.holds({ limit: 9 })).map(({ kind, site }) => `${kind} at ${site}`)).toEqual(['refused at 9'])
})

test('all calls belong to one session', async () => {
  const { perun, measure, publish } = await setUp()
  perun.addGroup({ name: 'p', granted: '200', resources: [SITE] })
  for (let hour = 0; hour < 5; hour += 1) {
    await measure(hour * HOUR, `${100 + hour}`)
    await publish()
  }
  // The three definitions are asked for at once, before there is a cookie.
  expect(perun.calls.sessions).toBeLessThanOrEqual(3)
  expect(perun.calls.total).toBeGreaterThan(8)
})

test('a site is read once for all its groups', async () => {
  const { perun, ledger, publisher, clock } = await setUp()
  const record = recorder(ledger, clock)
  const projects = Array.from({ length: 20 }, (_, index) => `group ${index}`)
  for (const name of projects) perun.addGroup({ name, granted: '200', resources: [SITE] })
  await record(...projects.map((project) => ({ project, at: T0, value: '5' })))
  await Promise.all(projects.map((name) => publisher.publish(name)))
  const { byMethod } = perun.calls
  expect(byMethod.getRichGroupsAssignedToResourceWithAttributesByNames).toBe(1)
  expect(byMethod.setAttributes).toBe(20)
})

test('names with every kind of character are published', async () => {
  const { perun, ledger, publisher, clock } = await setUp()
  const record = recorder(ledger, clock)
  const projects = [
    'with space',
    'comma,equals=x',
    'quote"back\\slash',
    'new\nline',
    'Gießen-ünï-日本',
    '__proto__',
    '../x?y#z',
  ]
  for (const name of projects) perun.addGroup({ name, granted: '200', resources: [SITE] })
  await record(...projects.map((project) => ({ project, at: T0, value: '5' })))
  clock.pass(HOUR)
  await record(...projects.map((project) => ({ project, at: T0 + HOUR, value: '7.125' })))
  for (const name of projects) await publisher.publish(name)
  expect(projects.map((name) => perun.read(name).used)).toEqual(projects.map(() => '2.12'))
})

suite('while another group is written', () => {
  /** Groups p and q, of which the first is being written until `answer` is called; there is one writer. */
  async function setUpWriting() {
    const answered = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const sets: unknown[] = []
    const given = await setUp({
      writers: 1,
      call: async (rpc, _, method, parameters) => {
        if (!method.endsWith('/setAttributes')) return rpc.call(method, parameters)
        sets.push(parameters)
        begun.resolve()
        if (sets.length === 1) await answered.promise
        return rpc.call(method, parameters)
      },
    })
    const { perun, ledger, clock, record, publisher } = given
    for (const name of ['p', 'q']) {
      perun.addGroup({ name, granted: '200', resources: [SITE] })
      await record({ project: name, at: clock.at, value: '100', site: `${SITE}` })
    }
    const first = publisher.publish('p')
    await begun.promise
    const second = publisher.publish('q')
    await until('the second one is recorded', async () => (await ledger.account('q'))!.intended.length === 1)
    return { ...given, sets, first, second, answer: answered.resolve }
  }

  test('the next one is prepared and recorded, and not sent before its turn', async () => {
    const { sets, first, second, answer, perun } = await setUpWriting()
    expect(sets).toHaveLength(1)
    answer()
    expect([await first, await second]).toMatchObject([{ kind: 'written' }, { kind: 'written' }])
    expect(sets).toHaveLength(2)
    expect(perun.read('q').used).toBe('0.00')
  })

  test('what became too old meanwhile is read again, and written in the same turn', async () => {
    const { first, second, answer, perun, clock } = await setUpWriting()
    const reads = () => perun.calls.byMethod.getAttributes ?? 0
    const before = reads()
    clock.at += 11 * SECOND
    answer()
    expect([await first, await second]).toMatchObject([{ kind: 'written' }, { kind: 'written', writes: 1 }])
    expect(reads()).toBeGreaterThan(before)
    expect(perun.read('q').used).toBe('0.00')
  })

  test('a publish that fails leaves its turn to the next one', async () => {
    const { first, second, answer, perun } = await setUpWriting()
    perun.faults.fail({ how: 'html-503', times: 1 })
    answer()
    expect(await first).toMatchObject({ kind: 'unavailable' })
    expect(await second).toMatchObject({ kind: 'written' })
  })
})
