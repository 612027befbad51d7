/**
 * A Prometheus that has scraped a site for ever, as far as the worker asks it: a process of its own, so that its work is not
 * counted as ours.
 *
 *   node bench/archive.ts PROJECTS INTERVAL-IN-MS
 *
 * Prints the port that it listens on. Its answers have the form and the size of Prometheus'; its disk takes no time.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { HOUR } from '#src/core/time.ts'
import { projectName } from '../test/helpers/cloud.ts'
import { SITE } from './perun.ts'

/** What the projects of the site had used in hours of one machine, at an instant. */
export function hoursAt(at: number): number {
  return (at - Date.UTC(2025, 0, 1)) / HOUR
}

export async function spawnArchive(projects: number, interval: number) {
  const child = spawn(process.execPath, [import.meta.filename, String(projects), String(interval)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    pid: child.pid!,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}

if (import.meta.main) {
  const [projects, interval] = process.argv.slice(2).map(Number) as [number, number]
  const series = ['project_vcpu_usage', 'project_mb_usage'].flatMap((metric, place) =>
    Array.from({ length: projects }, (_, index) => {
      const labels = { domain_id: 'default', domain_name: 'default', project_id: `id-${index}` }
      const all = { __name__: metric, ...labels, project_name: projectName(index), location_id: String(SITE) }
      return { head: `{"metric":${JSON.stringify(all)},"values":[`, factor: (1 + (index % 64)) * (place === 0 ? 1 : 4) }
    }),
  )

  /** All series with their samples in a window, as the answer to a range selector. */
  function matrix(after: number, upTo: number): string {
    const instants: number[] = []
    for (let at = Math.floor(after / interval + 1) * interval; at <= upTo; at += interval) instants.push(at)
    const found = instants.length === 0 ? [] : series
    const results = found.map(({ head, factor }) => {
      const values = instants.map((at) => `[${at / 1_000},"${hoursAt(at) * factor}"]`)
      return `${head}${values.join(',')}]}`
    })
    return `{"status":"success","data":{"resultType":"matrix","result":[${results.join(',')}]}}`
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://archive')
    response.setHeader('content-type', 'application/json')
    if (pathname.startsWith('/api/v1/label/')) response.end(`{"status":"success","data":["${SITE}"]}`)
    else {
      const upTo = Number(searchParams.get('time')) * 1_000
      const length = Number(/\[(\d+)ms\]$/.exec(searchParams.get('query')!)![1])
      response.end(matrix(upTo - length, upTo))
    }
  }).listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
}
