/** Instants and durations. An instant is milliseconds since 1970-01-01T00:00:00Z; local time does not exist in here. */

/** Milliseconds since the Unix epoch, UTC. */
export type Instant = number

/** The last instant that a JavaScript date can be; the first is as far before 1970. */
export const LATEST: Instant = 8.64e15

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** What the program is given instead of `Date.now`, so that tests own the time. */
export interface Clock {
  now(): Instant
}

export const systemClock: Clock = { now: () => Date.now() }

/** `2026-11-21T03:18:17.293Z`. */
export function formatInstant(at: Instant): string {
  return new Date(at).toISOString()
}

/** `2026-11-21 03:18:17.293000`: how Perun's timestamps are written, always UTC, microseconds as the old service wrote them. */
export function formatPerunTimestamp(at: Instant): string {
  return `${formatInstant(at).replace('T', ' ').slice(0, -1)}000`
}

/**
 * Reads what `formatPerunTimestamp` writes, with zero to six decimals; parts below a millisecond are dropped.
 *
 * @returns `undefined` if `text` is not such a timestamp or names a day that does not exist.
 */
export function parsePerunTimestamp(text: string): Instant | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?Z?$/.exec(text)
  if (match === null) return undefined
  const at = Date.parse(`${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(3, '0').slice(0, 3)}Z`)
  return Number.isNaN(at) || !formatInstant(at).startsWith(match[1]!) ? undefined : at
}

/**
 * Reads an instant a person writes: `2026-11-21`, `2026-11-21 03:18:17` (UTC) or with `T`, decimals and a zone.
 *
 * @returns `undefined` if it is none.
 */
export function parseInstant(text: string): Instant | undefined {
  const match = /^\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text)
  if (match === null) return undefined
  const withTime = text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T')
  const at = Date.parse(match[1] === undefined ? `${withTime}Z` : withTime)
  if (Number.isNaN(at)) return undefined
  // JavaScript takes 30 February for 2 March; people mean a mistake.
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`)
  return Number.isNaN(day.getTime()) || !day.toISOString().startsWith(text.slice(0, 10)) ? undefined : at
}

/** `2 days, 3:04:05` or `3:04:05`, as the old service showed its uptime. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / SECOND)
  const days = Math.floor(seconds / 86_400)
  const two = (n: number) => String(n).padStart(2, '0')
  const clock = `${Math.floor((seconds % 86_400) / 3_600)}:${two(Math.floor((seconds % 3_600) / 60))}:${two(seconds % 60)}`
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`
}
