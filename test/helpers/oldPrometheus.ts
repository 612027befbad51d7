/** The HTTP API of Prometheus over samples in memory, as far as reading old samples needs it. */
import { SECOND } from '#src/core/time.ts'
import { startPeer } from './peer.ts'

export interface OldSample {
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
  readonly at: number
  readonly value: string
}

export interface FakePrometheus {
  /** More than these in an answer are refused, as `--query.max-samples` does. */
  mostSamples: number
  /** Whether it answers at all. */
  isDown: boolean
  /** As Prometheus 2 has it: the beginning of a window belongs to it. */
  isLeftClosed: boolean
}

/** A sample of a project at site 8676, unless told otherwise. */
export function oldSample(project: string, at: number, value: string, rest: Partial<OldSample> = {}): OldSample {
  const labels = { project_id: `id-${project}`, project_name: project, location_id: '8676', instance: 'exporter:8080' }
  return { metric: 'project_vcpu_usage', at, value, ...rest, labels: { ...labels, ...rest.labels } }
}

export async function servePrometheus(samples: readonly OldSample[] | (() => readonly OldSample[])) {
  const state: FakePrometheus = { mostSamples: 50_000_000, isDown: false, isLeftClosed: true }
  const all = typeof samples === 'function' ? samples : () => samples
  const peer = await startPeer((request, response) => {
    if (state.isDown) return void response.destroy()
    const url = new URL(request.url!, 'http://prometheus')
    const { status, body } = answer(url, all(), state)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  return { ...peer, state, queries: () => peer.requests.map(({ url }) => new URL(url!, 'http://prometheus')) }
}

const failed = (status: number, errorType: string, error: string) => ({
  status,
  body: { status: 'error', errorType, error },
})
const succeeded = (data: unknown) => ({ status: 200, body: { status: 'success', data } })

function answer(url: URL, samples: readonly OldSample[], state: FakePrometheus) {
  const values = /^\/api\/v1\/label\/(\w+)\/values$/.exec(url.pathname)
  if (values !== null) {
    const found = select(samples, url.searchParams.get('match[]')!)
    return succeeded([...new Set(found.flatMap(({ labels }) => labels[values[1]!] ?? []))].sort())
  }
  if (url.pathname !== '/api/v1/query') return { status: 404, body: 'page not found' }
  const [, selector, window] = /^(\{.*\})\[(\d+)ms\]$/s.exec(url.searchParams.get('query')!) ?? []
  if (selector === undefined) return failed(400, 'bad_data', 'invalid parameter "query": parse error')
  const upTo = Math.round(Number(url.searchParams.get('time')) * SECOND)
  const from = upTo - Number(window)
  const isIn = (at: number) => at <= upTo && (state.isLeftClosed ? at >= from : at > from)
  const found = select(samples, selector).filter(({ at }) => isIn(at))
  if (found.length > state.mostSamples)
    return failed(422, 'execution', 'query processing would load too many samples into memory in query execution')
  return succeeded({ resultType: 'matrix', result: matrix(found) })
}

function matrix(samples: readonly OldSample[]) {
  const bySeries = Map.groupBy(samples, ({ metric, labels }) => JSON.stringify({ __name__: metric, ...labels }))
  return [...bySeries].map(([key, own]) => ({
    metric: JSON.parse(key) as unknown,
    values: own.toSorted((a, b) => a.at - b.at).map(({ at, value }) => [at / SECOND, value]),
  }))
}

/** Matchers `=` and `=~` on labels and on the name. */
function select(samples: readonly OldSample[], selector: string): OldSample[] {
  const matchers = [...selector.matchAll(/(\w+)(=~|=)("(?:[^"\\]|\\.)*")/gs)].map(([, label, operator, text]) => {
    const value = JSON.parse(text!) as string
    const pattern = new RegExp(`^(?:${value})$`, 's')
    return { label: label!, matches: (found: string) => (operator === '=' ? found === value : pattern.test(found)) }
  })
  return samples.filter(({ metric, labels }) =>
    matchers.every(({ label, matches }) => matches((label === '__name__' ? metric : labels[label]) ?? '')),
  )
}
