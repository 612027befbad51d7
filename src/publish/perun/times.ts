/** The timestamps of a group at a site: for each metric, until when it is charged. */
import { formatPerunTimestamp, type Instant, parsePerunTimestamp } from '../../core/time.ts'

/** Those that can be read. */
export function parseTimestamps(timestamps: Readonly<Record<string, string>>): Record<string, Instant> {
  return Object.fromEntries(
    Object.entries(timestamps).flatMap(([metric, text]) => {
      const at = parsePerunTimestamp(text)
      return at === undefined ? [] : [[metric, at]]
    }),
  )
}

export function latest(watermarks: Readonly<Record<string, Instant>>): Instant {
  return Math.max(0, ...Object.values(watermarks))
}

/** Timestamps of metrics that are not ours stay as they are: Perun replaces a map as a whole. */
export function mergeTimestamps(
  shown: Readonly<Record<string, string>>,
  watermarks: Readonly<Record<string, Instant>>,
): Record<string, string> {
  const own = Object.entries(watermarks).map(([metric, at]) => [metric, formatPerunTimestamp(at)])
  return { ...shown, ...Object.fromEntries(own) }
}
