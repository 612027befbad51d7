/**
 * How long a peer may take. Time in which this program was busy with other work does not count: what arrives meanwhile is not
 * taken, and a peer whose answer is large would have to wait for us.
 */

export interface TimeLimit {
  readonly isOver: boolean
  /** What was waited for is there. */
  end(): void
}

/** After so many times the limit it is over, however busy we are. */
const PATIENCE = 10

/** @param ms From now on. */
export function createTimeLimit(ms: number, onOver: () => void): TimeLimit {
  const begun = performance.now()
  const before = performance.eventLoopUtilization()
  let isOver = false
  let timer = setTimeout(look, ms)

  function look(): void {
    const { idle } = performance.eventLoopUtilization(before)
    const left = Math.min(ms - idle, PATIENCE * ms - (performance.now() - begun))
    if (left > 0) {
      timer = setTimeout(look, Math.ceil(left))
      return
    }
    isOver = true
    onOver()
  }

  return {
    get isOver() {
      return isOver
    },
    end: () => clearTimeout(timer),
  }
}
