/** Waiting for an archive that does not answer: again and again at growing distances, up to a limit. */
import { type Clock, type Instant, SECOND } from '../core/time.ts'
import { type Archive, ArchiveError, type Chunk } from '../sources/archive.ts'

export interface Patience {
  readonly clock: Clock
  /** Milliseconds since it last answered after which it is given up. */
  readonly limit: number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** Told before each pause. */
  readonly onWait?: (reason: string) => void
}

const FIRST_PAUSE = SECOND
const LONGEST_PAUSE = 30 * SECOND

/** Milliseconds before the try after so many failures in a row. */
export function pauseOf(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1))
}

/** The same archive, which fails only when it has not answered for too long, or says no. */
export function patient(archive: Archive, patience: Patience): Archive {
  const { clock, limit, wait, onWait } = patience

  /** Begins to count at the first failure. @throws {ArchiveError} the last one */
  function createTrial(signal: AbortSignal) {
    let failures = 0
    let since: Instant | undefined
    return {
      succeeded() {
        failures = 0
        since = undefined
      },
      async failed(error: unknown) {
        if (!(error instanceof ArchiveError) || error.failure === 'refused' || signal.aborted) throw error
        failures += 1
        since ??= clock.now()
        if (clock.now() - since >= limit) throw error
        onWait?.(error.message)
        await wait(pauseOf(failures), signal)
        if (signal.aborted) throw new ArchiveError('stopped', 'Reading was stopped')
      },
    }
  }

  async function insist<Result>(ask: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const trial = createTrial(signal)
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        await trial.failed(error)
      }
    }
  }

  return {
    name: archive.name,
    sites: (period, signal) => insist(() => archive.sites(period, signal), signal),
    readAt: (moment, signal) => insist(() => archive.readAt(moment, signal), signal),
    async *read({ after, upTo }, signal): AsyncGenerator<Chunk> {
      const trial = createTrial(signal)
      let from = after
      while (from < upTo) {
        try {
          for await (const chunk of archive.read({ after: from, upTo }, signal)) {
            trial.succeeded()
            from = chunk.upTo
            yield chunk
          }
        } catch (error) {
          await trial.failed(error)
        }
      }
    },
  }
}
