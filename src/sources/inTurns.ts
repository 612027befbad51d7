/** Long work beside other work: the program has one thread, and whoever asks it something must not wait. */

const waiting: (() => void)[] = []

/**
 * Lets what else there is to do have its turn. Long works go on one after another, each once whoever asked something since was
 * looked at: several at a time would add up to a long one.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(goOn)
  })
}

function goOn(): void {
  waiting.shift()!()
  if (waiting.length > 0) setImmediate(goOn)
}

/** What steps come to, with a turn for others between two of them. */
export async function inTurns<Result>(steps: Generator<void, Result>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await nextTurn()
  }
}
