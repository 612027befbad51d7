/**
 * Virtual time: nothing waits, the next thing that is due simply happens next.
 *
 * Worker and simulation run in this one thread. All that a worker waits for is a promise, a timer or an immediate. Timers
 * and immediates are replaced by entries on this line; after each of them everything that promises have to do is done
 * before the next one's turn comes. So the same seed gives the same order of all events.
 *
 * A worker is a *life*: what it starts carries it along (`AsyncLocalStorage`), and once it is dead none of its timers fires. What
 * it was about to do at once goes on, as promises do, until it meets `ProcessDied`.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** One run of the worker's process, from its start to its death. */
export interface Life {
  readonly number: number
  isDead: boolean
}

/** What the code of a dead process meets wherever it would have an effect. Nobody hears of it. */
export class ProcessDied extends Error {
  override readonly name = 'ProcessDied'
}

interface Entry {
  readonly at: number
  readonly order: number
  readonly action: () => void
  isCancelled: boolean
}

const realImmediate = globalThis.setImmediate
const lives = new AsyncLocalStorage<Life>()

export class Timeline {
  /** True time in milliseconds, which no clock step changes. */
  now: number
  #heap: Entry[] = []
  #order = 0

  constructor(start: number) {
    this.now = start
  }

  /** Has something happen `ms` later. Returns how to call it off. */
  after(ms: number, action: () => void): () => void {
    const entry: Entry = { at: this.now + Math.max(0, ms), order: this.#order++, action, isCancelled: false }
    push(this.#heap, entry)
    return () => {
      entry.isCancelled = true
    }
  }

  /** Lets all happen up to an instant, or until `isOver`. */
  async runUntil(end: number, isOver: () => boolean): Promise<void> {
    await settled()
    while (!isOver()) {
      const entry = this.#heap[0]
      if (entry === undefined || entry.at > end) break
      pop(this.#heap)
      if (entry.isCancelled) continue
      this.now = entry.at
      entry.action()
      await settled()
    }
    if (!isOver()) this.now = Math.max(this.now, end)
  }

  /** Replaces the timers of the program, and its dice. Returns how to put them back. */
  install(random: () => number): () => void {
    const before = { setTimeout, clearTimeout, setImmediate, clearImmediate }
    const random0 = Math.random
    const later = (ms: number, action: (...args: unknown[]) => void, args: unknown[], outlives = false) => {
      const life = lives.getStore()
      const bound = AsyncLocalStorage.bind(action)
      const cancel = this.after(ms, () => {
        if (outlives || life?.isDead !== true) bound(...args)
      })
      const handle = { cancel, ref: () => handle, unref: () => handle, hasRef: () => true }
      return handle
    }
    const cancel = (handle: { cancel?: () => void } | undefined) => handle?.cancel?.()
    Object.assign(globalThis, {
      setTimeout: (action: () => void, ms = 0, ...args: unknown[]) => later(Math.max(1, ms), action, args),
      // Those of all lives share a queue (`nextTurn`), which is not to stand still because one of them ended.
      setImmediate: (action: () => void, ...args: unknown[]) => later(0, action, args, true),
      clearTimeout: cancel,
      clearImmediate: cancel,
    })
    Math.random = random
    return () => {
      Object.assign(globalThis, before)
      Math.random = random0
    }
  }
}

/** Runs a part of a worker's life. */
export function live<Result>(life: Life, work: () => Result): Result {
  return lives.run(life, work)
}

/** Resolves when no promise has anything to do: an immediate comes after all of them. */
function settled(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve))
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Entry[], entry: Entry): void {
  let place = heap.push(entry) - 1
  while (place > 0) {
    const parent = (place - 1) >> 1
    if (!isBefore(entry, heap[parent]!)) break
    heap[place] = heap[parent]!
    place = parent
  }
  heap[place] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let place = 0
  for (;;) {
    let child = 2 * place + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
    if (!isBefore(heap[child]!, last)) break
    heap[place] = heap[child]!
    place = child
  }
  heap[place] = last
}
