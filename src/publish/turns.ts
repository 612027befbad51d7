/**
 * Who may write to Perun now: at most so many at a time, in the order in which they asked. Whoever has to wait has prepared all
 * of it, so that the next write begins where one ends, and looking, planning and recording cost no time of their own.
 */
import PQueue from 'p-queue'

export interface Turn {
  /** Resolves when it is ours; from then on it stays so. */
  take(): Promise<void>
  /** Gives it to whoever is next. */
  end(): void
}

/** @param count Turns at a time, 1 or more. */
export function createTurns(count: number): () => Turn {
  const queue = new PQueue({ concurrency: count })
  return () => {
    const over = Promise.withResolvers<void>()
    let taken: Promise<void> | undefined
    return {
      take() {
        taken ??= new Promise((begin) => {
          void queue.add(() => {
            begin()
            return over.promise
          })
        })
        return taken
      },
      end: over.resolve,
    }
  }
}
