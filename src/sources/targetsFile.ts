/**
 * Reads the file of targets again while the worker runs, and has its targets exchanged when it changed.
 *
 * All of it is read every few seconds and compared with what was there before. So it does not matter whether an editor writes
 * it or puts another file in its place, whether a mount exchanges a link that leads to it, or whether it is on another machine:
 * notifications of a file system miss one or the other of these. What is being written is not taken by halves: a change counts
 * when two looks in a row find the same.
 *
 * A file with any problem changes nothing. The targets stay as they are until it can be used again, and its problems are told
 * by the log once, and by `status()` as long as there are some.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, type Instant, SECOND } from '../core/time.ts'
import type { Logger } from '../telemetry/logger.ts'

/** Addresses of targets, without login and query. */
export interface TargetsChange {
  readonly added: string[]
  readonly removed: string[]
  readonly relabelled: string[]
}

export interface TargetsFileOptions<Targets> {
  readonly path: string
  /** Gives all that is in the file now. */
  readonly readFile: (path: string) => Promise<string>
  /** What it means; `content` throws if the file could not be read. */
  readonly parse: (content: () => string) => { readonly targets: Targets; readonly problems: readonly string[] }
  readonly apply: (targets: Targets) => TargetsChange
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds between two looks at a file that does not change; `POLL` if not given. */
  readonly poll?: number | undefined
}

export interface TargetsFileStatus {
  readonly path: string
  /** All that is wrong with it, and where; nothing is if its targets are those that are scraped. */
  readonly problems: readonly string[]
  /** Since when that is so. */
  readonly since: Instant
}

export interface TargetsFileWatch {
  status(): TargetsFileStatus
  /** To be called once, when the targets of the file are scraped. */
  start(): void
  /** From now on nothing is exchanged any more. */
  stop(): void
}

/** How soon a change is seen, in milliseconds. */
const POLL = 5 * SECOND

/** The content, or why there is none. */
type Seen = { readonly text: string } | { readonly error: Error }

export function createTargetsFileWatch<Targets>(options: TargetsFileOptions<Targets>): TargetsFileWatch {
  const { path, readFile, parse, apply, clock, logger, poll = POLL } = options
  const stopping = new AbortController()
  let status: TargetsFileStatus = { path, problems: [], since: clock.now() }
  /** What counted last. */
  let known: Seen | undefined
  /** What the last look found, if it was something else: it counts if the next one finds it too. */
  let fresh: Seen | undefined

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const seen = await readFile(path).then(
        (text) => ({ text }),
        (error: unknown) => ({ error: asError(error) }),
      )
      if (stopping.signal.aborted) return
      const counts = isSame(seen, fresh)
      fresh = isSame(seen, known) || counts ? undefined : seen
      if (counts) take(seen)
      // Being stopped is the only way that this fails.
      await sleep(fresh === undefined ? poll : Math.min(poll, SECOND), undefined, { signal: stopping.signal }).catch(
        () => undefined,
      )
    }
  }

  function take(seen: Seen): void {
    known = seen
    const wasBroken = status.problems.length > 0
    const { problems, change } = exchange(() => textOf(seen))
    if (problems.length > 0) {
      status = { path, problems, since: clock.now() }
      logger.error({ path, problems }, 'The file of targets cannot be used: the targets stay as they are')
      return
    }
    const isChange = Object.values(change).some((some) => some.length > 0)
    if (isChange || wasBroken) status = { path, problems, since: clock.now() }
    if (wasBroken) logger.warn({ path, ...change }, 'The file of targets can be used again')
    else if (isChange) logger.info({ path, ...change }, 'The file of targets was read again')
  }

  function exchange(content: () => string): { problems: readonly string[]; change: TargetsChange } {
    const none: TargetsChange = { added: [], removed: [], relabelled: [] }
    try {
      const { targets, problems } = parse(content)
      return { problems, change: problems.length > 0 ? none : apply(targets) }
    } catch (error) {
      return { problems: [asError(error).message], change: none }
    }
  }

  return {
    status: () => status,
    start: () => void run(),
    stop: () => stopping.abort(),
  }
}

function isSame(one: Seen, other: Seen | undefined): boolean {
  if (other === undefined) return false
  if ('text' in one) return 'text' in other && one.text === other.text
  return 'error' in other && one.error.message === other.error.message
}

function textOf(seen: Seen): string {
  if ('error' in seen) throw seen.error
  return seen.text
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
