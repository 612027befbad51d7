/** What happens to every request, whatever it asks for. */
import type { Context, Middleware } from 'koa'
import { SECOND } from '../core/time.ts'
import { newTaskId, withTask } from '../telemetry/context.ts'
import type { Door } from './door.ts'
import { BadRequestError, HeadTooLargeError, MethodNotAllowedError, NotFoundError } from './errors.ts'
import type { HttpParts } from './parts.ts'

/** Makes a request a task, and counts and logs its answer. Comes first, so that it sees the status that is sent. */
export function observe({ logger, metrics }: Pick<HttpParts, 'logger' | 'metrics'>): Middleware {
  return (ctx, next) =>
    withTask(newTaskId('http'), async () => {
      const begun = performance.now()
      await next()
      const ms = performance.now() - begun
      const { method, path, status } = ctx
      // Not the path: strangers may ask for as many as they like.
      const route = routeOf(ctx) ?? 'none'
      metrics.httpRequests.inc({ route, status })
      metrics.httpSeconds.observe({ route }, ms / SECOND)
      // Pushes come as often as scrapes.
      const isChange = method === 'POST' && ctx.state.isForPushes !== true
      logger[isChange ? 'info' : 'debug']({ method, path, status, ms: Math.round(ms) }, `${method} ${status}`)
    })
}

/** The pattern of the route that took the request, if one did. */
function routeOf(ctx: Context): string | undefined {
  return ctx._matchedRoute
}

/** Answers are for whoever asked and for nobody else: not kept, not guessed at, not shown within other pages. */
const answerHeaders = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/** @param isStopping Whether an answer ends its connection, because there will be nobody for the next request. */
export function setHeaders(isStopping: () => boolean): Middleware {
  return async (ctx, next) => {
    ctx.set(answerHeaders)
    await next()
    if (isStopping()) ctx.set('Connection', 'close')
  }
}

/** Notes who looks, also for pages that say what went wrong. */
export function lookAtViewer(door: Pick<Door, 'viewer'>): Middleware {
  return (ctx, next) => {
    ctx.state.viewer = door.viewer(ctx.req)
    return next()
  }
}

/** Browsers send some twenty. Of very many, Node drops the last ones unseen, and what they say would not count. */
const MOST_HEADERS = 100

export const checkHead: Middleware = (ctx, next) => {
  // Names and values take turns.
  if (ctx.req.rawHeaders.length <= 2 * MOST_HEADERS) return next()
  throw new HeadTooLargeError(`The request has more than ${MOST_HEADERS} headers.`)
}

/** A broken address is refused as a whole: half of a name that was decoded could be the name of another group. */
export const checkAddress: Middleware = (ctx, next) => {
  try {
    decodeURIComponent(ctx.url)
  } catch {
    throw new BadRequestError('The address holds a % that does not begin an encoded UTF-8 character; write it as %25.')
  }
  return next()
}

/** Comes last: no route took the request. */
export const refuse: Middleware = (ctx) => {
  const matched: readonly { methods: readonly string[] }[] = ctx.matched ?? []
  const methods = [...new Set(matched.flatMap((route) => route.methods))]
  if (methods.length === 0) throw new NotFoundError(`There is nothing at ${ctx.path}.`)
  throw new MethodNotAllowedError(`${ctx.path} takes ${methods.join(', ')}, not ${ctx.method}.`, methods)
}
