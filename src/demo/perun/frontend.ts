/**
 * What stands before Perun's servlet: the proxy that checks the password, and the container's sessions with their cookies.
 *
 * Every request without a valid session cookie makes a new session, which costs a real Perun dear. They are counted, so
 * that a client without a cookie jar is noticed.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallCounter } from './calls.ts'

/** Sessions kept; the oldest is forgotten when there are more. */
const MOST_SESSIONS = 10_000

export class FrontEnd {
  readonly #calls: CallCounter
  readonly #credentials: Buffer
  readonly #csrf: boolean
  /** CSRF tokens by session id. */
  readonly #tokens = new Map<string, string>()

  constructor(login: string, password: string, csrf: boolean, calls: CallCounter) {
    this.#calls = calls
    this.#credentials = digest(`Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`)
    this.#csrf = csrf
  }

  authenticates(request: IncomingMessage): boolean {
    return timingSafeEqual(digest(request.headers.authorization ?? ''), this.#credentials)
  }

  /**
   * Finds or makes the session of a request and sets the cookies the client lacks.
   *
   * @returns Whether the request may pass. With CSRF protection, one that is not a GET has to repeat the token of its cookie
   *   `XSRF-TOKEN` in the header `X-XSRF-TOKEN`.
   */
  admits(request: IncomingMessage, response: ServerResponse): boolean {
    const cookies = cookiesOf(request)
    const known = this.#tokens.get(cookies.get('PERUNSESSION') ?? '')
    const token = known ?? randomBytes(16).toString('hex')
    if (known === undefined) this.#open(token, response)
    if (!this.#csrf) return true
    const cookie = cookies.get('XSRF-TOKEN')
    if (cookie !== token) response.appendHeader('set-cookie', `XSRF-TOKEN=${token}; Path=/; SameSite=Strict`)
    return request.method === 'GET' || (cookie === token && request.headers['x-xsrf-token'] === token)
  }

  #open(token: string, response: ServerResponse): void {
    const id = randomBytes(16).toString('hex').toUpperCase()
    this.#calls.sessions += 1
    this.#tokens.set(id, token)
    if (this.#tokens.size > MOST_SESSIONS) this.#tokens.delete(this.#tokens.keys().next().value!)
    response.appendHeader('set-cookie', `PERUNSESSION=${id}; Path=/; HttpOnly; SameSite=Strict`)
  }
}

/** Texts of any length become comparable without telling by the time it takes where they differ. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function cookiesOf(request: IncomingMessage): Map<string, string> {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  return new Map(pairs.map(([name = '', value = '']) => [name, value]))
}
