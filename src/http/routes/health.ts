/** For whoever watches the process: container engines, load balancers, Prometheus. */
import type { Instant } from '../../core/time.ts'
import type { Receiver } from '../../sources/source.ts'
import { catchUpReason } from '../catchUpJson.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { alive, notReady, pong, prometheusText, ready } from '../schemas/worker.ts'

/** `GET /ping`: kept from the old service, whose container image asks for it. */
export function pingRoute(): Route {
  return {
    method: 'get',
    path: '/ping',
    who: 'all',
    isForWatchers: true,
    summary: 'Whether somebody answers',
    answers: { 200: { description: 'Somebody does', text: pong } },
    handle(ctx) {
      ctx.body = 'Pong'
    },
  }
}

/** `GET /livez`: a process that does not answer this is to be started again. */
export function livezRoute(): Route {
  return {
    method: 'get',
    path: '/livez',
    who: 'all',
    isForWatchers: true,
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It lives', json: alive } },
    handle(ctx) {
      ctx.body = { alive: true }
    },
  }
}

type Watched = Pick<HttpParts, 'ledger' | 'targets' | 'receivers' | 'catchUp' | 'replicas' | 'stopping'>

/** `GET /readyz`: whether it does its work. That Perun or some exporter is down is no reason to take it away. */
export function readyzRoute(parts: Watched): Route {
  return {
    method: 'get',
    path: '/readyz',
    who: 'all',
    isForWatchers: true,
    summary: 'Whether the worker does its work',
    answers: {
      200: { description: 'It does', json: ready },
      503: { description: 'It does not, with the reasons', json: notReady },
    },
    async handle(ctx) {
      const reasons = await reasonsAgainst(parts)
      ctx.status = reasons.length === 0 ? 200 : 503
      ctx.body = reasons.length === 0 ? { ready: true } : { ready: false, reasons }
    },
  }
}

async function reasonsAgainst({ ledger, targets, receivers, catchUp, replicas, stopping }: Watched): Promise<string[]> {
  const reasons: string[] = []
  if (stopping()) reasons.push('The worker is stopping.')
  const trouble = await ledger.check().catch((error: Error) => error.message)
  // Known trouble is a sentence, with what to do about it.
  if (trouble !== undefined) reasons.push(trouble.endsWith('.') ? trouble : `The ledger cannot be written: ${trouble}.`)
  else if (replicas?.isMember() === false) reasons.push(unheard)
  const behind = catchUpReason(catchUp())
  if (behind !== undefined) reasons.push(behind)
  if (isBlind(targets(), receivers)) reasons.push('No scrape has worked yet.')
  return reasons
}

const unheard =
  'The others that share the ledger have not heard of this worker for a while: it joins them again by itself.'

/**
 * Whether nothing has been read yet that was to be. Without targets, or where others scrape all of them, it waits for pushes, or
 * stands by; pushes come to what is ready.
 */
function isBlind(targets: ReturnType<HttpParts['targets']>, receivers: HttpParts['receivers']): boolean {
  const sources: readonly { readonly lastSuccess: Instant | undefined }[] = [
    ...targets,
    ...Object.values(receivers).map(({ status }: Receiver) => status),
  ]
  const isWanted = targets.some(({ scraper }) => scraper.kind !== 'elsewhere')
  return isWanted && sources.every(({ lastSuccess }) => lastSuccess === undefined)
}

/** `GET /metrics`, as Prometheus reads it. */
export function metricsRoute({ metrics: { registry } }: Pick<HttpParts, 'metrics'>): Route {
  return {
    method: 'get',
    path: '/metrics',
    who: 'all',
    isForWatchers: true,
    summary: 'Metrics of the worker in Prometheus text',
    answers: { 200: { description: 'The metrics', text: prometheusText } },
    async handle(ctx) {
      ctx.body = await registry.metrics()
      ctx.type = registry.contentType
    },
  }
}
