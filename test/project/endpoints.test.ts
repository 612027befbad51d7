/** docs/API.md, and the requests of other documents: what they ask for is what the worker answers. */
import { expect, suite, test } from 'vitest'
import type { Who } from '#src/http/auth.ts'
import type { Door } from '#src/http/door.ts'
import { readLogChange } from '#src/http/logChange.ts'
import type { HttpParts } from '#src/http/parts.ts'
import { allRoutes } from '#src/http/routes/all.ts'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { fenced, inlineCode, manuals, plain, read, section, tableRows } from './repository.ts'

// Nothing is asked of the parts before a request comes.
const routes = allRoutes({ metrics: createMetrics({ version: 'test' }) } as unknown as HttpParts, {} as Door)
const endpoint = ({ method, path }: { method: string; path: string }) => `${method.toUpperCase()} ${path}`
const known = new Set(routes.map(endpoint))

test('The endpoints of docs/API.md are all routes, with who may ask', () => {
  const documented = tableRows(section(read('docs/API.md'), 'Endpoints')).map(([request, who]) => [
    plain(request!),
    who,
  ])
  const declared = routes.map((route): [string, Who] => [endpoint(route), route.who])
  expect(documented.toSorted()).toEqual(declared.toSorted())
})

test('Requests that the manuals name are routes', () => {
  const moved = tableRows(read('docs/MOVING.md')).filter(([, here]) => /^(gone|not there)/.test(here!))
  const gone = moved.map(([old]) => plain(old!))
  const named = manuals.flatMap((path) =>
    inlineCode(read(path)).flatMap((code) => {
      const request = /^(?:GET|POST) \/[^\s?]*/.exec(code)?.[0]
      return request === undefined ? [] : [{ path, request }]
    }),
  )
  expect(new Set(named.map(({ path }) => path)).size).toBeGreaterThan(4)
  expect(named.filter(({ request }) => !known.has(request) && !gone.includes(request))).toEqual([])
})

suite('The examples of the manuals', () => {
  const examples = manuals.flatMap((path) => fenced(read(path), 'sh').filter((line) => line.startsWith('curl ')))

  test('ask for routes', () => {
    expect(examples.length).toBeGreaterThan(10)
    const patterns = routes.map((route) => new RegExp(`^${endpoint(route).replace(/:\w+/g, '[^/]+')}$`))
    for (const line of examples) {
      const { pathname } = new URL(/http:[^\s"]+/.exec(line)![0])
      const asked = `${line.includes(' -d ') ? 'POST' : 'GET'} ${pathname}`
      expect(
        patterns.some((pattern) => pattern.test(asked)),
        line,
      ).toBe(true)
    }
  })

  // A shell may take `?` for a pattern of file names.
  test('quote addresses with a query', () => {
    const withQuery = examples.filter((line) => line.includes('?'))
    expect(withQuery.length).toBeGreaterThan(1)
    expect(withQuery.filter((line) => !/"http:[^"]+"/.test(line))).toEqual([])
  })

  test('have one of a change of log levels that is understood', () => {
    const [example] = examples.filter((line) => line.endsWith('/logconfig'))
    const { levels, forMs } = readLogChange(JSON.parse(/-d '(.*?)'/.exec(example!)![1]!))
    expect([[...levels], forMs]).toEqual([[['perun', 'debug']], 600_000])
  })
})

test('The endpoints that OS Credits had are there, or docs/MOVING.md says that they are gone', () => {
  const moved = tableRows(read('docs/MOVING.md')).filter(([old]) => /^`(GET|POST) /.test(old!))
  for (const [old, here] of moved) {
    for (const each of old!.split(', ').map(plain)) {
      expect(/^(gone|not there)/.test(here!), each).toBe(!known.has(each))
    }
  }
  expect(moved.length).toBeGreaterThan(5)
})
