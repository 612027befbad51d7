/**
 * Long work in steps: a function that yields now and then, so that whoever runs it can let other work have its turn. What it
 * returns is the same, however it is run.
 */

/** Elements that are sorted or merged before other work may have its turn: about a millisecond. */
const STEP = 2_000

/** The same as `toSorted`: elements that are equal keep their order. */
export function* sorting<T>(list: readonly T[], compare: (a: T, b: T) => number): Generator<void, readonly T[]> {
  if (list.length <= STEP) return list.toSorted(compare)
  let runs: (readonly T[])[] = []
  for (let start = 0; start < list.length; start += STEP) {
    runs.push(list.slice(start, start + STEP).sort(compare))
    yield
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = []
    for (let index = 0; index < runs.length; index += 2) {
      const [one, other] = [runs[index]!, runs[index + 1]]
      merged.push(other === undefined ? one : yield* merging(one, other, compare))
    }
    runs = merged
  }
  return runs[0]!
}

function* merging<T>(
  one: readonly T[],
  other: readonly T[],
  compare: (a: T, b: T) => number,
): Generator<void, readonly T[]> {
  // What comes in order, as scrapes do, needs no more than this.
  if (compare(one.at(-1)!, other[0]!) <= 0) return one.concat(other)
  const merged: T[] = []
  let [left, right] = [0, 0]
  while (left < one.length && right < other.length) {
    merged.push(compare(one[left]!, other[right]!) <= 0 ? one[left++]! : other[right++]!)
    if (merged.length % STEP === 0) yield
  }
  return merged.concat(one.slice(left), other.slice(right))
}

/** What a function comes to that nobody interrupts. */
export function atOnce<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}
