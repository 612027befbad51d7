/** Instants and durations as people type them. */
import { duration, Unexpected } from '../config/parsers.ts'
import { type Instant, parseInstant } from '../core/time.ts'
import { EXIT_USAGE, ToolError } from './program.ts'

const anyDuration = duration({ min: 1 })

/**
 * `2026-11-21T03:18:17Z`, or so long before now: `-2d`.
 *
 * @throws {ToolError} if it is neither.
 */
export function readInstant(option: string, text: string, now: Instant): Instant {
  const at = text.startsWith('-') ? now - read(option, text.slice(1)) : parseInstant(text)
  if (at === undefined)
    throw new ToolError(
      EXIT_USAGE,
      `Expected an instant such as 2026-11-21T03:00:00Z or -2d after ${option}, got "${text}"`,
    )
  return at
}

/** @throws {ToolError} unless it is a duration such as `5m`. */
export function readDuration(option: string, text: string): number {
  return read(option, text)
}

function read(option: string, text: string): number {
  try {
    return anyDuration(text)
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error
    throw new ToolError(EXIT_USAGE, `Expected ${error.message} after ${option}, got "${text}"`)
  }
}
