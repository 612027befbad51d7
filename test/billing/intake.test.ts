import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import type { Outcome } from '#src/billing/biller.ts'
import { createIntake, type IntakeOptions } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { DAY, HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import type { Delivery } from '#src/sources/source.ts'
import { cpu, type Measured, meters, ram, reading, silent, T0, testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'

function delivery(measured: readonly Measured[], rejected = noRejections()): Delivery {
  return { id: 'scrape-1', source: 'http://exporter', receivedAt: T0, readings: measured.map(reading), rejected }
}

suite('the intake', () => {
  let ledger: Ledger
  beforeEach(() => {
    ledger = openSqliteLedger(':memory:')
  })
  afterEach(() => ledger.close())

  const intakeOf = (changes: Partial<IntakeOptions> = {}) =>
    createIntake({
      ledger,
      maxSeries: 10_000,
      meters,
      clock: testClock(T0 + 400 * HOUR),
      logger: silent,
      onChanged: () => {},
      ...changes,
    })
  const used = async (group: string) => (await ledger.account(group))?.used

  test('records a delivery and tells what came of it and which groups changed', async () => {
    const outcomes: Partial<Record<Outcome, number>>[] = []
    const changed: string[][] = []
    const rejections: unknown[] = []
    const intake = intakeOf({
      onBilled: ({ outcomes: each }) => outcomes.push(each),
      onRejected: (each) => rejections.push(each),
      onChanged: (groups) => changed.push([...groups]),
    })
    const rejected = { ...noRejections(), unlisted: 7 }
    await intake.take(
      delivery(
        [
          { project: 'alpha', at: T0, value: '1' },
          { project: 'beta', at: T0, value: '1' },
        ],
        rejected,
      ),
    )
    await intake.take(
      delivery([
        { project: 'alpha', at: T0 + HOUR, value: '2' },
        { project: 'beta', at: T0 + HOUR, value: '1' },
      ]),
    )
    expect(outcomes).toEqual([{ opened: 2 }, { charged: 1, unchanged: 1 }])
    expect(rejections).toEqual([rejected, noRejections()])
    expect(changed).toEqual([['alpha', 'beta'], ['alpha']])
    expect(await used('alpha')).toBe(1_000_000n)
  })

  test('tells of a group as soon as all is recorded that a delivery has of it, and once', async () => {
    const told: string[] = []
    const recording: IntakeOptions['ledger'] = {
      ...ledger,
      record: (series, decide) => {
        told.push(`record ${series.map(({ projectName, site }) => `${projectName}${site}`).join(' ')}`)
        return ledger.record(series, decide)
      },
    }
    const intake = intakeOf({
      ledger: recording,
      part: 2,
      onChanged: (groups) => told.push(`tell ${groups.join(' ')}`),
    })
    const at = (instant: number, value: string, ...series: [project: string, site: string][]) =>
      series.map(([project, site]) => ({ project, site, at: instant, value }))
    const all = at(T0, '1', ['a', '1'], ['b', '1'], ['b', '2'], ['b', '3'], ['c', '1'], ['d', '1'])
    await intake.take(delivery(all))
    told.length = 0
    const grown = at(T0 + HOUR, '2', ['d', '1'], ['c', '1'], ['b', '3'], ['b', '2'], ['b', '1'], ['a', '1'])
    await intake.take(delivery(grown))
    expect(told).toEqual(['record a1 b3', 'tell a', 'record b2 b1', 'tell b', 'record c1 d1', 'tell c d'])
    told.length = 0
    // Brought by an archive: there is more of each group in the portions that follow.
    const later = [...at(T0 + 2 * HOUR, '3', ['a', '1'], ['c', '1']), ...at(T0 + 3 * HOUR, '4', ['a', '1'], ['b', '1'])]
    await intake.take(delivery(later))
    expect(told).toEqual(['record a1 c1', 'record a1 b1', 'tell a b', 'tell c'])
  })

  test('lets other work have its turn whenever it has looked at some thousand readings', async () => {
    let [since, most, turns, isOver] = [0, 0, 0, false]
    const counting: IntakeOptions['ledger'] = {
      ...ledger,
      stored: async (series) => {
        since += series.length
        most = Math.max(most, since)
        return ledger.stored(series)
      },
      record: async (series, decide) => {
        since += series.length
        most = Math.max(most, since)
        return ledger.record(series, decide)
      },
    }
    const others = (async () => {
      for (; !isOver; turns += 1) {
        since = 0
        await nextTurn()
      }
    })()
    const readings = Array.from({ length: 9_000 }, (_, index) => ({ project: `p${index}`, at: T0, value: '1' }))
    await intakeOf({ ledger: counting, part: 500 }).take(delivery(readings))
    isOver = true
    await others
    // Once for what is looked at, and once for what is recorded, beside what sorts it and makes portions of it.
    expect(most).toBeLessThanOrEqual(2_500)
    expect(turns).toBeGreaterThan(9_000 / 2_000 + 9_000 / 500 + 9_000 / 2_000)
  })

  test('takes deliveries one after another, in their order', async () => {
    const order: string[] = []
    const slow: IntakeOptions['ledger'] = {
      ...ledger,
      stored: async (series) => {
        order.push(`begin ${series[0]!.projectName}`)
        await nextTurn()
        return ledger.stored(series)
      },
      record: async (series, decide) => {
        order.push(`record ${series[0]!.projectName}`)
        return ledger.record(series, decide)
      },
    }
    const intake = intakeOf({ ledger: slow })
    const taken = ['a', 'b', 'c'].map((project) => intake.take(delivery([{ project, at: T0, value: '1' }])))
    expect(intake.size).toBe(3)
    await Promise.all([...taken, intake.idle()])
    expect(intake.size).toBe(0)
    expect(order).toEqual(['a', 'b', 'c'].flatMap((each) => [`begin ${each}`, `record ${each}`]))
  })

  test('records a large delivery in parts, and lets others have a turn in between', async () => {
    const parts: number[] = []
    let turns = 0
    const counting: IntakeOptions['ledger'] = {
      ...ledger,
      record: (series, decide) => {
        parts.push(series.length)
        setImmediate(() => {
          turns += 1
        })
        return ledger.record(series, decide)
      },
    }
    const measured = Array.from({ length: 4_500 }, (_, index) => ({ project: `p${index}`, at: T0, value: '1' }))
    await intakeOf({ ledger: counting }).take(delivery(measured))
    // How many there are in the others is up to how long the first one took.
    expect(parts[0]).toBe(200)
    expect(parts.reduce((sum, each) => sum + each)).toBe(4_500)
    expect(Math.max(...parts)).toBeLessThanOrEqual(2_000)
    expect(Math.min(...parts.slice(0, -1))).toBeGreaterThanOrEqual(200)
    expect(turns).toBeGreaterThanOrEqual(parts.length - 1)
    expect(await ledger.summary()).toMatchObject({ groups: 4_500, series: 4_500 })
  })

  test('judges a site by the whole delivery, however many parts it is recorded in', async () => {
    const at = (time: number, factor: number) =>
      Array.from({ length: 2_100 }, (_, index) => ({
        project: `p${index}`,
        at: T0 + time,
        value: String((100 + index) * factor),
      }))
    const outcomes: Partial<Record<Outcome, number>>[] = []
    const intake = intakeOf({ onBilled: ({ outcomes: each }) => outcomes.push(each), part: 2_000 })
    for (const [time, factor] of [
      [0, 1],
      [HOUR, 1.001],
      [HOUR + MINUTE, 2],
    ] as const)
      await intake.take(delivery(at(time, factor)))
    expect(outcomes.slice(4)).toEqual([{ held: 2_000 }, { held: 100 }])
    expect(await ledger.summary()).toMatchObject({ holds: { 'site jump': 1 } })
  })

  test('takes nothing for nothing', async () => {
    await intakeOf().take(delivery([]))
    expect(await ledger.summary()).toMatchObject({ groups: 0 })
  })

  test('passes on that the ledger failed, and takes the next delivery', async () => {
    let isBroken = true
    const failing: IntakeOptions['ledger'] = {
      ...ledger,
      record: (series, decide) => (isBroken ? Promise.reject(new Error('disk full')) : ledger.record(series, decide)),
    }
    const changed: unknown[] = []
    const intake = intakeOf({ ledger: failing, onChanged: (groups) => changed.push(groups) })
    const one = delivery([{ project: 'alpha', at: T0, value: '1' }])
    await expect(intake.take(one)).rejects.toThrow('disk full')
    expect(changed).toEqual([])
    isBroken = false
    await intake.take(one)
    await intake.take(delivery([{ project: 'alpha', at: T0 + HOUR, value: '2' }]))
    expect(await used('alpha')).toBe(1_000_000n)
  })

  // Parts are cut from the groups in the order of their names: p999 is in the last one.
  test('charges a delivery once that was cut short and comes again', async () => {
    const at = (time: number, value: string) =>
      Array.from({ length: 2_100 }, (_, index) => ({ project: `p${index}`, at: T0 + time, value }))
    await intakeOf().take(delivery(at(0, '1')))
    let calls = 0
    const dying: IntakeOptions['ledger'] = {
      ...ledger,
      record: (series, decide) => {
        calls += 1
        return calls === 2 ? Promise.reject(new Error('killed')) : ledger.record(series, decide)
      },
    }
    await expect(intakeOf({ ledger: dying }).take(delivery(at(HOUR, '3')))).rejects.toThrow('killed')
    expect([await used('p0'), await used('p999')]).toEqual([2_000_000n, 0n])
    await intakeOf().take(delivery(at(HOUR, '3')))
    expect([await used('p0'), await used('p999')]).toEqual([2_000_000n, 2_000_000n])
  })

  test('holds what is ahead of the clock, says so once, and lets go when the clocks agree again', async () => {
    const clock = testClock(T0)
    const warnings: unknown[] = []
    const logger = { ...silent, warn: (_: unknown, text: string) => warnings.push(text), debug: () => {} }
    const intake = intakeOf({ clock, logger: logger as unknown as IntakeOptions['logger'] })
    const kinds = async () => (await ledger.holds({ limit: 10 })).map(({ kind }) => kind)
    for (const hour of [24, 25]) await intake.take(delivery([{ project: 'alpha', at: T0 + hour * HOUR, value: '1' }]))
    expect(await kinds()).toEqual(['clock ahead'])
    expect(warnings.filter((text) => String(text).includes('NTP'))).toHaveLength(1)
    await intake.take(delivery([{ project: 'alpha', at: T0, value: '1' }]))
    expect(await kinds()).toEqual([])
  })

  // The parts of a delivery are recorded one after another: a good one must not let go what a bad one holds.
  test('keeps what is held about a clock as long as any reading of the site is ahead', async () => {
    const clock = testClock(T0)
    const many = Array.from({ length: 3_000 }, (_, index) => ({
      project: `p${index}`,
      at: index === 999 ? T0 + DAY : clock.at,
      value: '1',
    }))
    const kinds = async () => (await ledger.holds({ limit: 10 })).map(({ kind }) => kind)
    for (let scrape = 0; scrape < 3; scrape += 1) {
      await intakeOf({ clock }).take(delivery(many))
      expect(await kinds()).toEqual(['clock ahead'])
    }
  })

  // Federation writes lines in any order; the first reading of a series is the earliest, not the first one written.
  test('takes the readings of a delivery in the order of time', async () => {
    const minutes = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(minutes, async (order) => {
        const project = `run ${run++}`
        const values = ['10', '11', '12.5', '6', '7', '12.6', '13', '14']
        await intakeOf().take(
          delivery(order.map((minute) => ({ project, at: T0 + minute * MINUTE, value: values[minute]! }))),
        )
        expect(await used(project)).toBe(await used('run 0'))
      }),
      { numRuns: 30, examples: [[[0, 1, 2, 3, 4, 5, 6, 7]]] },
    )
    // 1 and 1.5 before the fall, 1 during the dip; then back at 12.6, below 12.5 + 1, so nothing; then 0.4 and 1.
    expect(await used('run 0')).toBe(4_900_000n)
  })

  // The old service rounded each step: 1.20 credits.
  test('charges one vCPU that is scraped every 15 s for an hour exactly one credit', async () => {
    const intake = intakeOf()
    for (let second = 0; second <= 3_600; second += 15) {
      await intake.take(delivery([{ project: 'alpha', at: T0 + second * SECOND, value: String(second / 3_600) }]))
    }
    expect(await used('alpha')).toBe(1_000_000n)
    expect(await ledger.entries('alpha', { limit: 9 })).toHaveLength(1)
  })

  suite('with several readings of a series in a delivery', () => {
    const at = (minute: number, value: number, project = 'alpha'): Measured => ({
      project,
      at: T0 + minute * MINUTE,
      value: value.toFixed(6),
    })
    const holdsOf = async () => (await ledger.holds({ filter: 'all', limit: 9 })).map(({ kind }) => kind)

    // A Prometheus that was away brings them so. They were taken for many series that jump at once.
    test('takes them for one series: a project that starts machines is charged', async () => {
      const intake = intakeOf({ smallSites: 'charge' })
      await intake.take(delivery([at(0, 10)]))
      await intake.take(delivery([at(1, 10.01)]))
      const minutes = [5, 10, 15, 20, 25, 30]
      await intake.take(delivery(minutes.map((minute) => at(minute, 10.01 + minute))))
      expect(await holdsOf()).toEqual([])
      expect(await used('alpha')).toBe(30_010_000n)
    })

    test('holds a jump of the site that is over when the delivery ends', async () => {
      const intake = intakeOf({ smallSites: 'charge' })
      const projects = Array.from({ length: 12 }, (_, index) => `p${index}`)
      for (const minute of [0, 60]) {
        await intake.take(delivery(projects.map((project) => at(minute, 100 + minute / 60, project))))
      }
      await intake.take(delivery(projects.flatMap((project) => [at(61, 200, project), at(62, 101 + 2 / 60, project)])))
      expect(await holdsOf()).toEqual(['site jump'])
      expect(await used('p0')).toBeLessThan(1_100_000n)
    })
  })

  suite('warns once for a site', () => {
    const both = (site: string, minute: number, vcpu: string, memory: string): Measured[] => [
      { project: 'alpha', site, at: T0 + minute * MINUTE, value: vcpu },
      { project: 'alpha', site, metric: ram.metric, at: T0 + minute * MINUTE, value: memory },
    ]
    const warnings = async (...deliveries: Measured[][]) => {
      const { logger, lines } = memoryLog('billing')
      const intake = intakeOf({ logger })
      for (const each of deliveries) await intake.take(delivery(each))
      return lines.filter(({ level, msg }) => level === 'warn' && msg.includes('another unit')).map(({ site }) => site)
    }

    test('whose RAM is counted in MiB·h', async () => {
      expect(
        await warnings(both('1', 0, '10', '40960'), both('1', 1, '11', '45056'), both('2', 0, '10', '40')),
      ).toEqual(['1'])
    })

    test('but not when only one of both meters is there, or nothing was consumed', async () => {
      expect(
        await warnings([{ project: 'alpha', at: T0, value: '1' }], both('1', 0, '0', '40960'), both('2', 0, '5', '0')),
      ).toEqual([])
    })

    test('and says which meter and unit', async () => {
      const { logger, lines } = memoryLog('billing')
      await intakeOf({ logger }).take(delivery(both('1', 0, '10', '40960')))
      const said = lines.find(({ level }) => level === 'warn')!
      expect(said.msg).toContain(`4.10e+3 times as much ${ram.metric} as ${cpu.metric}`)
      expect(said).toMatchObject({ site: '1', unit: 'GiB·h', ratio: 4_096 })
    })
  })
})
