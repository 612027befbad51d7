/**
 * How Perun says no.
 *
 * Its servlet writes exceptions in two shapes, and clients have to cope with both: a checked exception carries its class
 * as `name`, a runtime exception as `type` and has no `name` at all. Nearly all of them come with status 400.
 */

/** An exception of Perun together with the answer its servlet makes of it. */
export class PerunException extends Error {
  override readonly name = 'PerunException'
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(String(body.message))
    this.status = status
    this.body = body
  }
}

/** A checked exception such as `GroupNotExistsException`. `extras` are the beans it speaks of. */
export function checked(name: string, detail: string, extras: Readonly<Record<string, unknown>> = {}): PerunException {
  const errorId = newErrorId()
  const message = `Error ${errorId}: ${detail}`
  return new PerunException(400, { errorId, name, message, friendlyMessageTemplate: null, suppressed: [], ...extras })
}

/** A runtime exception: `InternalErrorException` or `ConsistencyErrorException`. */
export function runtime(type: string, detail: string): PerunException {
  const errorId = newErrorId()
  return new PerunException(400, { errorId, type, message: `Error ${errorId}: ${detail}`, suppressed: [] })
}

/** What the RPC layer itself refuses; `type` is a constant such as `MISSING_VALUE`. */
export function rpcException(type: string, errorInfo: string, status = 400): PerunException {
  const { body } = runtime(type, `${type}: ${errorInfo}`)
  return new PerunException(status, { ...body, errorInfo })
}

/** An exception nobody expected: the only JSON error that comes with status 500. */
export function uncaught(error: unknown): PerunException {
  const name = error instanceof Error ? error.constructor.name : 'NullPointerException'
  return rpcException('UNCATCHED_EXCEPTION', name, 500)
}

/** The time in hexadecimal: a hint for finding the line in Perun's log, not unique. */
function newErrorId(): string {
  return Date.now().toString(16)
}
