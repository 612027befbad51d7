/** Who reaches a line of the grant has a notice for it from that very commit on: one, and never without having reached it. */
import Big from 'big.js'
import type { NoticeRow, TotalRow } from './rows.ts'
import type { Verdict } from './story.ts'

/** Percent of a grant, as the worker has them if nothing else is set. */
const LINES = [50, 80, 100]
const MICRO = 1_000_000

export class NoticeOracle {
  readonly #verdict: Verdict
  readonly #seen = new Set<string>()
  #last = 0n

  constructor(verdict: Verdict) {
    this.#verdict = verdict
  }

  /** Those up to this one have been looked at. */
  get last(): bigint {
    return this.#last
  }

  look(added: readonly NoticeRow[], totals: readonly TotalRow[]): void {
    for (const notice of added) this.#lookAtOne(notice)
    for (const total of totals) this.#lookAtGroup(total)
  }

  #lookAtOne({ id, group_name: group, line, granted, used }: NoticeRow): void {
    this.#last = id
    const key = keyOf(group, granted, line)
    this.#verdict.check(!this.#seen.has(key), 'a line of a grant has one notice', () => key)
    this.#seen.add(key)
    const isSo = LINES.includes(Number(line)) && isReached(used, granted, Number(line))
    this.#verdict.check(isSo, 'a notice is about a line that was reached', () => `${key}: ${used}`)
  }

  #lookAtGroup({ name, used, apart, opened, granted }: TotalRow): void {
    if (opened === 0n || granted === null) return
    for (const line of LINES.filter((each) => isReached(used - apart, granted, each))) {
      const key = keyOf(name, granted, BigInt(line))
      this.#verdict.check(this.#seen.has(key), 'who reaches a line of the grant has a notice', () => `${key}: ${used}`)
    }
  }
}

function isReached(used: bigint, granted: string, percent: number): boolean {
  return new Big(used.toString()).times(100).gte(new Big(granted).times(MICRO).times(percent))
}

function keyOf(group: string, granted: string, line: bigint): string {
  return JSON.stringify([group, new Big(granted).toFixed(), Number(line)])
}
