import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createLanes, type Lanes } from '#src/billing/lanes.ts'

/** Lanes whose work waits until a test lets it finish. */
function heldLanes(workers: number) {
  const begun: string[] = []
  const open = new Map<string, () => void>()
  const lanes = createLanes({
    workers,
    work: (group) => {
      if (open.has(group)) throw new Error(`Two works on ${group} at the same time`)
      begun.push(group)
      return new Promise<void>((resolve) => open.set(group, resolve))
    },
  })
  const finish = async (group: string) => {
    const resolve = open.get(group)!
    open.delete(group)
    resolve()
    await nextTurn()
  }
  return { lanes, begun, open, finish }
}

async function request(lanes: Lanes, ...groups: string[]) {
  for (const group of groups) lanes.request(group)
  await nextTurn()
}

suite('lanes', () => {
  test('work on different groups side by side, on at most so many', async () => {
    const { lanes, begun, finish } = heldLanes(2)
    await request(lanes, 'a', 'b', 'c', 'd')
    expect([begun, lanes.working, lanes.waiting]).toEqual([['a', 'b'], 2, 2])
    await finish('b')
    expect([begun, lanes.working, lanes.waiting]).toEqual([['a', 'b', 'c'], 2, 1])
  })

  test('take requests of a waiting group as one', async () => {
    const { lanes, begun, finish } = heldLanes(1)
    await request(lanes, 'a', 'b', 'b', 'b')
    expect(lanes.waiting).toBe(1)
    await finish('a')
    await finish('b')
    expect(begun).toEqual(['a', 'b'])
  })

  // What changed while a group is worked on may not have been seen by that work.
  test('work once more on a group that was asked for while it was worked on', async () => {
    const { lanes, begun, finish } = heldLanes(1)
    await request(lanes, 'a', 'b')
    await request(lanes, 'a', 'a')
    expect(lanes.status()).toEqual([
      { group: 'a', state: 'working', again: true },
      { group: 'b', state: 'waiting', again: false },
    ])
    await finish('a')
    await finish('b')
    await finish('a')
    expect(begun).toEqual(['a', 'b', 'a'])
    expect([lanes.working, lanes.waiting, lanes.status()]).toEqual([0, 0, []])
  })

  test('start nothing while they are paused, and let finish what is under way', async () => {
    const { lanes, begun, finish } = heldLanes(2)
    await request(lanes, 'a')
    lanes.pause()
    await request(lanes, 'b', 'a')
    await finish('a')
    expect([lanes.paused, begun, lanes.working, lanes.waiting]).toEqual([true, ['a'], 0, 2])
    lanes.resume()
    await nextTurn()
    expect([lanes.paused, begun]).toEqual([false, ['a', 'b', 'a']])
  })

  test('are idle when nothing waits and nothing is worked on', async () => {
    const { lanes, finish } = heldLanes(1)
    await lanes.idle()
    await request(lanes, 'a')
    await request(lanes, 'a')
    let isIdle = false
    const idle = lanes.idle().then(() => {
      isIdle = true
    })
    await finish('a')
    expect(isIdle).toBe(false)
    await finish('a')
    await idle
  })

  test('stop after what is under way, and forget the rest', async () => {
    const { lanes, begun, finish } = heldLanes(1)
    await request(lanes, 'a', 'b')
    await request(lanes, 'a')
    let hasStopped = false
    const stopped = lanes.stop().then(() => {
      hasStopped = true
    })
    await nextTurn()
    expect(hasStopped).toBe(false)
    await finish('a')
    await stopped
    expect([begun, lanes.working, lanes.waiting, lanes.status()]).toEqual([['a'], 0, 0, []])
  })

  test('begin nothing after they have stopped', async () => {
    const { lanes, begun, finish } = heldLanes(1)
    await request(lanes, 'a')
    const stopped = lanes.stop()
    await request(lanes, 'a', 'b')
    await finish('a')
    await stopped
    await request(lanes, 'c')
    expect([begun, lanes.waiting, lanes.status()]).toEqual([['a'], 0, []])
    await lanes.idle()
  })

  test('never work twice on a group at a time, and always after the last request', async () => {
    const requests = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 4 }), async (numbers, workers) => {
        const [active, asked, done] = [new Set<string>(), new Map<string, number>(), new Map<string, number>()]
        const lanes = createLanes({
          workers,
          async work(group) {
            expect(active.has(group)).toBe(false)
            active.add(group)
            expect(active.size).toBeLessThanOrEqual(workers)
            const seen = asked.get(group)!
            await nextTurn()
            done.set(group, seen)
            active.delete(group)
          },
        })
        for (const [turn, number] of numbers.entries()) {
          asked.set(String(number), turn)
          lanes.request(String(number))
          if (turn % 3 === 0) await nextTurn()
        }
        await lanes.idle()
        expect(done).toEqual(asked)
      }),
      { numRuns: 50 },
    )
  })
})
