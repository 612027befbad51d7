/**
 * Calls Perun's RPC: POST with a JSON object, the token of a session that wants one, both shapes of its errors.
 *
 * How the bytes get there is the transport's (`transport.ts`); what they mean is here.
 */
import { createCutter } from './elements.ts'
import { createHttpTransport, type HttpTransportOptions, NoAnswer } from './transport.ts'

/** What can be done about a failed call. */
export type PerunFailure =
  /** Perun or the way to it is down, or it could not do it now. The outcome of a write is unknown. */
  | 'unavailable'
  /** The login is not accepted or has no right to do this. */
  | 'forbidden'
  /** Perun understood and says no: asking again changes nothing. */
  | 'refused'

/** A call failed. `exception` is Perun's own word for it, such as `GroupNotExistsException`, or ours where it has none. */
export class PerunError extends Error {
  override readonly name = 'PerunError'
  readonly code = 'ERR_PERUN'
  readonly failure: PerunFailure
  readonly exception: string
  readonly call: string

  constructor(call: string, failure: PerunFailure, exception: string, options?: ErrorOptions) {
    // Perun's own message repeats values such as mail addresses, so it is not ours.
    super(`Perun ${failure === 'unavailable' ? 'could not answer' : 'refused'} ${call} (${exception})`, options)
    this.call = call
    this.failure = failure
    this.exception = exception
  }

  /** Whether Perun itself says that something went wrong while it did this; it may be well otherwise. */
  get isTrouble(): boolean {
    return troubles.has(this.exception)
  }
}

export interface PerunRpcOptions extends HttpTransportOptions {
  readonly onCall?: (call: { method: string; outcome: 'ok' | PerunFailure; seconds: number }) => void
}

export interface PerunRpc {
  /**
   * @param method Manager and method, such as `groupsManager/getGroupByName`.
   * @param beforeSend Called at once before the call is sent; `isAgain` if it was turned away for want of a newer token and is sent
   *   again. What it throws keeps it from being sent.
   * @throws {PerunError}
   */
  call(method: string, parameters: object, beforeSend?: (isAgain: boolean) => void): Promise<unknown>
  /** The same for a method that answers with a long array: `visit` gets one element after another. */
  each(method: string, parameters: object, visit: (element: unknown) => void): Promise<void>
  close(): void
}

const forbidden = new Set([
  'PrivilegeException',
  'UserNotExistsException',
  'MfaPrivilegeException',
  'MFAuthenticationException',
  'MfaTimeoutException',
  'MfaRoleTimeoutException',
])

/** Perun's words for "something went wrong in here": its database, mostly. */
const troubles = new Set(['InternalErrorException', 'ConsistencyErrorException', 'UNCATCHED_EXCEPTION'])

/** Bytes. All groups of a site, without their attributes, are the longest answer that comes as a whole. */
const LARGEST_ANSWER = 64 * 1_024 * 1_024

/** An error of Perun is one object; more than this is a page of somebody else's. */
const MOST_PIECES_OF_AN_ERROR = 16

export function createPerunRpc(options: PerunRpcOptions, transport = createHttpTransport(options)): PerunRpc {
  const { onCall } = options

  /** Makes a call and hands its answer over piece by piece. */
  async function post(
    method: string,
    parameters: object,
    take: (piece: Buffer) => void,
    beforeSend?: (isAgain: boolean) => void,
  ): Promise<void> {
    const token = await transport.csrfToken()
    beforeSend?.(false)
    const answer = await send(method, parameters, take, headersWith(token))
    if (answer === undefined) return
    const newer = answer.status === 403 ? await transport.csrfToken() : undefined
    if (newer === undefined || newer === token) throw errorOf(method, answer)
    beforeSend?.(true)
    const second = await send(method, parameters, take, headersWith(newer))
    if (second !== undefined) throw errorOf(method, second)
  }

  /** Returns the answer if it is an error; its pieces are not handed over then. */
  async function send(
    method: string,
    parameters: object,
    take: (piece: Buffer) => void,
    headers: Record<string, string>,
  ): Promise<Answer | undefined> {
    const error: Buffer[] = []
    const receive = (piece: Buffer, status: number) => {
      if (status === 200) take(piece)
      else if (error.length < MOST_PIECES_OF_AN_ERROR) error.push(piece)
    }
    try {
      const status = await transport.post({ method, parameters, headers }, receive)
      return status === 200 ? undefined : { status, body: Buffer.concat(error) }
    } catch (cause) {
      if (cause instanceof NoAnswer) throw new PerunError(method, 'unavailable', cause.code, { cause })
      throw cause
    }
  }

  async function answerTo(
    method: string,
    parameters: object,
    beforeSend?: (isAgain: boolean) => void,
  ): Promise<unknown> {
    const pieces: Buffer[] = []
    let size = 0
    const take = (piece: Buffer) => {
      size += piece.length
      if (size > LARGEST_ANSWER) throw new PerunError(method, 'unavailable', `more than ${LARGEST_ANSWER} bytes`)
      pieces.push(piece)
    }
    await post(method, parameters, take, beforeSend)
    const body = Buffer.concat(pieces)
    const result = parse(method, body)
    if (isError(result)) throw errorOf(method, { status: 200, body })
    return result
  }

  async function observed<Result>(method: string, work: () => Promise<Result>): Promise<Result> {
    const begun = performance.now()
    const tell = (outcome: 'ok' | PerunFailure) =>
      onCall?.({ method, outcome, seconds: (performance.now() - begun) / 1_000 })
    try {
      const result = await work()
      tell('ok')
      return result
    } catch (error) {
      if (error instanceof PerunError) tell(error.failure)
      throw error
    }
  }

  return {
    call: (method, parameters, beforeSend) => observed(method, () => answerTo(method, parameters, beforeSend)),
    each: (method, parameters, visit) =>
      observed(method, async () => {
        const cutter = createCutter((element) => visit(parse(method, element)))
        await post(method, parameters, cutter.push)
        if (!cutter.isWhole()) throw new PerunError(method, 'unavailable', 'not a whole JSON array')
      }),
    close: () => transport.close(),
  }
}

/** A front end with CSRF protection hands its token out as a cookie and wants it back as a header. */
function headersWith(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { 'x-xsrf-token': token }
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

function errorOf(method: string, { status, body }: Answer): PerunError {
  const exception = exceptionOf(body)
  return new PerunError(method, failureOf(status, exception), exception ?? `HTTP ${status}`)
}

/** Perun itself says no with status 400 (and 200, if it fails late); everything else comes from what stands before it. */
function failureOf(status: number, exception: string | undefined): PerunFailure {
  if (status === 401 || status === 403) return 'forbidden'
  if (exception === undefined || troubles.has(exception)) return 'unavailable'
  if (forbidden.has(exception)) return 'forbidden'
  return status === 400 || status === 200 ? 'refused' : 'unavailable'
}

/** No bean of Perun has an `errorId`; every error has one. */
function isError(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'errorId' in result
}

/** Perun's checked exceptions carry a `name`, its runtime exceptions only a `type`. */
function exceptionOf(body: Buffer): string | undefined {
  try {
    const error = JSON.parse(body.toString()) as { name?: unknown; type?: unknown } | null
    const name = error?.name ?? error?.type
    return typeof name === 'string' && /^\w{1,100}$/.test(name) ? name : undefined
  } catch {
    return undefined
  }
}

/** An answer that is cut short or no JSON leaves the outcome open: Perun's status may be 200 before it fails. */
function parse(method: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch (cause) {
    throw new PerunError(method, 'unavailable', 'not JSON', { cause })
  }
}
