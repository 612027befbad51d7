import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, suite, test } from 'vitest'
import { createSharedLanes } from '#src/billing/sharedLanes.ts'
import { silent } from '../helpers/billing.ts'

/** Work that others could do as well, and lanes that do it. */
function sharedLanes({ isAlone = true, isBroken = false } = {}) {
  const asked: string[][] = []
  const calls: string[] = []
  let run: (group: string, look: boolean) => Promise<void> = async () => {}
  const shared = {
    waiting: 0,
    async request(groups: readonly string[], look = false) {
      asked.push(look ? ['look at', ...groups] : [...groups])
      if (isBroken) throw new Error('no database')
    },
    begin(workers: number, work: (group: string, look: boolean) => Promise<void>) {
      calls.push(`begin ${workers}`)
      run = work
    },
    async pause() {
      calls.push('pause')
    },
    isAlone: async () => isAlone,
  }
  const { promise: held, resolve: finish } = Promise.withResolvers<void>()
  const lanes = createSharedLanes({ shared, workers: 3, work: () => held, logger: silent })
  return { lanes, shared, asked, calls, run: (group: string) => run(group, false), finish }
}

suite('lanes that several workers share', () => {
  test('begin when they are told to, and not before', async () => {
    const { lanes, calls } = sharedLanes()
    expect([lanes.paused, calls]).toEqual([true, []])
    lanes.resume()
    expect([lanes.paused, calls]).toEqual([false, ['begin 3']])
    lanes.pause()
    expect([lanes.paused, calls]).toEqual([true, ['begin 3', 'pause']])
  })

  test('ask for groups together, each once', async () => {
    const { lanes, asked } = sharedLanes()
    for (const group of ['a', 'b', 'a']) lanes.request(group)
    await nextTurn()
    lanes.request('a')
    await nextTurn()
    expect(asked).toEqual([['a', 'b'], ['a']])
  })

  test('hand on that a group is to be looked at', async () => {
    const { lanes, asked } = sharedLanes()
    lanes.request('a', true)
    lanes.request('b')
    lanes.request('a')
    await nextTurn()
    expect(asked).toEqual([['look at', 'a'], ['b']])
  })

  test('go on when they could not ask', async () => {
    const { lanes, asked } = sharedLanes({ isBroken: true })
    lanes.request('a')
    await nextTurn()
    lanes.request('b')
    await nextTurn()
    expect(asked).toEqual([['a'], ['b']])
  })

  test('tell what is done here, and how many wait anywhere', async () => {
    const { lanes, shared, run, finish } = sharedLanes()
    lanes.resume()
    shared.waiting = 7
    const done = run('a')
    expect([lanes.working, lanes.waiting, lanes.status()]).toEqual([
      1,
      7,
      [{ group: 'a', state: 'working', again: false }],
    ])
    finish()
    await done
    expect([lanes.working, lanes.status()]).toEqual([0, []])
  })

  test('leave what waits to others, if there are some', async () => {
    const { lanes, shared } = sharedLanes({ isAlone: false })
    shared.waiting = 7
    lanes.resume()
    await lanes.idle()
  })

  test('wait for what nobody else would do', async () => {
    const { lanes, shared } = sharedLanes()
    shared.waiting = 7
    lanes.resume()
    let isIdle = false
    const idle = lanes.idle().then(() => {
      isIdle = true
    })
    await nextTurn()
    expect(isIdle).toBe(false)
    shared.waiting = 0
    await idle
  })

  test('that were stopped take nothing any more', async () => {
    const { lanes, asked, calls } = sharedLanes()
    lanes.resume()
    await lanes.stop()
    lanes.request('a')
    lanes.resume()
    await nextTurn()
    expect([asked, calls]).toEqual([[], ['begin 3', 'pause']])
  })
})
