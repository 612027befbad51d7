/** Trouble that tells of itself again and again: aloud when it is new, quietly while it goes on. */
import { type Clock, HOUR, type Instant } from '../core/time.ts'

/** What has not been heard for so long is new again. */
const MEMORY = HOUR

/** @returns Says why, as a warning, or for who debugs if the same was said before but for its numbers. */
export function sayNews(
  logger: Record<'warn' | 'debug', (facts: { reason: string }, message: string) => void>,
  clock: Clock,
  message: string,
): (reason: string) => void {
  const heard = new Map<string, Instant>()
  return (reason) => {
    const now = clock.now()
    for (const [each, at] of heard) if (now - at > MEMORY) heard.delete(each)
    const kind = reason.replaceAll(/[\da-f]*\d[\da-f]*/gi, '#')
    logger[heard.has(kind) ? 'debug' : 'warn']({ reason }, message)
    heard.set(kind, now)
  }
}
