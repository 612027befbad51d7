/**
 * How often a client may ask, so that none of them keeps the worker from its work, and how often with a wrong key, so that
 * keys cannot be guessed.
 *
 * A client is an address, for IPv6 a network of 64 bits, which is what one machine gets. What a proxy says about whom it
 * asks for is not believed: anybody may say so. Behind a proxy all clients are one.
 */
import { isIPv6 } from 'node:net'
import type { Middleware } from 'koa'
import { type Clock, type Instant, MINUTE, SECOND } from '../core/time.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Asked, Gate } from './auth.ts'
import { TooManyRequestsError, WrongKeyError } from './errors.ts'

export interface RateLimit {
  /** Counts every request, except to these paths. */
  countRequests(exempt: ReadonlySet<string>): Middleware
  /** The gate for clients that have not shown too many wrong keys; the keys of others are not looked at. */
  guard(gate: Gate): Gate
}

export interface RateLimitOptions {
  /** Requests of a client in a minute; 0 sets no limits. */
  readonly perMinute: number
  readonly clock: Clock
  readonly logger: Logger
}

/** A wrong key counts as much as so many requests. */
const WRONG_KEY = 20

export function createRateLimit({ perMinute, clock, logger }: RateLimitOptions): RateLimit {
  if (perMinute === 0) return { countRequests: () => (_, next) => next(), guard: (gate) => gate }
  const requests = createAllowance(perMinute)
  const wrongKeys = createAllowance(Math.max(1, Math.floor(perMinute / WRONG_KEY)))

  function refuse(wait: number, what: string): never {
    const seconds = Math.ceil(wait / SECOND)
    throw new TooManyRequestsError(`Too many ${what} from this address: wait ${seconds} s.`, seconds)
  }

  return {
    countRequests: (exempt) => (ctx, next) => {
      const wait = exempt.has(ctx.path) ? 0 : requests.take(clientOf(ctx.req), clock.now())
      return wait > 0 ? refuse(wait, 'requests') : next()
    },
    guard: (gate) => (who, request, session) => {
      const client = clientOf(request)
      const wait = who === 'all' || session !== undefined ? 0 : wrongKeys.wait(client, clock.now())
      if (wait > 0) refuse(wait, 'wrong keys')
      try {
        gate(who, request, session)
      } catch (error) {
        if (error instanceof WrongKeyError) note(client)
        throw error
      }
    },
  }

  function note(client: string): void {
    const now = clock.now()
    wrongKeys.take(client, now)
    if (wrongKeys.wait(client, now) > 0)
      logger.warn({ client }, 'Too many wrong keys: no key of this client is looked at')
  }
}

export interface Allowance {
  /** Milliseconds until the client may again; 0 if it may now. */
  wait(client: string, now: Instant): number
  /** The same, and takes one if it may now. */
  take(client: string, now: Instant): number
}

/** The clients that are remembered, those seen last: more would only be remembered for somebody who has many addresses. */
export const MOST_CLIENTS = 10_000

/**
 * So many in a minute for each client, all of them at once if it likes. Of each is kept when it will have all of them again,
 * so a client that is forgotten has lost nothing but its sins.
 */
export function createAllowance(perMinute: number): Allowance {
  const each = MINUTE / perMinute
  const fullAgain = new Map<string, Instant>()

  function debt(client: string, now: Instant): number {
    // A clock that was set back would make somebody wait for longer than a minute.
    return Math.min(Math.max(0, (fullAgain.get(client) ?? now) - now), MINUTE)
  }

  function wait(client: string, now: Instant): number {
    return Math.max(0, debt(client, now) - (MINUTE - each))
  }

  return {
    wait,
    take(client, now) {
      const ms = wait(client, now)
      if (ms > 0) return ms
      const until = now + debt(client, now) + each
      fullAgain.delete(client)
      fullAgain.set(client, until)
      if (fullAgain.size > MOST_CLIENTS) fullAgain.delete(fullAgain.keys().next().value!)
      return 0
    },
  }
}

/** Who asks. The system writes IPv6 addresses in their short form. */
function clientOf({ socket }: Asked): string {
  const address = socket.remoteAddress ?? ''
  if (!isIPv6(address)) return address
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1)
  const [head = '', tail = ''] = address.split('::').map((half) => half.split('%')[0])
  const [first, last] = [head, tail].map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[]]
  const zeros = Array<string>(8 - first.length - last.length).fill('0')
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`
}
