/**
 * Reads what is to change about log levels. Only levels can change: nothing in a body is ever run or opened, whatever else
 * it holds.
 *
 * Three notations are understood: some levels by name, one logger, and the configuration that the old service took
 * (Python's `dictConfig`). Of that one the levels count; its formatters, handlers and filters have no meaning here and are
 * named as ignored, and so are loggers of the old service whose work nobody does here. A body is understood as a whole or
 * refused as a whole.
 */
import { HOUR, MINUTE, SECOND } from '../core/time.ts'
import { INHERIT, type Level, levelNames, loggerNames } from '../telemetry/logger.ts'
import { BadRequestError } from './errors.ts'
import { describe, objectOf } from './json.ts'

/** A level, or that of the root. */
type OwnLevel = Level | typeof INHERIT

export interface LogChange {
  /** By the name of the logger, or `root`, which never inherits. None only if all that were named are ignored. */
  readonly levels: ReadonlyMap<string, OwnLevel>
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
  return { ...readLevels(fields), forMs: time === undefined ? undefined : readTime(time) }
}

function readLevels(fields: Fields): Levels {
  if (fields.levels !== undefined) return byName(fields)
  if (fields.logger !== undefined) return ofOneLogger(fields)
  return ofDictConfig(fields)
}

function byName(fields: Fields): Levels {
  refuseOthers(fields, ['levels'])
  const named = Object.entries(objectOf(fields.levels, 'levels'))
  requireLevel(named.length > 0)
  const levels = named.flatMap(([name, level]) =>
    namesOf(name).map((own) => [own, levelFor(own, level, name)] as const),
  )
  return { levels: new Map(levels), ignored: [] }
}

function ofOneLogger(fields: Fields): Levels {
  refuseOthers(fields, ['logger', 'level'])
  const levels = namesOf(fields.logger).map((name) => [name, levelFor(name, fields.level, 'level')] as const)
  return { levels: new Map(levels), ignored: [] }
}

function requireLevel(isThere: boolean): void {
  if (!isThere) throw new BadRequestError(`Expected a level to set, as in ${EXAMPLE}, got none.`)
}

/** What `dictConfig` takes besides levels. */
export const OLD_KEYS = ['formatters', 'filters', 'handlers', 'incremental', 'disable_existing_loggers']

function ofDictConfig(fields: Fields): Levels {
  refuseOthers(fields, ['version', 'root', 'loggers', ...OLD_KEYS])
  if (fields.version !== undefined && fields.version !== '1') {
    throw new BadRequestError(`version: expected 1, got ${describe(fields.version)}.`)
  }
  // The root comes first: the old service's `os_credits` means the same here, and there it went before the root.
  const root = fields.root === undefined ? [] : [readOldLogger(ROOT, ROOT, fields.root)]
  const loggers = Object.entries(objectOf(fields.loggers ?? {}, 'loggers'))
  const all = [...root, ...loggers.map(([name, given]) => readOldLogger(name, `loggers.${name}`, given))]
  requireLevel(all.some(({ namesLevel }) => namesLevel))
  const ignored = OLD_KEYS.filter((key) => fields[key] !== undefined)
  return {
    levels: new Map(all.flatMap((logger) => logger.levels)),
    ignored: [...ignored, ...all.flatMap((logger) => logger.ignored)],
  }
}

/** Who takes the level of an old logger; where nobody does, or the root has nothing to inherit, it is ignored. */
function readOldLogger(name: string, place: string, given: unknown) {
  const { level: text, ...others } = objectOf(given, place)
  const names = namesOfOld(name)
  const ignored = Object.keys(others).map((key) => `${place}.${key}`)
  if (text === undefined) return { namesLevel: false, levels: [], ignored }
  const level = levelOf(text, `${place}.level`)
  const takers = level === INHERIT ? names.filter((own) => own !== ROOT) : names
  if (takers.length === 0) ignored.unshift(`${place}.level`)
  return { namesLevel: true, levels: takers.map((own) => [own, level] as const), ignored }
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
  ['os_credits.tasks', ['billing', 'publish']],
  ['os_credits.internal', ['service', 'config']],
  ['os_credits.requests', ['perun']],
  ['os_credits.influxdb', ['scrape', 'ledger']],
])

/**
 * As `namesOf`, but nobody for a logger of the old service that is not known. Python's names are paths: the work of one
 * is done by who does that of the nearest known one above it, or by the logger here that it is named after.
 */
function namesOfOld(name: string): readonly string[] {
  const [first, ...rest] = name.split('.')
  if (first !== 'os_credits' || rest.length === 0) return namesOf(name)
  const above = rest.map((_, index) => [first, ...rest.slice(0, rest.length - index)].join('.'))
  const known = above.find((path) => oldNames.has(path))
  return known === undefined ? loggerNames.filter((own) => own === rest[0]) : oldNames.get(known)!
}

function namesOf(name: unknown): readonly string[] {
  const known: readonly string[] = [ROOT, ...loggerNames]
  if (typeof name === 'string' && known.includes(name)) return [name]
  const own = typeof name === 'string' ? oldNames.get(name) : undefined
  if (own !== undefined) return own
  throw new BadRequestError(`There is no logger ${describe(name)}; there are ${known.join(', ')}.`)
}

/** The levels of Python, by name and by number. */
const oldLevels = new Map<string, OwnLevel>([
  ['critical', 'fatal'],
  ['warning', 'warn'],
  ['notset', INHERIT],
  ['50', 'fatal'],
  ['40', 'error'],
  ['30', 'warn'],
  ['20', 'info'],
  ['10', 'debug'],
  ['0', INHERIT],
])

function levelOf(given: unknown, place: string): OwnLevel {
  const text = typeof given === 'string' ? given.toLowerCase() : ''
  const level = [...levelNames, INHERIT].find((name) => name === text) ?? oldLevels.get(text)
  if (level !== undefined) return level
  throw new BadRequestError(`${place}: expected one of ${levelNames.join(', ')} or ${INHERIT}, got ${describe(given)}.`)
}

/** As `levelOf`, but refuses that the root inherits: there is nothing above it. */
function levelFor(name: string, given: unknown, place: string): OwnLevel {
  const level = levelOf(given, place)
  if (name !== ROOT || level !== INHERIT) return level
  throw new BadRequestError(`${place}: the root cannot inherit; expected one of ${levelNames.join(', ')}.`)
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
