/**
 * The only source of chance in a simulation: a seed gives the same numbers on every machine, for ever.
 *
 * Each part gets a stream of its own (`branch`), so that one more throw of the dice in one part does not change what
 * happens in all others.
 */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = mixed(seed >>> 0)
  }

  /** A stream that depends on this one's seed and on the name alone. */
  branch(name: string): Random {
    let hash = this.#state
    for (const char of name) hash = mixed(hash ^ char.codePointAt(0)!)
    return new Random(hash)
  }

  /** From 0 up to, not including, 1: mulberry32. */
  next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `least` up to and including `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.next() * of.length)]!
  }

  shuffled<T>(of: readonly T[]): T[] {
    const rest = [...of]
    for (let left = rest.length - 1; left > 0; left -= 1) {
      const other = this.whole(0, left)
      ;[rest[left], rest[other]] = [rest[other]!, rest[left]!]
    }
    return rest
  }
}

function mixed(seed: number): number {
  let h = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
