/**
 * A Perun to try the worker with: the part of its RPC that matters for credits, with its rules, its error shapes and, on
 * demand, its failures. Newcomers run it, and tests talk to it.
 *
 * Everything is in memory and gone with the process. It is a stand-in for one service account in one VO: no roles, no
 * audit log, no subgroups, no attributes but those of groups and of groups with resources, and none of the built-in ones
 * of a group (`core:name` and the like). Times always have six decimals, where a real one drops zeros at the end. A line
 * break in a map entry is fatal together with any comma or colon, where a real one survives some orders of them.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Clock, systemClock } from '../../core/time.ts'
import { administer, groupsPage, isFromHere } from './admin.ts'
import { CallCounter } from './calls.ts'
import { type AttributeRole, type AttributeSpec, type Definition, define, deNbiAttributes } from './definitions.ts'
import { Faults } from './faults.ts'
import { FrontEnd } from './frontend.ts'
import { send, sendPage } from './respond.ts'
import type { Caller } from './rpc.ts'
import { Servlet } from './servlet.ts'
import { PerunStore } from './store.ts'
import { type Roles, worldOf } from './world.ts'

export type { How } from './failures.ts'

export interface PerunOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
  /** Default `credits`, with the password `secret`. */
  readonly login?: string
  readonly password?: string
  readonly voId?: number
  readonly clock?: Clock
  /** Time every call waits before anything happens, in ms. */
  readonly latency?: number
  /** Whether writes need a CSRF token, as on a Perun that also serves browsers. Default no. */
  readonly csrf?: boolean
  /** Other names, types or rights of the four attributes; null for one that is not defined. */
  readonly attributes?: Readonly<Partial<Record<AttributeRole, Partial<AttributeSpec> | null>>>
  /** Further attributes of groups, or of groups with resources. */
  readonly moreAttributes?: readonly AttributeSpec[]
  /** How many of the latest writes are kept, default 10,000. */
  readonly writesKept?: number
  /** Whether other machines may use `/-/`, for a container whose host is another machine. Default no. */
  readonly openAdmin?: boolean
}

export type PerunSimulator = Awaited<ReturnType<typeof startPerun>>

/** Starts one; it listens when the promise resolves. */
export async function startPerun(options: PerunOptions = {}) {
  const { login = 'credits', password = 'secret', voId = 412, clock = systemClock } = options
  const roles = defineRoles(options.attributes ?? {})
  const definitions = [...Object.values(roles), ...(options.moreAttributes ?? []).map(define)]
  const store = new PerunStore({ vo: { id: voId, name: 'credits' }, definitions, clock })
  const { record, ...world } = worldOf(store, roles, clock, options.writesKept)
  const faults = new Faults(store, options.latency ?? 0)
  const calls = new CallCounter()
  const frontEnd = new FrontEnd(login, password, options.csrf ?? false, calls)
  const wrote: Caller['wrote'] = (address, changes, changed) => record(address, changes, changed, login)
  const servlet = new Servlet({ store, faults, frontEnd, calls, caller: { login, clock, wrote } })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://perun')
    if (servlet.serves(url.pathname)) return servlet.serve(request, response, url)
    if (url.pathname === '/') return send(response, 200, 'text/html', groupsPage(world.readAll()))
    if (!url.pathname.startsWith('/-/')) return sendPage(response, 404, 'Not Found')
    if (!options.openAdmin && !isFromHere(request)) return sendPage(response, 403, 'Forbidden')
    const order = `${request.method} ${url.pathname}`
    const { status, value } = administer({ world, faults, calls }, order, await text(request))
    send(response, status, 'application/json', JSON.stringify(value))
  }

  const server = createServer((request, response) => {
    // Only a request that makes no sense or a client that went away half way comes here.
    serve(request, response).catch(() => response.destroy())
  })
  const home = await listen(server, options.host ?? '127.0.0.1', options.port ?? 0)
  return {
    ...world,
    /** What the worker takes as `OS_CREDITS_PERUN_URL`. */
    url: `${home}/ba/rpc/json`,
    /** The page for people; `/-/groups` and the like are beside it. */
    home,
    voId,
    faults,
    calls,
    /** Stops at once: connections are cut, calls that hang are over. */
    close: () => close(server),
    [Symbol.asyncDispose]: () => close(server),
  }
}

function defineRoles(overrides: NonNullable<PerunOptions['attributes']>): Roles {
  const roles: Partial<Record<AttributeRole, Definition>> = {}
  for (const role of Object.keys(deNbiAttributes) as AttributeRole[]) {
    const override = overrides[role]
    if (override !== null) roles[role] = define({ ...deNbiAttributes[role], ...override })
  }
  return roles
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  await once(server.listen(port, host), 'listening')
  const address = server.address() as AddressInfo
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}
