import { afterEach, beforeEach, expect, suite, test, vi } from 'vitest'
import { createLanes } from '#src/billing/lanes.ts'
import { MINUTE, SECOND, systemClock } from '#src/core/time.ts'
import { LedgerError } from '#src/ledger/ledger.ts'
import { createOutbox } from '#src/publish/outbox.ts'
import type { PublishOutcome } from '#src/publish/publisher.ts'
import { memoryLog } from '../helpers/log.ts'

const written: PublishOutcome = { kind: 'written', writes: 1 }
const unchanged: PublishOutcome = { kind: 'unchanged' }
const held: PublishOutcome = { kind: 'held' }
const down: PublishOutcome = { kind: 'unavailable', reason: 'HTTP 503', everyone: true }
const ownTrouble: PublishOutcome = { kind: 'unavailable', reason: 'trouble with it', everyone: false }
const forbidden: PublishOutcome = { kind: 'forbidden', reason: 'wrong password' }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  // A test that leaves a timer behind leaves work behind.
  vi.useRealTimers()
})

interface Circumstances {
  /** What comes of publishing a group for the how-manieth time; `written` unless told. */
  readonly outcome?: (group: string, time: number) => PublishOutcome | Promise<PublishOutcome>
  readonly workers?: number
  readonly surveyEvery?: number
}

/** An outbox with real lanes, and a publisher that notes when it was asked for what. */
function setUp({ outcome = () => written, workers = 2, surveyEvery }: Circumstances = {}) {
  const { logger, lines } = memoryLog('publish')
  const dirty: string[] = []
  const doubtful: string[] = []
  const asked: { group: string; second: number }[] = []
  const told: string[] = []
  const times = new Map<string, number>()
  const begin = Date.now()
  const facts = { outcome, ledgerFails: false, strays: [] as string[], looksAfterAll: true }
  const lanes = createLanes({ workers, work: (group) => outbox.work(group) })
  const outbox = createOutbox({
    ledger: {
      async dirtyGroups() {
        if (facts.ledgerFails) throw new Error('the disk is full')
        return dirty
      },
      doubtfulGroups: async () => doubtful,
    },
    publisher: {
      async publish(group) {
        const time = (times.get(group) ?? 0) + 1
        times.set(group, time)
        asked.push({ group, second: (Date.now() - begin) / SECOND })
        return facts.outcome(group, time)
      },
      async survey() {
        if (facts.ledgerFails) throw new Error('the disk is full')
        return facts.strays.splice(0)
      },
      async close() {},
    },
    lanes: () => lanes,
    clock: systemClock,
    logger,
    looksAfterAll: () => facts.looksAfterAll,
    surveyEvery,
    onPublished: (kind, seconds) => told.push(`${kind} ${seconds >= 0}`),
  })
  return {
    outbox,
    lanes,
    lines,
    told,
    dirty,
    doubtful,
    facts,
    asked: () => asked.map(({ group }) => group),
    seconds: () => asked.map(({ second }) => second),
  }
}

