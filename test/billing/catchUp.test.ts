/** After an outage: what was missed is read again, whatever goes wrong meanwhile, and ends as if nothing had been missed. */
import fc from 'fast-check'
import { expect, onTestFinished, suite, test } from 'vitest'
import { CATCH_UP, createCatchUp, PATIENCE } from '#src/billing/catchUp.ts'
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { formatCredits } from '#src/core/credits.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Meters } from '#src/core/meters.ts'
import { DAY, HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import type { Legacy, Predecessor } from '#src/publish/predecessor.ts'
import { createPrometheusArchive } from '#src/sources/prometheus/archive.ts'
import type { Delivery } from '#src/sources/source.ts'
import { cpu, meters, reading, silent, T0, testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'
import { type OldSample, oldSample, servePrometheus } from '../helpers/oldPrometheus.ts'
import { createCluster, type TestReplica } from '../helpers/replicas.ts'

interface Setup {
  readonly samples: readonly OldSample[]
  readonly charged?: Meters
  readonly predecessor?: Predecessor
  readonly sites?: readonly string[]
}

/** A ledger with its intake, a Prometheus, and what catches up when it is asked to. Waiting takes no time but the clock's. */
async function setUp({ samples, charged = meters, predecessor, sites = [] }: Setup) {
  const clock = testClock()
  const ledger = openSqliteLedger(':memory:')
  const { logger, lines } = memoryLog('catchup')
  const common = { ledger, meters: charged, clock, logger: silent, onChanged: () => {} }
  const intake = createIntake({ ...common, maxSeries: 1_000, smallSites: 'charge' })
  const prometheus = await servePrometheus(samples)
  onTestFinished(async () => {
    await ledger.close()
    await prometheus[Symbol.asyncDispose]()
  })
  const archive = createPrometheusArchive({ url: prometheus.url, timeout: 5_000, meters: charged, clock })
  const waits: number[] = []
  /** What happens during the pause of this number. */
  const duringWait = new Map<number, () => void | Promise<void>>()
  const begin = (claims?: TestReplica) => {
    const catchUp = createCatchUp({
      ...{ ledger, archive, predecessor, sites, meters: charged, clock, logger, claims },
      take: (delivery) => intake.take(delivery),
      least: 2 * MINUTE,
      newTaskId: () => 'test',
      onTakenOver: () => {},
      async wait(ms) {
        waits.push(ms)
        clock.pass(ms)
        await duringWait.get(waits.length)?.()
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    const scraped: string[] = []
    const turns: string[] = []
    const done = catchUp.run(() => scraped.push('begun'), {
      had: () => turns.push('turn'),
      lost: () => turns.push('lost'),
    })
    return { catchUp, scraped, turns, done }
  }
  const deliver = (...own: OldSample[]) => intake.take(deliveryOf(own))
  const used = async (group: string) => {
    const row = await ledger.group(group)
    return row === undefined ? undefined : formatCredits(row.used)
  }
  return { clock, ledger, prometheus, lines, waits, duringWait, begin, deliver, used }
}

function deliveryOf(samples: readonly OldSample[]): Delivery {
  const readings = samples.map(({ metric, labels, at, value }) =>
    reading({ project: labels.project_name!, at, value, metric, site: labels.location_id! }),
  )
  return { id: 'live', source: 'exporter', receivedAt: T0, readings, rejected: noRejections() }
}

/** Totals of a project each 30 seconds, from a step on, so many of them. */
const line = (project: string, from: number, count: number, pace = 1) =>
  Array.from({ length: count }, (_, index) =>
    oldSample(project, T0 + (from + index) * 30 * SECOND, String(100 + index * pace)),
  )

suite('after an outage', () => {
  test('what began and ended meanwhile is charged, and scrapes begin after that', async () => {
    const samples = [...line('steady', 0, 61), ...line('short-lived', 20, 10), ...line('begun', 50, 11)]
    const { clock, begin, deliver, used, ledger } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    const { catchUp, scraped, done } = begin()
    expect(scraped).toEqual([])
    await done
    expect(scraped).toEqual(['begun'])
    expect([await used('steady'), await used('short-lived'), await used('begun')]).toEqual(['60', '9', '10'])
    expect(catchUp.status).toEqual({ state: 'done', readings: 60 + 10 + 11 })
    expect(await ledger.chargedUpTo()).toEqual(new Map([['8676', T0 + 30 * MINUTE]]))
  })

  test('nothing changes when it is read once more', async () => {
    const samples = line('a', 0, 61)
    const { clock, begin, deliver, ledger } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    await begin().done
    const before = await ledger.entries('a', { limit: 100 })
    clock.pass(10 * MINUTE)
    await begin().done
    expect(await ledger.entries('a', { limit: 100 })).toEqual(before)
  })

  test('that was short, and at a first start, nothing is read', async () => {
    const { clock, begin, deliver, prometheus, scraped } = {
      ...(await setUp({ samples: line('a', 0, 61) })),
      scraped: 0,
    }
    await begin().done
    await deliver(line('a', 0, 1)[0]!)
    clock.pass(2 * MINUTE)
    await begin().done
    expect(prometheus.queries().filter(({ pathname }) => pathname.endsWith('/query'))).toEqual([])
    expect(scraped).toBe(0)
  })

  test('a Prometheus that is down is waited for, with the reason in sight', async () => {
    const samples = line('a', 0, 61)
    const { clock, begin, deliver, prometheus, lines, waits, duringWait, used } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    prometheus.state.isDown = true
    let seen: unknown
    const { catchUp, scraped, done } = begin()
    duringWait.set(3, () => {
      seen = { status: catchUp.status, scraped: scraped.length }
      prometheus.state.isDown = false
    })
    await done
    const reason = expect.stringContaining('Prometheus does not answer') as string
    expect(seen).toMatchObject({ status: { state: 'waiting', reason }, scraped: 0 })
    expect(await used('a')).toBe('60')
    expect(waits).toEqual([SECOND, 2 * SECOND, 4 * SECOND])
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test('a Prometheus that stays down is given up, and scrapes begin', async () => {
    const samples = line('a', 0, 61)
    const { clock, begin, deliver, prometheus, lines, waits, used } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    prometheus.state.isDown = true
    const { catchUp, scraped, done } = begin()
    await done
    expect(scraped).toEqual(['begun'])
    expect(catchUp.status).toMatchObject({ state: 'given up', reason: expect.stringContaining('does not answer') })
    const waited = waits.reduce((sum, ms) => sum + ms, 0)
    expect(waited).toBeGreaterThanOrEqual(PATIENCE)
    expect(waited).toBeLessThan(PATIENCE + MINUTE)
    expect(lines.at(-1)).toMatchObject({ level: 'error', msg: expect.stringContaining('is not charged') })
    expect(await used('a')).toBe('0')
  })

  test('a stop in the middle leaves the rest for the next start', async () => {
    const samples = [...line('a', 0, 2_000)]
    const { clock, begin, deliver, used, prometheus } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(DAY)
    prometheus.state.mostSamples = 50
    const { catchUp, scraped } = begin()
    await expect.poll(async () => Number(await used('a'))).toBeGreaterThan(50)
    await catchUp.stop()
    expect(scraped).toEqual([])
    expect(Number(await used('a'))).toBeLessThan(1_999)
    await begin().done
    expect(await used('a')).toBe('1999')
  })
})

suite('a site that another service charged', () => {
  const legacy = (groups: Record<string, Record<string, number>>): Legacy => ({
    kind: 'known',
    groups: new Map(Object.entries(groups)),
  })
  const upTo = T0 + 10 * MINUTE
  const known = legacy({ old: { [cpu.metric]: upTo }, idle: { [cpu.metric]: T0 } })
  const samples = [...line('old', 0, 61), ...line('new', 0, 61), oldSample('idle', T0, '7'), ...line('idle', 30, 31, 0)]
  const elsewhere = line('elsewhere', 0, 61).map((each) => ({
    ...each,
    labels: { ...each.labels, location_id: '9001' },
  }))

  test('goes on where it stopped, and what nobody charged begins there', async () => {
    const { clock, begin, used, ledger } = await setUp({ samples, predecessor: { chargedAt: async () => known } })
    clock.pass(30 * MINUTE)
    await begin().done
    // 20 and 40 readings of a new project lie after the last one that the other service charged; the first marks its begin.
    expect([await used('old'), await used('new'), await used('idle')]).toEqual(['40', '39', '93'])
    expect(await ledger.takenOver()).toEqual([{ site: '8676', at: T0 + 30 * MINUTE, begun: 2, missing: 0 }])
  })

  test('is waited for, while other sites are scraped', async () => {
    let answers: Legacy = { kind: 'unavailable', reason: 'Perun could not answer' }
    const predecessor = { chargedAt: async (site: string) => (site === '8676' ? answers : legacy({})) }
    const all = await setUp({ samples: [...samples, ...elsewhere], predecessor })
    const { clock, begin, deliver, used, waits, ledger } = all
    await ledger.noteTakenOver({ site: '9001', at: T0, begun: 0, missing: 0 })
    await deliver(elsewhere[0]!)
    clock.pass(30 * MINUTE)
    const { catchUp, scraped, done } = begin()
    await expect(catchUp.gateOfPushes(async () => undefined)(deliveryOf([]))).rejects.toThrow('takes pushes after that')
    await expect.poll(() => waits.length).toBeGreaterThan(1)
    expect(scraped).toEqual(['begun'])
    expect(
      await catchUp.gateOfPushes(async ({ readings }) => ({ late: readings.length, outdated: 0 }))(deliveryOf([])),
    ).toEqual({ late: 0, outdated: 0 })
    expect(await used('elsewhere')).toBe('60')
    const passed: string[] = []
    const gated = catchUp.gate(async ({ readings }) => void passed.push(...readings.map(({ series }) => series.site)))
    await gated(deliveryOf([samples.at(-1)!, elsewhere.at(-1)!]))
    expect(passed).toEqual(['9001'])
    const pushed = catchUp.gateOfPushes(async ({ readings }) => ({ late: readings.length, outdated: 0 }))
    expect(await pushed(deliveryOf([elsewhere.at(-1)!]))).toMatchObject({ late: 1 })
    await expect(pushed(deliveryOf([samples.at(-1)!, elsewhere.at(-1)!]))).rejects.toThrow('being taken over')
    expect(catchUp.status).toMatchObject({ state: 'waiting', sites: ['8676'], reason: 'Perun could not answer' })
    answers = known
    await done
    await gated(deliveryOf([samples.at(-1)!]))
    expect(passed).toEqual(['9001', '8676'])
    expect(await used('old')).toBe('40')
  })

  test('that Perun refuses is scraped, and asked about again after the next start', async () => {
    const refusing = {
      chargedAt: async (): Promise<Legacy> => ({ kind: 'refused', reason: 'ResourceNotExistsException' }),
    }
    const { begin, ledger, lines, clock } = await setUp({ samples, predecessor: refusing })
    clock.pass(30 * MINUTE)
    const { scraped, done } = begin()
    await done
    expect(scraped).toEqual(['begun'])
    expect(await ledger.takenOver()).toEqual([])
    expect(lines.at(-1)!.msg).toContain('Nothing can be taken over at site 8676: ResourceNotExistsException')
  })

  test('that is foreign keeps nobody waiting, but rights that are missing altogether do', async () => {
    let rights: readonly string[] = []
    const forbidden = { kind: 'forbidden', reason: 'PrivilegeException' } as const
    const predecessor = { chargedAt: async (site: string) => (rights.includes(site) ? known : forbidden) }
    const { begin, clock, ledger, waits } = await setUp({ samples: [...samples, ...elsewhere], predecessor })
    clock.pass(30 * MINUTE)
    const { catchUp, done } = begin()
    await expect.poll(() => waits.length).toBeGreaterThan(2)
    expect(catchUp.status).toMatchObject({ state: 'waiting', sites: ['8676', '9001'] })
    rights = ['8676']
    await done
    expect((await ledger.takenOver()).map(({ site }) => site)).toEqual(['8676'])
    // The next start asks about the foreign one again, and does not wait.
    const before = waits.length
    await begin().done
    expect(waits).toHaveLength(before)
  })

  test('with times ahead of our clock is told, and begun by scrapes', async () => {
    const ahead = legacy({ old: { [cpu.metric]: T0 + 2 * HOUR } })
    const { begin, ledger, lines, clock } = await setUp({ samples, predecessor: { chargedAt: async () => ahead } })
    clock.pass(30 * MINUTE)
    await begin().done
    expect(lines.map(({ msg }) => msg).join()).toContain('Perun shows times that lie ahead')
    expect(await ledger.group('old')).toBeUndefined()
  })

  test('is taken over as a whole when the process died in the middle of it', async () => {
    const { clock, begin, deliver, used, ledger } = await setUp({
      samples,
      predecessor: { chargedAt: async () => known },
    })
    clock.pass(30 * MINUTE)
    // The idle one was looked up already, and nothing else.
    await deliver(oldSample('idle', T0, '7'))
    await begin().done
    expect([await used('old'), await used('new'), await used('idle')]).toEqual(['40', '39', '93'])
    expect(await ledger.takenOver()).toMatchObject([{ site: '8676', missing: 0 }])
  })
})

test('ends as if nothing had been missed, also when prices changed meanwhile and wherever chunks are cut', async () => {
  const step = 30 * SECOND
  const change = T0 + 20 * step
  const prices = [
    { version: 'cpu@1', from: Number.NEGATIVE_INFINITY, perUnit: decimal('1') },
    { version: 'cpu@2', from: change, perUnit: decimal('2.5') },
  ]
  const charged: Meters = new Map([[cpu.metric, { ...cpu, prices }]])
  const project = fc.record({
    from: fc.integer({ min: 0, max: 30 }),
    growths: fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 40 }),
  })
  const world = fc.record({
    projects: fc.array(project, { minLength: 1, maxLength: 4 }),
    outage: fc.integer({ min: 1, max: 25 }),
    length: fc.integer({ min: 5, max: 20 }),
    mostSamples: fc.integer({ min: 8, max: 60 }),
    isLeftClosed: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(world, async ({ projects, outage, length, mostSamples, isLeftClosed }) => {
      const samples = projects.flatMap(({ from, growths }, index) => {
        let total = 1_000
        return growths.map((growth, at) => {
          total += growth
          return oldSample(`p${index}`, T0 + (from + at) * step, (total / 1_000).toString())
        })
      })
      const scrapes = [
        ...Map.groupBy(
          samples.toSorted((a, b) => a.at - b.at),
          ({ at }) => at,
        ),
      ]
      const missed = await setUp({ samples, charged })
      const whole = await setUp({ samples: [], charged })
      Object.assign(missed.prometheus.state, { mostSamples, isLeftClosed })
      // A reading before all, so that the site is charged up to some instant.
      const first = oldSample('first', T0, '1')
      const end = T0 + (outage + length) * step
      for (const each of [missed, whole]) await each.deliver(first)
      for (const [at, own] of scrapes) {
        whole.clock.at = at
        missed.clock.at = at
        await whole.deliver(...own)
        if (at < T0 + outage * step) await missed.deliver(...own)
      }
      missed.clock.at = Math.max(end, T0 + 2 * MINUTE + 1)
      await missed.begin().done
      for (const [at, own] of scrapes.filter(([each]) => each > missed.clock.at)) {
        missed.clock.at = at
        await missed.deliver(...own)
      }
      for (const [index] of projects.entries()) {
        const totals = await Promise.all([missed, whole].map(({ used }) => used(`p${index}`)))
        expect(totals[0]).toBe(totals[1])
      }
    }),
    { numRuns: 30 },
  )
})

suite('of several replicas', () => {
  const pushed = deliveryOf([])

  test('one catches up at a time: the others neither scrape nor take pushes nor publish, and say so', async () => {
    const samples = line('a', 0, 61)
    const { clock, begin, deliver, prometheus, waits, duringWait, used } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    const cluster = createCluster()
    const other = await cluster.join().claim(CATCH_UP)
    const { catchUp, scraped, turns, done } = begin(cluster.join())
    const seen: unknown[] = []
    duringWait.set(3, async () => {
      const push = catchUp.gateOfPushes(async () => undefined)(pushed)
      seen.push(catchUp.status, catchUp.withholds('a'), [...scraped], [...turns], prometheus.queries().length)
      await expect(push).rejects.toMatchObject({ reason: 'busy' })
      await other!.release()
    })
    await done
    expect(seen).toEqual([
      { state: 'waiting', reason: 'Another worker is at it.', since: T0 + 30 * MINUTE, sites: [] },
      ...[true, [], [], 0],
    ])
    expect([scraped, turns, catchUp.withholds('a')]).toEqual([['begun'], ['turn'], false])
    expect(await used('a')).toBe('60')
    expect(waits.slice(0, 3)).toEqual([SECOND, SECOND, SECOND])
  })

  test('the next one has its turn when the first is done, and finds nothing left to read', async () => {
    const samples = line('a', 0, 61)
    const { clock, begin, deliver, used, ledger } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    const cluster = createCluster()
    const both = [begin(cluster.join()), begin(cluster.join())]
    await Promise.all(both.map(({ done }) => done))
    expect(both.map(({ scraped }) => scraped)).toEqual([['begun'], ['begun']])
    expect(await used('a')).toBe('60')
    expect(both.map(({ catchUp }) => catchUp.status)).toEqual([
      { state: 'done', readings: 60 },
      { state: 'done', readings: 0 },
    ])
    expect(await ledger.chargedUpTo()).toEqual(new Map([['8676', T0 + 30 * MINUTE]]))
  })

  test('one that loses its turn waits for the next, and goes on', async () => {
    const samples = line('a', 0, 61)
    const { clock, begin, deliver, prometheus, duringWait, used } = await setUp({ samples })
    await deliver(samples[0]!)
    clock.pass(30 * MINUTE)
    prometheus.state.isDown = true
    const cluster = createCluster()
    const replica = cluster.join()
    const { catchUp, scraped, turns, done } = begin(replica)
    duringWait.set(2, () => {
      prometheus.state.isDown = false
      replica.loseClaims()
    })
    await done
    expect([scraped, turns]).toEqual([['begun'], ['turn', 'lost', 'turn']])
    expect(catchUp.status).toEqual({ state: 'done', readings: 60 })
    expect(await used('a')).toBe('60')
    expect(replica.claimed()).toEqual([])
  })

  test('one that loses its turn in mid-takeover publishes nothing until it has the next, and leaves what another one has done', async () => {
    const groups = new Map([['old', { [cpu.metric]: T0 + 10 * MINUTE }]])
    let goDown = () => {}
    const predecessor = {
      async chargedAt(): Promise<Legacy> {
        goDown()
        return { kind: 'known', groups }
      },
    }
    const { clock, begin, prometheus, duringWait, ledger } = await setUp({ samples: line('old', 0, 61), predecessor })
    goDown = () => {
      prometheus.state.isDown = true
    }
    clock.pass(30 * MINUTE)
    const cluster = createCluster()
    const [replica, other] = [cluster.join(), cluster.join()]
    const { catchUp, scraped, turns, done } = begin(replica)
    const withheld: boolean[] = []
    let claim: Awaited<ReturnType<typeof other.claim>>
    duringWait.set(1, async () => {
      withheld.push(catchUp.withholds('old'), catchUp.withholds('stranger'))
      replica.loseClaims()
      // Nothing is begun from this moment on.
      expect([turns, catchUp.withholds('stranger')]).toEqual([['turn', 'lost'], true])
      claim = await other.claim(CATCH_UP)
    })
    duringWait.set(3, async () => {
      withheld.push(catchUp.withholds('old'), catchUp.withholds('stranger'))
      prometheus.state.isDown = false
      await ledger.noteTakenOver({ site: '8676', at: clock.at, begun: 1, missing: 0 })
      await claim!.release()
    })
    await done
    expect(withheld).toEqual([true, false, true, true])
    expect([catchUp.withholds('old'), catchUp.status.state]).toEqual([false, 'done'])
    expect([scraped, turns]).toEqual([['begun'], ['turn', 'lost', 'turn']])
  })

  test('one that is stopped while it waits does nothing', async () => {
    const { begin, prometheus } = await setUp({ samples: line('a', 0, 61) })
    const cluster = createCluster()
    await cluster.join().claim(CATCH_UP)
    const { catchUp, scraped, turns, done } = begin(cluster.join())
    await catchUp.stop()
    await done
    expect([scraped, turns, prometheus.queries()]).toEqual([[], [], []])
  })

  test('one that cannot ask for its turn says why, and has it later', async () => {
    const { begin, duringWait, lines } = await setUp({ samples: line('a', 0, 61) })
    const cluster = createCluster()
    cluster.state.isDown = true
    const { catchUp, scraped, done } = begin(cluster.join())
    let seen: unknown
    duringWait.set(2, () => {
      seen = catchUp.status
      cluster.state.isDown = false
    })
    await done
    expect(seen).toMatchObject({ state: 'waiting', reason: 'The ledger cannot be reached.' })
    expect(scraped).toEqual(['begun'])
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })
})
