/** Counts what the simulator is asked. */
import type { ServerResponse } from 'node:http'

export class CallCounter {
  /** All calls that came with the right password, those that failed included. */
  total = 0
  /** By the name of the method alone: `setAttributes`. */
  byMethod: Record<string, number> = {}
  /** Sessions made: more than one means a client without cookies, or several clients. */
  sessions = 0
  /** Most calls under way at once. */
  concurrentPeak = 0
  #underWay = 0

  /** Counts a call, which is under way until its response is closed. */
  begin(method: string, response: ServerResponse): void {
    this.total += 1
    this.byMethod[method] = (this.byMethod[method] ?? 0) + 1
    this.#underWay += 1
    this.concurrentPeak = Math.max(this.concurrentPeak, this.#underWay)
    response.once('close', () => {
      this.#underWay -= 1
    })
  }

  /** Starts again from zero. Calls under way stay under way. */
  reset(): void {
    this.total = 0
    this.byMethod = {}
    this.sessions = 0
    this.concurrentPeak = this.#underWay
  }
}
