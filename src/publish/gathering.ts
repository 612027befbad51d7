/**
 * Lets those who come within a short time go on together, so that what they record shares a commit. A disk that is slow would
 * otherwise keep the program from all else for most of a round.
 */

/** @param ms How long the first one waits for others. */
export function createGathering(ms: number): () => Promise<void> {
  let next: Promise<void> | undefined
  return () => {
    next ??= new Promise((resolve) => {
      setTimeout(() => {
        next = undefined
        resolve()
      }, ms)
    })
    return next
  }
}
