/**
 * The ways in which a call can fail, besides those that the client brought upon itself.
 *
 * Some happen before the call takes effect and some after, when the client cannot know that it did. A client that comes out
 * right with every one of these will do so with the real thing.
 */
import type { ServerResponse } from 'node:http'
import { checked, type PerunException, runtime, uncaught } from './exceptions.ts'
import { resultOf, send, sendPage, sendResult, sendUnauthorized } from './respond.ts'

/** @param call Makes the call; it takes effect only if this is used. */
type Failure = (response: ServerResponse, call: () => unknown) => void

export const failures = {
  /** Perun's answer to nearly everything, from a lost database to a mistake of the client. */
  'internal-error': throwing(() => runtime('InternalErrorException', 'SQLException: Connection is not available')),
  'consistency-error': throwing(() => runtime('ConsistencyErrorException', 'Data are inconsistent')),
  /** The one JSON error with status 500. */
  uncaught: throwing(() => uncaught(undefined)),
  privilege: throwing(() => checked('PrivilegeException', 'Principal is not authorized to perform this action')),
  /** A module of Perun does not like the value. */
  'attribute-refused': throwing(() => {
    return checked('WrongAttributeValueException', 'The value was refused', { attribute: null, attributeHolder: null })
  }),
  /** 401 with a page, from the proxy. */
  unauthorized: (response) => sendUnauthorized(response),
  'html-502': (response) => sendPage(response, 502, 'Bad Gateway'),
  'html-503': (response) => sendPage(response, 503, 'Service Unavailable'),
  /** A page with status 200, such as a form to log in. */
  'not-json-200': (response) => sendPage(response, 200, 'Log in'),
  /** The connection is closed without an answer. */
  'drop-before': (response) => destroy(response),
  /** No answer, ever; the connection stays open. */
  hang: () => {},
  /** The call takes effect, then the connection is closed without an answer. */
  'drop-after'(response, call) {
    resultOf(call)
    destroy(response)
  },
  /** The call takes effect; the JSON ends in the middle, though HTTP has nothing to complain about. */
  truncated(response, call) {
    send(response, 200, 'application/json', firstHalf(resultOf(call).body))
  },
  /** The call takes effect; the connection is closed in the middle of the answer. */
  'cut-after'(response, call) {
    const { body } = resultOf(call)
    response.setHeader('content-type', 'application/json; charset=utf-8')
    response.setHeader('content-length', Buffer.byteLength(body))
    response.write(firstHalf(body), () => destroy(response))
  },
} satisfies Record<string, Failure>

export type How = keyof typeof failures

/** Fails with an exception that Perun itself makes. */
function throwing(exception: () => PerunException): Failure {
  return (response) =>
    sendResult(response, () => {
      throw exception()
    })
}

function firstHalf(body: string): string {
  return body.slice(0, Math.floor(body.length / 2))
}

function destroy(response: ServerResponse): void {
  response.socket?.destroy()
}
