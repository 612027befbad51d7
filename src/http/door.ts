/**
 * How people come in with a browser, which sends no key by itself: they give the key once and get a session.
 *
 * A session is a random number in a cookie; the key is not kept. The cookie is sent only by pages of this worker
 * (`SameSite=Strict`) and not shown to scripts. Sessions are in memory: a restart ends them.
 */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, HOUR, type Instant, SECOND } from '../core/time.ts'
import { type Asked, createKeyring, type Gate, type Keys, type Role } from './auth.ts'
import { WrongKeyError } from './errors.ts'

/** Who looks at a page. */
export interface Viewer {
  /** What the session of the browser opens; absent without a session. */
  readonly role: Role | undefined
  /** Its forms have to carry this: pages of strangers cannot know it. */
  readonly token: string
}

export interface Door {
  /** Whether there are keys at all; without, nobody can or has to come in with one. */
  readonly hasKeys: boolean
  viewer(request: Asked): Viewer
  /**
   * Begins a session. @returns The `Set-Cookie` for it.
   *
   * @throws {WrongKeyError} if the key is none of ours, and {TooManyRequestsError} after too many of these.
   */
  enter(key: string, request: Asked): string
  /** Ends the session, if there is one. @returns The `Set-Cookie` that removes it. */
  leave(request: Asked): string
}

export interface DoorOptions {
  readonly keys: Keys
  readonly clock: Clock
  /** Counts wrong keys and refuses whoever has shown too many. */
  readonly guard: (gate: Gate) => Gate
}

export const SESSION_COOKIE = 'credits_session'
/** A working day. */
const SESSION = 12 * HOUR
/** Sessions at a time; the oldest ends when there is one more. */
const MOST_SESSIONS = 1_000

export function createDoor({ keys, clock, guard }: DoorOptions): Door {
  // A writer has nothing to look at.
  const { operator, reader } = keys
  const rolesOf = createKeyring({ operator, reader })
  const sessions = new Map<string, { readonly role: Role; readonly until: Instant }>()
  const secret = randomBytes(32)
  const check = guard((_who, { headers }) => {
    if (rolesOf([String(headers['x-api-key'])]).length === 0) throw new WrongKeyError()
  })
  // What is looked up is a digest, so how long that takes tells nothing about the number.
  const nameOf = (id: string) => hash('sha256', id, 'base64url')

  function roleOf(id: string | undefined): Role | undefined {
    const session = id === undefined ? undefined : sessions.get(nameOf(id))
    return session !== undefined && session.until > clock.now() ? session.role : undefined
  }

  return {
    hasKeys: [operator, reader].some((key) => (key ?? '') !== ''),
    viewer(request) {
      const id = sessionOf(request)
      const role = roleOf(id)
      const token = createHmac('sha256', secret).update(role === undefined ? '' : id!)
      return { role, token: token.digest('base64url') }
    },
    enter(key, request) {
      check('reader', { headers: { 'x-api-key': key }, socket: request.socket })
      const role = rolesOf([key]).includes('operator') ? 'operator' : 'reader'
      const id = randomBytes(32).toString('base64url')
      sessions.set(nameOf(id), { role, until: clock.now() + SESSION })
      if (sessions.size > MOST_SESSIONS) sessions.delete(sessions.keys().next().value!)
      return cookie(id, SESSION / SECOND, request)
    },
    leave(request) {
      const id = sessionOf(request)
      if (id !== undefined) sessions.delete(nameOf(id))
      return cookie('', 0, request)
    },
  }
}

/** Whether two texts are the same, without telling by the time it takes how much of them is. */
export function isSame(one: string, other: string): boolean {
  return timingSafeEqual(hash('sha256', one, 'buffer'), hash('sha256', other, 'buffer'))
}

function sessionOf({ headers }: Asked): string | undefined {
  return new RegExp(`(?:^|; *)${SESSION_COOKIE}=([\\w-]{43})(?:;|$)`).exec(headers.cookie ?? '')?.[1]
}

function cookie(value: string, seconds: number, request: Asked): string {
  const attributes = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`
  return `${SESSION_COOKIE}=${value}; ${attributes}${isOverTls(request) ? '; Secure' : ''}`
}

/** Whether the browser came over https, to a proxy before us. If it lies, it harms only itself. */
function isOverTls({ headers }: Asked): boolean {
  return headers['x-forwarded-proto'] === 'https' || (headers.origin ?? '').startsWith('https:')
}
