/** Numbers that only look random: the same seed gives the same ones. */

export interface Random {
  /** At least `low`, less than `high`. */
  between(low: number, high: number): number
  /** A whole number from `low` up to and including `high`. */
  whole(low: number, high: number): number
  /** Between two positive numbers, each order of magnitude as often as the next. */
  magnitude(low: number, high: number): number
  pick<Item>(items: readonly Item[]): Item
  isOne(chance: number): boolean
}

export function createRandom(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) >>> 0
  const next = () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number) => low + next() * (high - low)
  return {
    between,
    whole: (low, high) => Math.floor(between(low, high + 1)),
    magnitude: (low, high) => Math.exp(between(Math.log(low), Math.log(high))),
    pick: (items) => items[Math.floor(next() * items.length)]!,
    isOne: (chance) => next() < chance,
  }
}
