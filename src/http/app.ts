/**
 * The HTTP face of the worker: who watches it, who asks for credits, who changes what it logs.
 *
 * Only a decision about a hold changes an amount. Routes say who may ask (`auth.ts`), errors come as
 * problem documents (`errors.ts`). A request that takes too long to arrive or is too large is cut off, so that nobody can
 * keep the worker busy by being slow.
 */

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import Koa from 'koa'
import { fromPath } from '../core/groupPath.ts'
import { SECOND } from '../core/time.ts'
import { createGate, type Gate } from './auth.ts'
import { compress } from './compress.ts'
import { createDoor } from './door.ts'
import { answerErrors, ForbiddenError, UnauthorizedError } from './errors.ts'
import { checkAddress, checkHead, lookAtViewer, observe, refuse, setHeaders } from './middleware.ts'
import { showErrorPage } from './pages/errorPage.ts'
import type { HttpParts } from './parts.ts'
import { createRateLimit } from './rateLimit.ts'
import type { Route, RouteContext } from './route.ts'
import { allRoutes } from './routes/all.ts'

export interface HttpServer {
  /**
   * Answers from when the promise resolves.
   *
   * @throws {HttpListenError} if the address cannot be had.
   */
  listen(): Promise<Address>
  /**
   * Accepts nothing more and resolves when the requests under way are answered, or cut off after `grace` milliseconds.
   * Does nothing if it does not listen.
   */
  stop(grace: number): Promise<void>
}

interface Address {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:8000` */
  readonly url: string
}

/** The address to listen on cannot be had: said to the operator as it is. */
export class HttpListenError extends Error {
  override readonly name = 'HttpListenError'
  readonly code = 'ERR_HTTP_LISTEN'
}

/** How long a request may take to arrive, and how large its head may be, its address included. */
const LIMITS = {
  headersTimeout: 10 * SECOND,
  requestTimeout: 30 * SECOND,
  keepAliveTimeout: 5 * SECOND,
  connectionsCheckingInterval: 5 * SECOND,
  maxHeaderSize: 16_384,
}

/** How long the rest of a request is still taken, and thrown away, after it was answered: whoever is not read does not read. */
const LINGER = 2 * SECOND

type HttpLimits = typeof LIMITS & { readonly connections: number; readonly linger: number }

/** Connections at a time. Each takes some tens of kilobytes, and for as long as a request may take; more are closed at once. */
const MOST_CONNECTIONS = 1_000

/** @param limits Others than ours, for tests that would wait too long. */
export function createHttpServer(parts: HttpParts, limits: Partial<HttpLimits> = {}): HttpServer {
  let isStopping = false
  const app = createApp(parts, () => isStopping)
  const { connections, linger, ...head } = { connections: MOST_CONNECTIONS, linger: LINGER, ...LIMITS, ...limits }
  const server = createServer(head, app.callback())
  server.maxConnections = connections
  server.on('request', (request, response) => {
    response.once('finish', () => {
      if (!request.complete) setTimeout(() => request.complete || request.socket.destroy(), linger).unref()
    })
  })

  return {
    async listen() {
      await begin(server, parts)
      server.on('error', (err) => parts.logger.error({ err }, 'The HTTP server has an error'))
      return addressOf(server)
    },
    async stop(grace) {
      if (!server.listening) return
      isStopping = true
      const closed = once(server, 'close')
      server.close()
      const deadline = setTimeout(() => server.closeAllConnections(), grace)
      await closed
      clearTimeout(deadline)
    },
  }
}

function createApp(parts: HttpParts, isStopping: () => boolean): Koa {
  const { logger, rateLimit, clock } = parts
  const app = new Koa()
  const limit = createRateLimit({ perMinute: rateLimit, clock, logger })
  const door = createDoor({ keys: parts.keys, clock, guard: limit.guard })
  const routes = allRoutes(parts, door)
  // What handlers throw is caught before; here is only what happens when an answer is written. A code comes from the
  // system: the client is gone.
  app.on('error', (err: Error) => logger['code' in err ? 'debug' : 'error']({ err }, 'An answer could not be written'))
  app.use(observe(parts))
  app.use(setHeaders(isStopping))
  app.use(compress)
  app.use(lookAtViewer(door))
  app.use(answerErrors(logger, showErrorPage))
  app.use(limit.countRequests(new Set(routes.filter(isUncounted).map(({ path }) => path))))
  app.use(checkHead)
  app.use(checkAddress)
  app.use(createRouter(routes, limit.guard(createGate(parts.keys))).routes())
  app.use(refuse)
  return app
}

/** Whoever watches has to get through, and what is pushed has a limit of its own. */
function isUncounted({ isForWatchers, isForPushes }: Route): boolean {
  return isForWatchers === true || isForPushes === true
}

/** One address for one thing: no other case, no slash at the end. */
function createRouter(routes: readonly Route[], gate: Gate): Router {
  const router = new Router({ sensitive: true, strict: true })
  for (const { method, path, who, isForPeople = false, isForPushes = false, handle } of routes) {
    router[method](path, async (ctx) => {
      ctx.state.isForPeople = isForPeople
      ctx.state.isForPushes = isForPushes
      // A session opens what only looks. What changes something is a form, which carries a token beside it.
      const { role } = ctx.state.viewer
      gate(who, ctx.req, isForPeople || method === 'get' ? role : undefined)
      ctx.state.isOperator = isForPeople && opens(() => gate('operator', ctx.req, role))
      ctx.params = Object.fromEntries(Object.entries(ctx.params).map(([name, part]) => [name, fromPath(part)]))
      await handle(ctx as unknown as RouteContext)
    })
  }
  return router
}

function opens(pass: () => void): boolean {
  try {
    pass()
    return true
  } catch (error) {
    if (!(error instanceof ForbiddenError || error instanceof UnauthorizedError)) throw error
    return false
  }
}

async function begin(server: Server, { host, port }: HttpParts): Promise<void> {
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = refusals[code ?? ''] ?? message
    throw new HttpListenError(`Cannot listen on ${host}, port ${port} (CREDITS_HOST, CREDITS_PORT): ${why}`, {
      cause: error,
    })
  }
}

const refusals: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program does already. Stop it or choose another port.',
  EADDRNOTAVAIL: 'this machine does not have that address.',
  ENOTFOUND: 'there is no host of that name.',
  EACCES: 'this user may not use that port. Choose one from 1024 on.',
}

function addressOf(server: Server): Address {
  const { address, family, port } = server.address() as AddressInfo
  const host = family === 'IPv6' ? `[${address}]` : address
  return { host: address, port, url: `http://${host}:${port}` }
}
