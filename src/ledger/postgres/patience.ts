/** How an end waits for a server that may have vanished: the system tells of that only after a quarter of an hour. */

/** Milliseconds. */
const PATIENCE = 3_000

/** Resolves when the step is done or has failed, or has been waited for. */
export async function orGiveUp(step: Promise<unknown> | undefined): Promise<void> {
  const { promise: waited, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, PATIENCE)
  await Promise.race([Promise.allSettled([step]), waited])
  clearTimeout(timer)
}