/** Lets time pass, and all that has to happen in it happen. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

suite('a group that somebody changed although it stands still', () => {
  test('is published when all are looked at', async () => {
    const { outbox, asked, facts } = setUp({ outcome: () => ({ kind: 'unchanged' }), surveyEvery: 15 * MINUTE })
    await outbox.start()
    facts.strays.push('a')
    await pass(15 * MINUTE - 1)
    expect(asked()).toEqual([])
    await pass(1)
    expect(asked()).toEqual(['a'])
    facts.strays.push('b')
    await pass(15 * MINUTE)
    expect(asked()).toEqual(['a', 'b'])
    outbox.stop()
  })

  test('is looked for again after a look that failed', async () => {
    const { outbox, asked, facts } = setUp({ outcome: () => ({ kind: 'unchanged' }), surveyEvery: 15 * MINUTE })
    await outbox.start()
    facts.strays.push('a')
    facts.ledgerFails = true
    await pass(15 * MINUTE)
    facts.ledgerFails = false
    await pass(15 * MINUTE)
    expect(asked()).toEqual(['a'])
    outbox.stop()
  })

  test('is not looked for while nothing can be published', async () => {
    const { outbox, facts } = setUp({ outcome: () => ({ kind: 'forbidden', reason: 'no' }), surveyEvery: 15 * MINUTE })
    await outbox.start()
    await pass(10 * MINUTE)
    outbox.wake(['x'])
    facts.strays.push('a')
    await pass(5 * MINUTE)
    expect(facts.strays).toEqual(['a'])
    outbox.stop()
  })
})

suite('a group whose total moved', () => {
  test('is published at once', async () => {
    const { outbox, asked, told } = setUp()
    outbox.wake(['a', 'b', 'c'])
    await pass(0)
    expect(asked()).toEqual(['a', 'b', 'c'])
    expect(told).toEqual(['written true', 'written true', 'written true'])
  })

  test('again while it waits or is published, is published once more and not more often', async () => {
    const { promise, resolve } = Promise.withResolvers<PublishOutcome>()
    const { outbox, asked } = setUp({ workers: 1, outcome: (_, time) => (time === 1 ? promise : written) })
    for (let reading = 0; reading < 5; reading += 1) outbox.wake(['a', 'b'])
    resolve(written)
    await pass(0)
    expect(asked()).toEqual(['a', 'b', 'a'])
  })

  test('while the worker stops, waits for the next start', async () => {
    const { outbox, asked } = setUp()
    outbox.stop()
    outbox.wake(['a'])
    await pass(MINUTE)
    expect(asked()).toEqual([])
  })
})

suite('a group with a write that was never answered', () => {
  test('is looked at at the start and again and again, at growing distances, though it is clean', async () => {
    const { outbox, seconds, doubtful } = setUp({ outcome: () => unchanged })
    doubtful.push('doubt')
    await outbox.start()
    await pass(20 * MINUTE)
    expect(seconds().map((second) => second / 60)).toEqual([0, 1, 3, 7, 12, 17])
    doubtful.pop()
    await pass(30 * MINUTE)
    expect(seconds()).toHaveLength(6)
    doubtful.push('doubt')
    await pass(4 * MINUTE)
    expect(seconds()).toHaveLength(9)
  })

  test('that is dirty too is published once in a sweep', async () => {
    const { outbox, asked, doubtful, dirty } = setUp()
    doubtful.push('both', 'doubt')
    dirty.push('both')
    await outbox.start()
    await pass(0)
    expect(asked()).toEqual(['both', 'doubt'])
  })
})

suite('all groups that are dirty in the ledger', () => {
  test('are published at the start and every minute', async () => {
    const { outbox, asked, dirty } = setUp()
    dirty.push('left over')
    await outbox.start()
    await pass(0)
    expect(asked()).toEqual(['left over'])
    dirty.splice(0, 1, 'retry is due')
    await pass(MINUTE - 1)
    expect(asked()).toHaveLength(1)
    await pass(1)
    expect(asked()).toEqual(['left over', 'retry is due'])
    await pass(2 * MINUTE)
    expect(asked()).toHaveLength(4)
  })

  test('are left to another worker that looks after all, once they were asked for at the start', async () => {
    const { outbox, asked, dirty, facts } = setUp({ surveyEvery: 15 * MINUTE })
    facts.looksAfterAll = false
    dirty.push('left over')
    await outbox.start()
    facts.strays.push('changed')
    await pass(15 * MINUTE)
    expect([asked(), facts.strays]).toEqual([['left over'], ['changed']])
    facts.looksAfterAll = true
    await pass(15 * MINUTE)
    expect(asked()).toContain('changed')
    expect(asked().length).toBeGreaterThan(10)
    outbox.stop()
  })

  test('are looked for again although the ledger failed once', async () => {
    const { outbox, facts, dirty, asked, lines } = setUp()
    dirty.push('a')
    facts.ledgerFails = true
    await outbox.start()
    await pass(0)
    expect(lines).toMatchObject([{ level: 'error', err: { message: 'the disk is full' } }])
    facts.ledgerFails = false
    await pass(MINUTE)
    expect(asked()).toEqual(['a'])
  })

  test('are not asked for when the worker stops while the ledger looks', async () => {
    const { outbox, dirty, lanes } = setUp()
    dirty.push('a')
    const start = outbox.start()
    outbox.stop()
    await start
    expect(lanes.status()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})

suite('a group that has trouble of its own', () => {
  test('is tried again after pauses that grow, and keeps no other from being published', async () => {
    const { outbox, asked, seconds, lanes } = setUp({
      outcome: (group) => (group === 'bad' ? ownTrouble : written),
    })
    outbox.wake(['bad', 'good'])
    await pass(0)
    expect(asked()).toEqual(['bad', 'good'])
    expect(outbox.status).toEqual({ state: 'publishing' })
    expect(lanes.paused).toBe(false)
    for (let second = 0; second < 30; second += 1) {
      outbox.wake(['good'])
      await pass(SECOND)
    }
    const bad = seconds().filter((_, index) => asked()[index] === 'bad')
    const pauses = bad.slice(1).map((second, index) => second - bad[index]!)
    expectGrowing(pauses)
    expect(pauses.length).toBeGreaterThan(3)
  })

  // The look at all dirty groups asks for it too: each time one more pause would begin, and none would ever end.
  test.each([
    ['trouble', () => ownTrouble],
    [
      'an unexpected error',
      () => {
        throw new TypeError('x is not iterable')
      },
    ],
  ])('waits for one thing at a time, however long it goes on: %s', async (_, outcome) => {
    const { outbox, asked, dirty } = setUp({ outcome })
    dirty.push('bad')
    await outbox.start()
    await pass(60 * MINUTE)
    // One for the look at all groups, one for this one.
    expect(vi.getTimerCount()).toBeLessThanOrEqual(2)
    const before = asked().length
    await pass(10 * MINUTE)
    expect(asked().length - before).toBeLessThanOrEqual(30)
    outbox.stop()
  })

  test('begins anew with short pauses once it was published', async () => {
    const { outbox, seconds } = setUp({ outcome: (_, time) => (time % 5 === 0 ? written : ownTrouble) })
    outbox.wake(['a'])
    await pass(MINUTE)
    const first = seconds().length
    outbox.wake(['a'])
    await pass(SECOND)
    expect(seconds().length).toBeGreaterThan(first + 1)
  })
})

suite('when nothing can be published', () => {
  test('everybody waits, and nothing is lost', async () => {
    const { outbox, asked, facts, lanes, lines } = setUp({ outcome: () => down })
    outbox.wake(['a', 'b', 'c', 'd', 'e'])
    await pass(0)
    expect(asked()).toEqual(['a', 'b'])
    expect(lanes.paused).toBe(true)
    expect(outbox.status).toMatchObject({ state: 'waiting', reason: 'HTTP 503', since: Date.now() })
    expect(lines).toMatchObject([{ level: 'warn', reason: 'HTTP 503' }])
    facts.outcome = () => written
    await pass(SECOND)
    expect(asked().slice(2).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(outbox.status).toEqual({ state: 'publishing' })
    expect(lanes.status()).toEqual([])
  })

  test('a pause from outside lasts until it is ended, also when publishing would go on', async () => {
    const { outbox, asked, facts, lanes } = setUp({ outcome: () => down })
    outbox.wake(['a'])
    await pass(0)
    outbox.pause()
    facts.outcome = () => written
    await pass(MINUTE)
    expect([asked(), lanes.paused, outbox.status.state]).toEqual([['a'], true, 'publishing'])
    outbox.resume()
    await pass(0)
    expect([asked(), lanes.paused]).toEqual([['a', 'a'], false])
  })

  test('the end of a pause from outside does not end its own', async () => {
    const { outbox, asked, facts, lanes } = setUp({ outcome: () => down })
    outbox.pause()
    outbox.resume()
    outbox.wake(['a'])
    await pass(0)
    outbox.pause()
    outbox.resume()
    expect([asked(), lanes.paused]).toEqual([['a'], true])
    facts.outcome = () => written
    await pass(SECOND)
    expect([asked(), lanes.paused]).toEqual([['a', 'a'], false])
  })

  test('it is tried again after pauses that grow up to a minute, however many lanes fail at a time', async () => {
    const { outbox, seconds } = setUp({ outcome: () => down, workers: 10 })
    outbox.wake(Array.from({ length: 50 }, (_, index) => `group ${index}`))
    await pass(10 * MINUTE)
    const tries = [...new Set(seconds())]
    const pauses = tries.slice(1).map((second, index) => second - tries[index]!)
    expectGrowing(pauses)
    expect(pauses.length).toBeGreaterThan(12)
  })

  // Groups without news are done without asking Perun: that says nothing about it.
  test.each([unchanged, held])('a group that is $kind does not make the pauses short again', async (quiet) => {
    const { outbox, seconds, asked } = setUp({
      outcome: (group) => (group === 'quiet' ? quiet : down),
      workers: 1,
    })
    for (let second = 0; second < 300; second += 1) {
      outbox.wake(['quiet', 'loud'])
      await pass(SECOND)
    }
    const loud = seconds().filter((_, index) => asked()[index] === 'loud')
    expect(loud.at(-1)! - loud.at(-2)!).toBeGreaterThan(25)
  })

  test('the pauses are short again after something was published, which is said', async () => {
    const { outbox, facts, asked, lines } = setUp({ outcome: () => down, workers: 1 })
    outbox.wake(['a'])
    await pass(10 * MINUTE)
    facts.outcome = () => written
    await pass(MINUTE)
    expect(lines.at(-1)).toMatchObject({ level: 'info', msg: expect.stringContaining('again') })
    const before = asked().length
    facts.outcome = (_, time) => (time > before + 1 ? written : down)
    outbox.wake(['a'])
    await pass(SECOND)
    expect(asked()).toHaveLength(before + 2)
  })

  test('groups that move meanwhile wait with the others', async () => {
    const { outbox, asked, facts } = setUp({ outcome: () => down })
    outbox.wake(['a'])
    await pass(0)
    outbox.wake(['b', 'b'])
    await pass(100)
    expect(asked()).toEqual(['a'])
    facts.outcome = () => written
    await pass(SECOND)
    expect(asked().sort()).toEqual(['a', 'a', 'b'])
  })
})

suite('when we may not publish', () => {
  test('that is said once, and tried again after a quarter of an hour', async () => {
    const { outbox, asked, lines, dirty, facts } = setUp({ outcome: () => forbidden, workers: 3 })
    dirty.push('a', 'b', 'c', 'd')
    await outbox.start()
    await pass(15 * MINUTE - 1)
    expect(asked()).toEqual(['a', 'b', 'c'])
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ level: 'warn', reason: 'wrong password', retryInSeconds: 900 })
    expect(outbox.status).toMatchObject({ state: 'stopped', reason: 'wrong password', until: Date.now() + 1 })
    facts.outcome = () => written
    await pass(1)
    expect(new Set(asked().slice(3))).toEqual(new Set(['a', 'b', 'c', 'd']))
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatchObject({ level: 'info', msg: 'Publishing works again' })
  })
})

suite('an error that nobody expected', () => {
  test('is logged with its stack, keeps no other group from being published, and is tried again', async () => {
    const { outbox, asked, lines, told } = setUp({
      outcome: async (group, time) => {
        if (group === 'bad' && time === 1) throw new TypeError('x is not iterable')
        return written
      },
    })
    outbox.wake(['bad', 'good'])
    await pass(0)
    expect(asked()).toEqual(['bad', 'good'])
    expect(told.sort()).toEqual(['failed true', 'written true'])
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      level: 'error',
      group: 'bad',
      err: { type: 'TypeError', stack: expect.stringContaining('outbox.test.ts') },
    })
    expect(lines[0]!.task).toMatch(/^publish-/)
    await pass(MINUTE)
    expect(asked()).toEqual(['bad', 'good', 'bad'])
  })
})

suite('stopping', () => {
  const everything = { down, ownTrouble, forbidden }

  test.each(Object.keys(everything) as (keyof typeof everything)[])(
    'leaves no timer behind when a publish ends with %s before or after it',
    async (name) => {
      const { promise, resolve } = Promise.withResolvers<PublishOutcome>()
      const { outbox, lanes } = setUp({ outcome: (group) => (group === 'late' ? promise : everything[name]) })
      await outbox.start()
      outbox.wake(['late', 'early'])
      await pass(0)
      expect(vi.getTimerCount()).toBeGreaterThan(0)
      outbox.stop()
      expect(vi.getTimerCount()).toBe(0)
      resolve(everything[name])
      await pass(0)
      await lanes.stop()
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  test('publishes what waits', async () => {
    const { outbox, lanes, asked } = setUp({ workers: 1 })
    outbox.wake(['a', 'b', 'c'])
    outbox.stop()
    await lanes.idle()
    expect(asked()).toEqual(['a', 'b', 'c'])
  })

  // Else a stop would last its whole grace, waiting for a Perun that went away in the meantime.
  test.each([down, forbidden])('waits no longer once nothing can be published any more: $kind', async (outcome) => {
    const { outbox, lanes, asked, lines } = setUp({ outcome: (group) => (group === 'a' ? written : outcome) })
    outbox.wake(['a', 'b', 'c', 'd', 'e'])
    outbox.stop()
    await lanes.idle()
    expect(asked().length).toBeLessThan(5)
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })
})

/** Each between half and all of 1, 2, 4 … 60 seconds. */
function expectGrowing(pauses: readonly number[]): void {
  for (const [index, pause] of pauses.entries()) {
    const full = Math.min(2 ** index, 60)
    expect(pause).toBeGreaterThanOrEqual(full / 2)
    expect(pause).toBeLessThanOrEqual(full + 0.002)
  }
}

suite('a ledger that cannot be written', () => {
  test('pauses publishing for all, says so once, and lets it go on by itself', async () => {
    const trouble = new LedgerError('The ledger cannot be used: the disk is full.')
    const { outbox, asked, lines } = setUp({
      outcome: (_, time) => (time <= 4 ? Promise.reject(trouble) : written),
      workers: 1,
    })
    outbox.wake(['alpha', 'beta'])
    await pass(0)
    expect(outbox.status).toMatchObject({ state: 'waiting', reason: trouble.message })
    expect(asked()).toEqual(['alpha'])
    await pass(3 * MINUTE)
    expect(outbox.status).toEqual({ state: 'publishing' })
    expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toMatchObject([
      { reason: trouble.message },
    ])
  })
})
