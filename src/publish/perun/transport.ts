/**
 * The way to Perun: HTTP with a login, connections that are kept, and one session for all calls.
 *
 * Without its cookie every call builds a new session in Perun, which costs it a database write and a lock that all its
 * users share; so the cookie is kept.
 */
import { CookieJar } from 'tough-cookie'
import { Pool } from 'undici'

export interface PerunRequest {
  /** Manager and method, such as `groupsManager/getGroupByName`. */
  readonly method: string
  readonly parameters: object
  readonly headers: Readonly<Record<string, string>>
}

export interface PerunTransport {
  /**
   * Posts the parameters as JSON. `receive` gets the body of the answer while it arrives, and the status with each piece.
   *
   * @returns The status, once all of the answer is there.
   * @throws {NoAnswer} if it does not come, or not whole. Perun may have done what it was asked for, or do it later.
   */
  post(request: PerunRequest, receive: (piece: Buffer, status: number) => void): Promise<number>
  /** What a front end with CSRF protection handed out, if it did. */
  csrfToken(): Promise<string | undefined>
  close(): void
}

/** There was no answer; `code` says why: `ECONNREFUSED`, `ETIMEDOUT`. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly code: string

  constructor(code: string, options?: ErrorOptions) {
    super(`No answer (${code})`, options)
    this.code = code
  }
}

export interface HttpTransportOptions {
  /** Up to and including `/rpc/json`. */
  readonly url: string
  readonly login: string
  readonly password: string
  /** Milliseconds until a call is given up; its outcome is unknown then. */
  readonly timeout: number
  /** At most this many calls at a time; others wait, after all that was looked at before a call. */
  readonly connections: number
}

/**
 * A round is ten thousand calls, and they cost the worker more than all it decides about them. undici takes some 0.4 ms of
 * CPU less for each than got, which the other requests of the worker are made with.
 */
export function createHttpTransport(options: HttpTransportOptions): PerunTransport {
  const { url, login, password, timeout, connections } = options
  const { origin, pathname } = new URL(url)
  const jar = new CookieJar()
  // Our own timer ends all of a call; these would only end a part of it. With HTTP/2 all calls share a connection, and one
  // that a firewall forgot takes every call with it for minutes; and a call could be sent again without us knowing.
  const limits = { connections, headersTimeout: 0, bodyTimeout: 0, connect: { timeout } }
  const pool = new Pool(origin, { ...limits, allowH2: false })
  const ours = {
    authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`,
    'content-type': 'application/json',
    'user-agent': 'credits-worker',
  }

  async function begin({ method, headers }: PerunRequest, body: string, signal: AbortSignal) {
    const cookie = jar.getCookieStringSync(url)
    const answer = await pool.request({
      method: 'POST',
      path: `${pathname}/${method}`,
      headers: { ...ours, ...headers, ...(cookie !== '' && { cookie }) },
      body,
      signal,
    })
    for (const each of [answer.headers['set-cookie'] ?? []].flat()) await keep(each)
    return answer
  }

  /** A cookie for another domain, of a balancer on the way, says nothing about the answer it came with. */
  async function keep(cookie: string): Promise<void> {
    await jar.setCookie(cookie, url, { ignoreError: true }).catch(() => undefined)
  }

  return {
    async post(request, receive) {
      const text = JSON.stringify(request.parameters)
      const given = new AbortController()
      const timer = setTimeout(() => given.abort(new NoAnswer('ETIMEDOUT')), timeout)
      let refusal: unknown
      try {
        const { statusCode, body } = await begin(request, text, given.signal)
        for await (const piece of body as AsyncIterable<Buffer>) {
          try {
            receive(piece, statusCode)
          } catch (error) {
            refusal = error
            throw error
          }
        }
        return statusCode
      } catch (cause) {
        throw cause === refusal ? cause : noAnswer(cause as Error)
      } finally {
        clearTimeout(timer)
      }
    },
    async csrfToken() {
      const cookies = await jar.getCookies(url)
      return cookies.find(({ key }) => key === 'XSRF-TOKEN')?.value
    },
    close() {
      void pool.destroy()
    },
  }
}

function noAnswer(cause: Error & { code?: unknown }): NoAnswer {
  if (cause instanceof NoAnswer) return cause
  const code = typeof cause.code === 'string' ? cause.code : cause.name
  return new NoAnswer(words[code] ?? code, { cause })
}

/** The system's words for what undici has its own for. */
const words: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  UND_ERR_SOCKET: 'ECONNRESET',
}
