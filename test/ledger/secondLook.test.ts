import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, suite, test, vi } from 'vitest'
import { createSecondLook } from '#src/ledger/postgres/secondLook.ts'

const workers = 3

/** An engine whose looks find so many jobs, one look after another, and nothing after them. */
function setUp({ waits = true, finds = [] as number[] } = {}) {
  const events = new EventEmitter()
  const looks: number[] = []
  const state = { waits, asked: 0 }
  const begin = Date.now()
  const look = () => {
    looks.push(Date.now() - begin)
    found(finds.shift() ?? 0)
  }
  const found = (count: number) => {
    for (let job = 0; job < count; job += 1) events.emit('job:start', {})
    events.emit('localQueue:getJobs:complete', { jobs: Array.from({ length: count }, () => ({})) })
  }
  const isWaiting = async () => {
    state.asked += 1
    return state.waits
  }
  const second = createSecondLook({ events, workers, isWaiting, look })
  return { state, looks, found, second, complete: () => events.emit('job:complete', {}) }
}

suite('an engine that found less than it can do', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  test.each([0, 1, 2])('and found %i while more waits looks again soon', async (count) => {
    const { looks, found } = setUp({ finds: [workers - count] })
    found(count)
    expect(looks).toEqual([])
    await pass(50)
    expect(looks).toHaveLength(1)
    expect(looks[0]).toBeGreaterThanOrEqual(20)
  })

  test('asks once whether something waits, and then waits itself', async () => {
    const { looks, found, state } = setUp({ waits: false })
    found(0)
    await pass(60_000)
    expect([looks, state.asked]).toEqual([[], 1])
  })

  test('has nothing to look for while it is busy, and looks once something of it is done', async () => {
    const { looks, found, state, complete } = setUp()
    found(workers)
    await pass(60_000)
    expect([looks, state.asked]).toEqual([[], 0])
    complete()
    await pass(50)
    expect(looks).toHaveLength(1)
  })

  test('looks less and less often while it finds nothing, and soon again after it did', async () => {
    const { looks, found, state } = setUp({ finds: [...Array(10).fill(0), 1] })
    found(0)
    await pass(60_000)
    const gaps = looks.slice(1).map((at, index) => at - looks[index]!)
    expect(looks.length).toBeLessThan(100)
    expect(Math.max(...gaps)).toBeGreaterThan(800)
    expect(gaps[10]).toBeLessThanOrEqual(50)
    state.waits = false
    await pass(5_000)
    state.waits = true
    const before = looks.length
    found(0)
    await pass(50)
    expect(looks).toHaveLength(before + 1)
  })

  test('looks no more after its end', async () => {
    const { looks, found, second } = setUp()
    found(0)
    second.end()
    found(0)
    await pass(60_000)
    expect(looks).toEqual([])
  })
})
