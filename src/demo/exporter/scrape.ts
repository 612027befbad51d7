/** Answers a scrape as the real exporter's web server does: two formats, gzip when asked for, `name[]` to choose metrics. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { SECOND } from '../../core/time.ts'
import { type FailMode, garbage, serverError } from './failures.ts'
import type { Gauges } from './gauges.ts'
import { contentTypes, type Metric, render } from './render.ts'
import type { Usage } from './usage.ts'

/** Any path and method will do. `failure` is how to fail, if at all. */
export function answerScrape(
  gauges: Gauges,
  request: IncomingMessage,
  response: ServerResponse,
  failure: FailMode | undefined,
): void {
  if (failure === 'hang') return
  if (failure === 'reset') return void request.socket.resetAndDestroy()
  if (failure === 'error') return void response.writeHead(500, { 'Content-Type': 'text/plain' }).end(serverError)
  const body = writeBody(gauges, request, response, failure)
  if (failure !== 'partial') return void response.end(body)
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy())
}

/** Writes the status and the headers. @returns the whole body, of the length that the headers say. */
function writeBody(gauges: Gauges, request: IncomingMessage, response: ServerResponse, failure?: FailMode): Buffer {
  const format = request.headers.accept?.includes('application/openmetrics-text') ? 'openmetrics' : 'text'
  const [path, query] = request.url!.split('?')
  const names = new URLSearchParams(query).getAll('name[]')
  const metrics = metricsOf(gauges).filter(({ name }) => names.length === 0 || names.includes(name))
  const text = failure === 'garbage' ? garbage : path === '/favicon.ico' ? '' : render(metrics, format)
  const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding']))
  const body = zipped ? gzipSync(text) : Buffer.from(text)
  response.writeHead(200, {
    'Content-Type': contentTypes[format],
    'Content-Length': body.length,
    ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
  })
  return body
}

/** The Python runtime tells of itself first, then come the two totals. A worker must pass over what it does not know. */
function metricsOf(gauges: Gauges): Metric[] {
  const python = { implementation: 'CPython', major: '3', minor: '11', patchlevel: '2', version: '3.11.2' }
  const collections = [230, 20, 1].map((value, generation) => ({ labels: { generation: `${generation}` }, value }))
  const usages = gauges.usages()
  const total = (value: (usage: Usage) => number) =>
    usages.map((usage) => ({ labels: usage.labels, value: value(usage) }))
  return [
    {
      name: 'python_gc_collections_total',
      help: 'Number of times this generation was collected',
      type: 'counter',
      samples: collections,
    },
    {
      name: 'python_info',
      help: 'Python platform information',
      type: 'gauge',
      samples: [{ labels: python, value: 1 }],
    },
    {
      name: 'process_start_time_seconds',
      help: 'Start time of the process since unix epoch in seconds.',
      type: 'gauge',
      samples: [{ labels: {}, value: gauges.startedAt() / SECOND }],
    },
    { name: 'project_vcpu_usage', help: 'Total vcpu usage', type: 'gauge', samples: total(({ vcpu }) => vcpu) },
    { name: 'project_mb_usage', help: 'Total MB usage', type: 'gauge', samples: total(({ ram }) => ram) },
  ]
}
