/**
 * The log: one JSON line for each event on stdout, or coloured text when a person is looking at a terminal.
 *
 * Each part of the worker has a logger with its name. A logger follows the level of the root until it is given its own;
 * a level can be set for a limited time, after which the one before it returns. Every line carries the id of the task
 * it belongs to, and no line carries a secret or a mail address (`redaction.ts`). An error goes into the field `err`.
 *
 * Lines are written synchronously: what was logged before a crash is there after it.
 */
import pino, { type DestinationStream, type LevelWithSilent, type Logger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { currentTask } from './context.ts'
import { createRedaction } from './redaction.ts'

export type { Logger } from 'pino'

/** From the most talkative to none: `trace`, `debug`, `info`, `warn`, `error`, `fatal`, `silent`. */
export type Level = LevelWithSilent

export const levelNames = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies Level[]

export const loggerNames = [
  'service',
  'config',
  'scrape',
  'push',
  'billing',
  'ledger',
  'publish',
  'perun',
  'notify',
  'catchup',
  'http',
] as const

export type LoggerName = (typeof loggerNames)[number]

/** The name of the level that all loggers follow which have none of their own. */
const ROOT = 'root'

/** In the place of a level: the logger has none of its own any more and follows the root. */
export const INHERIT = 'inherit' as const

/** The longest time a timer can wait, in ms: about 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1

export interface Logging {
  logger(name: LoggerName): Logger
  /** The level in force of the root and of each logger. */
  levels(): Record<string, Level>
  /**
   * Sets the level of the root, of all that follow it, or of one logger, which from then on has its own; with `inherit`
   * it follows the root again. With `forMs` this lasts that many milliseconds; then what lasts returns, whatever other
   * levels for a time came in between.
   *
   * @throws {RangeError} if there is no such logger or level, if the root is to inherit, or if `forMs` is not from 1 to
   *   2³¹ − 1.
   */
  setLevel(name: string, level: string, forMs?: number): void
  /** From now on these texts are not in any line. */
  redact(secrets: Iterable<string>): void
  /** Ends every level that was set for a time and writes what is still to be written. Logging goes on to work. */
  close(): void
}

export interface LoggingOptions {
  readonly level: Level
  /** Where lines go instead of stdout. */
  readonly destination?: DestinationStream
  /** Text for people instead of JSON; without it, when stdout is a terminal and no `destination` is given. */
  readonly pretty?: boolean
}

export function createLogging({ level, destination, pretty: isPretty }: LoggingOptions): Logging {
  const out = destination ?? pino.destination({ fd: 1, sync: true })
  const isForPeople = isPretty ?? (destination === undefined && process.stdout.isTTY === true)
  const redaction = createRedaction()
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      mixin: taskOfLine,
      hooks: { streamWrite: redaction.clean },
    },
    isForPeople ? inColour(out) : out,
  )
  const loggers = new Map(loggerNames.map((name) => [name, root.child({ logger: name })]))
  const levels = levelTable(level, (name, inForce) => {
    loggers.get(name)!.level = inForce
  })

  return {
    logger: (name) => loggers.get(name)!,
    levels: levels.inForce,
    setLevel: levels.set,
    redact: redaction.add,
    close() {
      levels.endTimers()
      if ('flushSync' in out && typeof out.flushSync === 'function') out.flushSync()
    },
  }
}

function inColour(out: DestinationStream): DestinationStream {
  const format = prettyFactory({ colorize: true, ignore: 'logger', messageFormat: '[{logger}] {msg}' })
  return { write: (line) => out.write(format(line)) }
}

/**
 * Which level is in force where. The levels that last and those for a time are kept apart, so that the end of a time
 * brings back what lasts and not what happened to be set when it began.
 */
function levelTable(rootLevel: Level, apply: (name: LoggerName, level: Level) => void) {
  const lasting = new Map<string, Level | typeof INHERIT>([[ROOT, rootLevel]])
  const temporary = new Map<string, { level: Level | typeof INHERIT; timer: NodeJS.Timeout }>()
  const own = (name: string) => temporary.get(name)?.level ?? lasting.get(name) ?? INHERIT
  const levelOf = (name: string): Level => {
    const level = own(name)
    return level === INHERIT ? levelOf(ROOT) : level
  }
  const applyAll = () => {
    for (const name of loggerNames) apply(name, levelOf(name))
  }

  const endTemporary = (name: string) => {
    clearTimeout(temporary.get(name)?.timer)
    temporary.delete(name)
  }

  return {
    inForce: () => Object.fromEntries([ROOT, ...loggerNames].map((name) => [name, levelOf(name)])),
    set(name: string, level: string, forMs?: number) {
      if (name !== ROOT && !isOneOf(loggerNames, name)) throw new RangeError(`There is no logger "${name}"`)
      if (!isOneOf(name === ROOT ? levelNames : [...levelNames, INHERIT], level)) {
        throw new RangeError(`There is no level "${level}" for "${name}"`)
      }
      if (forMs !== undefined && !(forMs >= 1 && forMs <= LONGEST_TIMER)) {
        throw new RangeError(`Expected a time from 1 to ${LONGEST_TIMER} ms, got ${forMs}`)
      }
      endTemporary(name)
      if (forMs === undefined) lasting.set(name, level)
      else temporary.set(name, { level, timer: setTimeout(end, forMs, name).unref() })
      applyAll()
    },
    endTimers() {
      for (const name of [...temporary.keys()]) endTemporary(name)
      applyAll()
    },
  }

  function end(name: string) {
    endTemporary(name)
    applyAll()
  }
}

function isOneOf<T extends string>(names: readonly T[], text: string): text is T {
  return (names as readonly string[]).includes(text)
}

function taskOfLine(): { task?: string } {
  const task = currentTask()
  return task === undefined ? {} : { task }
}

/** Errors of HTTP clients carry whole requests with their headers: only what explains the error is written. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  const deeper = depth < 5 && cause !== undefined ? describeError(cause, depth + 1) : undefined
  return { type: name, message, code, stack, cause: deeper }
}
