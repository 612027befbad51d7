/**
 * Reads what is to change about log levels. Only levels can change: nothing in a body is ever run or opened, whatever else
 * it holds.
 *
 * Three notations are understood: some levels by name, one logger, and the configuration that the old service took
 * (Python's `dictConfig`). Of that one the levels count; its formatters, handlers and filters have no meaning here and are
 * named as ignored. A body is understood as a whole or refused as a whole.
 */
import { HOUR, MINUTE, SECOND } from '../core/time.ts'
import { type Level, levelNames, loggerNames } from '../telemetry/logger.ts'
import { BadRequestError } from './errors.ts'
import { describe, objectOf } from './json.ts'

export interface LogChange {
  /** By the name of the logger, or `root`. At least one. */
  readonly levels: ReadonlyMap<string, Level>
  /** For how long, in milliseconds; without it, until it is changed again. */
  readonly forMs: number | undefined
  /** What of the body has no meaning here. */
  readonly ignored: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>
type Levels = Pick<LogChange, 'levels' | 'ignored'>

/** The logger that all others follow until they have a level of their own. */
const ROOT = 'root'

const EXAMPLE = '{"levels": {"perun": "debug"}, "for": "10m"}'

/** @throws {BadRequestError} if any of it is not understood. */
export function readLogChange(body: unknown): LogChange {
  const { for: time, ...fields } = objectOf(body, 'The body')
  const change = readLevels(fields)
  if (change.levels.size === 0) throw new BadRequestError(`Expected a level to set, as in ${EXAMPLE}, got none.`)
  return { ...change, forMs: time === undefined ? undefined : readTime(time) }
}

function readLevels(fields: Fields): Levels {
  if (fields.levels !== undefined) return byName(fields)
  if (fields.logger !== undefined) return ofOneLogger(fields)
  return ofDictConfig(fields)
}

function byName(fields: Fields): Levels {
  refuseOthers(fields, ['levels'])
  const named = Object.entries(objectOf(fields.levels, 'levels'))
  const levels = named.flatMap(([name, level]) => namesOf(name).map((own) => [own, levelOf(level, name)] as const))
  return { levels: new Map(levels), ignored: [] }
}

function ofOneLogger(fields: Fields): Levels {
  refuseOthers(fields, ['logger', 'level'])
  const level = levelOf(fields.level, 'level')
  return { levels: new Map(namesOf(fields.logger).map((name) => [name, level])), ignored: [] }
}

/** What `dictConfig` takes besides levels. */
const OLD_KEYS = ['formatters', 'filters', 'handlers', 'incremental', 'disable_existing_loggers']

function ofDictConfig(fields: Fields): Levels {
  refuseOthers(fields, ['version', 'root', 'loggers', ...OLD_KEYS])
  if (fields.version !== undefined && fields.version !== '1') {
    throw new BadRequestError(`version: expected 1, got ${describe(fields.version)}.`)
  }
  const levels = new Map<string, Level>()
  const ignored = OLD_KEYS.filter((key) => fields[key] !== undefined)
  // The root comes first: the old service's `os_credits` means the same here, and there it went before the root.
  const loggers = Object.entries(objectOf(fields.loggers ?? {}, 'loggers'))
  const root = fields.root === undefined ? [] : [[ROOT, fields.root] as const]
  for (const [name, given] of [...root, ...loggers]) {
    const place = name === ROOT ? ROOT : `loggers.${name}`
    const { level, ...others } = objectOf(given, place)
    for (const own of namesOf(name)) if (level !== undefined) levels.set(own, levelOf(level, `${place}.level`))
    ignored.push(...Object.keys(others).map((key) => `${place}.${key}`))
  }
  return { levels, ignored }
}

function refuseOthers(fields: Fields, known: readonly string[]): void {
  const other = Object.keys(fields).find((key) => !known.includes(key))
  if (other === undefined) return
  throw new BadRequestError(`${describe(other)} is not understood together with the rest; an example is ${EXAMPLE}.`)
}

/** The loggers of the old service, and who does their work here. */
const oldNames = new Map<string, readonly string[]>([
  ['', [ROOT]],
  ['os_credits', [ROOT]],
  ['os_credits.tasks', ['intake', 'billing', 'outbox', 'publish']],
  ['os_credits.internal', ['service', 'config']],
  ['os_credits.requests', ['perun']],
  ['os_credits.influxdb', ['scrape', 'ledger']],
])

function namesOf(name: unknown): readonly string[] {
  const known: readonly string[] = [ROOT, ...loggerNames]
  if (typeof name === 'string' && known.includes(name)) return [name]
  const own = typeof name === 'string' ? oldNames.get(name) : undefined
  if (own !== undefined) return own
  throw new BadRequestError(`There is no logger ${describe(name)}; there are ${known.join(', ')}.`)
}

/** The levels of Python, by name and by number. */
const oldLevels = new Map<string, Level>([
  ['critical', 'fatal'],
  ['warning', 'warn'],
  ['notset', 'trace'],
  ['50', 'fatal'],
  ['40', 'error'],
  ['30', 'warn'],
  ['20', 'info'],
  ['10', 'debug'],
  ['0', 'trace'],
])

function levelOf(given: unknown, place: string): Level {
  const text = typeof given === 'string' ? given.toLowerCase() : ''
  const level = levelNames.find((name) => name === text) ?? oldLevels.get(text)
  if (level !== undefined) return level
  throw new BadRequestError(`${place}: expected one of ${levelNames.join(', ')}, got ${describe(given)}.`)
}

const units: Readonly<Record<string, number>> = { s: SECOND, m: MINUTE, h: HOUR }
const LONGEST = 24 * HOUR

/** `90s`, `10m`, `1.5h`, or a number of seconds; in milliseconds. */
function readTime(given: unknown): number {
  const text = typeof given === 'string' ? given : ''
  const [, number, unit = 's'] = /^(\d{1,6}(?:\.\d{1,3})?)(s|m|h)?$/.exec(text) ?? []
  const ms = Math.round(Number(number) * units[unit]!)
  if (ms >= SECOND && ms <= LONGEST) return ms
  throw new BadRequestError(`for: expected a time from 1s to 24h, such as 10m, or seconds, got ${describe(given)}.`)
}
