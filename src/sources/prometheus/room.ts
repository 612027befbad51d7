/**
 * How many readings may be between their scrape and the ledger, of all targets together: they wait in memory there.
 *
 * A scrape waits for its share before anything is asked of its target, in the order in which they came. How much a target
 * shows is known from its last scrape. If it is more than that and there is no room for it, the scrape is put off and asks
 * for more, rather than standing still in the midst of an answer: so those that are under way never wait for each other.
 */

/**
 * Readings of all targets together: some 60 MB. Two large targets at a time would take twice as much and end no sooner, as they are
 * recorded one after another; of usual ones all fit in.
 */
export const ROOM = 300_000

/** What one scrape takes of it. */
export interface Share {
  /** So many readings have come. @throws {NoRoomError} if there is no room for them. */
  grow(readings: number): void
  /** No more of them come. */
  settle(readings: number): void
  /** They are in the ledger, or lost. May be called again. */
  leave(): void
}

export interface Room {
  /**
   * Waits until there is room.
   *
   * @param expected Readings; `undefined` if nobody knows. More than there is room for waits until nobody else is there.
   * @returns `undefined` if `signal` was aborted meanwhile.
   */
  enter(expected: number | undefined, signal: AbortSignal): Promise<Share | undefined>
  /** Readings that have their place. */
  readonly taken: number
}

/** There are more readings than there was room for. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError'
  readonly code = 'ERR_NO_ROOM'
  /** How many there were, at least. */
  readonly readings: number

  constructor(readings: number) {
    super(`Expected room for ${readings} readings, got less`)
    this.readings = readings
  }
}

/** What a target gets that was never scraped, as a part of all: more of them than are scraped at a time. */
const UNKNOWN = 1 / 16

/** @param most Readings. A scrape that brings more has to be alone. */
export function createRoom(most: number): Room {
  const waiting: (() => boolean)[] = []
  let taken = 0

  function take(readings: number): Share {
    let own = readings
    taken += own
    const settle = (now: number) => {
      taken += now - own
      own = now
      letIn()
    }
    return {
      grow(now) {
        if (now <= own) return
        const others = taken - own
        if (others > 0 && others + now > most) throw new NoRoomError(now)
        taken += now - own
        own = now
      },
      settle,
      leave: () => settle(0),
    }
  }

  /** Those who wait, in their order, as long as there is room. */
  function letIn(): void {
    while (waiting[0]?.() === true) waiting.shift()
  }

  return {
    enter(expected = Math.ceil(most * UNKNOWN), signal) {
      const readings = Math.min(expected, most)
      // One that was aborted before tells nobody of it any more.
      if (signal.aborted) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        const goIn = () => {
          if (!signal.aborted && taken + readings > most) return false
          signal.removeEventListener('abort', giveUp)
          resolve(signal.aborted ? undefined : take(readings))
          return true
        }
        const giveUp = () => {
          waiting.splice(waiting.indexOf(goIn), 1)
          goIn()
          letIn()
        }
        signal.addEventListener('abort', giveUp)
        waiting.push(goIn)
        letIn()
      })
    },
    get taken() {
      return taken
    },
  }
}
