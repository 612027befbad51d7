import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createRoom, NoRoomError, type Share } from '../../../src/sources/prometheus/room.ts'

const never = new AbortController().signal

/** What has become of a promise once all that is ready has happened. */
async function settled<T>(promise: Promise<T>): Promise<T | 'waits'> {
  const turn = new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))
  return Promise.race([promise, turn])
}

suite('room for readings', () => {
  test('is given in order: who needs more than there is keeps those behind from passing', async () => {
    const room = createRoom(100)
    const first = (await room.enter(80, never))!
    const large = room.enter(60, never)
    const small = room.enter(10, never)
    expect(await settled(large)).toBe('waits')
    expect(await settled(small)).toBe('waits')
    first.leave()
    expect(await settled(large)).not.toBe('waits')
    expect(await settled(small)).not.toBe('waits')
    expect(room.taken).toBe(70)
  })

  test('is there for one that needs more than all of it, once it is alone', async () => {
    const room = createRoom(100)
    const first = (await room.enter(1, never))!
    const huge = room.enter(1_000, never)
    expect(await settled(huge)).toBe('waits')
    first.leave()
    const share = (await huge)!
    share.grow(1_000)
    expect(room.taken).toBe(1_000)
    share.leave()
    share.leave()
    expect(room.taken).toBe(0)
  })

  test('is not given to two that grow beyond it together: one is put off, and its share is there for the other', async () => {
    const room = createRoom(100)
    const [one, other] = [(await room.enter(undefined, never))!, (await room.enter(undefined, never))!]
    expect(room.taken).toBe(14)
    one.grow(60)
    expect(() => other.grow(50)).toThrow(NoRoomError)
    other.leave()
    one.grow(100)
    expect(room.taken).toBe(100)
  })

  test('is there for others as soon as a scrape brought less than was expected', async () => {
    const room = createRoom(100)
    const first = (await room.enter(100, never))!
    const second = room.enter(50, never)
    first.settle(50)
    expect(await settled(second)).not.toBe('waits')
  })

  test('is not waited for by one that was stopped before it asked', async () => {
    const room = createRoom(100)
    await room.enter(80, never)
    void room.enter(60, never)
    expect(await settled(room.enter(10, AbortSignal.abort()))).toBe(undefined)
    expect(room.taken).toBe(80)
  })

  test('is not waited for any more by one that was stopped, nor by those behind it', async () => {
    const room = createRoom(100)
    const first = (await room.enter(50, never))!
    const stopping = new AbortController()
    const large = room.enter(80, stopping.signal)
    const small = room.enter(20, never)
    expect(await settled(small)).toBe('waits')
    stopping.abort()
    expect(await large).toBeUndefined()
    expect(await settled(small)).not.toBe('waits')
    first.leave()
    expect(room.taken).toBe(20)
    expect(await room.enter(1, stopping.signal)).toBeUndefined()
    expect(room.taken).toBe(20)
  })

  test('is never exceeded by several, and everyone gets in', async () => {
    const scrapes = fc.array(fc.record({ expected: fc.option(fc.nat(150), { nil: undefined }), real: fc.nat(120) }), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(scrapes, async (all) => {
        const room = createRoom(100)
        /** What each has of it; one that is done with nothing is not in anybody's way. */
        const shares = new Map<Share, number>()
        const isAlone = () => [...shares.values()].filter((readings) => readings > 0).length === 1
        const check = () => expect(room.taken <= 100 || isAlone()).toBe(true)
        let done = 0
        const scrape = async (expected: number | undefined, real: number): Promise<void> => {
          const share = (await room.enter(expected, never))!
          shares.set(share, Math.min(expected ?? 7, 100))
          check()
          try {
            // The last ones may be fewer.
            for (let come = 0; come < real + 10; come += 10) {
              share.grow(Math.min(come, real))
              shares.set(share, Math.max(Math.min(come, real), shares.get(share)!))
              check()
              await Promise.resolve()
            }
            share.settle(real)
            shares.set(share, real)
            done += 1
            await new Promise((resolve) => setImmediate(resolve))
          } catch (error) {
            shares.delete(share)
            share.leave()
            await scrape(2 * (error as NoRoomError).readings, real)
          }
          shares.delete(share)
          share.leave()
        }
        await Promise.all(all.map(({ expected, real }) => scrape(expected, real)))
        expect(done).toBe(all.length)
        expect(room.taken).toBe(0)
      }),
    )
  })
})
