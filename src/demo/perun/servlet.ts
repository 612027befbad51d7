/** Perun's RPC over HTTP: from a request to a call, and from its result or its exception to an answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { CallCounter } from './calls.ts'
import { PerunException, rpcException } from './exceptions.ts'
import { failures } from './failures.ts'
import type { Faults } from './faults.ts'
import type { FrontEnd } from './frontend.ts'
import { Parameters } from './parameters.ts'
import { send, sendPage, sendResult, sendUnauthorized } from './respond.ts'
import { type Caller, methodNamed } from './rpc.ts'
import type { PerunStore } from './store.ts'

/** What follows the kind of authentication in `/ba/rpc/json/groupsManager/getGroupById/ignored`. */
const pathPattern = /^\/[^/]+\/rpc(?:\/(.*))?$/

export class Servlet {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Whether a path is one of the RPC. */
  serves(path: string): boolean {
    return pathPattern.test(path)
  }

  async serve(request: IncomingMessage, response: ServerResponse, { pathname, searchParams }: URL): Promise<void> {
    const { frontEnd, faults, calls, store, caller } = this.#parts
    const [format = '', manager = '', method = ''] = (pathPattern.exec(pathname)?.[1] ?? '').split('/')
    const body = await text(request)
    if (!frontEnd.authenticates(request)) return sendUnauthorized(response)
    if (!['GET', 'POST', 'PUT'].includes(request.method!)) return sendPage(response, 405, 'Method Not Allowed')
    if (format === '') return send(response, 200, 'text/plain', `OK! Version: simulator, User: ${caller.login}`)
    calls.begin(method, response)
    if (faults.latencyMs > 0) await delay(faults.latencyMs)
    if (!frontEnd.admits(request, response)) return sendPage(response, 403, 'CSRF protection validation failed')
    const parameters = parametersOf(request, body, searchParams)
    const call = () => {
      if (format !== 'json') throw rpcException('UNKNOWN_SERIALIZER_FORMAT', format)
      if (method === '') throw rpcException('INVALID_URL', 'too short')
      if (parameters instanceof PerunException) throw parameters
      return methodNamed(manager, method, request.method === 'GET').call(parameters, store, caller)
    }
    const how = faults.take(method, parameters instanceof Parameters ? groupNamedIn(parameters, store) : undefined)
    const respond = how === undefined ? sendResult : failures[how]
    respond(response, call)
  }
}

interface Parts {
  readonly store: PerunStore
  readonly faults: Faults
  readonly frontEnd: FrontEnd
  readonly calls: CallCounter
  readonly caller: Caller
}

/** The exception is returned, not thrown, because an ordered fault comes before it. */
function parametersOf(request: IncomingMessage, body: string, query: URLSearchParams): Parameters | PerunException {
  if (request.method === 'GET') return Parameters.fromQuery(query)
  // The container takes the body of a form for itself, and the servlet finds nothing.
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  try {
    return Parameters.fromBody(isForm ? '' : body)
  } catch (error) {
    return error as PerunException
  }
}

/** The name of the group a call is for, by its id or its name. */
function groupNamedIn(parameters: Parameters, store: PerunStore): string | undefined {
  try {
    if (parameters.has('group')) return store.group(parameters.int('group')).name
    return parameters.has('name') ? parameters.text('name') : undefined
  } catch {
    return undefined
  }
}
