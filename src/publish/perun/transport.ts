/**
 * The way to Perun: HTTP with a login, connections that are kept, and one session for all calls.
 *
 * Without its cookie every call builds a new session in Perun, which costs it a database write and a lock that all its
 * users share; so the cookie is kept.
 */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import got, { RequestError } from 'got'
import { CookieJar } from 'tough-cookie'

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
  /** At most this many calls at a time. */
  readonly connections: number
}

export function createHttpTransport(options: HttpTransportOptions): PerunTransport {
  const { url, login, password, timeout, connections } = options
  const jar = new CookieJar()
  const agentOptions = { keepAlive: true, maxSockets: connections }
  const agent = { http: new HttpAgent(agentOptions), https: new HttpsAgent(agentOptions) }
  const client = got.extend({
    method: 'POST',
    username: login,
    password,
    agent,
    cookieJar: jar,
    // A cookie for another domain, of a balancer on the way, says nothing about the answer it came with.
    ignoreInvalidCookies: true,
    timeout: { request: timeout },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    headers: { 'user-agent': 'credits-worker' },
  })

  return {
    async post({ method, parameters, headers }, receive) {
      const stream = client.stream(`${url}/${method}`, { json: parameters, headers })
      try {
        for await (const piece of stream as AsyncIterable<Buffer>) receive(piece, stream.response!.statusCode)
      } catch (cause) {
        if (cause instanceof RequestError) throw new NoAnswer(cause.code, { cause })
        throw cause
      }
      return stream.response!.statusCode
    },
    async csrfToken() {
      const cookies = await jar.getCookies(url)
      return cookies.find(({ key }) => key === 'XSRF-TOKEN')?.value
    },
    close() {
      agent.http.destroy()
      agent.https.destroy()
    },
  }
}
